/**
 * The socket layer of a process or thread that shares the kernel of another (share-protocol.ts): same addresses, same
 * ports, same peers. What Node's handles are built on there.
 *
 * Thread: the client's. Bytes of a stream are sent ahead within a window; calls with a result wait for it.
 * Missing: raw sockets; `state`, `retransmits` and `unsentBytes` are not followed.
 */

import { Buffer } from 'node:buffer';
import { isMainThread } from 'node:worker_threads';
import { Errno } from '../base/errors.ts';
import { EventQueue, type EventTarget } from '../socket/events.ts';
import {
  type DatagramInfo,
  type DatagramSocket,
  EVENT_ACCEPTABLE,
  EVENT_CONNECTED,
  EVENT_ERROR,
  EVENT_READABLE,
  EVENT_WRITABLE,
  type RawSocket,
  type SocketLayer,
  type SocketName,
  type SocketOptions,
  type StreamSocket,
} from '../socket/socket.ts';
import type { Family } from './address.ts';
import type { InterfaceAddress } from './face.ts';
import { type Reply, ShareConnection } from './share-connection.ts';
import * as protocol from './share-protocol.ts';

/** A socket that came from another process. */
export interface Adopted {
  readonly socket: SharedStream | SharedDatagram;
  readonly kind: 'stream' | 'datagram';
  readonly family: Family;
}

/** What the kernel says of itself. */
interface Known {
  names: Record<string, string[]>;
  interfaces: InterfaceAddress[] | null;
  machine: boolean;
}

export class SharedSockets implements SocketLayer {
  readonly names: Record<string, string[]>;
  readonly interfaces: InterfaceAddress[] | null;
  readonly connection: ShareConnection;
  readonly #events: EventQueue = new EventQueue();
  readonly #sockets = new Map<number, SharedStream | SharedDatagram>();
  readonly #machine: boolean;
  #nextId = 1;

  /** Where the kernel is reached: what this process's own children need. */
  readonly point: { readonly path: string; readonly secret: string };

  constructor(point: { readonly path: string; readonly secret: string }) {
    this.point = point;
    this.connection = new ShareConnection(point.path, point.secret);
    const hello = JSON.parse(this.connection.hello || '{}') as Partial<Known>;
    this.names = hello.names ?? {};
    this.interfaces = hello.interfaces ?? null;
    this.#machine = hello.machine ?? false;
    this.connection.onFrame = (frame) => this.#onFrame(frame);
    this.connection.onBatch = () => this.#deliver();
    this.connection.onGone = () => this.#onGone();
  }

  stream(): SharedStream {
    const id = this.#newId();
    this.connection.send(protocol.OPEN_STREAM, id);
    return this.#register(new SharedStream(this, id));
  }

  datagram(): SharedDatagram {
    const id = this.#newId();
    this.connection.send(protocol.OPEN_DATAGRAM, id);
    return this.#register(new SharedDatagram(this, id));
  }

  raw(): RawSocket {
    throw new Error('raw sockets are not shared between processes');
  }

  /** Take over a socket that another process of this kernel exported; null when it is gone. */
  adopt(token: string): Adopted | null {
    const id = this.#newId();
    const reply = this.connection.call(protocol.ADOPT, id, 0, 0, 0, 0, Buffer.from(token));
    if (reply.a < 0) return null;
    const state = JSON.parse(Buffer.from(reply.payload).toString()) as {
      kind: 'stream' | 'datagram';
      family: Family;
      local: SocketName;
      peer: SocketName;
    };
    const socket = state.kind === 'stream' ? new SharedStream(this, id) : new SharedDatagram(this, id);
    socket.local = state.local;
    socket.peer = state.peer;
    if (socket instanceof SharedStream) socket.state = state.peer.port === 0 ? 'LISTEN' : 'ESTABLISHED';
    return { socket: this.#register(socket), kind: state.kind, family: state.family };
  }

  accepted(id: number): SharedStream {
    return this.#register(new SharedStream(this, id));
  }

  post(target: EventTarget, events: number): void {
    this.#events.post(target, events);
  }

  forget(id: number): void {
    this.#sockets.delete(id);
  }

  #newId(): number {
    const id = this.#nextId;
    this.#nextId += 2;
    return id;
  }

  #register<T extends SharedStream | SharedDatagram>(socket: T): T {
    this.#sockets.set(socket.id, socket);
    return socket;
  }

  #onFrame(frame: protocol.Frame): void {
    const socket = this.#sockets.get(frame.socket);
    if (socket !== undefined) socket.frame(frame);
    else if (frame.operation === protocol.ACCEPTED) this.connection.send(protocol.ABORT, frame.a);
  }

  #deliver(): void {
    try {
      this.#events.deliver();
    } finally {
      // A program's handler threw, or posted: the rest comes with the next turn.
      if (this.#events.pending) immediate(() => this.#deliver());
    }
  }

  #onGone(): void {
    // The plug was pulled: nothing of this process may be heard of any more.
    if (this.#machine && isMainThread) process.kill(process.pid, 'SIGKILL');
    for (const socket of this.#sockets.values()) socket.lost();
    immediate(() => this.#deliver());
  }
}

const immediate = setImmediate;

/** What both kinds of sockets have. */
class SharedSocketBase implements EventTarget {
  onEvents: ((events: number) => void) | null = null;
  pendingEvents = 0;
  error = 0;
  local: SocketName = { address: 0, port: 0 };
  peer: SocketName = { address: 0, port: 0 };
  readonly id: number;
  protected readonly layer: SharedSockets;

  constructor(layer: SharedSockets, id: number) {
    this.layer = layer;
    this.id = id;
  }

  protected call(operation: number, a = 0, b = 0, c = 0, d = 0, payload?: Uint8Array): Reply {
    return this.layer.connection.call(operation, this.id, a, b, c, d, payload);
  }

  protected named(reply: Reply): number {
    this.local = { address: reply.b, port: reply.c };
    return reply.a;
  }

  bind(address: number, port: number): number {
    return this.named(this.call(protocol.BIND, address, port));
  }

  setOption<K extends keyof SocketOptions>(name: K, value: SocketOptions[K]): number {
    return this.call(protocol.SET_OPTION, protocol.OPTIONS.indexOf(name), Number(value)).a;
  }

  getOption<K extends keyof SocketOptions>(name: K): SocketOptions[K] {
    const value = this.call(protocol.GET_OPTION, protocol.OPTIONS.indexOf(name)).a;
    return protocol.optionValue(name, value) as SocketOptions[K];
  }

  /** A token with which another process can adopt this socket. */
  export(family: Family): string {
    return Buffer.from(this.call(protocol.EXPORT, family).payload).toString();
  }

  /** The kernel is gone. */
  lost(): void {
    this.error = this.peer.port === 0 ? -Errno.ENETDOWN : -Errno.ECONNRESET;
    this.layer.post(this, EVENT_CONNECTED | EVENT_ERROR);
  }
}

export class SharedStream extends SharedSocketBase implements StreamSocket {
  state = 'CLOSED';
  readonly retransmits = 0;
  readonly unsentBytes = 0;
  readonly #inbox: Uint8Array[] = [];
  readonly #waiting: SharedStream[] = [];
  #inboxAt = 0;
  #inboxBytes = 0;
  #ended = false;
  #credit = protocol.WINDOW_BYTES;
  #consumed = 0;
  #blocked = false;
  #shut = false;

  get readableBytes(): number {
    return this.#inboxBytes;
  }

  get writableBytes(): number {
    return this.#shut ? 0 : this.#credit;
  }

  listen(backlog: number): number {
    const result = this.named(this.call(protocol.LISTEN, backlog));
    if (result === 0) this.state = 'LISTEN';
    return result;
  }

  connect(address: number, port: number): number {
    const result = this.named(this.call(protocol.CONNECT, address, port));
    this.peer = { address, port };
    return result;
  }

  accept(): StreamSocket | null {
    return this.#waiting.shift() ?? null;
  }

  send(bytes: Uint8Array, offset: number, lengthBytes: number): number {
    if (this.error < 0) return this.error;
    if (this.#shut) return -Errno.EPIPE;
    const count = Math.min(lengthBytes, this.#credit);
    if (count <= 0) {
      this.#blocked = true;
      return -Errno.EAGAIN;
    }
    this.#credit -= count;
    this.#blocked = count < lengthBytes;
    const sent = this.layer.connection.send(protocol.SEND, this.id, 0, 0, 0, 0, bytes.subarray(offset, offset + count));
    return sent ? count : -Errno.ECONNRESET;
  }

  receive(into: Uint8Array, offset: number, lengthBytes: number): number {
    let copied = 0;
    while (copied < lengthBytes && this.#inbox.length > 0) {
      const first = this.#inbox[0] as Uint8Array;
      const count = Math.min(first.length - this.#inboxAt, lengthBytes - copied);
      into.set(first.subarray(this.#inboxAt, this.#inboxAt + count), offset + copied);
      copied += count;
      this.#inboxAt += count;
      if (this.#inboxAt < first.length) break;
      this.#inbox.shift();
      this.#inboxAt = 0;
    }
    if (copied === 0) return this.#ended ? 0 : this.error < 0 ? this.error : -Errno.EAGAIN;
    this.#inboxBytes -= copied;
    this.#consumed += copied;
    if (this.#consumed >= protocol.WINDOW_BYTES / 4) {
      this.layer.connection.send(protocol.CONSUMED, this.id, this.#consumed);
      this.#consumed = 0;
    }
    return copied;
  }

  shutdown(): number {
    if (this.error < 0 || this.peer.port === 0) return -Errno.ENOTCONN;
    this.#shut = true;
    this.layer.connection.send(protocol.SHUTDOWN, this.id);
    return 0;
  }

  close(): void {
    // What arrived and was not read makes it a reset, here as there.
    this.#leave(this.#inboxBytes > 0 ? protocol.ABORT : protocol.CLOSE);
  }

  abort(): void {
    this.#leave(protocol.ABORT);
  }

  #leave(operation: number): void {
    this.layer.forget(this.id);
    this.layer.connection.send(operation, this.id);
    for (const waiting of this.#waiting.splice(0)) waiting.abort();
  }

  frame(frame: protocol.Frame): void {
    switch (frame.operation) {
      case protocol.DATA:
        this.#inbox.push(frame.payload);
        this.#inboxBytes += frame.payload.length;
        this.layer.post(this, EVENT_READABLE);
        return;
      case protocol.END:
        this.#ended = true;
        this.layer.post(this, EVENT_READABLE);
        return;
      case protocol.CREDIT:
        this.#credit += frame.a;
        if (this.#blocked) this.layer.post(this, EVENT_WRITABLE);
        return;
      case protocol.ACCEPTED:
        this.#arrived(frame);
        return;
      case protocol.EVENTS:
        this.#state(frame);
    }
  }

  #arrived(frame: protocol.Frame): void {
    const stream = this.layer.accepted(frame.a);
    const { payload } = frame;
    stream.state = 'ESTABLISHED';
    stream.peer = { address: frame.b, port: frame.c };
    stream.local = { address: frame.d, port: new DataView(payload.buffer, payload.byteOffset).getInt32(0, true) };
    this.#waiting.push(stream);
    this.layer.post(this, EVENT_ACCEPTABLE);
  }

  #state(frame: protocol.Frame): void {
    if (frame.b < 0) this.error = frame.b;
    if ((frame.a & EVENT_CONNECTED) !== 0) {
      this.local = { address: frame.c, port: frame.d };
      if (frame.b === 0) this.state = 'ESTABLISHED';
    }
    this.layer.post(this, frame.a);
  }
}

export class SharedDatagram extends SharedSocketBase implements DatagramSocket {
  connected = false;
  readonly #inbox: protocol.Frame[] = [];
  #queued = 0;

  get nextBytes(): number {
    return this.#inbox[0]?.payload.length ?? -1;
  }

  get queuedBytes(): number {
    return this.#queued;
  }

  connect(address: number, port: number): number {
    const result = this.named(this.call(protocol.CONNECT, address, port));
    if (result === 0) {
      this.connected = true;
      this.peer = { address, port };
    }
    return result;
  }

  disconnect(): number {
    const result = this.call(protocol.DISCONNECT).a;
    if (result === 0) {
      this.connected = false;
      this.peer = { address: 0, port: 0 };
    }
    return result;
  }

  send(bytes: Uint8Array, offset: number, lengthBytes: number, address: number, port: number): number {
    const payload = bytes.subarray(offset, offset + lengthBytes);
    return this.named(this.call(protocol.SEND_TO, address, port, 0, 0, payload));
  }

  receive(into: Uint8Array, offset: number, lengthBytes: number, info: DatagramInfo): number {
    const frame = this.#inbox.shift();
    if (frame === undefined) {
      const { error } = this;
      this.error = 0;
      return error < 0 ? error : -Errno.EAGAIN;
    }
    const count = Math.min(lengthBytes, frame.payload.length);
    into.set(frame.payload.subarray(0, count), offset);
    info.address = frame.a;
    info.port = frame.b;
    info.fullBytes = frame.c;
    this.#queued -= frame.payload.length;
    this.layer.connection.send(protocol.CONSUMED, this.id, Math.max(frame.payload.length, 1));
    return count;
  }

  joinGroup(group: number, interfaceAddress: number): number {
    return this.call(protocol.MEMBERSHIP, group, 0, interfaceAddress, 0).a;
  }

  leaveGroup(group: number, interfaceAddress: number): number {
    return this.call(protocol.MEMBERSHIP, group, 0, interfaceAddress, 1).a;
  }

  joinSourceGroup(group: number, source: number, interfaceAddress: number): number {
    return this.call(protocol.MEMBERSHIP, group, source, interfaceAddress, 2).a;
  }

  leaveSourceGroup(group: number, source: number, interfaceAddress: number): number {
    return this.call(protocol.MEMBERSHIP, group, source, interfaceAddress, 3).a;
  }

  close(): void {
    this.layer.forget(this.id);
    this.layer.connection.send(protocol.CLOSE, this.id);
  }

  frame(frame: protocol.Frame): void {
    if (frame.operation === protocol.DATAGRAM) {
      this.#inbox.push(frame);
      this.#queued += frame.payload.length;
      this.layer.post(this, EVENT_READABLE);
    } else if (frame.operation === protocol.EVENTS) {
      if (frame.b < 0) this.error = frame.b;
      this.layer.post(this, frame.a);
    }
  }
}
