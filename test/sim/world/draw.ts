/**
 * Random choices from a seed, in the words in which worlds are described.
 */

import { type Rng, randomBelow, randomUnit, SeededRng } from '../../../src/base/rng.ts';

export class Draw {
  readonly rng: Rng;

  constructor(seed: number) {
    this.rng = new SeededRng(seed);
  }

  /** A generator of its own, so that what is drawn there does not change what is drawn here. */
  fork(): Draw {
    return new Draw(this.rng.next32() >>> 0);
  }

  /** A whole number in [0, bound). */
  below(bound: number): number {
    return randomBelow(this.rng, bound);
  }

  /** A whole number in [from, to]. */
  between(from: number, to: number): number {
    return from + randomBelow(this.rng, to - from + 1);
  }

  /** The same, every order of magnitude equally likely; `from` is at least 1. */
  scale(from: number, to: number): number {
    return Math.min(to, Math.floor(from * (to / from) ** randomUnit(this.rng)));
  }

  /** A number in [0, most). */
  unit(most: number = 1): number {
    return randomUnit(this.rng) * most;
  }

  chance(p: number): boolean {
    return randomUnit(this.rng) < p;
  }

  pick<T>(list: readonly T[]): T {
    return list[randomBelow(this.rng, list.length)] as T;
  }
}
