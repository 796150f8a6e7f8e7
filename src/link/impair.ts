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

export interface ImpairOptions {
  /** Monotonic time in microseconds: `host`. */
  clock: { nowUs(): number };
  rng: Rng;
  /** Room for frames that wait, both directions together; default 4 MiB, taken from the arena at the first impairment. */
  storeBytes?: number;
  /** Place of the store: `storeBytes` of memory that belongs to this kernel alone, 64-aligned. */
  storeAt?: number;
}

/** Frames that came out of the line and found a full ring, all receivers together; those beyond it are dropped, counted. */
const HELD_FRAMES = 1024;
/** Receivers with full rings that are known at a time. */
const BLOCKED_RECEIVERS = 8;

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
  /** Offset of a frame in a block of the store: its network header is 4-aligned. */
  readonly #frameOffset: number;
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
  /** Frames whose ring was full, in order: a receiver that does not read holds up nobody else's. */
  #held: DelayLine = new DelayLine(1);
  /** The receivers of these frames, which were asked to wake this kernel; the first `#blockedCount` count. */
  readonly #blockedHi: Int32Array = new Int32Array(BLOCKED_RECEIVERS);
  readonly #blockedLo: Int32Array = new Int32Array(BLOCKED_RECEIVERS);
  #blockedCount = 0;
  /** Place at which an outgoing frame is written before its fate is known, and whether the open reservation lies there. */
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
    this.#frameOffset = inner.linkType === 'ip' ? 0 : 2;
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
  // cold: once per change of the impairment
  impair(direction: 'in' | 'out', impairment: Impairment | null): void {
    const dice = impairment === null ? null : new Dice(impairment, this.#rng);
    if (dice !== null) this.#openStore();
    if (direction === 'in') this.#in = dice;
    else this.#out = dice;
  }

  // cold: once, when the link is first impaired
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
    this.#held = new DelayLine(HELD_FRAMES);
  }

  override reserve(dstHi: number, dstLo: number, lengthBytes: number): number {
    const dice = this.#out;
    if (dice === null || dice.immediate) {
      this.#staged = false;
      this.#openAt = this.innerQueue.reserve(dstHi, dstLo, lengthBytes);
      return this.#openAt;
    }
    if (!this.inner.linkUp) return -Errno.ENETDOWN;
    if (lengthBytes > this.inner.maxFrameBytes) return -Errno.EMSGSIZE;
    this.#staged = true;
    this.#openAt = this.#stagingAt + this.#frameOffset;
    return this.#openAt;
  }

  override commit(lengthBytes: number, meta: number): void {
    const dice = this.#out;
    const at = this.#openAt;
    if (dice === null) {
      this.innerQueue.commit(lengthBytes, meta);
      return;
    }
    const tally = this.#outTally;
    const copies = dice.copies();
    if (copies === 0) {
      this.counters.add(tally.lost, 1);
      if (!this.#staged) this.innerQueue.cancel();
      return;
    }
    if (copies === 2) this.counters.add(tally.duplicated, 1);
    if (this.#staged) {
      for (let i = 0; i < copies; i++) this.#delay(dice, this.#outLine, at, lengthBytes, meta, tally);
      return;
    }
    if (copies === 2) this.#hold(this.#outLine, this.#clock.nowUs(), at, lengthBytes, meta, tally);
    if (dice.corruptFrame(this.#arena.bytes, at, lengthBytes)) this.counters.add(tally.corrupted, 1);
    this.innerQueue.commit(lengthBytes, meta);
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
    const block = store.allocate(lengthBytes + this.#frameOffset);
    if (block >= 0 && line.push(dueUs, block, lengthBytes, meta)) {
      this.#bulk.copy(block + this.#frameOffset, at, lengthBytes);
      return block + this.#frameOffset;
    }
    if (block >= 0) store.free(block);
    this.counters.add(tally.queueFull, 1);
    return -1;
  }

  override cancel(): void {
    if (!this.#staged) this.innerQueue.cancel();
  }

  override flush(): void {
    if (this.#outLine.count + this.#held.count > 0) this.#sendDue(this.#clock.nowUs());
    this.innerQueue.flush();
  }

  /** Bring time forward: what is due goes out, or is ready for `receive`. Returns how many frames went out. */
  override tick(nowUs: number): number {
    this.#nowUs = nowUs;
    const worked = super.tick(nowUs);
    if (this.#outLine.count + this.#held.count === 0) return worked;
    const sent = this.#sendDue(nowUs);
    if (sent > 0) this.innerQueue.flush();
    return worked + sent;
  }

  #sendDue(nowUs: number): number {
    let sent = this.#blockedCount > 0 && this.#roomAgain() ? this.#sendHeld() : 0;
    const line = this.#outLine;
    while (line.nextUs <= nowUs) {
      line.pop();
      sent += this.#sendOne(line.at, line.lengthBytes, line.meta);
    }
    return sent;
  }

  #roomAgain(): boolean {
    let room = false;
    for (let i = 0; i < this.#blockedCount; i++) {
      if (this.innerQueue.awaitRoom(this.#blockedHi[i] as number, this.#blockedLo[i] as number)) room = true;
    }
    return room;
  }

  /** Try all held frames again, once each; those that find no room are held in the same order. */
  #sendHeld(): number {
    const held = this.#held;
    let sent = 0;
    this.#blockedCount = 0;
    for (let left = held.count; left > 0; left--) {
      held.pop();
      sent += this.#sendOne(held.at, held.lengthBytes, held.meta);
    }
    return sent;
  }

  /** A frame came out of the line: send it, or hold it, or drop it. Returns how many were sent. */
  #sendOne(block: number, lengthBytes: number, meta: number): number {
    const at = block + this.#frameOffset;
    const hi = this.#arena.view.getUint16(at);
    const lo = this.#arena.view.getInt32(at + 2);
    let to = -Errno.ENOBUFS;
    if (!this.#isBlocked(hi, lo)) {
      to = this.innerQueue.reserve(hi, lo, lengthBytes);
      if (to === -Errno.ENOBUFS && this.innerQueue.awaitRoom(hi, lo)) to = this.innerQueue.reserve(hi, lo, lengthBytes);
    }
    if (to === -Errno.ENOBUFS) {
      if (this.#block(hi, lo) && this.#held.push(0, block, lengthBytes, meta)) return 0;
      this.counters.add(this.#outTally.queueFull, 1);
    }
    if (to >= 0) {
      this.#bulk.copy(to, at, lengthBytes);
      this.innerQueue.commit(lengthBytes, meta);
    }
    (this.#store as Heap).free(block);
    return to >= 0 ? 1 : 0;
  }

  #isBlocked(hi: number, lo: number): boolean {
    for (let i = 0; i < this.#blockedCount; i++) {
      if (this.#blockedLo[i] === lo && this.#blockedHi[i] === hi) return true;
    }
    return false;
  }

  /** Remember that this receiver has no room. False when too many have none. */
  #block(hi: number, lo: number): boolean {
    if (this.#isBlocked(hi, lo)) return true;
    if (this.#blockedCount === BLOCKED_RECEIVERS) return false;
    this.#blockedHi[this.#blockedCount] = hi;
    this.#blockedLo[this.#blockedCount++] = lo;
    return true;
  }

  /** When `tick` must be called; `Infinity` when nothing waits. */
  override nextDeadlineUs(): number {
    return Math.min(this.#outLine.nextUs, this.#inLine.nextUs, super.nextDeadlineUs());
  }

  override receive(batch: FrameBatch): number {
    if (this.#in === null && this.#inLine.count === 0) {
      this.#passedThrough = true;
      return this.innerQueue.receive(batch);
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
      batch.at[count] = line.at + this.#frameOffset;
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
    const count = this.innerQueue.receive(batch);
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
    if (count > 0) this.innerQueue.release();
  }

  override release(): void {
    if (this.#passedThrough) {
      this.innerQueue.release();
      return;
    }
    for (let i = 0; i < this.#givenCount; i++) (this.#store as Heap).free(this.#given[i] as number);
    this.#givenCount = 0;
  }

  override get pending(): boolean {
    return this.#inLine.nextUs <= this.#nowUs || this.innerQueue.pending;
  }
}
