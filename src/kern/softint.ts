/**
 * Soft interrupts: work that protocol code puts off to the end of the turn, as softint(9).
 *
 * Thread: the one that runs the CPU. A handler is made once and scheduled many times; scheduled again before it ran, it
 * runs once. Allocates nothing when scheduled. Missing: priority levels (softint(9) has four): handlers run in the order
 * in which they were scheduled.
 */

/** One handler; belongs to the queue of one CPU. */
export class Softint {
  /** Waits for the end of the turn. */
  scheduled = false;
  /** Scheduled after this one; the queue's. */
  next: Softint | null = null;
  /** Does the work; returns how much there was. */
  readonly handler: () => number;

  constructor(handler: () => number) {
    this.handler = handler;
  }
}

export class SoftintQueue {
  #first: Softint | null = null;
  #last: Softint | null = null;

  /** Run the handler at the end of this turn, or of the next one when handlers run already. */
  schedule(softint: Softint): void {
    if (softint.scheduled) return;
    softint.scheduled = true;
    if (this.#last === null) this.#first = softint;
    else this.#last.next = softint;
    this.#last = softint;
  }

  get pending(): boolean {
    return this.#first !== null;
  }

  /**
   * Run the handlers scheduled before the call. Returns the sum of what the handlers return. When one throws, those behind it
   * stay scheduled.
   */
  run(): number {
    const last = this.#last;
    let work = 0;
    for (let softint = this.#first; softint !== null; softint = this.#first) {
      this.#first = softint.next;
      if (this.#first === null) this.#last = null;
      softint.next = null;
      softint.scheduled = false;
      work += softint.handler();
      if (softint === last) break;
    }
    return work;
  }
}
