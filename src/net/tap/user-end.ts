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
import { Counters } from '../../mem/counters.ts';
import type { InterfaceCloner } from '../interface-cloner.ts';
import type { LinkLayer } from '../link-layer.ts';

const RING_BYTES: number = 128 * 1024;
/** Longest frame of the ring. */
export const USER_FRAME_BYTES_MAX = 16384;

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

  /** An end with memory of the kernel's, or `-ENOBUFS`. */
  // cold: once per interface
  static create(context: CpuContext, name: string, counters: Counters): UserEnd | number {
    const { heap } = context;
    const ringAt = heap.allocate(RING_BYTES);
    if (ringAt < 0) return -Errno.ENOBUFS;
    const placeAt = heap.allocate(USER_FRAME_BYTES_MAX);
    if (placeAt >= 0) return new UserEnd(context, name, counters, ringAt, placeAt);
    heap.free(ringAt);
    return -Errno.ENOBUFS;
  }

  private constructor(context: CpuContext, name: string, counters: Counters, ringAt: number, placeAt: number) {
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

/** A cloner of such links: each has an end, and all have one block of counters, which stay in the arena for good. */
export abstract class UserLinkCloner implements InterfaceCloner {
  abstract readonly prefix: string;
  protected readonly context: CpuContext;
  readonly #kernelName: string;
  #counters: Counters | null = null;

  constructor(context: CpuContext, kernelName: string) {
    this.context = context;
    this.#kernelName = kernelName;
  }

  // cold: configuration
  create(unit: number): LinkLayer | number {
    const name = `${this.prefix}${unit}`;
    this.#counters ??= Counters.open(this.context.shared.arena, `${this.#kernelName}/${this.prefix}`);
    const user = UserEnd.create(this.context, name, this.#counters);
    return typeof user === 'number' ? user : this.link(name, user, this.#counters);
  }

  /** The link, or a negative errno. */
  protected abstract link(name: string, user: UserEnd, counters: Counters): LinkLayer | number;
}
