/**
 * pserialize(9): readers that take no lock and write nothing shared; a writer that unlinked an entry waits until no reader can hold it.
 *
 * Thread: the one that runs the kernel. A reader neither sleeps nor changes what it reads. A writer holds its own mutex, unlinks,
 * performs, and frees. On one CPU a writer runs when no reader does, so that `perform` has only to check that: from inside a read
 * section it would wait for itself. Missing: CPUs of one kernel on several threads, where it waits for their turns (cpu.ts).
 */

import { assert } from '../base/assert.ts';

export class Pserialize {
  /** Read sections that are open, one inside another. */
  #readers = 0;
  /** Calls of `perform`. */
  generation = 0;

  /** pserialize_read_enter(9). */
  readEnter(): void {
    this.#readers++;
  }

  /** pserialize_read_exit(9). */
  readExit(): void {
    this.#readers--;
  }

  /** Whether this CPU is in a read section. */
  get reading(): boolean {
    return this.#readers > 0;
  }

  /** Afterwards no reader holds what was unlinked before. */
  perform(): void {
    assert(this.#readers === 0, 'pserialize_perform in a read section');
    this.generation = (this.generation + 1) | 0;
  }
}
