/**
 * The common part of the two kinds of sockets of a kernel elsewhere (client-sockets.ts). Thread: the client's.
 */

import { Errno } from '../base/errors.ts';
import type { EventTarget } from '../socket/events.ts';
import { EVENT_CONNECTED, EVENT_ERROR, type Family, SocketAddress, type SocketOptions } from '../socket/socket.ts';
import type { ClientConnection, Reply } from './client-connection.ts';
import * as protocol from './protocol.ts';
import type { ReachedHosts } from './reached-hosts.ts';
import { OPTIONS, optionValue } from './socket-options.ts';

const decoder = new TextDecoder();
/** Options that the kernel never refuses: nobody waits for its answer. */
const ACCEPTED_ALWAYS: ReadonlySet<keyof SocketOptions> = new Set(['noDelay', 'keepAlive', 'reuseAddress']);

/** A stream that bytes came for. */
export interface OfferedStream {
  readonly readableBytes: number;
  offered(): void;
}

/** The layer as its sockets see it. */
export interface ClientLayer {
  readonly connection: ClientConnection;
  /** Hosts of connections that have begun. */
  readonly reached: ReachedHosts;
  /** From now on frames for its number go to it. */
  register<T extends ClientSocket>(socket: T): T;
  post(target: EventTarget, events: number): void;
  forget(id: number): void;
  /** Bytes came for a stream: it is told when its program had a turn to read them. */
  offer(stream: OfferedStream): void;
  /** The connection has no room for bytes: EVENT_WRITABLE is posted when it has. */
  awaitRoom(socket: ClientSocket): void;
}

export abstract class ClientSocket implements EventTarget {
  onEvents: ((events: number) => void) | null = null;
  pendingEvents = 0;
  error = 0;
  /** The kernel has chosen a name that is not known here yet. */
  protected unnamed = false;
  readonly localName: SocketAddress;
  readonly peerName: SocketAddress;
  readonly id: number;
  protected readonly layer: ClientLayer;

  constructor(layer: ClientLayer, id: number, family: Family) {
    this.localName = SocketAddress.any(family);
    this.peerName = SocketAddress.any(family);
    this.layer = layer;
    this.id = id;
  }

  /** The kernel says something about this socket. */
  abstract frame(frame: protocol.Frame): void;

  /** Bytes of a stream arrived; they are the socket's. */
  data(_bytes: Uint8Array): void {}

  abstract close(): void;

  get local(): SocketAddress {
    if (this.unnamed) this.named(this.call(protocol.NAME));
    return this.localName.clone();
  }

  get peer(): SocketAddress {
    return this.peerName.clone();
  }

  protected call(operation: number, a = 0, b = 0, payload?: Uint8Array, ...addresses: SocketAddress[]): Reply {
    return this.layer.connection.call(operation, this.id, a, b, payload, ...addresses);
  }

  /** Keep the peer of a successful connect as a socket of `family` names it. */
  protected connectedTo(address: SocketAddress): void {
    const { family } = this.localName;
    if (family === 6 && address.family === 4) this.peerName.setIpv6(0, 0, 0xffff, address.w3, address.port, 0);
    else this.peerName.copy(address);
  }

  /** The result of a call that replies with the socket's own address. */
  protected named(reply: Reply): number {
    const [local] = reply.addresses;
    this.unnamed = false;
    if (local !== undefined) this.localName.copy(local);
    return reply.a;
  }

  bind(address: SocketAddress): number {
    return this.named(this.call(protocol.BIND, 0, 0, undefined, address));
  }

  setOption<K extends keyof SocketOptions>(name: K, value: SocketOptions[K]): number {
    if (ACCEPTED_ALWAYS.has(name)) {
      this.layer.connection.send(protocol.SET_OPTION, this.id, OPTIONS.indexOf(name), Number(value));
      return this.error === -Errno.ENETDOWN ? this.error : 0;
    }
    return this.call(protocol.SET_OPTION, OPTIONS.indexOf(name), Number(value)).a;
  }

  getOption<K extends keyof SocketOptions>(name: K): SocketOptions[K] {
    const value = this.call(protocol.GET_OPTION, OPTIONS.indexOf(name)).a;
    return optionValue(name, value) as SocketOptions[K];
  }

  /** A token with which another process can adopt this socket. */
  export(family: Family): string {
    return decoder.decode(this.call(protocol.EXPORT, family).payload);
  }

  /** The kernel is gone. */
  lost(): void {
    this.error = this.peerName.port === 0 ? -Errno.ENETDOWN : -Errno.ECONNRESET;
    this.layer.post(this, EVENT_CONNECTED | EVENT_ERROR);
  }
}
