/**
 * The socket layer of a process or thread that shares the kernel of another (share-protocol.ts): same addresses, same
 * ports, same peers. Node's handles are built on it there.
 *
 * Thread: the client's. Missing: raw sockets.
 */

import { Buffer } from 'node:buffer';
import { isMainThread } from 'node:worker_threads';
import { EventQueue, type EventTarget } from '../socket/events.ts';
import type { Family, RawSocket, SocketAddress, SocketLayer } from '../socket/socket.ts';
import type { InterfaceAddress } from './face.ts';
import { RemoteDatagram } from './remote-datagram.ts';
import type { RemoteLayer, RemoteSocket } from './remote-socket.ts';
import { RemoteStream } from './remote-stream.ts';
import { ShareConnection } from './share-connection.ts';
import * as protocol from './share-protocol.ts';

/** A socket that came from another process. */
export interface Adopted {
  readonly socket: RemoteStream | RemoteDatagram;
  readonly kind: 'stream' | 'datagram';
  readonly family: Family;
}

/** The kernel's description of itself. */
interface Known {
  names: Record<string, string[]>;
  interfaces: InterfaceAddress[] | null;
  machine: boolean;
}

export class SharedSockets implements SocketLayer, RemoteLayer {
  readonly names: Record<string, string[]>;
  readonly interfaces: InterfaceAddress[] | null;
  readonly connection: ShareConnection;
  readonly #events: EventQueue = new EventQueue();
  readonly #sockets = new Map<number, RemoteSocket>();
  readonly #interfaceNames = new Map<number, string>();
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

  interfaceIndex(name: string): number {
    return Math.max(this.connection.call(protocol.INTERFACE, 0, 0, 0, 0, 0, Buffer.from(name)).a, 0);
  }

  /** Asked once for each index: a received address names its zone again and again. */
  interfaceName(index: number): string {
    const known = this.#interfaceNames.get(index);
    if (known !== undefined) return known;
    const name = Buffer.from(this.connection.call(protocol.INTERFACE, 0, index).payload).toString();
    if (name !== '') this.#interfaceNames.set(index, name);
    return name;
  }

  interfaceWithAddress(address: SocketAddress): number {
    return Math.max(this.connection.call(protocol.INTERFACE, 0, 0, 0, 0, 0, undefined, address).a, 0);
  }

  orderDestinations(given: readonly SocketAddress[]): SocketAddress[] {
    const { a, addresses } = this.connection.call(protocol.ORDER, 0, 0, 0, 0, 0, undefined, ...given);
    const left = [...given];
    if (a < 0) return left;
    const ordered = addresses.flatMap((address) => {
      const at = left.findIndex((one) => one.equals(address));
      return at < 0 ? [] : left.splice(at, 1);
    });
    return [...ordered, ...left];
  }

  stream(family: Family = 4): RemoteStream {
    const id = this.#newId();
    this.connection.send(protocol.OPEN_STREAM, id, family);
    return this.register(new RemoteStream(this, id, family));
  }

  datagram(family: Family = 4): RemoteDatagram {
    const id = this.#newId();
    this.connection.send(protocol.OPEN_DATAGRAM, id, family);
    return this.register(new RemoteDatagram(this, id, family));
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
    };
    const { kind, family } = state;
    const socket = kind === 'stream' ? new RemoteStream(this, id, family) : new RemoteDatagram(this, id, family);
    const [local, peer] = reply.addresses;
    if (local !== undefined) socket.localName.copy(local);
    if (peer !== undefined) socket.peerName.copy(peer);
    const connected = socket.peerName.port !== 0;
    if (socket instanceof RemoteStream) socket.state = connected ? 'ESTABLISHED' : 'LISTEN';
    else socket.connected = connected;
    return { socket: this.register(socket), kind, family };
  }

  register<T extends RemoteSocket>(socket: T): T {
    this.#sockets.set(socket.id, socket);
    return socket;
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
