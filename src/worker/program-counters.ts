/**
 * Counters of a machine's programs in shared memory: of one beside its kernel, and of those that send theirs (sent-counters.ts).
 *
 * Thread: the kernel's, which alone writes them. The counters and their numbers are drawn in lab/messages.ts.
 */

import { HTTP_CLIENT_IN_FLIGHT, PROGRAM_COUNTERS, PROGRAM_COUNTERS_CAPACITY } from '../lab/messages.ts';
import type { Arena } from '../mem/arena.ts';
import { Counters } from '../mem/counters.ts';
import type { NumberedCounters } from '../rump/count-service.ts';

/** The block `NAME/program`, which is made when a program begins, or with the first count of one that nobody announced. */
export class ProgramCounters implements NumberedCounters {
  readonly length: number = PROGRAM_COUNTERS.length;
  readonly gauge: number = PROGRAM_COUNTERS.indexOf(HTTP_CLIENT_IN_FLIGHT);
  readonly #arena: Arena;
  readonly #kernel: string;
  #block: Counters | null = null;

  constructor(arena: Arena, kernel: string) {
    this.#arena = arena;
    this.#kernel = kernel;
  }

  add(index: number, n: number): void {
    this.open().add(index, n);
  }

  /** Make the block, at zero, if this kernel has not yet. */
  open(): Counters {
    if (this.#block !== null) return this.#block;
    const block = Counters.open(this.#arena, `${this.#kernel}/program`, PROGRAM_COUNTERS_CAPACITY);
    for (const name of PROGRAM_COUNTERS) block.index(name);
    this.#block = block;
    return block;
  }
}
