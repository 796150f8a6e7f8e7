/**
 * A limit of events per second on a clock that is an argument: at most so many in each second that begins with an event,
 * as NetBSD's ppsratecheck(9).
 *
 * Thread: the one that runs the kernel.
 */

import { US_PER_S } from '../base/units.ts';
import type { Counters } from '../mem/counters.ts';
import type { Sysctl, SysctlVariable } from './sysctl.ts';

export interface RateLimitOptions {
  /** Name of the sysctl that holds the events per second; -1: any. */
  name: string;
  perSecond: number;
  description: string;
  /** The events, in the list of limits. */
  what: string;
  /** Counts events that were refused. */
  counter: string;
}

const PER_SECOND_MAX = 1 << 20;

/** A rate limit is its sysctl, its counter and its entry in the list of limits (limits.ts). */
export class RateLimit {
  readonly #perSecond: SysctlVariable;
  readonly #counters: Counters;
  readonly #refused: number;
  #beginUs = -Infinity;
  #count = 0;

  /** Two limits of the same options share sysctl, counter and entry, and count their events apart. */
  constructor(sysctl: Sysctl, counters: Counters, options: RateLimitOptions) {
    const { name, perSecond, description, what, counter } = options;
    this.#perSecond = sysctl.integer(name, perSecond, -1, PER_SECOND_MAX, description);
    this.#counters = counters;
    this.#refused = counters.index(counter);
    sysctl.limits.addRate({ what, variable: this.#perSecond, counter });
  }

  /** Whether one more may happen now; counts it when not. A limit of 0 forbids everything, -1 allows everything. */
  allow(nowUs: number): boolean {
    const perSecond = this.#perSecond.value;
    if (perSecond < 0) return true;
    if (nowUs - this.#beginUs >= US_PER_S) {
      this.#beginUs = nowUs;
      this.#count = 0;
    }
    if (this.#count >= perSecond) {
      this.#counters.add(this.#refused, 1);
      return false;
    }
    this.#count++;
    return true;
  }
}
