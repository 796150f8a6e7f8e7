/**
 * The socket layer of a process or thread that uses the kernel of another: same addresses, same ports, same peers.
 *
 * Thread: the client's. Missing: raw sockets.
 */

import { EventQueue, type EventTarget } from '../socket/events.ts';
import { EVENT_WRITABLE, type Family, type RawSocket, type SocketAddress, type SocketLayer } from '../socket/socket.ts';
import type { ClientConnection } from './client-connection.ts';
import { ClientDatagram } from './client-datagram.ts';
import type { ClientLayer, ClientSocket, OfferedStream } from './client-socket.ts';
import { ClientStream } from './client-stream.ts';
import * as protocol from './protocol.ts';
import { ReachedHosts } from './reached-hosts.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A socket that came from another process. */
export interface Adopted {
  readonly socket: ClientStream | ClientDatagram;
  readonly kind: 'stream' | 'datagram';
  readonly family: Family;
}

export class ClientSockets implements SocketLayer, ClientLayer {
  readonly connection: ClientConnection;
  readonly reached: ReachedHosts = new ReachedHosts();
  /** Called when the kernel is gone, before its sockets are told. */
  onGone: () => void = () => undefined;
  readonly #events: EventQueue = new EventQueue();
  readonly #sockets = new Map<number, ClientSocket>();
  /** Numbers of sockets whose bytes found no room. */
  readonly #waiting = new Set<number>();
  /** Streams that bytes came for since the last look, and those that still have some. */
  readonly #offered: OfferedStream[] = [];
  readonly #unread = new Set<OfferedStream>();
  readonly #interfaceNames = new Map<number, string>();
  readonly #later: (run: () => void) => void;
  #nextId = 1;

  /** `later`: on the next turn of the event loop. */
  constructor(connection: ClientConnection, later: (run: () => void) => void) {
    this.connection = connection;
    this.#later = later;
    connection.begin({
      data: (object, bytes) => this.#sockets.get(object)?.data(bytes),
      frame: (frame) => this.#onEvent(frame),
      batch: () => this.#deliver(),
      room: () => this.#room(),
      gone: () => this.#onGone(),
    });
  }

  interfaceIndex(name: string): number {
    return Math.max(this.connection.call(protocol.INTERFACE, 0, 0, 0, encoder.encode(name)).a, 0);
  }

  /** Asked once for each index: a received address names its zone again and again. */
  interfaceName(index: number): string {
    const known = this.#interfaceNames.get(index);
    if (known !== undefined) return known;
    const name = decoder.decode(this.connection.call(protocol.INTERFACE, 0, index).payload);
    if (name !== '') this.#interfaceNames.set(index, name);
    return name;
  }

  interfaceWithAddress(address: SocketAddress): number {
    return Math.max(this.connection.call(protocol.INTERFACE, 0, 0, 0, undefined, address).a, 0);
  }

  orderDestinations(given: readonly SocketAddress[]): SocketAddress[] {
    const { a, addresses } = this.connection.call(protocol.ORDER, 0, 0, 0, undefined, ...given);
    const left = [...given];
    if (a < 0) return left;
    const ordered = addresses.flatMap((address) => {
      const at = left.findIndex((one) => one.equals(address));
      return at < 0 ? [] : left.splice(at, 1);
    });
    return [...ordered, ...left];
  }

  stream(family: Family = 4): ClientStream {
    const id = this.#newId();
    this.connection.send(protocol.OPEN_STREAM, id, family);
    return this.register(new ClientStream(this, id, family));
  }

  datagram(family: Family = 4): ClientDatagram {
    const id = this.#newId();
    this.connection.send(protocol.OPEN_DATAGRAM, id, family);
    return this.register(new ClientDatagram(this, id, family));
  }

  raw(): RawSocket {
    throw new Error('raw sockets are not shared between processes');
  }

  /** Take over a socket that another process of this kernel exported; null when it is gone. */
  adopt(token: string): Adopted | null {
    const id = this.#newId();
    const reply = this.connection.call(protocol.ADOPT, id, 0, 0, encoder.encode(token));
    if (reply.a < 0) return null;
    const kind = reply.b === protocol.KIND_STREAM ? 'stream' : 'datagram';
    const family = reply.c === 6 ? 6 : 4;
    const socket = kind === 'stream' ? new ClientStream(this, id, family) : new ClientDatagram(this, id, family);
    const [local, peer] = reply.addresses;
    if (local !== undefined) socket.localName.copy(local);
    if (peer !== undefined) socket.peerName.copy(peer);
    const connected = socket.peerName.port !== 0;
    if (socket instanceof ClientStream) socket.state = connected ? 'ESTABLISHED' : 'LISTEN';
    else socket.connected = connected;
    return { socket: this.register(socket), kind, family };
  }

  register<T extends ClientSocket>(socket: T): T {
    this.#sockets.set(socket.id, socket);
    return socket;
  }

  post(target: EventTarget, events: number): void {
    this.#events.post(target, events);
  }

  forget(id: number): void {
    this.#sockets.delete(id);
    this.#waiting.delete(id);
  }

  awaitRoom(socket: ClientSocket): void {
    this.#waiting.add(socket.id);
  }

  offer(stream: OfferedStream): void {
    this.#offered.push(stream);
  }

  /** A program that has just begun to read does so on a later turn of the event loop: what is left then stays. */
  #lookForUnread(): void {
    const unread = this.#unread;
    const idle = unread.size === 0;
    for (const stream of this.#offered) if (stream.readableBytes > 0) unread.add(stream);
    this.#offered.length = 0;
    if (!idle || unread.size === 0) return;
    this.#later(() => {
      const left = [...unread];
      unread.clear();
      for (const stream of left) stream.offered();
    });
  }

  /** The ring has room again: sockets whose bytes found none may send. */
  #room(): void {
    for (const id of this.#waiting) {
      const socket = this.#sockets.get(id);
      if (socket !== undefined) this.post(socket, EVENT_WRITABLE);
    }
    this.#waiting.clear();
  }

  /** The program ends: its sockets are closed as its descriptors would be, with a reset where data was not read. */
  close(): void {
    for (const socket of [...this.#sockets.values()]) socket.close();
  }

  #newId(): number {
    const id = this.#nextId;
    this.#nextId += 2;
    return id;
  }

  #onEvent(frame: protocol.Frame): void {
    const socket = this.#sockets.get(frame.object);
    if (socket !== undefined) socket.frame(frame);
    else if (frame.operation === protocol.ACCEPTED) this.connection.send(protocol.ABORT, frame.a);
  }

  #deliver(): void {
    try {
      this.#events.deliver();
    } finally {
      // A program's handler threw, or posted: the rest comes with the next turn.
      if (this.#events.pending) this.#later(() => this.#deliver());
      if (this.#offered.length > 0) this.#lookForUnread();
    }
  }

  #onGone(): void {
    this.onGone();
    for (const socket of this.#sockets.values()) socket.lost();
    this.#later(() => this.#deliver());
  }
}
