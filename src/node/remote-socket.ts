/**
 * What the two kinds of sockets of a shared kernel have (share-client.ts). Thread: the client's.
 */

import { Buffer } from 'node:buffer';
import { Errno } from '../base/errors.ts';
import type { EventTarget } from '../socket/events.ts';
import { EVENT_CONNECTED, EVENT_ERROR, type SocketName, type SocketOptions } from '../socket/socket.ts';
import type { Family } from './address.ts';
import { NO_NAME, type RemoteAddresses, type RemoteName } from './remote-addresses.ts';
import type { Reply, ShareConnection } from './share-connection.ts';
import * as protocol from './share-protocol.ts';

/** What a socket needs of its layer. */
export interface RemoteLayer {
  readonly connection: ShareConnection;
  readonly addressText: RemoteAddresses;
  /** From now on frames for its number go to it. */
  register<T extends RemoteSocket>(socket: T): T;
  post(target: EventTarget, events: number): void;
  forget(id: number): void;
}

/** What both kinds of sockets have. */
export abstract class RemoteSocket implements EventTarget {
  onEvents: ((events: number) => void) | null = null;
  pendingEvents = 0;
  error = 0;
  localName: RemoteName = NO_NAME;
  peerName: RemoteName = NO_NAME;
  readonly id: number;
  protected readonly layer: RemoteLayer;

  constructor(layer: RemoteLayer, id: number) {
    this.layer = layer;
    this.id = id;
  }

  /** The kernel says something about this socket. */
  abstract frame(frame: protocol.Frame): void;

  get local(): SocketName {
    return this.layer.addressText.name(this.localName);
  }

  get peer(): SocketName {
    return this.layer.addressText.name(this.peerName);
  }

  protected call(operation: number, a = 0, b = 0, c = 0, d = 0, payload?: Uint8Array, texts = ''): Reply {
    return this.layer.connection.call(operation, this.id, a, b, c, d, payload, texts);
  }

  /** A call with an address and a port. */
  protected callAt(operation: number, address: number, port: number, payload?: Uint8Array): Reply {
    return this.call(operation, address, port, 0, 0, payload, this.textsOf(address));
  }

  protected textsOf(...addresses: number[]): string {
    return protocol.textsOf((address) => this.layer.addressText.format(address), ...addresses);
  }

  protected nameOf(address: number, port: number): RemoteName {
    return { address, text: this.textsOf(address), port };
  }

  protected named(reply: Reply): number {
    this.localName = { address: reply.b, text: reply.texts, port: reply.c };
    return reply.a;
  }

  bind(address: number, port: number): number {
    return this.named(this.callAt(protocol.BIND, address, port));
  }

  setOption<K extends keyof SocketOptions>(name: K, value: SocketOptions[K]): number {
    const texts = name === 'multicastInterface' ? this.textsOf(Number(value)) : '';
    return this.call(protocol.SET_OPTION, protocol.OPTIONS.indexOf(name), Number(value), 0, 0, undefined, texts).a;
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
    this.error = this.peerName.port === 0 ? -Errno.ENETDOWN : -Errno.ECONNRESET;
    this.layer.post(this, EVENT_CONNECTED | EVENT_ERROR);
  }
}
