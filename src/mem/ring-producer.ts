/**
 * The producer's end of a ring.
 *
 * Thread: the producer's. It writes records in place and publishes its index once per batch. Read first: spsc-ring.ts.
 */

import type { Region } from './region.ts';
import { RingEnd } from './ring-end.ts';
import {
  fits,
  isIndex,
  maxRecordLength,
  RECORD_ALIGN,
  SKIP,
  WORD_MARK_EPOCH,
  WORD_MARK_INDEX,
  writeRingHeader,
} from './spsc-ring.ts';

/** Producer's end of a ring: writes records in place and publishes them in batches. */
export class RingProducer extends RingEnd {
  /** Longest content that the ring takes once it is empty. */
  readonly maxLengthBytes: number;
  readonly #padBytes: number;
  /** Set by `reserveRun`. */
  runAt: number = 0;

  /** Published head. */
  #head: number;
  /** Place of the next record in the ring. */
  #offset: number;
  #unpublished = 0;
  /** Free bytes as of the last look at the tail, less the bytes committed since. */
  #room = 0;

  /** Attach to a formatted ring, where the last producer left it. */
  constructor(region: Region, at: number, capacityBytes: number, padBytes: number) {
    super(region, at, capacityBytes, padBytes);
    this.maxLengthBytes = maxRecordLength(capacityBytes, padBytes);
    this.#padBytes = padBytes;
    this.#head = Atomics.load(this.words, this.headIndex);
    if (!isIndex(this.#head, capacityBytes)) {
      this.#head = 0;
      this.broken = 'head out of range';
    }
    this.#offset = this.#head % capacityBytes;
    if (this.broken === '') this.#refresh();
  }

  /** Look at the consumer's index again. */
  #refresh(): void {
    const capacity = this.capacityBytes;
    const tail = Atomics.load(this.words, this.tailIndex);
    if (!isIndex(tail, capacity)) {
      this.#fail('tail is no index');
      return;
    }
    let used = this.#head - tail;
    if (used < 0) used += 2 * capacity;
    const room = capacity - used - this.#unpublished;
    // Room only grows by looking; a tail ahead of the published head would show as more used than there is.
    if (used > capacity || room < this.#room) {
      this.#fail('tail out of range');
      return;
    }
    this.#room = room;
    this.settled = true;
  }

  #fail(why: string): void {
    this.#room = 0;
    if (this.settled) this.broken = why;
  }

  /**
   * Become the producer after one that died, or that was broken: continue where it stopped, or, when its index makes no
   * sense, at the consumer's index. Until the consumer's index makes sense too, the ring counts as full.
   */
  takeOver(): void {
    const capacity = this.capacityBytes;
    writeRingHeader(this.words, this.controlAt, capacity, this.#padBytes);
    this.settled = false;
    this.#unpublished = 0;
    this.#room = 0;
    this.broken = '';
    const tail = Atomics.load(this.words, this.tailIndex);
    this.#head = Atomics.load(this.words, this.headIndex);
    if (!isIndex(this.#head, capacity) || !fits(this.#head, tail, capacity)) {
      this.#head = isIndex(tail, capacity) ? tail : 0;
      Atomics.store(this.words, this.headIndex, this.#head);
    }
    this.#offset = this.#head % capacity;
    this.#refresh();
  }

  /**
   * Room for a record of up to `lengthBytes`; returns the offset in the arena where its content goes, or -1 (full, or
   * broken). Up to `maxLengthBytes`, it succeeds once the ring is empty. A second call before `commit` replaces the first.
   */
  reserve(lengthBytes: number): number {
    const size = (lengthBytes + this.roundUp) & -RECORD_ALIGN;
    const offset = this.#offset;
    if (offset + size > this.capacityBytes) return this.#reserveAtStart(lengthBytes, size);
    if (size > this.#room) {
      if (!this.#look(size)) return -1;
    }
    return this.contentAt + offset;
  }

  /** Whether `size` bytes are free, after a fresh look. */
  #look(size: number): boolean {
    if (this.broken !== '') return false;
    this.#refresh();
    return size <= this.#room;
  }

  /** The record does not fit before the end: leave the rest unused. */
  #reserveAtStart(lengthBytes: number, size: number): number {
    if (lengthBytes > this.maxLengthBytes) return -1;
    const gap = this.capacityBytes - this.#offset;
    if (gap + size > this.#room && !this.#look(gap + size)) return -1;
    this.words[(this.dataAt + this.#offset) >> 2] = SKIP;
    this.#unpublished += gap;
    this.#room -= gap;
    this.#offset = 0;
    return this.contentAt;
  }

  /** The record reserved last is complete; `lengthBytes` at most the reserved length, `meta` any int32. */
  commit(lengthBytes: number, meta: number): void {
    const size = (lengthBytes + this.roundUp) & -RECORD_ALIGN;
    const offset = this.#offset;
    const word = (this.dataAt + offset) >> 2;
    this.words[word] = lengthBytes;
    this.words[word + 1] = meta;
    this.#room -= size;
    this.#unpublished += size;
    const next = offset + size;
    this.#offset = next === this.capacityBytes ? 0 : next;
  }

  /**
   * Room for up to `count` records of `lengthBytes` each, one behind the other: how many. The content of the first goes to
   * `runAt`, that of each other `recordBytes(lengthBytes)` further. 0 where `reserve` must decide.
   */
  reserveRun(lengthBytes: number, count: number): number {
    const size = (lengthBytes + this.roundUp) & -RECORD_ALIGN;
    const most = Math.min(count, Math.floor((this.capacityBytes - this.#offset) / size));
    if (most * size > this.#room && this.broken === '') this.#refresh();
    this.runAt = this.contentAt + this.#offset;
    return most * size <= this.#room ? most : Math.floor(this.#room / size);
  }

  /** The first `count` records reserved by `reserveRun` are complete. */
  commitRun(count: number, lengthBytes: number, meta: number): void {
    const size = (lengthBytes + this.roundUp) & -RECORD_ALIGN;
    const words = this.words;
    const step = size >> 2;
    let word = (this.dataAt + this.#offset) >> 2;
    for (let i = 0; i < count; i++) {
      words[word] = lengthBytes;
      words[word + 1] = meta;
      word += step;
    }
    this.#room -= count * size;
    this.#unpublished += count * size;
    const next = this.#offset + count * size;
    this.#offset = next === this.capacityBytes ? 0 : next;
  }

  /**
   * Records published from now on are for the consumer's incarnation `epoch`. Drops records committed and not published.
   */
  mark(epoch: number): void {
    const header = this.controlAt >> 2;
    this.#room += this.#unpublished;
    this.#unpublished = 0;
    this.#offset = this.#head % this.capacityBytes;
    this.words[header + WORD_MARK_INDEX] = this.#head;
    Atomics.store(this.words, header + WORD_MARK_EPOCH, epoch);
  }

  /** Make everything committed visible to the consumer. Returns whether there was anything. */
  publish(): boolean {
    if (this.#unpublished === 0) return false;
    let head = this.#head + this.#unpublished;
    if (head >= 2 * this.capacityBytes) head -= 2 * this.capacityBytes;
    this.#head = head;
    this.#unpublished = 0;
    Atomics.store(this.words, this.headIndex, head);
    return true;
  }

  /**
   * Ask the consumer to wake this side when there is room (its `release` returns true then). True when a record of
   * `lengthBytes` fits already, after a look made after asking, so that no wake-up is lost.
   */
  awaitRoom(lengthBytes: number): boolean {
    Atomics.store(this.words, this.waitingIndex, 1);
    if (this.broken !== '') return false;
    this.#refresh();
    const size = (lengthBytes + this.roundUp) & -RECORD_ALIGN;
    const gap = this.#offset + size > this.capacityBytes ? this.capacityBytes - this.#offset : 0;
    return gap + size <= this.#room;
  }

  /** Every record that the consumer has not given back, in order: place and length of its content. */
  // cold: once per consumer that is gone
  eachUnreleased(visit: (at: number, lengthBytes: number) => void): void {
    const capacity = this.capacityBytes;
    const tail = Atomics.load(this.words, this.tailIndex);
    if (!fits(this.#head, tail, capacity)) return;
    let left = this.#head - tail;
    if (left < 0) left += 2 * capacity;
    left += this.#unpublished;
    for (let offset = tail % capacity; left > 0 && left <= capacity; ) {
      const bytes = this.words[(this.dataAt + offset) >> 2] as number;
      const size = bytes === SKIP ? capacity - offset : (bytes + this.roundUp) & -RECORD_ALIGN;
      // The consumer can write here too.
      if (bytes < SKIP || size > left || offset + size > capacity) return;
      if (bytes !== SKIP) visit(this.contentAt + offset, bytes);
      left -= size;
      offset = offset + size === capacity ? 0 : offset + size;
    }
  }

  /** Bytes in use, as far as this side knows after a fresh look. */
  usedBytes(): number {
    if (this.broken === '') this.#refresh();
    return this.capacityBytes - this.#room;
  }
}
