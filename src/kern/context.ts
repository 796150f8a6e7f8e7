/**
 * The two halves of a kernel's state: {@link KernelShared}, one for all its CPUs, and {@link CpuContext}, one per CPU. The
 * type that a module is given tells which half it may touch.
 *
 * Thread: `KernelShared` is read by every CPU of the kernel; `CpuContext` belongs to the thread that runs the CPU. Today
 * `Kernel` makes one CPU. Layers 2 to 4 add their own to each half (inet/ip/shared.ts, inet/ip/context.ts).
 */

import type { Rng } from '../base/rng.ts';
import type { Arena } from '../mem/arena.ts';
import type { Bulk } from '../mem/bulk.ts';
import type { Counters } from '../mem/counters.ts';
import type { Heap } from '../mem/heap.ts';
import type { CalloutTable } from './callout.ts';
import type { SoftintQueue } from './softint.ts';
import type { Sysctl } from './sysctl.ts';

/** Shared by all CPUs of one kernel. */
export interface KernelShared {
  /** The region in which the kernel's devices, heaps and counters lie. */
  readonly arena: Arena;
  /** Tunables, and the limits of tables that they bound (`sysctl.limits`). */
  readonly sysctl: Sysctl;
}

/** Private to one CPU of one kernel. */
export interface CpuContext {
  /** Number of the CPU in its kernel, from 0. */
  readonly number: number;
  readonly shared: KernelShared;
  /** This thread's instance of the bulk operations over the shared arena. */
  readonly bulk: Bulk;
  /** This CPU's share of the kernel's memory. */
  readonly heap: Heap;
  readonly callouts: CalloutTable;
  readonly softints: SoftintQueue;
  readonly rng: Rng;
  /** This CPU's block of counters: one writer. */
  readonly counters: Counters;
  /** Monotonic microseconds. Read on slow paths only; the data path is handed the time of its poll. */
  nowUs(): number;
}
