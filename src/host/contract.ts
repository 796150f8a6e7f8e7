/**
 * What a kernel may ask of its host. The only list: `host/node` implements it with threads and real time, `host/sim` on
 * one thread with a virtual clock.
 */

import type { Rng } from '../base/rng.ts';

export interface Host {
  readonly rng: Rng;
  /** Monotonic time, microseconds from an arbitrary origin shared by the kernels of one lab. */
  nowUs(): number;
  /** Wall-clock time of `nowUs` 0, nanoseconds since 1970 (for captures). */
  readonly epochNs: bigint;
  /** Have `doWork` called soon; callable from anywhere on the kernel's thread, any number of times. */
  requestWork(): void;
}

/** What a host runs: a kernel, or anything that works in turns. */
export interface Agent {
  /** Do what can be done now, bounded; returns the amount of work done, 0 when there was none. */
  doWork(nowUs: number): number;
  /** Publish what was sent outside `doWork`; cheap when there is nothing. */
  flush(): void;
  /** When `doWork` must be called even if nothing arrives; `Infinity` when never. */
  nextDeadlineUs(): number;
  /** About to sleep: look at every source of work once more. True when there is work after all. */
  workPending(): boolean;
}
