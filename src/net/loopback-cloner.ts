/**
 * The cloner of loopback interfaces: `ifconfig lo1 create`. lo0 is the kernel's own and none of these.
 *
 * Thread: the one that runs the kernel. The rings of lo1 and others lie in the kernel's heap and return there, so such an
 * interface moves to no other kernel. Packets to our own addresses go through lo0, whichever interface has the address: lo1
 * holds addresses, and carries what is routed to it.
 * Read first: interface-cloner.ts, lo(4).
 * Cold: configuration.
 */

import { Errno } from '../base/errors.ts';
import { LOOPBACK_MTU_BYTES, LoopbackDevice } from '../link/loopback.ts';
import type { Arena } from '../mem/arena.ts';
import { Counters } from '../mem/counters.ts';
import type { Heap } from '../mem/heap.ts';
import type { InterfaceCloner } from './interface-cloner.ts';
import { IpLink } from './ip-link.ts';
import type { LinkLayer } from './link-layer.ts';

const RING_BYTES: number = 8 * LOOPBACK_MTU_BYTES;

/** Gives the memory of its ring back when it is closed. */
class ClonedLoopback extends IpLink {
  readonly #heap: Heap;
  #ringAt: number;

  constructor(device: LoopbackDevice, view: DataView, heap: Heap, ringAt: number) {
    super(device, view);
    this.#heap = heap;
    this.#ringAt = ringAt;
  }

  override close(): void {
    super.close();
    if (this.#ringAt >= 0) this.#heap.free(this.#ringAt);
    this.#ringAt = -1;
  }
}

export class LoopbackCloner implements InterfaceCloner {
  readonly prefix: string = 'lo';
  readonly #arena: Arena;
  readonly #heap: Heap;
  readonly #kernelName: string;
  /** One block for all of them: counters stay in the arena for good. */
  #counters: Counters | null = null;

  constructor(arena: Arena, heap: Heap, kernelName: string) {
    this.#arena = arena;
    this.#heap = heap;
    this.#kernelName = kernelName;
  }

  create(unit: number): LinkLayer | number {
    const ringAt = this.#heap.allocate(RING_BYTES);
    if (ringAt < 0) return -Errno.ENOBUFS;
    this.#counters ??= Counters.open(this.#arena, `${this.#kernelName}/lo`);
    const counters = this.#counters;
    const device = new LoopbackDevice(this.#arena, { name: `lo${unit}`, ringAt, ringBytes: RING_BYTES, counters });
    return new ClonedLoopback(device, this.#arena.view, this.#heap, ringAt);
  }
}
