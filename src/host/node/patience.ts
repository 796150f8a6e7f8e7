/** A bounded wait of a thread that has no event loop yet. Thread: any. */

import { nap } from '../../mem/nap.ts';

/** A nap takes that part of the time that has passed: who answers soon is heard soon. */
const NAP_PART = 1 / 16;
const NAP_MS_MIN = 0.1;
const NAP_MS_MAX = 20;

export class Patience {
  readonly limitMs: number;
  readonly #beganMs: number = performance.now();

  constructor(limitMs: number) {
    this.limitMs = limitMs;
  }

  /** Block for a moment before the next look. False, at once, when there was time enough. */
  nap(): boolean {
    const passedMs = performance.now() - this.#beganMs;
    if (passedMs >= this.limitMs) return false;
    nap(Math.min(Math.max(passedMs * NAP_PART, NAP_MS_MIN), NAP_MS_MAX));
    return true;
  }
}
