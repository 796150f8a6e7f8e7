/**
 * The time for which a loop that found no work polls for more before it sleeps: for a bounded time, only while fewer threads spin
 * than there are cores (mem/spin-budget.ts), and only if polling has paid lately (poll-trial.ts).
 *
 * Thread: the loop's.
 */

import type { SpinBudget } from '../../mem/spin-budget.ts';
import { PollTrial } from './poll-trial.ts';

/** About the time that a sleeping peer needs to wake and answer. */
export const POLL_US = 100;

export class PollWindow {
  readonly #budget: SpinBudget;
  readonly #pollUs: number;
  readonly #trial = new PollTrial();
  /** End of the current poll, 0 when there is none. */
  #untilUs = 0;

  /** `pollUs`: longest poll; 0 sleeps at once. */
  constructor(budget: SpinBudget, pollUs: number) {
    this.#budget = budget;
    this.#pollUs = pollUs;
  }

  /** A turn found work: the next poll is a new one. */
  worked(): void {
    if (this.#untilUs > 0) this.#trial.caught();
    this.#untilUs = 0;
  }

  /** A turn found none: whether to take another one before sleeping. */
  mayPoll(nowUs: number): boolean {
    if (this.#untilUs === 0) {
      if (this.#pollUs === 0 || !this.#trial.wanted() || !this.#budget.acquire()) return false;
      this.#untilUs = nowUs + this.#pollUs;
    }
    if (nowUs < this.#untilUs) return true;
    this.#untilUs = 0;
    this.#trial.expired();
    return false;
  }

  /** The loop sleeps, or ends: its seat among the spinners is free. */
  close(): void {
    this.#budget.release();
  }
}
