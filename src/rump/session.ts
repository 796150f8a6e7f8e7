/**
 * One client of a server: its connections, its services, its limits.
 *
 * Thread: the server's. A session exists from the moment that its first connection is authenticated until its connection for
 * calls ends; then everything that it holds is given back, sockets as at the exit of a process. Frames of a client
 * are served in order. A frame that makes no sense ends the session, with the reason counted. Read first: protocol.ts.
 */

import { Errno } from '../base/errors.ts';
import type { Carrier } from '../host/contract.ts';
import type { Region } from '../mem/region.ts';
import type { SocketAddress } from '../socket/socket.ts';
import type { Refusal } from './admission.ts';
import { bareFrame, FrameWords } from './frame-words.ts';
import {
  decodeWhole,
  ERROR,
  EVENT,
  type Frame,
  frameOf,
  HEADER_BYTES,
  headerOf,
  NO_PAYLOAD,
  payloadOf,
  REPLY,
  REQUEST,
  ROLE_BOTH,
  ROLE_CALLS,
  ROLE_EVENTS,
} from './protocol.ts';
import type { EventRing, RegionCarrier } from './region-carrier.ts';

// Taken before a program can replace the global (fake timers do).
const microtask = queueMicrotask;

export interface SessionLimits {
  /** Descriptors of a client's process (RLIMIT_NOFILE): sockets, and the files of system calls. */
  readonly descriptorsMax: number;
  /** Streams of events of one client. */
  readonly streamsMax: number;
  /** Requests that wait for an answer. */
  readonly requestsMax: number;
  /** Bytes for a client that does not read. */
  readonly queuedBytesMax: number;
}

export const SESSION_LIMITS: SessionLimits = {
  descriptorsMax: 16_384,
  streamsMax: 1024,
  requestsMax: 1024,
  queuedBytesMax: 268_435_456,
};

/** A family of operations of one session. */
export interface SessionService {
  /** The `FEATURE_*` bit that both sides must have. */
  readonly feature: number;
  /** Operations from `first` to `last` come here. */
  readonly first: number;
  readonly last: number;
  /** Serve a frame of the client. False: it makes no sense, and the session ends. */
  serve(frame: Frame): boolean;
  /** Serve a frame without a number whose payload lies in memory that the client can change. Null: not this one. */
  serveInPlace?(header: FrameWords, region: Region, at: number): boolean | null;
  /** The client is gone: give back what it held. */
  close(): void;
}

/** The session as its services see it. */
export interface ClientPort {
  readonly limits: SessionLimits;
  /** Bytes on their way to the client that it has not read. */
  readonly queuedBytes: number;
  /** Answer a request. Nothing is sent when it wanted no answer. */
  reply(to: Frame, a: number, payload?: Uint8Array, ...addresses: SocketAddress[]): void;
  /** An answer with all its words. */
  replyWords(to: Frame, a: number, b: number, c: number, ...addresses: SocketAddress[]): void;
  event(
    operation: number,
    object: number,
    a?: number,
    b?: number,
    payload?: Uint8Array,
    ...addresses: SocketAddress[]
  ): void;
  /** An event in bytes that have a header already. */
  rawEvent(frame: Uint8Array): void;
  /** For events with data: the client's ring. Null: it has none, and gets them by the others. */
  readonly ring: EventRing | null;
  /** A request to the client; `answered` is called with its answer, or null when the client is gone. */
  ask(
    operation: number,
    object: number,
    a: number,
    b: number,
    c: number,
    payload: Uint8Array,
    answered: Answered,
  ): void;
}

export type Answered = (frame: Frame | null) => void;

/** In the place of a connection that ended. */
const GONE: Carrier = {
  queuedBytes: 0,
  onBytes: null,
  onDrain: null,
  onClosed: null,
  write: () => false,
  close: () => undefined,
};
const header = new FrameWords();

export class Session implements ClientPort {
  readonly limits: SessionLimits;
  readonly #services: SessionService[] = [];
  readonly #onFault: (reason: Refusal) => void;
  readonly #onClosed: () => void;
  #calls: Carrier | null = null;
  #events: Carrier | null = null;
  /** Events that came before the connection for them. */
  readonly #early: Uint8Array[] = [];
  #earlyBytes = 0;
  readonly #asked = new Map<number, Answered>();
  #nextAsk = 1;
  ring: EventRing | null = null;
  closed = false;
  /** Why the session must end; the connection that serves the frame, or `onFault`, ends it. */
  fault: Refusal | null = null;

  /** `onFault` is called, outside of any service, when the session must end for a reason that no frame gave. */
  constructor(limits: SessionLimits, onFault: (reason: Refusal) => void, onClosed: () => void) {
    this.limits = limits;
    this.#onFault = onFault;
    this.#onClosed = onClosed;
  }

  addService(service: SessionService): void {
    this.#services.push(service);
  }

  /** One more connection. False when the session has one of that role already. */
  attach(role: number, carrier: Carrier): boolean {
    const calls = role === ROLE_BOTH || role === ROLE_CALLS;
    const events = role === ROLE_BOTH || role === ROLE_EVENTS;
    if ((!calls && !events) || (calls && this.#calls !== null) || (events && this.#events !== null)) return false;
    if (calls) this.#calls = carrier;
    if (events) this.#events = carrier;
    return true;
  }

  /** From now on frames of the client go through memory: the session's only connection wakes. */
  moveTo(carrier: RegionCarrier): void {
    this.#calls = carrier;
    this.#events = carrier;
    this.ring = carrier;
  }

  /** The client of a connection knows that it is attached: what waited for it may follow. */
  begin(carrier: Carrier): void {
    if (carrier !== this.#events) return;
    for (const frame of this.#early.splice(0)) carrier.write(frame, null);
    this.#earlyBytes = 0;
  }

  get queuedBytes(): number {
    const calls = this.#calls === this.#events ? 0 : (this.#calls?.queuedBytes ?? 0);
    return (this.#events?.queuedBytes ?? 0) + calls + this.#earlyBytes;
  }

  /** Serve a frame. False: the session must end, `fault` says why. */
  serve(frame: Frame): boolean {
    if (!this.#serve(frame)) this.fault ??= 'malformed frame';
    return this.fault === null;
  }

  /** Serve a frame that lies in shared memory. False as for {@link serve}. */
  serveAt(region: Region, at: number, frameBytes: number): boolean {
    if (frameBytes >= HEADER_BYTES && header.read(region.words, at, frameBytes) && this.fault === null) {
      const { operation, request } = header;
      if (header.class === REQUEST && request === 0) {
        const service = this.#services.find(({ first, last }) => operation >= first && operation <= last);
        const served = service?.serveInPlace?.(header, region, at + HEADER_BYTES) ?? null;
        if (served === true) return true;
        if (served === false) this.fault ??= 'malformed frame';
        if (served === false) return false;
      }
      const bare = frameBytes === HEADER_BYTES;
      const frame = bare ? bareFrame(region.words, at) : decodeWhole(region.bytes.slice(at, at + frameBytes));
      if (frame !== null) return this.serve(frame);
    }
    this.fault ??= 'malformed frame';
    return false;
  }

  #serve(frame: Frame): boolean {
    if (frame.class === REPLY || frame.class === ERROR) return this.#answer(frame);
    if (frame.class !== REQUEST) return false;
    const { operation } = frame;
    const service = this.#services.find(({ first, last }) => operation >= first && operation <= last);
    if (service !== undefined) return service.serve(frame);
    this.reply(frame, -Errno.EOPNOTSUPP);
    return true;
  }

  #answer(frame: Frame): boolean {
    const answered = this.#asked.get(frame.request);
    if (answered === undefined) return false;
    this.#asked.delete(frame.request);
    answered(frame);
    return true;
  }

  reply(to: Frame, a: number, bytes: Uint8Array = NO_PAYLOAD, ...addresses: SocketAddress[]): void {
    this.#reply(to, a, 0, 0, bytes, addresses);
  }

  replyWords(to: Frame, a: number, b: number, c: number, ...addresses: SocketAddress[]): void {
    this.#reply(to, a, b, c, NO_PAYLOAD, addresses);
  }

  #reply(to: Frame, a: number, b: number, c: number, bytes: Uint8Array, addresses: readonly SocketAddress[]): void {
    const { operation, request, object } = to;
    if (request === 0 || this.#calls === null) return;
    this.#write(this.#calls, REPLY, operation, request, object, a, b, c, bytes, addresses);
  }

  event(
    operation: number,
    object: number,
    a = 0,
    b = 0,
    bytes: Uint8Array = NO_PAYLOAD,
    ...addresses: SocketAddress[]
  ): void {
    if (this.closed) return;
    if (this.#events !== null) this.#write(this.#events, EVENT, operation, 0, object, a, b, 0, bytes, addresses);
    else this.rawEvent(frameOf(payloadOf(bytes, addresses), EVENT, operation, 0, object, a, b, 0, addresses.length));
  }

  /** One frame; into the ring, where there is one, when it is a header and nothing else. */
  #write(
    carrier: Carrier,
    frameClass: number,
    operation: number,
    request: number,
    object: number,
    a: number,
    b: number,
    c: number,
    bytes: Uint8Array,
    addresses: readonly SocketAddress[],
  ): void {
    const bare = bytes.length === 0 && addresses.length === 0;
    if (bare && this.ring?.put(frameClass, operation, request, object, a, b, c) === true) return;
    const payload = payloadOf(bytes, addresses);
    carrier.write(headerOf(payload, frameClass, operation, request, object, a, b, c, addresses.length), payload);
    this.#checkQueue();
  }

  rawEvent(frame: Uint8Array): void {
    if (this.closed) return;
    if (this.#events === null) {
      this.#early.push(frame);
      this.#earlyBytes += frame.length;
    } else this.#events.write(frame, null);
    this.#checkQueue();
  }

  #checkQueue(): void {
    if (this.fault !== null || this.queuedBytes <= this.limits.queuedBytesMax) return;
    this.fault = 'too much buffered';
    // Not now: a service is at work.
    microtask(() => {
      if (!this.closed) this.#onFault('too much buffered');
    });
  }

  ask(
    operation: number,
    object: number,
    a: number,
    b: number,
    c: number,
    payload: Uint8Array,
    answered: Answered,
  ): void {
    if (this.closed) {
      answered(null);
      return;
    }
    const request = this.#nextAsk++ | 0;
    this.#asked.set(request, answered);
    this.#calls?.write(headerOf(payload, REQUEST, operation, request, object, a, b, c), payload);
  }

  /** A connection ended. A client that ends closes both at once: what it said last is still on its way on the other. */
  lost(carrier: Carrier): void {
    if (carrier === this.#events && this.#calls !== null && this.#calls !== carrier) this.#events = GONE;
    else this.close();
  }

  /** A connection must end: everything that the session has is given back. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    for (const service of this.#services) service.close();
    const asked = [...this.#asked.values()];
    this.#asked.clear();
    for (const answered of asked) answered(null);
    this.#early.length = 0;
    this.#earlyBytes = 0;
    this.#calls?.close();
    this.#events?.close();
    this.#onClosed();
  }
}
