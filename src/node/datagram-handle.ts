/**
 * The part of UDP handles that is not datagrams: options, group memberships, references. Thread: the program's.
 *
 * Methods answer as libuv does: 0 or a negative UV number, UV_EBADF where libuv has not made its descriptor yet.
 */

import { AsyncResource } from 'node:async_hooks';
import { Errno } from '../base/errors.ts';
import type { Consumer } from '../rump/shared-socket.ts';
import { type DatagramSocket, SocketAddress, type SocketOptions } from '../socket/socket.ts';
import { type Family, parseInto } from './address.ts';
import { face, liveness } from './face.ts';
import { UV_EBADF, UV_EINVAL, UV_ENOPROTOOPT, uvResult } from './uv-error.ts';

export interface BufferSizeContext {
  errno?: number;
  code?: string;
  message?: string;
  syscall?: string;
}

const parsed = new SocketAddress();
const sourceParsed = new SocketAddress();
const named = new SocketAddress();
/** Index of no interface: the socket's own error follows. */
const NO_INTERFACE = -1;

/** Linux gives a socket twice the buffer that is asked for, and says so. */
const sizeFactor = process.platform === 'linux' ? 2 : 1;

function groupFamily(text: unknown): Family {
  return String(text).includes(':') ? 6 : 4;
}

/**
 * Index of the interface that an argument names: an IPv4 address of it, or for IPv6 "::%eth0" or an address; 0 for none, which
 * lets the routes decide, or a negative errno.
 */
function interfaceIndex(text: unknown): number {
  if (text === undefined || text === null) return 0;
  const { sockets } = face();
  const zoneAt = String(text).indexOf('%');
  if (groupFamily(text) === 6 && zoneAt >= 0) {
    return sockets.interfaceIndex(String(text).slice(zoneAt + 1)) || -Errno.ENODEV;
  }
  if (!parseInto(named, text, groupFamily(text))) return -Errno.EINVAL;
  return named.isAny ? 0 : sockets.interfaceWithAddress(named) || NO_INTERFACE;
}

export abstract class DatagramHandle implements Consumer {
  protected readonly scope: AsyncResource = new AsyncResource('UDPWRAP');
  protected socket: DatagramSocket | null = null;
  protected family: Family = 4;
  protected bound = false;
  protected receiving = false;
  protected closing = false;
  #referenced = true;
  #held = false;

  abstract readonly onEvents: (events: number) => void;

  get interested(): boolean {
    return this.receiving;
  }

  protected openSocket(family: Family): DatagramSocket {
    if (this.socket !== null) return this.socket;
    this.family = family;
    const socket = face().sockets.datagram(family);
    this.socket = socket;
    socket.onEvents = this.onEvents;
    return socket;
  }

  // --- Groups ---

  addMembership(group: unknown, interfaceAddress: unknown): number {
    return this.#membership('joinGroup', group, interfaceAddress);
  }

  dropMembership(group: unknown, interfaceAddress: unknown): number {
    return this.#membership('leaveGroup', group, interfaceAddress);
  }

  #membership(method: 'joinGroup' | 'leaveGroup', group: unknown, interfaceAddress: unknown): number {
    if (this.closing) return UV_EBADF;
    const family = groupFamily(group);
    if (!parseInto(parsed, group, family)) return UV_EINVAL;
    const via = interfaceIndex(interfaceAddress);
    if (via < NO_INTERFACE) return uvResult(via);
    const socket = this.#openForGroup(family);
    return socket === null ? UV_ENOPROTOOPT : uvResult(socket[method](parsed, via));
  }

  addSourceSpecificMembership(source: unknown, group: unknown, interfaceAddress: unknown): number {
    return this.#sourceMembership('joinSourceGroup', source, group, interfaceAddress);
  }

  dropSourceSpecificMembership(source: unknown, group: unknown, interfaceAddress: unknown): number {
    return this.#sourceMembership('leaveSourceGroup', source, group, interfaceAddress);
  }

  #sourceMembership(
    method: 'joinSourceGroup' | 'leaveSourceGroup',
    source: unknown,
    group: unknown,
    interfaceAddress: unknown,
  ): number {
    if (this.closing) return UV_EBADF;
    const family = groupFamily(group);
    if (!parseInto(sourceParsed, source, family) || !parseInto(parsed, group, family)) return UV_EINVAL;
    const via = interfaceIndex(interfaceAddress);
    if (via < NO_INTERFACE) return uvResult(via);
    const socket = this.#openForGroup(family);
    return socket === null ? UV_ENOPROTOOPT : uvResult(socket[method](parsed, sourceParsed, via));
  }

  /** libuv binds before it joins, and shares the port. Null when groups of `family` are no option of the socket. */
  #openForGroup(family: Family): DatagramSocket | null {
    const socket = this.openSocket(family);
    if (family === 6 && this.family === 4) return null;
    if (!this.bound) {
      socket.setOption('reuseAddress', true);
      this.bound = socket.bind(SocketAddress.any(family)) === 0;
    }
    return socket;
  }

  setMulticastInterface(address: unknown): number {
    if (this.socket === null) return UV_EBADF;
    const via = interfaceIndex(address);
    if (via < NO_INTERFACE) return uvResult(via);
    if (this.family === 4 && groupFamily(address) === 6) return UV_ENOPROTOOPT;
    return uvResult(this.socket.setOption('multicastInterface', via));
  }

  // --- Options ---

  setMulticastTTL(ttl: number): number {
    if (this.socket === null) return UV_EBADF;
    return ttl < 0 || ttl > 255 ? UV_EINVAL : this.#setOption('multicastTtl', ttl | 0);
  }

  setMulticastLoopback(on: number): number {
    return this.#setOption('multicastLoop', on !== 0);
  }

  setBroadcast(on: number): number {
    return this.#setOption('broadcast', on !== 0);
  }

  setTTL(ttl: number): number {
    if (this.socket === null) return UV_EBADF;
    return ttl < 1 || ttl > 255 ? UV_EINVAL : this.#setOption('ttl', ttl | 0);
  }

  #setOption<K extends keyof SocketOptions>(name: K, value: SocketOptions[K]): number {
    return this.socket === null ? UV_EBADF : uvResult(this.socket.setOption(name, value));
  }

  /** Sets the size when it is not 0; undefined and `context` filled when it fails. */
  bufferSize(size: number, receive: boolean, context: BufferSizeContext): number | undefined {
    const socket = this.socket;
    const name = receive ? 'receiveBufferBytes' : 'sendBufferBytes';
    let error = 0;
    if (size > 0x7fffffff) error = UV_EINVAL;
    else if (socket === null || this.closing) error = UV_EBADF;
    else if (size !== 0) error = uvResult(socket.setOption(name, size * sizeFactor));
    if (error === 0 && socket !== null) return socket.getOption(name);
    context.errno = error;
    context.code = error === UV_EINVAL ? 'EINVAL' : 'EBADF';
    context.message = error === UV_EINVAL ? 'invalid argument' : 'bad file descriptor';
    context.syscall = receive ? 'uv_recv_buffer_size' : 'uv_send_buffer_size';
    return undefined;
  }

  // --- Life ---

  getAsyncId(): number {
    return this.scope.asyncId();
  }

  getProviderType(): number {
    return 0;
  }

  ref(): void {
    this.#referenced = true;
    this.updateLiveness();
  }

  unref(): void {
    this.#referenced = false;
    this.updateLiveness();
  }

  hasRef(): boolean {
    return this.#referenced && !this.closing;
  }

  get activeKind(): string {
    return this.closing || !this.#referenced ? '' : 'UDPWrap';
  }

  protected updateLiveness(): void {
    const hold = this.#referenced && !this.closing && this.receiving;
    if (hold === this.#held) return;
    this.#held = hold;
    if (hold) liveness.hold();
    else liveness.release();
  }
}
