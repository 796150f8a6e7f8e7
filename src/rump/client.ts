/**
 * A client that does not block: one connection for requests, replies and events.
 *
 * Thread: the client's, with an event loop. Requests may be under way in any number; a connection that ends fails all of them
 * with one error. Read first: protocol.ts.
 */

import { MultikernelError } from '../base/errors.ts';
import type { Carrier } from '../host/contract.ts';
import type { SocketAddress } from '../socket/socket.ts';
import { ClientHandshake, type ClientOptions } from './client-handshake.ts';
import type { FrameReader } from './frame-reader.ts';
import * as protocol from './protocol.ts';
import { decodeError } from './value-codec.ts';

interface Waiting {
  resolve(frame: protocol.Frame): void;
  reject(error: Error): void;
}

export interface ClientHandlers {
  event(frame: protocol.Frame): void;
  /** A request of the kernel (COPYIN, COPYOUT), to be answered with `answer`. */
  request(frame: protocol.Frame): void;
  /** The connection has ended; requests fail with `error` from now on. */
  closed(error: Error): void;
}

export class RumpClient {
  readonly about: unknown;
  /** `FEATURE_*` bits of both sides. */
  readonly features: number;
  /** Settles when the connection has ended. */
  readonly closed: Promise<void>;
  readonly #carrier: Carrier;
  readonly #reader: FrameReader;
  readonly #waiting = new Map<number, Waiting>();
  /** Bytes that came before `begin`. */
  readonly #early: Uint8Array[] = [];
  #gone: () => Error;
  #handlers: ClientHandlers | null = null;
  #nextRequest = 1;
  #ended = false;
  /** A frame made no sense. The carrier may still deliver bytes that were under way. */
  #malformed = false;
  #told = false;

  /** Connect over `carrier`; rejects with the server's reason, or ECONNRESET. */
  static connect(carrier: Carrier, options: ClientOptions): Promise<RumpClient> {
    const handshake = new ClientHandshake(options);
    const reader = protocol.newFrameReader();
    const gone = options.gone ?? connectionGone;
    return new Promise((resolve, reject) => {
      const fail = (error: Error): void => {
        carrier.onBytes = null;
        carrier.onClosed = null;
        carrier.close();
        reject(error);
      };
      carrier.onClosed = () => fail(gone());
      carrier.onBytes = (bytes) => {
        reader.push(bytes);
        try {
          for (let whole = reader.next(); whole !== null; whole = reader.next()) {
            const next = handshake.take(whole);
            if (next !== null) carrier.write(next, null);
            if (!handshake.done) continue;
            const client = new RumpClient(carrier, reader, handshake, gone);
            resolve(client);
            return;
          }
          if (reader.fault !== null) fail(new MultikernelError('EPROTO', reader.fault));
        } catch (error) {
          fail(error as Error);
        }
      };
      carrier.write(handshake.hello(), null);
    });
  }

  private constructor(carrier: Carrier, reader: FrameReader, handshake: ClientHandshake, gone: () => Error) {
    this.#carrier = carrier;
    this.#reader = reader;
    this.#gone = gone;
    this.about = handshake.about;
    this.features = handshake.features;
    carrier.onBytes = (bytes) => this.#early.push(bytes);
    this.closed = new Promise((resolve) => {
      carrier.onClosed = () => {
        this.#ended = true;
        this.#end();
        resolve();
      };
    });
  }

  /** Call once: events and requests of the kernel wait until then, and so does the end. */
  begin(handlers: ClientHandlers): void {
    this.#handlers = handlers;
    this.#drain();
    for (const bytes of this.#early.splice(0)) this.#read(bytes);
    this.#carrier.onBytes = (bytes) => this.#read(bytes);
    if (this.#ended) this.#end();
  }

  get queuedBytes(): number {
    return this.#carrier.queuedBytes;
  }

  /** A request; its REPLY, or the ERROR as an exception. */
  call(
    operation: number,
    object: number,
    a = 0,
    b = 0,
    c = 0,
    bytes: Uint8Array = protocol.NO_PAYLOAD,
    ...addresses: SocketAddress[]
  ): Promise<protocol.Frame> {
    if (this.#ended) return Promise.reject(this.#gone());
    const request = this.#nextRequest;
    this.#nextRequest = request === 0x7fff_ffff ? 1 : request + 1;
    return new Promise((resolve, reject) => {
      this.#waiting.set(request, { resolve, reject });
      const payload = protocol.payloadOf(bytes, addresses);
      const { REQUEST } = protocol;
      const header = protocol.headerOf(payload, REQUEST, operation, request, object, a, b, c, addresses.length);
      this.#carrier.write(header, payload);
    });
  }

  /** A request without a reply. */
  send(operation: number, object: number, a = 0, b = 0, payload: Uint8Array = protocol.NO_PAYLOAD): void {
    if (this.#ended) return;
    this.#carrier.write(protocol.headerOf(payload, protocol.REQUEST, operation, 0, object, a, b), payload);
  }

  /** Answer a request of the kernel. */
  answer(to: protocol.Frame, a: number, payload: Uint8Array = protocol.NO_PAYLOAD): void {
    if (this.#ended) return;
    this.#carrier.write(protocol.headerOf(payload, protocol.REPLY, to.operation, to.request, to.object, a), payload);
  }

  /** Hang up; requests under way and later ones fail with ECONNRESET. */
  close(): Promise<void> {
    this.#gone = connectionGone;
    this.#carrier.close();
    return this.closed;
  }

  #read(bytes: Uint8Array): void {
    if (this.#malformed) return;
    this.#reader.push(bytes);
    this.#drain();
  }

  #drain(): void {
    const reader = this.#reader;
    for (let whole = reader.next(); whole !== null; whole = reader.next()) {
      const frame = protocol.decodeFrame(whole);
      if (frame === null) {
        this.#malformed = true;
        this.#carrier.close();
        return;
      }
      this.#frame(frame);
    }
    if (reader.fault !== null) this.#carrier.close();
  }

  #frame(frame: protocol.Frame): void {
    if (frame.class === protocol.EVENT) this.#handlers?.event(frame);
    else if (frame.class === protocol.REQUEST) this.#handlers?.request(frame);
    else {
      const waiting = this.#waiting.get(frame.request);
      this.#waiting.delete(frame.request);
      if (frame.class === protocol.ERROR) waiting?.reject(decodeError(frame.payload));
      else waiting?.resolve(frame);
    }
  }

  #end(): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(this.#gone());
    const handlers = this.#handlers;
    if (handlers === null || this.#told) return;
    this.#told = true;
    handlers.closed(this.#gone());
  }
}

function connectionGone(): MultikernelError {
  return new MultikernelError('ECONNRESET', 'the connection to the kernel is gone');
}
