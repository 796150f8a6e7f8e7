/**
 * The socket layer of one CPU: makes the sockets of socket.ts over its TCP, UDP and raw IP. Interfaces and addresses are the
 * kernel's.
 *
 * Thread: the one that runs the CPU. Cold: once per socket.
 */

import type { Inet } from '../inet/inet.ts';
import type { InetCpu } from '../inet/inet-cpu.ts';
import { NO_ADDRESS } from '../inet/ip/address-boundary.ts';
import { UdpSocket } from './datagram.ts';
import type { SocketContext } from './events.ts';
import { RawIpSocket } from './raw.ts';
import type { Family, SocketAddress } from './sockaddr.ts';
import type { DatagramSocket, RawSocket, SocketLayer, StreamSocket } from './socket.ts';
import { TcpSocket } from './stream.ts';

export class Sockets implements SocketLayer {
  readonly #inet: Inet;
  readonly #cpu: InetCpu;
  readonly #context: SocketContext;

  constructor(inet: Inet, cpu: InetCpu, context: SocketContext) {
    this.#inet = inet;
    this.#cpu = cpu;
    this.#context = context;
  }

  interfaceIndex(name: string): number {
    const index = Number(name);
    return (this.#inet.interface(name) ?? this.#inet.interfaceAt(index))?.index ?? 0;
  }

  interfaceName(index: number): string {
    return this.#inet.interfaceAt(index)?.name ?? '';
  }

  interfaceWithAddress(address: SocketAddress): number {
    const number = this.#inet.addresses.numberOf(address);
    return number === NO_ADDRESS ? 0 : (this.#inet.interfaceWithAddress(number)?.index ?? 0);
  }

  orderDestinations(addresses: readonly SocketAddress[]): SocketAddress[] {
    const numbers = addresses.map((address) => this.#inet.addresses.numberOf(address));
    const rank = new Map<number, number>();
    for (const number of this.#cpu.orderDestinations(numbers.filter((one) => one !== NO_ADDRESS))) {
      rank.set(number, rank.size);
    }
    const rankAt = (index: number): number => rank.get(numbers[index] as number) ?? addresses.length;
    const order = [...addresses.keys()].sort((a, b) => rankAt(a) - rankAt(b));
    return order.map((index) => addresses[index] as SocketAddress);
  }

  stream(family: Family = 4): StreamSocket {
    return new TcpSocket(this.#cpu.tcp, this.#inet.addresses, this.#context, family);
  }

  datagram(family: Family = 4): DatagramSocket {
    return new UdpSocket(this.#cpu, this.#context, family);
  }

  raw(protocol: number, family: Family = 4): RawSocket {
    return new RawIpSocket(this.#cpu, this.#context, protocol, family);
  }
}
