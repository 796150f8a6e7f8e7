/**
 * One CPU of one kernel: the state that it does not share with the kernel's other CPUs.
 *
 * Thread: the one that runs the CPU; a thread can run CPUs of several kernels. `beginTurn` opens each turn of work: between
 * two turns a CPU holds no reference into shared tables, so the turn counter marks its quiescent states, which
 * pserialize(9) waits for. Read first: context.ts. Missing: CPUs of one kernel on several threads.
 */

import type { Rng } from '../base/rng.ts';
import { type Bulk, createBulk } from '../mem/bulk.ts';
import { storeCell } from '../mem/cells.ts';
import type { Counters } from '../mem/counters.ts';
import type { Heap } from '../mem/heap.ts';
import { CalloutTable } from './callout.ts';
import type { CpuContext, KernelShared } from './context.ts';
import { SoftintQueue } from './softint.ts';

export interface CpuOptions {
  shared: KernelShared;
  /** Default 0. */
  number?: number;
  heap: Heap;
  rng: Rng;
  counters: Counters;
  nowUs(): number;
  /** Default: a new instance. */
  bulk?: Bulk;
  /** Default: a new table. */
  callouts?: CalloutTable;
  /** Word of the arena (byte offset) that repeats the turn counter for the kernel's other CPUs; none by default. */
  turnAt?: number;
}

export class Cpu implements CpuContext {
  readonly number: number;
  readonly shared: KernelShared;
  readonly bulk: Bulk;
  readonly heap: Heap;
  readonly callouts: CalloutTable;
  readonly softints: SoftintQueue = new SoftintQueue();
  readonly rng: Rng;
  readonly counters: Counters;
  /** Turns begun, modulo 2^32 as int32. */
  turns = 0;
  readonly #turnIndex: number;
  readonly #nowUs: () => number;

  constructor(options: CpuOptions) {
    this.number = options.number ?? 0;
    this.shared = options.shared;
    this.bulk = options.bulk ?? createBulk(options.shared.arena);
    this.heap = options.heap;
    this.callouts = options.callouts ?? new CalloutTable();
    this.rng = options.rng;
    this.counters = options.counters;
    this.#turnIndex = options.turnAt === undefined ? -1 : options.turnAt >> 2;
    this.#nowUs = () => options.nowUs();
  }

  nowUs(): number {
    return this.#nowUs();
  }

  /** A turn begins: everything that the last one read from shared tables is forgotten. */
  beginTurn(): void {
    this.turns = (this.turns + 1) | 0;
    if (this.#turnIndex >= 0) storeCell(this.shared.arena.words, this.#turnIndex, this.turns);
  }
}
