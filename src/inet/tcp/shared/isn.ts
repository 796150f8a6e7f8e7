/**
 * Initial sequence numbers and timestamp offsets: keyed hashes of the connection's four numbers.
 *
 * Thread: the one that runs the CPU.
 * Read first: RFC 6528 section 3, RFC 7323 section 7.1.
 */

import type { Rng } from '../../../base/rng.ts';
import { SipKey } from '../../../base/siphash.ts';

const TICKS_PER_US = 16;

export class IsnGenerator {
  readonly #sequenceKey: SipKey;
  readonly #timestampKey: SipKey;

  readonly #fingerprint: (address: number) => number;

  /** `fingerprint`: as `IpService.fingerprint`. */
  constructor(rng: Rng, fingerprint: (address: number) => number = (address) => address) {
    this.#fingerprint = fingerprint;
    this.#sequenceKey = SipKey.random(rng);
    this.#timestampKey = SipKey.random(rng);
  }

  /**
   * M + F(4-tuple), so that a connection's successor starts beyond it. The clock ticks 16 times a microsecond, as Linux's
   * does: at 4 microseconds (RFC 9293 section 3.4.1) a connection in memory would outrun it.
   */
  sequence(localAddress: number, peerAddress: number, ports: number, nowUs: number): number {
    const hash = this.#sequenceKey.hash3(this.#fingerprint(localAddress), this.#fingerprint(peerAddress), ports);
    return (hash + Math.floor(nowUs * TICKS_PER_US)) | 0;
  }

  /** Offset of timestamps, the same for all connections between two hosts, so that timestamps of a successor are higher (RFC 6191). */
  timestampOffset(localAddress: number, peerAddress: number): number {
    return this.#timestampKey.hash3(this.#fingerprint(localAddress), this.#fingerprint(peerAddress), 0);
  }
}
