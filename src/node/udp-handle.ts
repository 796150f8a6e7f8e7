/**
 * The UDP handle: what `dgram.Socket` drives in place of Node's native one, over a kernel's datagram socket.
 *
 * Thread: the program's. Methods answer as libuv does: 0 or a negative UV number, sends that were taken at once their
 * length + 1. Read first: lib/dgram.js of the oldest and newest supported Node; datagram-handle.ts.
 */

import { Buffer } from 'node:buffer';
import { Errno } from '../base/errors.ts';
import { join, leave, share } from '../rump/shared-socket.ts';
import {
  DATAGRAM_BYTES_MAX,
  DatagramInfo,
  type DatagramSocket,
  EVENT_ERROR,
  EVENT_READABLE,
  EVENT_WRITABLE,
  SocketAddress,
} from '../socket/socket.ts';
import { activeHandles } from './active-handles.ts';
import { destination, type Family, fillName, formatAddress, type NameObject, parseInto } from './address.ts';
import { udpWrap } from './bindings.ts';
import { DatagramHandle } from './datagram-handle.ts';
import { DatagramSender, type SendRequest } from './datagram-sender.ts';
import { type Descriptor, describe, find, forget } from './descriptor.ts';
import { type Closing, callProgram, closeAtTurnEnd, type Deferrable, defer, eventsBegin } from './face.ts';
import { UV_EBADF, UV_ECANCELED, UV_EEXIST, UV_EINVAL, UV_ENOTCONN, uvResult } from './uv-error.ts';

const { UV_UDP_IPV6ONLY = 1, UV_UDP_REUSEADDR = 4, UV_UDP_REUSEPORT = 64 } = udpWrap.constants;

/** Datagrams per turn, then others get theirs: more than a kernel takes from its device in one. */
const RECEIVES_PER_TURN = 128;
/** Datagrams up to this size are cut from a common block: making one costs more than copying the datagram. */
const POOLED_BYTES = 2048;
/** Most memory that a kept datagram keeps alive with it. */
const BLOCK_BYTES = 32_768;

let block = Buffer.allocUnsafeSlow(0);
let blockUsed = 0;

/** A buffer for one datagram. */
function datagramBuffer(lengthBytes: number): Buffer {
  if (lengthBytes > POOLED_BYTES) return Buffer.allocUnsafeSlow(lengthBytes);
  if (blockUsed + lengthBytes > block.length) {
    block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
    blockUsed = 0;
  }
  const at = blockUsed;
  blockUsed = (at + lengthBytes + 7) & ~7;
  return block.subarray(at, at + lengthBytes);
}

const parsed = new SocketAddress();
const info = new DatagramInfo();

export class UdpHandle extends DatagramHandle implements Deferrable, Closing {
  deferred = false;
  onmessage: unknown = undefined;
  onerror: unknown = undefined;
  readonly #sender: DatagramSender;
  #closeCallback: unknown = undefined;
  #descriptor: Descriptor | undefined;

  constructor() {
    super();
    this.#sender = new DatagramSender(this.getAsyncId());
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
    if (this.closing) return UV_EBADF;
    if (!parseInto(parsed, address, family, port)) return UV_EINVAL;
    if (this.bound) return UV_EINVAL;
    const socket = this.openSocket(family);
    if (family === 6 && (flags & UV_UDP_IPV6ONLY) !== 0) socket.setOption('ipv6Only', true);
    if ((flags & UV_UDP_REUSEADDR) !== 0) socket.setOption('reuseAddress', true);
    if ((flags & UV_UDP_REUSEPORT) !== 0) socket.setOption('reusePort', true);
    const result = socket.bind(parsed);
    this.bound = result === 0;
    return uvResult(result);
  }

  connect(address: unknown, port: unknown): number {
    return this.#connect(address, port, 4);
  }

  connect6(address: unknown, port: unknown): number {
    return this.#connect(address, port, 6);
  }

  #connect(address: unknown, port: unknown, family: Family): number {
    if (this.closing) return UV_EBADF;
    if (!parseInto(parsed, address, family, port)) return UV_EINVAL;
    const socket = this.openSocket(family);
    this.bound = true;
    return uvResult(socket.connect(destination(parsed)));
  }

  disconnect(): number {
    return this.socket === null ? UV_EBADF : uvResult(this.socket.disconnect());
  }

  getsockname(out: NameObject): number {
    if (this.socket === null) return UV_EBADF;
    fillName(out, this.socket.local);
    return 0;
  }

  getpeername(out: NameObject): number {
    if (this.socket === null) return UV_EBADF;
    if (!this.socket.connected) return UV_ENOTCONN;
    fillName(out, this.socket.peer);
    return 0;
  }

  get fd(): number {
    if (this.socket === null) return UV_EBADF;
    this.#descriptor ??= describe('udp', this.socket, this.family, this);
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

  /** Take a socket that others have open too (rump/shared-socket.ts). */
  adopt(socket: DatagramSocket, family: Family): void {
    join(socket, this);
    this.family = family;
    this.socket = socket;
    this.bound = true;
  }

  /** The socket, for another process to take over; null when there is none. */
  handOver(): { socket: DatagramSocket; family: Family } | null {
    if (this.socket === null) return null;
    share(this.socket, this);
    return { socket: this.socket, family: this.family };
  }

  // --- Sending ---

  /** `(req, list, count, port, address, hasCallback)`, or `(req, list, count, hasCallback)` when connected. */
  send(request: SendRequest, list: readonly Uint8Array[], count: number, a: unknown, b?: unknown, c?: unknown): number {
    return this.#send(request, list, count, a, b, c, 4);
  }

  send6(
    request: SendRequest,
    list: readonly Uint8Array[],
    count: number,
    a: unknown,
    b?: unknown,
    c?: unknown,
  ): number {
    return this.#send(request, list, count, a, b, c, 6);
  }

  #send(
    request: SendRequest,
    list: readonly Uint8Array[],
    count: number,
    portOrWanted: unknown,
    text: unknown,
    wanted: unknown,
    family: Family,
  ): number {
    if (this.closing) return UV_EBADF;
    const socket = this.openSocket(family);
    this.bound = true;
    if (text === undefined) return this.#sender.send(socket, request, list, count, null, portOrWanted === true);
    if (!parseInto(parsed, text, family, portOrWanted)) return UV_EINVAL;
    return this.#sender.send(socket, request, list, count, destination(parsed), wanted === true);
  }

  getSendQueueSize(): number {
    return this.#sender.queuedBytes;
  }

  getSendQueueCount(): number {
    return this.#sender.queuedCount;
  }

  // --- Receiving ---

  recvStart(): number {
    if (this.closing) return UV_EBADF;
    if (!this.bound) {
      const result = this.openSocket(4).bind(parsed.clear(4));
      if (result < 0) return uvResult(result);
      this.bound = true;
    }
    this.receiving = true;
    this.updateLiveness();
    if (this.socket !== null && this.socket.nextBytes >= 0) defer(this);
    return 0;
  }

  recvStop(): number {
    this.receiving = false;
    this.updateLiveness();
    return 0;
  }

  #receiveAll(): void {
    let left = RECEIVES_PER_TURN;
    let done = false;
    try {
      while (this.receiving && this.socket !== null && left-- > 0) {
        if (!this.#receiveOne(this.socket)) break;
      }
      done = true;
    } finally {
      if (this.receiving && (!done || left < 0)) defer(this);
    }
  }

  #receiveOne(socket: DatagramSocket): boolean {
    const next = socket.nextBytes;
    const length = next < 0 ? 0 : Math.min(next, DATAGRAM_BYTES_MAX);
    const bytes = datagramBuffer(length);
    const count = socket.receive(bytes, 0, length, info);
    if (count === -Errno.EAGAIN) return false;
    if (count < 0) {
      callProgram(this.scope, this.onmessage, this, uvResult(count), this);
      return true;
    }
    const address = formatAddress(info.from);
    const from = { address, family: this.family === 4 ? 'IPv4' : 'IPv6', port: info.from.port };
    callProgram(this.scope, this.onmessage, this, count, this, bytes, from);
    return true;
  }

  // --- Life ---

  close(callback?: unknown): void {
    if (this.closing) return;
    this.closing = true;
    this.receiving = false;
    this.updateLiveness();
    activeHandles.delete(this);
    if (this.socket !== null) {
      if (leave(this.socket, this)) {
        if (this.#descriptor !== undefined) forget(this.#descriptor);
        this.socket.close();
      }
      this.socket = null;
    }
    this.#closeCallback = callback;
    closeAtTurnEnd(this);
  }

  closed(): void {
    this.#sender.cancel(UV_ECANCELED);
    callProgram(this.scope, this.#closeCallback, this);
    this.scope.emitDestroy();
  }

  override readonly onEvents = (events: number): void => {
    let done = false;
    try {
      eventsBegin();
      if ((events & (EVENT_READABLE | EVENT_ERROR)) !== 0 && this.receiving) this.#receiveAll();
      if ((events & (EVENT_WRITABLE | EVENT_ERROR)) !== 0) this.#sender.resume();
      done = true;
    } finally {
      // The program threw: what is left comes on the next turn.
      if (!done) defer(this);
    }
  };

  resume(): void {
    if (this.receiving) this.#receiveAll();
    this.#sender.resume();
  }
}

Object.defineProperty(UdpHandle, 'name', { value: 'UDP' });
