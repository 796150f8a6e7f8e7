/**
 * The clock of a loop that gives a kernel turn after turn without sleeping.
 *
 * Thread: the loop's. Reading the machine's clock costs as much as a turn that finds nothing, and a packet that arrives
 * waits for both. So while turns find nothing the time is read at every eighth of them only; after one that did something
 * it is read at once, before the next. The kept time is never older than seven idle turns, well under a microsecond.
 * Read first: host/node/event-loop.ts, whose turns cost more and read the clock each time.
 */

import { lendNodeBufferCopy } from './buffer-copy.ts';
import { MonotonicClock } from './clock.ts';

// Each loop that runs kernels lends its thread Node's copy: bulks made before that copy by `TypedArray.set`.
lendNodeBufferCopy();

/** A power of two. */
const IDLE_TURNS_PER_READING = 8;

export class SpinClock {
  readonly #clock = new MonotonicClock();
  #nowUs: number = this.#clock.nowUs();
  #idleTurns = 0;

  /** The time of the turn that begins now, microseconds. */
  turnUs(): number {
    return this.#nowUs;
  }

  /** The machine's clock, microseconds; the next turn is not before it. */
  readUs(): number {
    this.#nowUs = this.#clock.nowUs();
    return this.#nowUs;
  }

  /** A turn has ended that found that much to do. */
  turned(work: number): void {
    if (work > 0) this.#idleTurns = 0;
    else this.#idleTurns++;
    if ((this.#idleTurns & (IDLE_TURNS_PER_READING - 1)) === 0) this.readUs();
  }
}
