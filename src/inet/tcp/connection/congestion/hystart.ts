/**
 * HyStart++: leaves slow start when the round trip grows, before a queue overflows.
 *
 * Thread: the one that runs the CPU. A round is the time in which what was outstanding at its start is acknowledged. When
 * a round's shortest round trip exceeds that of the round before by an eighth, growth slows down for some rounds
 * (conservative slow start); if the increase was a hiccup it goes on as before, otherwise the window is the threshold now.
 * Only for the first slow start of a connection. Read first: RFC 9406 section 4.
 */

import { seqGt } from '../../../../base/sequence.ts';

/** RFC 9406 section 4.3, microseconds. */
const MIN_RTT_THRESH_US = 4000;
const MAX_RTT_THRESH_US = 16_000;
const MIN_RTT_DIVISOR = 8;
const N_RTT_SAMPLE = 8;
const CSS_GROWTH_DIVISOR = 4;
const CSS_ROUNDS = 5;
/** L of section 4.2, when segments are not paced. */
export const BURST_LIMIT_SEGMENTS = 8;

export class HyStart {
  /** End of the round. */
  #windowEnd: number;
  #lastMinUs: number = Infinity;
  #currentMinUs: number = Infinity;
  #samples: number = 0;
  /** In conservative slow start: how many of its rounds have begun, and the round trip that must be undercut to leave it. */
  #conservativeRounds: number = 0;
  #baselineUs: number = Infinity;

  constructor(sndNxt: number) {
    this.#windowEnd = sndNxt;
  }

  /** Whether growth is slow because the round trip has grown. */
  get conservative(): boolean {
    return this.#conservativeRounds > 0;
  }

  /**
   * An ACK in slow start moved SND.UNA; `rttUs` is the round trip of what was sent last of what it covers. Returns by how
   * many of the `ackedBytes` the window may grow, or -1 when slow start is over.
   */
  onAck(ackedBytes: number, sndUna: number, sndNxt: number, rttUs: number): number {
    if (seqGt(sndUna, this.#windowEnd) && this.#beginRound(sndNxt)) return -1;
    if (rttUs < this.#currentMinUs) this.#currentMinUs = rttUs;
    this.#samples++;
    if (this.#samples >= N_RTT_SAMPLE) this.#judge();
    return this.conservative ? Math.floor(ackedBytes / CSS_GROWTH_DIVISOR) : ackedBytes;
  }

  /** Returns true when the last of the conservative rounds has ended. */
  #beginRound(sndNxt: number): boolean {
    this.#windowEnd = sndNxt;
    this.#lastMinUs = this.#currentMinUs;
    this.#currentMinUs = Infinity;
    this.#samples = 0;
    return this.conservative && ++this.#conservativeRounds > CSS_ROUNDS;
  }

  #judge(): void {
    if (this.conservative) {
      if (this.#currentMinUs < this.#baselineUs) {
        this.#baselineUs = Infinity;
        this.#conservativeRounds = 0;
      }
      return;
    }
    if (this.#lastMinUs === Infinity) return;
    const eighth = Math.min(this.#lastMinUs / MIN_RTT_DIVISOR, MAX_RTT_THRESH_US);
    if (this.#currentMinUs < this.#lastMinUs + Math.max(eighth, MIN_RTT_THRESH_US)) return;
    this.#baselineUs = this.#currentMinUs;
    this.#conservativeRounds = 1;
  }
}
