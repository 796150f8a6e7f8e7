/**
 * What every layer of one kernel is built from: its memory, timers, randomness, counters and tunables.
 *
 * Thread: the one that runs the kernel. Layers add what they alone share (inet/ip/context.ts).
 */

import type { Rng } from '../base/rng.ts';
import type { Arena } from '../mem/arena.ts';
import type { Bulk } from '../mem/bulk.ts';
import type { Counters } from '../mem/counters.ts';
import type { Heap } from '../mem/heap.ts';
import type { CalloutTable } from './callout.ts';
import type { Sysctl } from './sysctl.ts';

export interface KernelContext {
  readonly arena: Arena;
  readonly bulk: Bulk;
  readonly heap: Heap;
  readonly callouts: CalloutTable;
  readonly rng: Rng;
  readonly counters: Counters;
  readonly sysctl: Sysctl;
  /** Monotonic microseconds. Read on slow paths only; the data path is handed the time of its poll. */
  nowUs(): number;
}
