/**
 * A client whose calls wait: one connection for calls, which the thread waits on where a call has a result at once, and one for
 * events, which comes in through the event loop.
 *
 * Thread: the client's, which has no kernel of its own. A kernel that is gone answers every call with -ENETDOWN.
 * Read first: protocol.ts. The other client, which waits for nothing, is client.ts.
 */

import { MultikernelError } from '../base/errors.ts';
import type { Rng } from '../base/rng.ts';
import type { BlockingCarrier, EventCarrier } from '../host/contract.ts';
import type { SocketAddress } from '../socket/socket.ts';
import { CallingClient, type ClientConnection, type EventHandlers, GONE, type Reply } from './client-connection.ts';
import { ClientHandshake } from './client-handshake.ts';
import type { FrameReader } from './frame-reader.ts';
import { randomWords } from './handshake.ts';
import * as protocol from './protocol.ts';

export interface BlockingConnections {
  readonly calls: BlockingCarrier;
  readonly events: EventCarrier;
}

export class BlockingClient extends CallingClient implements ClientConnection {
  readonly #calls: BlockingCarrier;
  readonly #events: EventCarrier;
  readonly #header = new Uint8Array(protocol.HEADER_BYTES);
  readonly #replies: FrameReader = protocol.newFrameReader();
  readonly #eventFrames: FrameReader = protocol.newFrameReader();
  #gone = false;
  /** The kernel's description of itself. */
  readonly about: unknown;
  #handlers: EventHandlers | null = null;

  /** Throws when the kernel is not there or does not take the key. */
  constructor({ calls, events }: BlockingConnections, key: Uint8Array | null, rng: Rng) {
    super();
    this.#calls = calls;
    this.#events = events;
    const session = randomWords(rng);
    const features = protocol.FEATURE_SOCKETS;
    const handshakes = [
      [events, protocol.ROLE_EVENTS, this.#eventFrames],
      [calls, protocol.ROLE_CALLS, this.#replies],
    ] as const;
    let about: unknown = null;
    for (const [carrier, role, reader] of handshakes)
      about = greet(carrier, reader, new ClientHandshake({ rng, key, features, role, session }));
    this.about = about;
    events.onBytes = (bytes) => this.#read(bytes);
    events.onClosed = () => this.#lost();
    events.start();
  }

  begin(handlers: EventHandlers): void {
    this.#handlers = handlers;
    this.#deliver();
  }

  protected override awaitReply(request: number): Reply {
    const whole = readFrame(this.#calls, this.#replies);
    const frame = whole === null ? null : protocol.decodeFrame(whole);
    if (frame?.class === protocol.REPLY && frame.request === request) return frame;
    this.#lost();
    return GONE;
  }

  protected override request(
    request: number,
    operation: number,
    object: number,
    a: number,
    b: number,
    bytes: Uint8Array,
    addresses: readonly SocketAddress[],
  ): boolean {
    if (this.#gone) return false;
    const payload = protocol.payloadOf(bytes, addresses);
    const header = this.#header;
    const { length } = addresses;
    protocol.writeHeader(header, payload.length, protocol.REQUEST, operation, request, object, a, b, 0, length);
    if (this.#calls.write(header, payload)) return true;
    this.#lost();
    return false;
  }

  /** Takes everything: the thread waits for the socket. */
  write(operation: number, object: number, bytes: Uint8Array, offset: number, lengthBytes: number): number {
    return this.send(operation, object, 0, 0, bytes.subarray(offset, offset + lengthBytes)) ? lengthBytes : -1;
  }

  writeTo(object: number, bytes: Uint8Array, offset: number, lengthBytes: number, to: SocketAddress | null): number {
    const payload = bytes.subarray(offset, offset + lengthBytes);
    const sent =
      to === null
        ? this.send(protocol.SEND_TO, object, 0, 0, payload)
        : this.send(protocol.SEND_TO, object, 0, 0, payload, to);
    return sent ? 1 : -1;
  }

  #read(bytes: Uint8Array): void {
    this.#eventFrames.push(bytes);
    this.#deliver();
  }

  #deliver(): void {
    const reader = this.#eventFrames;
    const handlers = this.#handlers;
    if (handlers === null) return;
    for (let whole = reader.next(); whole !== null; whole = reader.next()) {
      const frame = protocol.decodeFrame(whole);
      if (frame?.class !== protocol.EVENT) {
        this.#lost();
        return;
      }
      if (frame.operation === protocol.DATA) handlers.data(frame.object, frame.payload);
      else handlers.frame(frame);
    }
    if (reader.fault !== null) this.#lost();
    handlers.batch();
  }

  #lost(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#events.close();
    this.#calls.close();
    this.#handlers?.gone();
  }
}

/** Waits for a whole frame; null when the carrier has ended, or sends no frames. */
export function readFrame(carrier: BlockingCarrier, reader: FrameReader): Uint8Array | null {
  for (;;) {
    const whole = reader.next();
    if (whole !== null) return whole;
    const bytes = reader.fault === null ? carrier.read() : null;
    if (bytes === null) return null;
    reader.push(bytes);
  }
}

/** The handshake of one connection; returns what the kernel says of itself. */
export function greet(carrier: BlockingCarrier, reader: FrameReader, handshake: ClientHandshake): unknown {
  let next: Uint8Array | null = handshake.hello();
  while (!handshake.done) {
    if (next !== null) carrier.write(next, null);
    const whole = readFrame(carrier, reader);
    if (whole === null) throw new MultikernelError('ECONNRESET', 'the kernel hung up');
    next = handshake.take(whole);
  }
  return handshake.about;
}
