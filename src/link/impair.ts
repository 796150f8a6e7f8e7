/**
 * impair: a device behind a bad link. Wraps any device; each direction has delay, jitter, loss, bursts of loss,
 * duplicates, reordering, corruption, rate and queue of its own, switched while frames flow.
 *
 * Thread: the kernel's. Frames that wait lie in a store in the arena that belongs to this device alone. The owner calls
 * `tick(nowUs)` at `nextDeadlineUs()` or before: frames that are due go out there, or are ready for `receive`. A direction
 * without impairment passes straight through. The probabilities: impairment.ts.
 */

import { Errno, MultikernelError } from '../base/errors.ts';
import type { Rng } from '../base/rng.ts';
import type { Arena } from '../mem/arena.ts';
import type { Bulk } from '../mem/bulk.ts';
import type { Counters } from '../mem/counters.ts';
import { Heap } from '../mem/heap.ts';
import { DelayLine } from './delay-line.ts';
import { type Device, FrameBatch } from './device.ts';
import { Dice, type Impairment } from './impairment.ts';
import { Middleware } from './middleware.ts';

const DEFAULT_STORE_BYTES: number = 4 * 1024 * 1024;
const MIN_BLOCK_BYTES = 512;
const MAX_BLOCK_BYTES = 131_072;
/** Frames in the store lie this far into their block: `at % 8 === 2`, as devices promise. */
const FRAME_OFFSET = 2;

export interface ImpairOptions {
  /** Monotonic time in microseconds: `host`. */
  clock: { nowUs(): number };
  rng: Rng;
  /** Room for frames that wait, both directions together; default 4 MiB, taken from the arena at the first impairment. */
  storeBytes?: number;
  /** Where the store lies: `storeBytes` of memory that belongs to this kernel alone, 64-aligned. */
  storeAt?: number;
}

/** Counters of one direction. */
class Tally {
  readonly lost: number;
  readonly duplicated: number;
  readonly corrupted: number;
  readonly reordered: number;
  readonly queueFull: number;

  constructor(counters: Counters, direction: 'in' | 'out') {
    this.lost = counters.index(`${direction}Lost`);
    this.duplicated = counters.index(`${direction}Duplicated`);
    this.corrupted = counters.index(`${direction}Corrupted`);
    this.reordered = counters.index(`${direction}Reordered`);
    this.queueFull = counters.index(`${direction}QueueFull`);
  }
}

export class ImpairedDevice extends Middleware {
  readonly #arena: Arena;
  readonly #bulk: Bulk;
  readonly #clock: { nowUs(): number };
  readonly #rng: Rng;
  readonly #storeBytes: number;
  readonly #storeAt: number | undefined;
  #store: Heap | null = null;
  #out: Dice | null = null;
  #in: Dice | null = null;
  #outLine: DelayLine = new DelayLine(1);
  #inLine: DelayLine = new DelayLine(1);
  readonly #outTally: Tally;
  readonly #inTally: Tally;
  #nowUs = 0;
  /** The ring behind is full; its peer was asked to wake this kernel. */
  #blocked = false;
  /** Where an outgoing frame is written before its fate is known, and whether the open reservation lies there. */
  #stagingAt = 0;
  #staged = false;
  #openAt = 0;
  readonly #innerBatch: FrameBatch = new FrameBatch();
  /** Blocks of the frames that the last `receive` gave out. */
  readonly #given: Int32Array;
  #givenCount = 0;
  #passedThrough = false;

  constructor(inner: Device, arena: Arena, bulk: Bulk, options: ImpairOptions) {
    super(inner);
    this.#arena = arena;
    this.#bulk = bulk;
    this.#clock = options.clock;
    this.#rng = options.rng;
    this.#storeBytes = options.storeBytes ?? DEFAULT_STORE_BYTES;
    this.#storeAt = options.storeAt;
    this.#outTally = new Tally(this.counters, 'out');
    this.#inTally = new Tally(this.counters, 'in');
    this.#given = new Int32Array(1024);
  }

  /**
   * Impair one direction, or with null heal it. Frames that wait keep their time. Throws EINVAL on values out of range,
   * ENOMEM when the arena has no room for the store.
   */
  impair(direction: 'in' | 'out', impairment: Impairment | null): void {
    const dice = impairment === null ? null : new Dice(impairment, this.#rng);
    if (dice !== null) this.#openStore();
    if (direction === 'in') this.#in = dice;
    else this.#out = dice;
  }

  #openStore(): void {
    if (this.#store !== null) return;
    const at = this.#storeAt ?? this.#arena.allocate(this.#storeBytes, 4096);
    const store = new Heap(at, this.#storeBytes, { minBytes: MIN_BLOCK_BYTES, maxBytes: MAX_BLOCK_BYTES });
    this.#stagingAt = store.allocate(Math.min(MAX_BLOCK_BYTES, store.maxBytes));
    if (this.#stagingAt < 0)
      throw new MultikernelError('EINVAL', `${this.name}: store of ${this.#storeBytes} bytes is too small`);
    this.#store = store;
    const frames = Math.floor(this.#storeBytes / MIN_BLOCK_BYTES);
    this.#outLine = new DelayLine(frames);
    this.#inLine = new DelayLine(frames);
  }

  override reserve(dstHi: number, dstLo: number, lengthBytes: number): number {
    const dice = this.#out;
    if (dice === null || dice.immediate) {
      this.#staged = false;
      this.#openAt = this.inner.reserve(dstHi, dstLo, lengthBytes);
      return this.#openAt;
    }
    if (!this.inner.linkUp) return -Errno.ENETDOWN;
    if (lengthBytes > this.inner.maxFrameBytes) return -Errno.EMSGSIZE;
    this.#staged = true;
    this.#openAt = this.#stagingAt + FRAME_OFFSET;
    return this.#openAt;
  }

  override commit(lengthBytes: number, meta: number): void {
    const dice = this.#out;
    const at = this.#openAt;
    if (dice === null) {
      this.inner.commit(lengthBytes, meta);
      return;
    }
    const tally = this.#outTally;
    const copies = dice.copies();
    if (copies === 0) {
      this.counters.add(tally.lost, 1);
      if (!this.#staged) this.inner.cancel();
      return;
    }
    if (copies === 2) this.counters.add(tally.duplicated, 1);
    if (this.#staged) {
      for (let i = 0; i < copies; i++) this.#delay(dice, this.#outLine, at, lengthBytes, meta, tally);
      return;
    }
    if (copies === 2) this.#hold(this.#outLine, this.#clock.nowUs(), at, lengthBytes, meta, tally);
    if (dice.corruptFrame(this.#arena.bytes, at, lengthBytes)) this.counters.add(tally.corrupted, 1);
    this.inner.commit(lengthBytes, meta);
  }

  /** Send one copy of a frame down the line of its direction. */
  #delay(dice: Dice, line: DelayLine, at: number, lengthBytes: number, meta: number, tally: Tally): void {
    const overtakes = dice.reordered();
    const dueUs = dice.dueUs(this.#clock.nowUs(), lengthBytes, overtakes);
    if (dueUs < 0) {
      this.counters.add(tally.queueFull, 1);
      return;
    }
    if (overtakes) this.counters.add(tally.reordered, 1);
    const held = this.#hold(line, dueUs, at, lengthBytes, meta, tally);
    if (held > 0 && dice.corruptFrame(this.#arena.bytes, held, lengthBytes)) this.counters.add(tally.corrupted, 1);
  }

  /** Copy a frame into the store until `dueUs`. Returns where it lies, or -1 (dropped, counted). */
  #hold(line: DelayLine, dueUs: number, at: number, lengthBytes: number, meta: number, tally: Tally): number {
    const store = this.#store as Heap;
    const block = store.allocate(lengthBytes + FRAME_OFFSET);
    if (block >= 0 && line.push(dueUs, block, lengthBytes, meta)) {
      this.#bulk.copy(block + FRAME_OFFSET, at, lengthBytes);
      return block + FRAME_OFFSET;
    }
    if (block >= 0) store.free(block);
    this.counters.add(tally.queueFull, 1);
    return -1;
  }

  override cancel(): void {
    if (!this.#staged) this.inner.cancel();
  }

  override flush(): void {
    if (this.#outLine.count > 0) this.#sendDue(this.#clock.nowUs());
    this.inner.flush();
  }

  /** Bring time forward: what is due goes out, or is ready for `receive`. Returns how many frames went out. */
  override tick(nowUs: number): number {
    this.#nowUs = nowUs;
    const worked = super.tick(nowUs);
    if (this.#outLine.count === 0) return worked;
    const sent = this.#sendDue(nowUs);
    if (sent > 0) this.inner.flush();
    return worked + sent;
  }

  #sendDue(nowUs: number): number {
    const line = this.#outLine;
    const view = this.#arena.view;
    let sent = 0;
    this.#blocked = false;
    while (line.nextUs <= nowUs) {
      line.peek();
      const at = line.at + FRAME_OFFSET;
      const hi = view.getUint16(at);
      const lo = view.getInt32(at + 2);
      let to = this.inner.reserve(hi, lo, line.lengthBytes);
      if (to === -Errno.ENOBUFS && this.inner.awaitRoom(hi, lo)) to = this.inner.reserve(hi, lo, line.lengthBytes);
      if (to === -Errno.ENOBUFS) {
        // A full ring holds the line up: the peer wakes this kernel when there is room.
        this.#blocked = true;
        break;
      }
      line.pop();
      if (to >= 0) {
        this.#bulk.copy(to, at, line.lengthBytes);
        this.inner.commit(line.lengthBytes, line.meta);
        sent++;
      }
      (this.#store as Heap).free(line.at);
    }
    return sent;
  }

  /** When `tick` must be called; `Infinity` when nothing waits. */
  override nextDeadlineUs(): number {
    const outUs = this.#blocked ? Infinity : this.#outLine.nextUs;
    return Math.min(outUs, this.#inLine.nextUs, super.nextDeadlineUs());
  }

  override receive(batch: FrameBatch): number {
    if (this.#in === null && this.#inLine.count === 0) {
      this.#passedThrough = true;
      return this.inner.receive(batch);
    }
    this.#passedThrough = false;
    const nowUs = this.#clock.nowUs();
    this.#nowUs = nowUs;
    this.#takeIn(nowUs);
    const line = this.#inLine;
    const limit = Math.min(batch.capacity, this.#given.length);
    let count = 0;
    while (count < limit && line.nextUs <= nowUs) {
      line.pop();
      batch.at[count] = line.at + FRAME_OFFSET;
      batch.length[count] = line.lengthBytes;
      batch.meta[count] = line.meta;
      this.#given[count++] = line.at;
    }
    this.#givenCount = count;
    return count;
  }

  /** One batch from the inner device into the line. */
  #takeIn(nowUs: number): void {
    const dice = this.#in;
    const batch = this.#innerBatch;
    const tally = this.#inTally;
    const count = this.inner.receive(batch);
    for (let i = 0; i < count; i++) {
      const at = batch.at[i] as number;
      const length = batch.length[i] as number;
      const meta = batch.meta[i] as number;
      if (dice === null) {
        this.#hold(this.#inLine, nowUs, at, length, meta, tally);
        continue;
      }
      const copies = dice.copies();
      if (copies === 0) this.counters.add(tally.lost, 1);
      if (copies === 2) this.counters.add(tally.duplicated, 1);
      for (let copy = 0; copy < copies; copy++) this.#delay(dice, this.#inLine, at, length, meta, tally);
    }
    if (count > 0) this.inner.release();
  }

  override release(): void {
    if (this.#passedThrough) {
      this.inner.release();
      return;
    }
    for (let i = 0; i < this.#givenCount; i++) (this.#store as Heap).free(this.#given[i] as number);
    this.#givenCount = 0;
  }

  override get pending(): boolean {
    return this.#inLine.nextUs <= this.#nowUs || this.inner.pending;
  }
}
