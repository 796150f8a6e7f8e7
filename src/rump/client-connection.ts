/** The connection of a client whose calls wait, as its sockets see it: blocking-client.ts, region-client.ts. Thread: the client's. */

import { Errno } from '../base/errors.ts';
import type { SocketAddress } from '../socket/socket.ts';
import * as protocol from './protocol.ts';

export interface Reply {
  a: number;
  b: number;
  c: number;
  payload: Uint8Array;
  addresses: readonly SocketAddress[];
}

export const GONE: Reply = { a: -Errno.ENETDOWN, b: 0, c: 0, payload: protocol.NO_PAYLOAD, addresses: [] };

/** Handlers of what comes unasked. */
export interface EventHandlers {
  /** Bytes of a stream; the receiver's own. */
  data(object: number, bytes: Uint8Array): void;
  frame(frame: protocol.Frame): void;
  /** Once after each batch. */
  batch(): void;
  /** There is room for bytes again, of all that found none. */
  room(): void;
  /** The kernel is gone. */
  gone(): void;
}

export interface ClientConnection {
  /** The kernel's description of itself. */
  readonly about: unknown;
  /** Events are delivered from now on; those that came before too. */
  begin(handlers: EventHandlers): void;
  /** A request without a reply. False when the kernel is gone. */
  send(
    operation: number,
    object: number,
    a?: number,
    b?: number,
    bytes?: Uint8Array,
    ...addresses: SocketAddress[]
  ): boolean;
  /** A request with a reply; the thread waits. {@link GONE} when the kernel is. */
  call(
    operation: number,
    object: number,
    a?: number,
    b?: number,
    bytes?: Uint8Array,
    ...addresses: SocketAddress[]
  ): Reply;
  /** A request without a reply that carries data, as far as there is room: the bytes taken, -1 when the kernel is gone. */
  write(operation: number, object: number, bytes: Uint8Array, offset: number, lengthBytes: number): number;
  /** The same for a datagram: 1, or 0 when there is no room, -1 when the kernel is gone; `to` null: the peer. */
  writeTo(object: number, bytes: Uint8Array, offset: number, lengthBytes: number, to: SocketAddress | null): number;
}

/** The common part of the clients: numbers of requests, calls that wait. */
export abstract class CallingClient {
  #nextRequest = 1;

  send(
    operation: number,
    object: number,
    a = 0,
    b = 0,
    bytes: Uint8Array = protocol.NO_PAYLOAD,
    ...addresses: SocketAddress[]
  ): boolean {
    return this.request(0, operation, object, a, b, bytes, addresses);
  }

  call(
    operation: number,
    object: number,
    a = 0,
    b = 0,
    bytes: Uint8Array = protocol.NO_PAYLOAD,
    ...addresses: SocketAddress[]
  ): Reply {
    const request = this.#nextRequest;
    this.#nextRequest = request === 0x7fff_ffff ? 1 : request + 1;
    return this.request(request, operation, object, a, b, bytes, addresses) ? this.awaitReply(request) : GONE;
  }

  /** Send a request; number 0 wants no reply. False when the kernel is gone. */
  protected abstract request(
    request: number,
    operation: number,
    object: number,
    a: number,
    b: number,
    bytes: Uint8Array,
    addresses: readonly SocketAddress[],
  ): boolean;

  /** Wait for the reply of that number; {@link GONE} when the kernel is. */
  protected abstract awaitReply(request: number): Reply;
}
