/**
 * Raw sockets: the BSD face of a raw IP endpoint, for ping and traceroute.
 *
 * Thread: the one that runs the CPU. Sends whole messages of its protocol, receives IP packets with their header.
 */

import { Errno } from '../base/errors.ts';
import type { InetCpu } from '../inet/inet-cpu.ts';
import { NO_ADDRESS } from '../inet/ip/address-boundary.ts';
import { IP_OPTION_BYTES_MAX, type RawEndpoint } from '../inet/ip/raw-sockets.ts';
import type { EventTarget, SocketContext } from './events.ts';
import { refusedFamily, refusedLocal, unnamedErrno, unnamedLocalErrno } from './family.ts';
import type { Family, SocketAddress } from './sockaddr.ts';
import { type DatagramInfo, EVENT_READABLE, type RawSocket, type SocketOptions } from './socket.ts';

const MIN_BUFFER_BYTES = 2048;

export class RawIpSocket implements RawSocket, EventTarget {
  onEvents: ((events: number) => void) | null = null;
  pendingEvents = 0;
  readonly #context: SocketContext;
  readonly #addresses: InetCpu['addresses'];
  readonly #family: Family;
  readonly #endpoint: RawEndpoint;
  readonly #isLocal: (address: number) => boolean;
  readonly #bulk: InetCpu['context']['bulk'];
  readonly #maxBufferBytes: { readonly value: number };
  #closed = false;

  constructor(inet: InetCpu, context: SocketContext, protocol: number, family: Family = 4) {
    this.#context = context;
    this.#addresses = inet.addresses;
    this.#family = family;
    this.#bulk = inet.context.bulk;
    const { ip } = inet;
    this.#isLocal = (address) => ip.isLocal(address);
    this.#endpoint = inet.raw.open(protocol, family === 6);
    this.#maxBufferBytes = inet.raw.maxBufferBytes;
    this.#endpoint.onReadable = () => context.events.post(this, EVENT_READABLE);
  }

  get nextBytes(): number {
    return this.#endpoint.queue.nextBytes;
  }

  /** Also `-EBADF` after close. */
  send(bytes: Uint8Array, offset: number, lengthBytes: number, to: SocketAddress): number {
    if (this.#closed) return -Errno.EBADF;
    const refused = refusedFamily(this.#family, true, to, Errno.EAFNOSUPPORT);
    if (refused !== 0) return refused;
    const number = this.#addresses.numberOf(to);
    if (number === NO_ADDRESS) return unnamedErrno(this.#addresses, to, Errno.ENETUNREACH);
    const sent = this.#endpoint.send(bytes, offset, lengthBytes, number);
    if (sent >= 0) this.#context.requestWork();
    return sent;
  }

  bind(local: SocketAddress): number {
    if (this.#closed) return -Errno.EBADF;
    const refused = refusedLocal(this.#family, true, local);
    if (refused !== 0) return refused;
    const number = this.#addresses.numberOf(local);
    if (number === NO_ADDRESS) return unnamedLocalErrno(this.#addresses, local);
    if (number !== 0 && !this.#isLocal(number)) return -Errno.EADDRNOTAVAIL;
    this.#endpoint.source = number;
    return 0;
  }

  setHeaderOptions(bytes: Uint8Array, dontFragment: boolean): number {
    const { length } = bytes;
    if (this.#family === 6) return length > 0 || dontFragment ? -Errno.ENOPROTOOPT : 0;
    if (length % 4 !== 0 || length > IP_OPTION_BYTES_MAX) return -Errno.EINVAL;
    this.#endpoint.ipOptions.set(bytes);
    this.#endpoint.ipOptionBytes = length;
    this.#endpoint.dontFragment = dontFragment;
    return 0;
  }

  receive(into: Uint8Array, offset: number, lengthBytes: number, info: DatagramInfo): number {
    if (this.#closed) return -Errno.EBADF;
    const { queue } = this.#endpoint;
    const fullBytes = queue.nextBytes;
    if (fullBytes < 0) return -Errno.EAGAIN;
    const bytes = Math.min(fullBytes, lengthBytes);
    this.#bulk.copyOut(into, offset, queue.nextAt, bytes);
    this.#addresses.wordsOf(queue.nextAddress, this.#family, info.from);
    info.from.port = 0;
    info.fullBytes = fullBytes;
    queue.shift();
    return bytes;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.onEvents = null;
    this.#endpoint.close();
  }

  setOption<K extends keyof SocketOptions>(name: K, value: SocketOptions[K]): number {
    const number = Number(value);
    switch (name) {
      case 'ttl':
        if (number < 1 || number > 255) return -Errno.EINVAL;
        this.#endpoint.ttl = number;
        return 0;
      case 'tos':
        if (number < 0 || number > 255) return -Errno.EINVAL;
        this.#endpoint.tos = number;
        return 0;
      case 'broadcast':
        this.#endpoint.broadcast = value === true;
        return 0;
      case 'receiveBufferBytes':
        if (!(number >= 0)) return -Errno.EINVAL;
        this.#endpoint.queue.limitBytes = Math.min(Math.max(number, MIN_BUFFER_BYTES), this.#maxBufferBytes.value);
        return 0;
      default:
        return -Errno.ENOPROTOOPT;
    }
  }
}
