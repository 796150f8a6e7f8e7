/**
 * The cloner of gifs: `ifconfig gif0 create`. Each takes a ring and a place for one packet of the kernel's memory.
 *
 * Thread: the one that runs the kernel. Read first: gif-link.ts, loopback-cloner.ts. Cold: configuration.
 */

import { Errno } from '../../base/errors.ts';
import type { CpuContext } from '../../kern/context.ts';
import { LoopbackDevice } from '../../link/loopback.ts';
import { Counters } from '../../mem/counters.ts';
import type { InterfaceCloner } from '../interface-cloner.ts';
import type { LinkLayer } from '../link-layer.ts';
import { GIF_MTU_BYTES_MAX, GifLink, type GifOutput } from './gif-link.ts';

/** Longest packet that comes out of a tunnel. */
const DEVICE_MTU_BYTES = 16384;
const RING_BYTES: number = 8 * DEVICE_MTU_BYTES;

export class GifCloner implements InterfaceCloner {
  readonly prefix: string = 'gif';
  readonly #context: CpuContext;
  readonly #kernelName: string;
  readonly #output: GifOutput;
  /** One block for all of them: counters stay in the arena for good. */
  #counters: Counters | null = null;

  constructor(context: CpuContext, kernelName: string, output: GifOutput) {
    this.#context = context;
    this.#kernelName = kernelName;
    this.#output = output;
  }

  create(unit: number): LinkLayer | number {
    const { bulk, heap, shared } = this.#context;
    const { arena } = shared;
    const ringAt = heap.allocate(RING_BYTES);
    if (ringAt < 0) return -Errno.ENOBUFS;
    const at = heap.allocate(GIF_MTU_BYTES_MAX);
    if (at < 0) {
      heap.free(ringAt);
      return -Errno.ENOBUFS;
    }
    this.#counters ??= Counters.open(arena, `${this.#kernelName}/gif`);
    const device = new LoopbackDevice(arena, {
      name: `gif${unit}`,
      mtuBytes: DEVICE_MTU_BYTES,
      ringAt,
      ringBytes: RING_BYTES,
      counters: this.#counters,
    });
    return new GifLink(device, arena.view, bulk, at, this.#output, () => {
      heap.free(ringAt);
      heap.free(at);
    });
  }
}
