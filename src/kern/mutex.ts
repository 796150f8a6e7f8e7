/**
 * mutex(9): one writer at a time. Between threads it will be a word of shared memory (mem/lock.ts); on one CPU nobody can wait for
 * another, so that a lock that is taken already is a programmer's error.
 *
 * Thread: the one that runs the kernel. Missing: CPUs of one kernel on several threads.
 */

import { assert } from '../base/assert.ts';

export class Mutex {
  #held = false;

  enter(): void {
    assert(!this.#held, 'mutex_enter: locked by this CPU');
    this.#held = true;
  }

  exit(): void {
    assert(this.#held, 'mutex_exit: not locked');
    this.#held = false;
  }

  /** mutex_owned(9): for assertions. */
  get owned(): boolean {
    return this.#held;
  }
}
