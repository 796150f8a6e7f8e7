/**
 * Datagram sockets: the BSD face of a UDP endpoint.
 *
 * Thread: the one that runs the CPU. Adds to the endpoint (inet/udp/endpoint.ts) what the system-call level is about:
 * options by name, events delivered after the work is done, socket addresses. Sends are in the ring when the call
 * returns and leave with the kernel's next flush. Missing: SO_RCVTIMEO and other options Node cannot reach.
 */

import { Errno } from '../base/errors.ts';
import type { InetCpu } from '../inet/inet-cpu.ts';
import { type AddressBoundary, NO_ADDRESS } from '../inet/ip/address-boundary.ts';
import { isAny } from '../inet/ip/any-address.ts';
import type { UdpEndpoint } from '../inet/udp/endpoint.ts';
import type { EventTarget, SocketContext } from './events.ts';
import { refusedFamily, refusedLocal, unnamedErrno, unnamedLocalErrno } from './family.ts';
import { type Family, SocketAddress } from './sockaddr.ts';
import {
  type DatagramInfo,
  type DatagramSocket,
  EVENT_ERROR,
  EVENT_READABLE,
  EVENT_WRITABLE,
  type SocketOptions,
} from './socket.ts';

const MIN_BUFFER_BYTES = 2048;

/** Values of options that the endpoint does not keep. */
const UNUSED: SocketOptions = {
  reuseAddress: false,
  reusePort: false,
  broadcast: false,
  noDelay: false,
  keepAlive: false,
  keepIdleMs: 0,
  keepIntervalMs: 0,
  keepCount: 0,
  userTimeoutMs: 0,
  oobInline: true,
  lingerMs: -1,
  sendBufferBytes: 212992,
  receiveBufferBytes: 212992,
  ttl: 64,
  tos: 0,
  multicastTtl: 1,
  multicastLoop: true,
  multicastAll: true,
  multicastAll6: true,
  multicastInterface: 0,
  ipv6Only: false,
};

export class UdpSocket implements DatagramSocket, EventTarget {
  onEvents: ((events: number) => void) | null = null;
  pendingEvents = 0;
  /** For in-kernel programs: datagrams in place, sends from the arena. */
  readonly endpoint: UdpEndpoint;
  readonly #inet: InetCpu;
  readonly #addresses: AddressBoundary;
  readonly #family: Family;
  readonly #context: SocketContext;
  #sendBufferBytes: number = UNUSED.sendBufferBytes;
  /** The number of the destination of the call that runs. */
  #to = 0;
  #toPort = 0;

  constructor(inet: InetCpu, context: SocketContext, family: Family = 4) {
    this.#inet = inet;
    this.#addresses = inet.addresses;
    this.#context = context;
    this.#family = family;
    const endpoint = inet.udp.open(family === 6);
    endpoint.only6 = family === 6 && inet.udp.only6.value !== 0;
    this.endpoint = endpoint;
    endpoint.onReadable = () => {
      if (this.onEvents !== null) context.events.post(this, EVENT_READABLE);
    };
    endpoint.onWritable = () => context.events.post(this, EVENT_WRITABLE);
    endpoint.onError = () => context.events.post(this, EVENT_ERROR);
  }

  get error(): number {
    return this.endpoint.error;
  }

  get local(): SocketAddress {
    const { address, port, path } = this.endpoint;
    return this.#named(isAny(address) && path !== null ? path.src : address, port);
  }

  get peer(): SocketAddress {
    return this.#named(this.endpoint.peerAddress, this.endpoint.peerPort);
  }

  // cold: once per question for a name
  #named(number: number, port: number): SocketAddress {
    const name = new SocketAddress();
    this.#addresses.wordsOf(number, this.#family, name);
    name.port = port;
    return name;
  }

  get connected(): boolean {
    return this.endpoint.connected;
  }

  get nextBytes(): number {
    return this.endpoint.queue.nextBytes;
  }

  get queuedBytes(): number {
    return this.endpoint.queue.queuedBytes;
  }

  bind(address: SocketAddress): number {
    const refused = refusedLocal(this.#family, this.endpoint.only6, address);
    if (refused !== 0) return refused;
    const addresses = this.#addresses;
    const number = addresses.numberOf(address);
    if (number === NO_ADDRESS) return unnamedLocalErrno(addresses, address);
    const result = this.endpoint.bind(number, address.port);
    // The end of a turn tells the watchers of ports.
    if (result === 0) this.#context.requestWork();
    return result;
  }

  connect(address: SocketAddress): number {
    const refused = refusedFamily(this.#family, this.endpoint.only6, address, Errno.ENETUNREACH);
    if (refused !== 0) return refused;
    const addresses = this.#addresses;
    const number = addresses.numberOf(address);
    if (number === NO_ADDRESS) return unnamedErrno(addresses, address, Errno.ENETUNREACH);
    return this.endpoint.connect(number, address.port);
  }

  disconnect(): number {
    return this.endpoint.disconnect();
  }

  send(bytes: Uint8Array, offset: number, lengthBytes: number, to: SocketAddress | null): number {
    if (this.endpoint.closed) return -Errno.EBADF;
    const refused = this.#destination(to);
    if (refused !== 0) return refused;
    const sent = this.endpoint.send(bytes, offset, lengthBytes, this.#to, this.#toPort);
    if (sent >= 0) this.#context.requestWork();
    return sent;
  }

  refuse(bytes: Uint8Array, from: SocketAddress, nowUs: number): number {
    if (this.endpoint.closed) return -Errno.EBADF;
    const refused = this.#destination(from);
    if (refused !== 0) return refused;
    if (this.#toPort === 0) return -Errno.EDESTADDRREQ;
    const result = this.#inet.udp.refuse(this.endpoint, bytes, this.#to, this.#toPort, nowUs);
    if (result === 0) this.#context.requestWork();
    return result;
  }

  sendSegments(
    bytes: Uint8Array,
    offset: number,
    lengthBytes: number,
    segmentBytes: number,
    to: SocketAddress | null,
  ): number {
    if (this.endpoint.closed) return -Errno.EBADF;
    const refused = this.#destination(to);
    if (refused !== 0) return refused;
    const sent = this.endpoint.sendSegments(bytes, offset, lengthBytes, segmentBytes, this.#to, this.#toPort);
    if (sent >= 0) this.#context.requestWork();
    return sent;
  }

  /** Leave number and port of a destination in `#to` and `#toPort`, port 0 for the peer. Returns 0 or a negative errno. */
  #destination(to: SocketAddress | null): number {
    this.#to = 0;
    this.#toPort = to === null ? 0 : to.port;
    if (to === null || to.port === 0) return 0;
    const refused = refusedFamily(this.#family, this.endpoint.only6, to, Errno.ENETUNREACH);
    if (refused !== 0) return refused;
    const addresses = this.#addresses;
    this.#to = addresses.numberOf(to);
    return this.#to === NO_ADDRESS ? unnamedErrno(addresses, to, Errno.ENETUNREACH) : 0;
  }

  receive(into: Uint8Array, offset: number, lengthBytes: number, info: DatagramInfo): number {
    return this.#describe(info) ? this.endpoint.receive(into, offset, lengthBytes) : -Errno.EBADF;
  }

  peek(into: Uint8Array, offset: number, lengthBytes: number, info: DatagramInfo): number {
    const { queue } = this.endpoint;
    if (this.endpoint.closed || this.endpoint.error !== 0 || queue.count === 0) {
      return this.receive(into, offset, lengthBytes, info);
    }
    this.#describe(info);
    const count = Math.min(info.fullBytes, lengthBytes);
    this.#inet.context.bulk.copyOut(into, offset, queue.nextAt, count);
    return count;
  }

  receiveSegments(into: Uint8Array, offset: number, lengthBytes: number, info: DatagramInfo): number {
    return this.#describe(info) ? this.endpoint.receiveSegments(into, offset, lengthBytes) : -Errno.EBADF;
  }

  /** The first datagram's sender and size; false when the socket is closed. */
  #describe(info: DatagramInfo): boolean {
    const { endpoint } = this;
    if (endpoint.closed) return false;
    const { queue } = endpoint;
    if (endpoint.error === 0 && queue.count > 0) {
      this.#addresses.wordsOf(queue.nextAddress, this.#family, info.from);
      info.from.port = queue.nextPort;
      info.fullBytes = queue.nextBytes;
      info.broadcast = queue.nextBroadcast;
    }
    return true;
  }

  joinGroup(group: SocketAddress, interfaceIndex: number): number {
    return this.#membership(group, null, interfaceIndex, true);
  }

  leaveGroup(group: SocketAddress, interfaceIndex: number): number {
    return this.#membership(group, null, interfaceIndex, false);
  }

  joinSourceGroup(group: SocketAddress, source: SocketAddress, interfaceIndex: number): number {
    return source.isAny ? -Errno.EINVAL : this.#membership(group, source, interfaceIndex, true);
  }

  leaveSourceGroup(group: SocketAddress, source: SocketAddress, interfaceIndex: number): number {
    return source.isAny ? -Errno.EINVAL : this.#membership(group, source, interfaceIndex, false);
  }

  close(): void {
    this.onEvents = null;
    this.endpoint.close();
  }

  setOption<K extends keyof SocketOptions>(name: K, value: SocketOptions[K]): number {
    const { endpoint } = this;
    switch (name) {
      case 'reuseAddress':
      case 'reusePort':
      case 'broadcast':
      case 'multicastLoop':
      case 'multicastAll':
      case 'multicastAll6':
        endpoint[name as 'broadcast'] = value as boolean;
        return 0;
      case 'ipv6Only':
        if (this.#family !== 6 || endpoint.bound) return -Errno.EINVAL;
        endpoint.only6 = value as boolean;
        return 0;
      case 'ttl':
      case 'multicastTtl':
      case 'tos':
        return this.#setByte(name as 'ttl' | 'multicastTtl' | 'tos', value as number);
      case 'receiveBufferBytes':
        endpoint.queue.limitBytes = this.#bounded(value as number);
        return 0;
      case 'sendBufferBytes':
        this.#sendBufferBytes = this.#bounded(value as number);
        return 0;
      case 'multicastInterface':
        return this.#setMulticastInterface(value as number);
      default:
        return -Errno.ENOPROTOOPT;
    }
  }

  // cold: options
  getOption<K extends keyof SocketOptions>(name: K): SocketOptions[K] {
    const { endpoint } = this;
    const options: SocketOptions = {
      ...UNUSED,
      reuseAddress: endpoint.reuseAddress,
      reusePort: endpoint.reusePort,
      broadcast: endpoint.broadcast,
      ttl: endpoint.ttl,
      tos: endpoint.tos,
      multicastTtl: endpoint.multicastTtl,
      multicastLoop: endpoint.multicastLoop,
      multicastAll: endpoint.multicastAll,
      multicastAll6: endpoint.multicastAll6,
      multicastInterface: endpoint.multicastInterface?.index ?? 0,
      ipv6Only: endpoint.only6,
      receiveBufferBytes: endpoint.queue.limitBytes,
      sendBufferBytes: this.#sendBufferBytes,
    };
    return options[name];
  }

  #membership(group: SocketAddress, source: SocketAddress | null, interfaceIndex: number, join: boolean): number {
    const iface = interfaceIndex === 0 ? null : this.#inet.context.shared.interfaces.at(interfaceIndex);
    if (iface === null && interfaceIndex !== 0) return join ? -Errno.ENODEV : -Errno.EADDRNOTAVAIL;
    const { endpoint } = this;
    const addresses = this.#addresses;
    const to = addresses.numberOf(group);
    if (to === NO_ADDRESS) return unnamedErrno(addresses, group, Errno.EINVAL);
    const from = source === null ? 0 : addresses.numberOf(source);
    if (source !== null && from === NO_ADDRESS) return unnamedErrno(addresses, source, Errno.EINVAL);
    const done = join ? endpoint.join(to, from, iface) : endpoint.leave(to, from, iface);
    if (done === 0) this.#context.requestWork();
    return done;
  }

  #setByte(name: 'ttl' | 'multicastTtl' | 'tos', value: number): number {
    const min = name === 'ttl' ? 1 : 0;
    if (!Number.isInteger(value) || value < min || value > 255) return -Errno.EINVAL;
    this.endpoint[name] = value;
    return 0;
  }

  #setMulticastInterface(index: number): number {
    const iface = index === 0 ? null : this.#inet.context.shared.interfaces.at(index);
    if (iface === null && index !== 0) return -Errno.EADDRNOTAVAIL;
    this.endpoint.multicastInterface = iface;
    return 0;
  }

  #bounded(bytes: number): number {
    return Math.min(Math.max(bytes, MIN_BUFFER_BYTES), this.#inet.udp.maxBufferBytes.value);
  }
}
