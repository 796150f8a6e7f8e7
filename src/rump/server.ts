/**
 * The server of remote calls to one kernel: connections come in, sessions come out.
 *
 * Thread: the one that runs the kernel. The host listens and calls `accept` for each connection and `expire` in time; nothing
 * here knows a socket of the host. Before a connection is authenticated nothing is kept of it but one of few places
 * (admission.ts) and a header with a short frame (frame-reader.ts). Every connection that is closed for what it
 * sent or failed to send is counted with its reason (`admission.refused`). Read first: protocol.ts, handshake.ts.
 */

import { Errno, MultikernelError } from '../base/errors.ts';
import type { Rng } from '../base/rng.ts';
import type { Agent, Carrier } from '../host/contract.ts';
import { type RingPair, ringPairBytes } from '../mem/ring-pair.ts';
import { ADMISSION_LIMITS, Admission, type AdmissionLimits, type Pending, type Refusal } from './admission.ts';
import {
  type Accept,
  commonVersion,
  decodeHello,
  encodeAccept,
  type Hello,
  PROOF_BYTES,
  proof,
  randomWords,
  sameProof,
  UNAUTHENTICATED_BYTES_MAX,
} from './handshake.ts';
import * as protocol from './protocol.ts';
import { RegionCarrier, type WakeCarrier } from './region-carrier.ts';
import { type ClientPort, SESSION_LIMITS, Session, type SessionLimits, type SessionService } from './session.ts';
import { encodeError, encodeValue } from './value-codec.ts';

export interface ServerOptions {
  /** Nonces: must not be foreseeable where keys are used. */
  readonly rng: Rng;
  /** `FEATURE_*` bits of the services. */
  readonly features: number;
  /** The services of a new session. */
  services(client: ClientPort): SessionService[];
  /** Told to each authenticated client, by the features of both sides: any value (value-codec.ts). */
  about?(features: number): unknown;
  /** The way to a kernel by its name, for clients that say RELAY. Throws a `MultikernelError` when there is none. */
  relay?(kernel: string, client: Carrier): Carrier;
  /** Memory for the frames of one session; null when there is none left. */
  memory?(): SessionMemory | null;
  readonly admission?: AdmissionLimits;
  readonly limits?: SessionLimits;
}

/** Capacity of each ring of a session. */
export const SESSION_RING_BYTES = 1_048_576;
/** Memory of a session: its rings, in whole blocks of 64 KiB, which can be mapped on every processor. */
export const SESSION_BYTES: number = Math.ceil(ringPairBytes(SESSION_RING_BYTES) / 65_536) * 65_536;

/** Memory that the kernel's process has mapped, with a ring pair in it, for one session. */
export interface SessionMemory {
  readonly pair: RingPair;
  /** The file for the client to map. */
  readonly path: string;
  /** The client has it, or does not want it: its name goes. */
  hide(): void;
  /** Run the carrier in turns of the kernel's loop. */
  begin(agent: Agent): void;
  /** Have the loop take a turn soon. */
  requestWork(): void;
  /** The session is over: the memory is for others. */
  free(): void;
}

export class RumpServer {
  readonly admission: Admission;
  readonly #options: ServerOptions;
  readonly #sessions = new Map<string, Session>();
  readonly #connections = new Set<Connection>();

  constructor(options: ServerOptions) {
    this.#options = options;
    this.admission = new Admission(options.admission ?? ADMISSION_LIMITS);
  }

  /** Sessions that are open. */
  get sessions(): number {
    return this.#sessions.size;
  }

  /** A connection. `key` null: the carrier itself keeps strangers out. */
  accept(carrier: Carrier, key: Uint8Array | null, nowMs: number): void {
    this.admission.enter(this.#connect(carrier, key), nowMs);
  }

  /** A connection from this program: it needs no key and none of the places, and has time. */
  acceptTrusted(carrier: Carrier): void {
    this.#connect(carrier, null);
  }

  #connect(carrier: Carrier, key: Uint8Array | null): Connection {
    const connection = new Connection(this, this.#options, carrier, key);
    this.#connections.add(connection);
    carrier.onClosed = () => {
      this.#connections.delete(connection);
      this.admission.leave(connection);
      connection.lost();
    };
    return connection;
  }

  /** When `expire` has something to do, `Infinity` when never. */
  nextDeadlineMs(): number {
    return this.admission.nextDeadlineMs();
  }

  /** Time passes for connections that have not authenticated. */
  expire(nowMs: number): void {
    this.admission.expire(nowMs);
  }

  /** The session that an authenticated connection belongs to; a new one serves the `features` of both sides. */
  sessionOf(hello: Hello, features: number): Session {
    const name = hello.session.join();
    const found = this.#sessions.get(name);
    if (found !== undefined) return found;
    const session = new Session(
      this.#options.limits ?? SESSION_LIMITS,
      (reason) => {
        this.admission.count(reason);
        session.close();
      },
      () => this.#sessions.delete(name),
    );
    for (const service of this.#options.services(session)) {
      if ((service.feature & features) !== 0) session.addService(service);
    }
    this.#sessions.set(name, session);
    return session;
  }

  /** End every session and connection. */
  close(): void {
    for (const session of [...this.#sessions.values()]) session.close();
    for (const connection of [...this.#connections]) connection.close();
  }
}

function isWakeCarrier(carrier: Carrier): carrier is WakeCarrier {
  return typeof (carrier as Partial<WakeCarrier>).wake === 'function';
}

/** One connection, from its first byte on. */
class Connection implements Pending {
  readonly #server: RumpServer;
  readonly #options: ServerOptions;
  readonly #carrier: Carrier;
  readonly #key: Uint8Array | null;
  readonly #reader = protocol.newFrameReader(UNAUTHENTICATED_BYTES_MAX);
  #hello: Hello | null = null;
  #accepted: Accept | null = null;
  #session: Session | null = null;
  /** The kernel that the client speaks with. */
  #relayed: Carrier | null = null;
  #memory: SessionMemory | null = null;
  #closed = false;

  constructor(server: RumpServer, options: ServerOptions, carrier: Carrier, key: Uint8Array | null) {
    this.#server = server;
    this.#options = options;
    this.#carrier = carrier;
    this.#key = key;
    carrier.onBytes = (bytes) => this.#read(bytes);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#session?.close();
    this.#relayed?.close();
    this.#carrier.close();
  }

  /** The carrier is gone. */
  lost(): void {
    this.#closed = true;
    this.#session?.lost(this.#carrier);
    this.#relayed?.close();
    this.#memory?.free();
    this.#memory = null;
  }

  #read(bytes: Uint8Array): void {
    if (this.#closed) return;
    if (this.#relayed !== null) {
      this.#passOn(this.#relayed, bytes);
      return;
    }
    const reader = this.#reader;
    reader.push(bytes);
    for (let whole = reader.next(); whole !== null; whole = reader.next()) {
      const refusal = this.#frame(protocol.decodeFrame(whole));
      if (refusal !== null) this.#refuse(refusal);
      if (this.#closed) return;
      if (this.#relayed !== null) {
        this.#passOn(this.#relayed, reader.rest());
        return;
      }
    }
    if (reader.fault !== null) this.#refuse(reader.fault);
  }

  #refuse(reason: Refusal): void {
    this.#server.admission.refuse(this, reason);
  }

  #frame(frame: protocol.Frame | null): Refusal | null {
    if (frame === null) return 'malformed frame';
    const session = this.#session;
    if (session !== null) {
      if (frame.operation === protocol.REGION || frame.operation === protocol.MAPPED) return this.#move(session, frame);
      return session.serve(frame) ? null : session.fault;
    }
    if (frame.class !== protocol.REQUEST) return 'not authenticated';
    if (frame.operation === protocol.RELAY) return this.#relay(frame);
    if (this.#hello === null || this.#accepted === null) return this.#greet(frame);
    return this.#prove(frame, this.#hello, this.#accepted);
  }

  /** The client needs no key here; the kernel of that name answers for itself. */
  #relay(frame: protocol.Frame): Refusal | null {
    const { relay } = this.#options;
    if (relay === undefined || this.#key !== null || this.#hello !== null) return 'not authenticated';
    try {
      const kernel = relay(new TextDecoder().decode(frame.payload), this.#carrier);
      kernel.onBytes = (bytes) => void this.#carrier.write(bytes, null);
      kernel.onClosed = () => this.close();
      this.#relayed = kernel;
      this.#server.admission.leave(this);
    } catch (error) {
      this.#error(frame, Errno.EHOSTUNREACH, error as Error);
      this.#server.admission.leave(this);
      this.close();
    }
    return null;
  }

  #passOn(kernel: Carrier, bytes: Uint8Array): void {
    if (bytes.length > 0) kernel.write(bytes, null);
    const { queuedBytesMax } = this.#options.limits ?? SESSION_LIMITS;
    if (kernel.queuedBytes > queuedBytesMax) this.#refuse('too much buffered');
  }

  #greet(frame: protocol.Frame): Refusal | null {
    const hello = frame.operation === protocol.HELLO ? decodeHello(frame.payload) : null;
    if (hello === null) return 'not authenticated';
    const version = commonVersion(hello, protocol.VERSION_MIN, protocol.VERSION_MAX);
    if (version === 0) {
      const { VERSION_MIN, VERSION_MAX } = protocol;
      const spoken = VERSION_MIN === VERSION_MAX ? `${VERSION_MIN}` : `${VERSION_MIN} to ${VERSION_MAX}`;
      const why = `the kernel speaks version ${spoken} of remote calls, not ${hello.versionMin} to ${hello.versionMax}`;
      this.#error(frame, Errno.EPROTONOSUPPORT, new MultikernelError('EPROTONOSUPPORT', why));
      return 'version not supported';
    }
    const features = hello.features & this.#options.features;
    this.#hello = hello;
    this.#accepted = { version, features, nonce: randomWords(this.#options.rng) };
    this.#reply(frame, encodeAccept(this.#accepted));
    return null;
  }

  #prove(frame: protocol.Frame, hello: Hello, accepted: Accept): Refusal | null {
    const right =
      frame.operation === protocol.PROOF && sameProof(frame.payload, proof(this.#key, 'client', hello, accepted));
    if (!right) {
      this.#error(frame, Errno.EACCES, new MultikernelError('EACCES', 'the kernel does not know this key'));
      return 'not authenticated';
    }
    const session = this.#server.sessionOf(hello, accepted.features);
    if (!session.attach(hello.role, this.#carrier)) return 'malformed frame';
    this.#server.admission.leave(this);
    this.#session = session;
    this.#reader.limitBytes = protocol.FRAME_BYTES_MAX;
    const about = encodeValue(this.#options.about?.(accepted.features));
    const answer = new Uint8Array(PROOF_BYTES + about.length);
    answer.set(proof(this.#key, 'server', hello, accepted));
    answer.set(about, PROOF_BYTES);
    this.#reply(frame, answer);
    session.begin(this.#carrier);
    return null;
  }

  /** The session's frames go through memory from now on, if there is any. */
  #move(session: Session, frame: protocol.Frame): Refusal | null {
    const carrier = this.#carrier;
    const features = this.#accepted?.features ?? 0;
    const rings = (features & protocol.FEATURE_RINGS) !== 0 && this.#hello?.role === protocol.ROLE_BOTH;
    if (!rings || session.ring !== null || frame.class !== protocol.REQUEST || !isWakeCarrier(carrier))
      return 'malformed frame';
    if (frame.operation === protocol.REGION) {
      if (this.#memory !== null) return 'malformed frame';
      const memory = this.#options.memory?.() ?? null;
      this.#memory = memory;
      if (memory === null) session.reply(frame, -Errno.ENOMEM);
      else session.reply(frame, memory.pair.region.byteLength, new TextEncoder().encode(memory.path));
      return null;
    }
    const memory = this.#memory;
    if (memory === null) return 'malformed frame';
    memory.hide();
    session.reply(frame, 0);
    const { onClosed } = carrier;
    const moved = new RegionCarrier(memory.pair, carrier, memory.requestWork);
    moved.onFrame = (at, byteLength) => {
      if (!this.#closed && !session.serveAt(memory.pair.region, at, byteLength))
        this.#refuse(session.fault ?? 'malformed frame');
    };
    moved.onBytes = (bytes) => this.#read(bytes);
    moved.onClosed = onClosed;
    session.moveTo(moved);
    memory.begin(moved);
    return null;
  }

  #reply({ operation, request }: protocol.Frame, payload: Uint8Array): void {
    this.#carrier.write(protocol.headerOf(payload, protocol.REPLY, operation, request), payload);
  }

  #error({ operation, request }: protocol.Frame, errno: number, error: Error): void {
    const payload = encodeError(error);
    this.#carrier.write(protocol.headerOf(payload, protocol.ERROR, operation, request, 0, errno), payload);
  }
}
