/**
 * A limit of events per second on a clock that is an argument: at most so many in each second that begins with an event,
 * as NetBSD's ppsratecheck(9).
 *
 * Thread: the one that runs the kernel.
 */

import { US_PER_S } from '../base/units.ts';

export class RateLimit {
  #beginUs = -Infinity;
  #count = 0;

  /** Whether one more may happen now. A limit of 0 forbids everything, a negative one allows everything. */
  allow(perSecond: number, nowUs: number): boolean {
    if (perSecond < 0) return true;
    if (nowUs - this.#beginUs >= US_PER_S) {
      this.#beginUs = nowUs;
      this.#count = 0;
    }
    if (this.#count >= perSecond) return false;
    this.#count++;
    return true;
  }
}
