/**
 * The UDP handle: what `dgram.Socket` drives in place of Node's native one, over a kernel's datagram socket.
 *
 * Thread: the program's. Methods answer as libuv does: 0 or a negative UV number, sends that were taken at once their
 * length + 1, and UV_EBADF where libuv has not made its descriptor yet.
 * Read first: lib/dgram.js of the oldest and newest supported Node.
 * Missing: sending a handle to another process.
 */

import { AsyncResource } from 'node:async_hooks';
import { Buffer } from 'node:buffer';
import { Errno } from '../base/errors.ts';
import {
  type DatagramInfo,
  type DatagramSocket,
  EVENT_ERROR,
  EVENT_READABLE,
  EVENT_WRITABLE,
  type SocketOptions,
} from '../socket/socket.ts';
import { activeHandles } from './active-handles.ts';
import {
  destination,
  type Family,
  fillName,
  formatAddress,
  LOOPBACK6,
  type NameObject,
  type ParsedAddress,
  parseInto,
} from './address.ts';
import { udpWrap } from './bindings.ts';
import { type Descriptor, describe, find, forget } from './descriptor.ts';
import {
  type Closing,
  callProgram,
  closeAtTurnEnd,
  type Deferrable,
  defer,
  eventsBegin,
  face,
  liveness,
} from './face.ts';
import { type Consumer, join, leave, share } from './shared-socket.ts';
import { uvCode, uvResult } from './uv-error.ts';

const { UV_UDP_IPV6ONLY = 1, UV_UDP_REUSEADDR = 4, UV_UDP_REUSEPORT = 64 } = udpWrap.constants;
const UV_EBADF = uvCode('EBADF');
const UV_EINVAL = uvCode('EINVAL');
const UV_EEXIST = uvCode('EEXIST');
const UV_ENOTCONN = uvCode('ENOTCONN');
const UV_ECANCELED = uvCode('ECANCELED');

/** Datagrams per turn, then others get theirs. */
const RECEIVES_PER_TURN = 64;
const DATAGRAM_BYTES_MAX = 65535;
/** Datagrams up to this size are cut from Node's own buffer pool. */
const POOLED_BYTES = 2048;

interface SendRequest {
  oncomplete?: unknown;
}

interface PendingSend {
  readonly request: SendRequest;
  readonly scope: AsyncResource;
  readonly bytes: Uint8Array;
  readonly address: number;
  readonly port: number;
  readonly wanted: boolean;
}

export interface BufferSizeContext {
  errno?: number;
  code?: string;
  message?: string;
  syscall?: string;
}

const parsed: ParsedAddress = { address: 0, error: 0 };
const info: DatagramInfo = { address: 0, port: 0, fullBytes: 0 };
let scratch: Buffer | null = null;

/** Ports where a socket of this thread is open to IPv6 only: its address stands for all of them, and IPv4 may have them too. */
const ipv6OnlyPorts = new Set<number>();

/** Linux gives a socket twice the buffer that is asked for, and says so. */
const sizeFactor = process.platform === 'linux' ? 2 : 1;

/** Node's own switch for its tests: every send is finished on a later turn. */
const sendsLater = process.execArgv.includes('--test-udp-no-try-send');

export class UdpHandle implements Deferrable, Closing, Consumer {
  deferred = false;
  onmessage: unknown = undefined;
  onerror: unknown = undefined;
  readonly #scope: AsyncResource;
  #socket: DatagramSocket | null = null;
  #family: Family = 4;
  #bound = false;
  #ipv6OnlyPort = 0;
  #closeCallback: unknown = undefined;
  #descriptor: Descriptor | undefined;
  #receiving = false;
  #closed = false;
  #referenced = true;
  #held = false;
  #queue: PendingSend[] = [];
  #queuedBytes = 0;

  constructor() {
    this.#scope = new AsyncResource('UDPWRAP');
    activeHandles.add(this);
  }

  // --- Names ---

  bind(address: unknown, port: unknown, flags: unknown): number {
    return this.#bind(address, port, Number(flags), 4);
  }

  bind6(address: unknown, port: unknown, flags: unknown): number {
    return this.#bind(address, port, Number(flags), 6);
  }

  #bind(address: unknown, port: unknown, flags: number, family: Family): number {
    if (this.#closed) return UV_EBADF;
    if (!parseInto(parsed, address, family, Errno.EADDRNOTAVAIL)) return uvResult(parsed.error);
    if (this.#bound) return UV_EINVAL;
    let local = parsed.address;
    const socket = this.#open(family);
    const ipv6Only = family === 6 && local === 0 && (flags & UV_UDP_IPV6ONLY) !== 0;
    if (ipv6Only) local = LOOPBACK6;
    if ((flags & UV_UDP_REUSEADDR) !== 0 || ipv6Only) socket.setOption('reuseAddress', true);
    if ((flags & UV_UDP_REUSEPORT) !== 0) socket.setOption('reusePort', true);
    let result = socket.bind(local, Number(port) & 0xffff);
    if (result === -Errno.EADDRINUSE && local === 0 && family === 4 && ipv6OnlyPorts.has(Number(port))) {
      // Held by a socket that leaves IPv4 alone.
      socket.setOption('reuseAddress', true);
      result = socket.bind(local, Number(port));
    }
    this.#bound = result === 0;
    if (this.#bound && ipv6Only) {
      this.#ipv6OnlyPort = socket.local.port;
      ipv6OnlyPorts.add(this.#ipv6OnlyPort);
    }
    return uvResult(result);
  }

  connect(address: unknown, port: unknown): number {
    return this.#connect(address, port, 4);
  }

  connect6(address: unknown, port: unknown): number {
    return this.#connect(address, port, 6);
  }

  #connect(address: unknown, port: unknown, family: Family): number {
    if (this.#closed) return UV_EBADF;
    if (!parseInto(parsed, address, family, Errno.ENETUNREACH)) return uvResult(parsed.error);
    const socket = this.#open(family);
    this.#bound = true;
    return uvResult(socket.connect(destination(parsed.address, family), Number(port) & 0xffff));
  }

  disconnect(): number {
    return this.#socket === null ? UV_EBADF : uvResult(this.#socket.disconnect());
  }

  getsockname(out: NameObject): number {
    if (this.#socket === null) return UV_EBADF;
    const { address, port } = this.#socket.local;
    fillName(out, address, port, this.#family);
    return 0;
  }

  getpeername(out: NameObject): number {
    if (this.#socket === null) return UV_EBADF;
    if (!this.#socket.connected) return UV_ENOTCONN;
    const { address, port } = this.#socket.peer;
    fillName(out, address, port, this.#family);
    return 0;
  }

  get fd(): number {
    if (this.#socket === null) return UV_EBADF;
    this.#descriptor ??= describe('udp', this.#socket, this.#family, this);
    return this.#descriptor?.fd ?? UV_EBADF;
  }

  /** Share the socket of another handle by its descriptor number. */
  open(fd: unknown): number {
    const found = find(Number(fd));
    if (found === undefined || found.kind !== 'udp') return UV_EINVAL;
    if (found.consumer.interested) return UV_EEXIST;
    this.#descriptor = found;
    this.adopt(found.socket as DatagramSocket, found.family);
    return 0;
  }

  /** Take a socket that others have open too (shared-socket.ts). */
  adopt(socket: DatagramSocket, family: Family): void {
    join(socket, this);
    this.#family = family;
    this.#socket = socket;
    this.#bound = true;
  }

  get interested(): boolean {
    return this.#receiving;
  }

  /** What another process needs to take this socket over; null when there is none. */
  handOver(): { socket: DatagramSocket; family: Family } | null {
    if (this.#socket === null) return null;
    share(this.#socket, this);
    return { socket: this.#socket, family: this.#family };
  }

  // --- Sending ---

  /** `(req, list, count, port, address, hasCallback)`, or `(req, list, count, hasCallback)` when connected. */
  send(request: SendRequest, list: readonly Uint8Array[], count: number, ...rest: unknown[]): number {
    return this.#send(request, list, count, rest, 4);
  }

  send6(request: SendRequest, list: readonly Uint8Array[], count: number, ...rest: unknown[]): number {
    return this.#send(request, list, count, rest, 6);
  }

  #send(request: SendRequest, list: readonly Uint8Array[], count: number, rest: unknown[], family: Family): number {
    if (this.#closed) return UV_EBADF;
    let address = 0;
    let port = 0;
    if (rest.length > 1) {
      if (!parseInto(parsed, rest[1], family, Errno.ENETUNREACH)) return uvResult(parsed.error);
      address = destination(parsed.address, family);
      port = Number(rest[0]) & 0xffff;
    }
    const wanted = rest[rest.length - 1] === true;
    const socket = this.#open(family);
    this.#bound = true;
    const bytes = count === 1 ? viewOf(list[0] as Uint8Array) : gather(list, count);
    if (bytes === null) return uvCode('EMSGSIZE');
    if (this.#queue.length === 0 && !sendsLater) {
      const result = socket.send(bytes, 0, bytes.length, address, port);
      // + 1: a datagram without data was sent too.
      if (result !== -Errno.EAGAIN) return result < 0 ? uvResult(result) : bytes.length + 1;
    }
    this.#queue.push({
      request,
      scope: new AsyncResource('UDPSENDWRAP', { triggerAsyncId: this.getAsyncId(), requireManualDestroy: true }),
      bytes: count === 1 ? bytes : Buffer.from(bytes),
      address,
      port,
      wanted,
    });
    this.#queuedBytes += bytes.length;
    liveness.hold();
    if (sendsLater) defer(this);
    return 0;
  }

  #resumeSends(): void {
    while (this.#queue.length > 0 && this.#socket !== null) {
      const { bytes, address, port } = this.#queue[0] as PendingSend;
      const result = this.#socket.send(bytes, 0, bytes.length, address, port);
      if (result === -Errno.EAGAIN) return;
      this.#completeSend(this.#queue.shift() as PendingSend, result < 0 ? uvResult(result) : 0);
    }
  }

  #completeSend(send: PendingSend, status: number): void {
    this.#queuedBytes -= send.bytes.length;
    liveness.release();
    if (send.wanted) callProgram(send.scope, send.request.oncomplete, send.request, status, send.bytes.length);
    send.scope.emitDestroy();
  }

  getSendQueueSize(): number {
    return this.#queuedBytes;
  }

  getSendQueueCount(): number {
    return this.#queue.length;
  }

  // --- Receiving ---

  recvStart(): number {
    if (this.#closed) return UV_EBADF;
    if (!this.#bound) {
      const result = this.#open(4).bind(0, 0);
      if (result < 0) return uvResult(result);
      this.#bound = true;
    }
    this.#receiving = true;
    this.#updateLiveness();
    if (this.#socket !== null && this.#socket.nextBytes >= 0) defer(this);
    return 0;
  }

  recvStop(): number {
    this.#receiving = false;
    this.#updateLiveness();
    return 0;
  }

  #receiveAll(): void {
    let left = RECEIVES_PER_TURN;
    let done = false;
    try {
      while (this.#receiving && this.#socket !== null && left-- > 0) {
        if (!this.#receiveOne(this.#socket)) break;
      }
      done = true;
    } finally {
      if (this.#receiving && (!done || left < 0)) defer(this);
    }
  }

  #receiveOne(socket: DatagramSocket): boolean {
    const next = socket.nextBytes;
    const length = next < 0 ? 0 : Math.min(next, DATAGRAM_BYTES_MAX);
    const bytes = length <= POOLED_BYTES ? Buffer.allocUnsafe(length) : Buffer.allocUnsafeSlow(length);
    const count = socket.receive(bytes, 0, length, info);
    if (count === -Errno.EAGAIN) return false;
    if (count < 0) {
      callProgram(this.#scope, this.onmessage, this, uvResult(count), this);
      return true;
    }
    const address = formatAddress(info.address, this.#family);
    const from = { address, family: this.#family === 4 ? 'IPv4' : 'IPv6', port: info.port };
    callProgram(this.#scope, this.onmessage, this, count, this, bytes, from);
    return true;
  }

  // --- Groups ---

  addMembership(group: unknown, interfaceAddress: unknown): number {
    return this.#membership('joinGroup', group, interfaceAddress);
  }

  dropMembership(group: unknown, interfaceAddress: unknown): number {
    return this.#membership('leaveGroup', group, interfaceAddress);
  }

  #membership(method: 'joinGroup' | 'leaveGroup', group: unknown, interfaceAddress: unknown): number {
    if (this.#closed) return UV_EBADF;
    if (!parseInto(parsed, group, this.#groupFamily(group), Errno.ENODEV)) return uvResult(parsed.error);
    const address = parsed.address;
    const via = this.#interfaceOf(interfaceAddress);
    if (via.error < 0) return uvResult(via.error);
    return uvResult(this.#openForGroup()[method](address, via.address));
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
    if (this.#closed) return UV_EBADF;
    if (!parseInto(parsed, source, this.#groupFamily(source), Errno.ENODEV)) return uvResult(parsed.error);
    const from = parsed.address;
    if (!parseInto(parsed, group, this.#groupFamily(group), Errno.ENODEV)) return uvResult(parsed.error);
    const address = parsed.address;
    const via = this.#interfaceOf(interfaceAddress);
    if (via.error < 0) return uvResult(via.error);
    return uvResult(this.#openForGroup()[method](address, from, via.address));
  }

  #groupFamily(text: unknown): Family {
    return String(text).includes(':') ? 6 : 4;
  }

  /** An interface by its address; none lets the kernel choose. */
  #interfaceOf(text: unknown): ParsedAddress {
    if (text === undefined || text === null) {
      parsed.address = 0;
      parsed.error = 0;
    } else parseInto(parsed, text, this.#groupFamily(text), Errno.ENODEV);
    return parsed;
  }

  /** libuv binds before it joins, and shares the port. */
  #openForGroup(): DatagramSocket {
    const socket = this.#open(4);
    if (!this.#bound) {
      socket.setOption('reuseAddress', true);
      this.#bound = socket.bind(0, 0) === 0;
    }
    return socket;
  }

  setMulticastInterface(address: unknown): number {
    if (this.#socket === null) return UV_EBADF;
    const via = this.#interfaceOf(address);
    // An interface of IPv6, by its number: all groups of IPv6 are nowhere.
    if (via.error === -Errno.ENODEV) return 0;
    return uvResult(via.error < 0 ? via.error : this.#socket.setOption('multicastInterface', via.address));
  }

  // --- Options ---

  setMulticastTTL(ttl: number): number {
    if (this.#socket === null) return UV_EBADF;
    return ttl < 0 || ttl > 255 ? UV_EINVAL : this.#setOption('multicastTtl', ttl | 0);
  }

  setMulticastLoopback(on: number): number {
    return this.#setOption('multicastLoop', on !== 0);
  }

  setBroadcast(on: number): number {
    return this.#setOption('broadcast', on !== 0);
  }

  setTTL(ttl: number): number {
    if (this.#socket === null) return UV_EBADF;
    return ttl < 1 || ttl > 255 ? UV_EINVAL : this.#setOption('ttl', ttl | 0);
  }

  #setOption<K extends keyof SocketOptions>(name: K, value: SocketOptions[K]): number {
    return this.#socket === null ? UV_EBADF : uvResult(this.#socket.setOption(name, value));
  }

  /** Sets the size when it is not 0; undefined and `context` filled when it fails. */
  bufferSize(size: number, receive: boolean, context: BufferSizeContext): number | undefined {
    const socket = this.#socket;
    const name = receive ? 'receiveBufferBytes' : 'sendBufferBytes';
    let error = 0;
    if (size > 0x7fffffff) error = UV_EINVAL;
    else if (socket === null || this.#closed) error = UV_EBADF;
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
    return this.#scope.asyncId();
  }

  getProviderType(): number {
    return 0;
  }

  ref(): void {
    this.#referenced = true;
    this.#updateLiveness();
  }

  unref(): void {
    this.#referenced = false;
    this.#updateLiveness();
  }

  hasRef(): boolean {
    return this.#referenced && !this.#closed;
  }

  get activeKind(): string {
    return this.#closed || !this.#referenced ? '' : 'UDPWrap';
  }

  close(callback?: unknown): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#receiving = false;
    this.#updateLiveness();
    activeHandles.delete(this);
    ipv6OnlyPorts.delete(this.#ipv6OnlyPort);
    if (this.#socket !== null) {
      if (leave(this.#socket, this)) {
        if (this.#descriptor !== undefined) forget(this.#descriptor);
        this.#socket.close();
      }
      this.#socket = null;
    }
    this.#closeCallback = callback;
    closeAtTurnEnd(this);
  }

  closed(): void {
    while (this.#queue.length > 0) this.#completeSend(this.#queue.shift() as PendingSend, UV_ECANCELED);
    callProgram(this.#scope, this.#closeCallback, this);
    this.#scope.emitDestroy();
  }

  #open(family: Family): DatagramSocket {
    if (this.#socket !== null) return this.#socket;
    this.#family = family;
    const socket = face().sockets.datagram();
    this.#socket = socket;
    socket.onEvents = this.onEvents;
    return socket;
  }

  readonly onEvents = (events: number): void => {
    let done = false;
    try {
      eventsBegin();
      if ((events & (EVENT_READABLE | EVENT_ERROR)) !== 0 && this.#receiving) this.#receiveAll();
      if ((events & (EVENT_WRITABLE | EVENT_ERROR)) !== 0) this.#resumeSends();
      done = true;
    } finally {
      // The program threw: what is left comes on the next turn.
      if (!done) defer(this);
    }
  };

  resume(): void {
    if (this.#receiving) this.#receiveAll();
    this.#resumeSends();
  }

  #updateLiveness(): void {
    const hold = this.#referenced && !this.#closed && this.#receiving;
    if (hold === this.#held) return;
    this.#held = hold;
    if (hold) liveness.hold();
    else liveness.release();
  }
}

Object.defineProperty(UdpHandle, 'name', { value: 'UDP' });

/** dgram passes any ArrayBufferView. */
function viewOf(view: Uint8Array): Uint8Array {
  return view instanceof Uint8Array
    ? view
    : new Uint8Array(
        (view as ArrayBufferView).buffer,
        (view as ArrayBufferView).byteOffset,
        (view as ArrayBufferView).byteLength,
      );
}

/** The pieces of one datagram in a shared buffer; null when they are too long for any. */
function gather(list: readonly Uint8Array[], count: number): Uint8Array | null {
  scratch ??= Buffer.allocUnsafeSlow(DATAGRAM_BYTES_MAX + 1);
  let length = 0;
  for (let i = 0; i < count; i++) {
    const piece = viewOf(list[i] as Uint8Array);
    if (length + piece.length > DATAGRAM_BYTES_MAX) return null;
    scratch.set(piece, length);
    length += piece.length;
  }
  return scratch.subarray(0, length);
}
