/**
 * The system calls of one kernel: makes the sockets of socket.ts over TCP, UDP and raw IP.
 *
 * Thread: the one that runs the kernel.
 */

import type { Inet } from '../inet/inet.ts';
import type { TcpStack } from '../inet/tcp/stack.ts';
import { UdpSocket } from './datagram.ts';
import type { SocketContext } from './events.ts';
import { RawIpSocket } from './raw.ts';
import type { AddressText, DatagramSocket, Family, RawSocket, SocketLayer, StreamSocket } from './socket.ts';
import { TcpSocket } from './stream.ts';

export class Sockets implements SocketLayer {
  readonly #inet: Inet;
  readonly #tcp: TcpStack;
  readonly #context: SocketContext;

  constructor(inet: Inet, tcp: TcpStack, context: SocketContext) {
    this.#inet = inet;
    this.#tcp = tcp;
    this.#context = context;
  }

  get addressText(): AddressText {
    return this.#inet.addressText;
  }

  /** What is no address here goes last: an unknown zone, 240/8. */
  orderDestinations(addresses: readonly string[]): string[] {
    const unknown: string[] = [];
    const texts = new Map<number, string>();
    for (const text of addresses) {
      const number = this.#inet.addressText.parse(text);
      if (number === null) unknown.push(text);
      else texts.set(number, text);
    }
    const ordered = this.#inet.ip.orderDestinations([...texts.keys()]);
    return [...ordered.map((number) => texts.get(number) as string), ...unknown];
  }

  stream(family: Family = 4): StreamSocket {
    return new TcpSocket(this.#tcp, this.#context, family);
  }

  datagram(family: Family = 4): DatagramSocket {
    return new UdpSocket(this.#inet, this.#context, family);
  }

  raw(protocol: number, family: Family = 4): RawSocket {
    return new RawIpSocket(this.#inet, this.#context, protocol, family);
  }
}
