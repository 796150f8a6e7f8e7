/**
 * Whether polling after work pays, judged by the catch of past polls.
 *
 * Thread: any that runs an event loop. Polling catches the answer of a peer that runs on another core within the time of a
 * wake-up. When the peer has to wait for this core, or nobody answers, it catches nothing and keeps others from working:
 * then it is given up, and tried again now and then.
 */

const SCORE_START = 4;
const SCORE_MAX = 16;
/** Weight of a successful poll against an unsuccessful one. */
const CAUGHT = 2;
/** Polling that did not pay is tried again on one of so many occasions. */
const TRIAL_EVERY = 32;

export class PollTrial {
  #score = SCORE_START;
  #refused = 0;

  /** Work has ended: whether to poll for more before sleeping. */
  wanted(): boolean {
    if (this.#score > 0) return true;
    this.#refused++;
    return this.#refused % TRIAL_EVERY === 0;
  }

  /** Work came while polling. */
  caught(): void {
    this.#score = Math.min(SCORE_MAX, this.#score + CAUGHT);
  }

  /** Nothing came. */
  expired(): void {
    this.#score = Math.max(0, this.#score - 1);
  }
}
