/**
 * What every part of layers 3 and 4 of one kernel is built from; made once by `Inet` (inet/inet.ts).
 *
 * Thread: the one that runs the kernel.
 */

import type { Rng } from '../base/rng.ts';
import type { CalloutTable } from '../kern/callout.ts';
import type { Arena } from '../mem/arena.ts';
import type { Bulk } from '../mem/bulk.ts';
import type { Counters } from '../mem/counters.ts';
import type { Heap } from '../mem/heap.ts';
import type { Ip6AddressTable } from './ip6/address-table.ts';
import type { Sysctl } from './sysctl.ts';

export interface InetContext {
  readonly arena: Arena;
  readonly bulk: Bulk;
  readonly heap: Heap;
  readonly callouts: CalloutTable;
  readonly rng: Rng;
  readonly counters: Counters;
  readonly sysctl: Sysctl;
  /** What the numbers in 240.0.0.0/8 stand for. */
  readonly addresses6: Ip6AddressTable;
  /** Monotonic microseconds. Read on slow paths only; the data path is handed the time of its poll. */
  nowUs(): number;
}
