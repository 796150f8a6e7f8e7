/**
 * The client's side of the handshake, for connections that wait and for those that do not. Thread: the client's.
 * Read first: handshake.ts.
 */

import { MultikernelError } from '../base/errors.ts';
import type { Rng } from '../base/rng.ts';
import {
  type Accept,
  decodeAccept,
  encodeHello,
  type Hello,
  PROOF_BYTES,
  proof,
  randomWords,
  sameProof,
} from './handshake.ts';
import * as protocol from './protocol.ts';
import { decodeError, decodeValue } from './value-codec.ts';

export interface ClientOptions {
  readonly rng: Rng;
  /** Null: the carrier authenticates by itself. */
  readonly key: Uint8Array | null;
  /** `FEATURE_*` bits that the client can use. */
  readonly features: number;
  readonly role?: number;
  /** Four words, the same for each connection of a session; drawn when absent. */
  readonly session?: Int32Array;
  /** The error of requests under way, and of later ones, when the connection has ended. Default: ECONNRESET. */
  readonly gone?: () => Error;
  /** For tests of other versions. */
  readonly versions?: { readonly min: number; readonly max: number };
}

export class ClientHandshake {
  readonly #key: Uint8Array | null;
  readonly #hello: Hello;
  #accepted: Accept | null = null;
  done = false;
  /** Features that both sides have. */
  features = 0;
  version = 0;
  /** The kernel's description of itself. */
  about: unknown = null;

  constructor({ rng, key, features, role, session, versions }: ClientOptions) {
    this.#key = key;
    this.#hello = {
      versionMin: versions?.min ?? protocol.VERSION_MIN,
      versionMax: versions?.max ?? protocol.VERSION_MAX,
      features,
      role: role ?? protocol.ROLE_BOTH,
      session: session ?? randomWords(rng),
      nonce: randomWords(rng),
    };
  }

  /** The first frame to send. */
  hello(): Uint8Array {
    return protocol.frameOf(encodeHello(this.#hello), protocol.REQUEST, protocol.HELLO, 1);
  }

  /** A whole frame of the server: the next frame to send, null when the handshake is `done`. Throws when it failed. */
  take(bytes: Uint8Array): Uint8Array | null {
    const frame = protocol.decodeFrame(bytes);
    if (frame === null) throw failed('not a server of remote calls');
    if (frame.class === protocol.ERROR) throw decodeError(frame.payload);
    if (frame.class !== protocol.REPLY) throw failed('not a server of remote calls');
    if (this.#accepted === null) {
      this.#accepted = decodeAccept(frame.payload);
      if (this.#accepted === null) throw failed('not a server of remote calls');
      const mac = proof(this.#key, 'client', this.#hello, this.#accepted);
      return protocol.frameOf(mac, protocol.REQUEST, protocol.PROOF, 2);
    }
    const mac = frame.payload.subarray(0, PROOF_BYTES);
    if (!sameProof(mac, proof(this.#key, 'server', this.#hello, this.#accepted)))
      throw new MultikernelError('EACCES', 'the server does not know the key');
    this.about = decodeValue(frame.payload.subarray(PROOF_BYTES));
    this.features = this.#accepted.features;
    this.version = this.#accepted.version;
    this.done = true;
    return null;
  }
}

function failed(why: string): MultikernelError {
  return new MultikernelError('EPROTO', why);
}
