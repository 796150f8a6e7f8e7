/**
 * Round-trip time and retransmission timeout.
 *
 * Thread: the one that runs the CPU. Samples are in microseconds and taken at most once per round trip
 * (`rtx.sampleSeq`), so the gains of RFC 6298 hold without the correction of RFC 7323 appendix G.
 * Read first: RFC 6298 sections 2, 3 and 5.
 */

import { US_PER_MS } from '../../../base/units.ts';

export class RttEstimator {
  /** Smoothed round trip and its variation, microseconds; `srttUs` below 0: nothing measured yet. */
  srttUs: number = -0.5;
  rttvarUs: number = 0.5;
  /** Smallest sample so far, microseconds. */
  minRttUs: number = Infinity;
  /** Last sample. */
  latestUs: number = -0.5;
  /** Timeout before back-off, microseconds. */
  #baseUs: number;
  /** Doublings in force (RFC 6298 5.5); taken back by a sample or by new data acknowledged. */
  backoff: number = 0;
  #minUs: number;
  #maxUs: number;

  constructor(initialMs: number, minMs: number, maxMs: number) {
    this.#baseUs = initialMs * US_PER_MS;
    this.#minUs = minMs * US_PER_MS;
    this.#maxUs = maxMs * US_PER_MS;
  }

  /** RFC 6298 (2.2), (2.3); the clock's granularity G is one microsecond. */
  sample(rttUs: number): void {
    this.latestUs = rttUs;
    if (rttUs < this.minRttUs) this.minRttUs = rttUs;
    if (this.srttUs < 0) {
      this.srttUs = rttUs;
      this.rttvarUs = rttUs / 2;
    } else {
      this.rttvarUs += (Math.abs(this.srttUs - rttUs) - this.rttvarUs) / 4;
      this.srttUs += (rttUs - this.srttUs) / 8;
    }
    // RFC 6298 (2.4) wants a second at least, in all. A smaller minimum has to come on top of the round trip, or a path
    // that is longer than the minimum and never varies times out with every delayed acknowledgement.
    this.#baseUs = this.srttUs + Math.max(4 * this.rttvarUs, this.#minUs);
    this.backoff = 0;
  }

  /** The timeout now in force, microseconds. */
  get rtoUs(): number {
    const rtoUs = this.backoff === 0 ? this.#baseUs : this.#baseUs * 2 ** this.backoff;
    return Math.min(rtoUs, this.#maxUs);
  }

  /** RFC 6298 (5.5). */
  backOff(): void {
    if (this.rtoUs < this.#maxUs) this.backoff++;
  }

  /** RFC 6298 (5.7): a SYN was lost, so data starts with 3 s unless something was measured. */
  restartAfterSynLoss(): void {
    this.backoff = 0;
    if (this.srttUs < 0 && this.#baseUs < 3_000_000) this.#baseUs = 3_000_000;
  }
}
