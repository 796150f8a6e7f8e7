/**
 * The end of a tap or tun that a program has: frames that the interface sends wait in a ring until they are read.
 *
 * Thread: the one that runs the kernel. Data path: allocates nothing. One program has it at a time, as /dev/tapN and /dev/tunN. Read
 * first: tap(4), tun(4).
 */

import { Errno } from '../../base/errors.ts';
import type { CpuContext } from '../../kern/context.ts';
import { FrameBatch } from '../../link/device.ts';
import { LoopbackDevice } from '../../link/loopback.ts';
import type { Counters } from '../../mem/counters.ts';

const RING_BYTES: number = 128 * 1024;
/** Longest frame of the ring. */
export const USER_FRAME_BYTES_MAX = 16384;

/** Memory of an end, or a negative errno. */
// cold: once per interface
export function allocateUserEnd(context: CpuContext): { ringAt: number; placeAt: number } | number {
  const { heap } = context;
  const ringAt = heap.allocate(RING_BYTES);
  if (ringAt < 0) return -Errno.ENOBUFS;
  const placeAt = heap.allocate(USER_FRAME_BYTES_MAX);
  if (placeAt >= 0) return { ringAt, placeAt };
  heap.free(ringAt);
  return -Errno.ENOBUFS;
}

export class UserEnd {
  /** Memory of one frame, 4-aligned: for frames that nobody reads, and for those that a program writes. */
  readonly placeAt: number;
  /** Frames wait, after a batch. */
  onReadable: (() => void) | null = null;
  readonly #context: CpuContext;
  readonly #ring: LoopbackDevice;
  readonly #ringAt: number;
  readonly #next: FrameBatch = new FrameBatch(1);
  #opened = false;

  constructor(context: CpuContext, name: string, counters: Counters, ringAt: number, placeAt: number) {
    this.#context = context;
    this.#ringAt = ringAt;
    this.placeAt = placeAt;
    this.#ring = new LoopbackDevice(context.shared.arena, {
      name,
      mtuBytes: USER_FRAME_BYTES_MAX,
      ringAt,
      ringBytes: RING_BYTES,
      capabilities: 0,
      counters,
    });
  }

  get opened(): boolean {
    return this.#opened;
  }

  /** Returns 0, or `-EBUSY`: another program has it. */
  open(): number {
    if (this.#opened) return -Errno.EBUSY;
    this.#opened = true;
    return 0;
  }

  /** The program is gone, and what it has not read. */
  // cold: once per program
  close(): void {
    this.#opened = false;
    this.onReadable = null;
    const next = this.#next;
    while (this.#ring.receive(next) > 0) this.#ring.release();
  }

  /** The place of a frame, 8-aligned; `-ENOBUFS`: the program reads too slowly. The frame is lost while no program reads. */
  reserve(lengthBytes: number): number {
    return this.#opened ? this.#ring.reserve(0, 0, lengthBytes) : this.placeAt;
  }

  commit(lengthBytes: number): void {
    if (this.#opened) this.#ring.commit(lengthBytes, 0);
  }

  flush(): void {
    if (!this.#opened) return;
    this.#ring.flush();
    if (this.#ring.pending) this.onReadable?.();
  }

  /** The next frame without its first `skipBytes`, copied; its length, or `-EAGAIN`. A longer one is truncated, as by read(2). */
  read(into: Uint8Array, skipBytes: number): number {
    const next = this.#next;
    if (this.#ring.receive(next) === 0) return -Errno.EAGAIN;
    const length = Math.min((next.length[0] as number) - skipBytes, into.length);
    this.#context.bulk.copyOut(into, 0, (next.at[0] as number) + skipBytes, length);
    this.#ring.release();
    return length;
  }

  /** The interface is gone. */
  // cold: once per interface
  free(): void {
    this.close();
    this.#ring.close();
    const { heap } = this.#context;
    heap.free(this.#ringAt);
    heap.free(this.placeAt);
  }
}

/** A link whose other end is a program. */
export interface UserLink {
  readonly user: UserEnd;
  /** Bytes in front of each frame in the ring. */
  readonly userSkipBytes: number;
  /** A frame of the program for the interface. Returns its length, or a negative errno: EINVAL (its length), ENETDOWN. */
  inject(frame: Uint8Array, nowUs: number): number;
}
