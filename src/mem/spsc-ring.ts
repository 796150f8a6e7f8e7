/**
 * A ring of variable-length records between one producer and one consumer: the buffer of every directed channel.
 *
 * Thread: the producer's on one side, the consumer's on the other. Read docs/layouts/spsc-ring.md first: it draws the
 * layout and lists which transitions are legal. Each side works on private cursors, publishes its index once per batch,
 * and copies and checks each word of the other side before use; a violation marks the ring broken with a reason, on that
 * side, for good. Nothing here throws or allocates after construction, and no access leaves the ring.
 *
 * Indices count bytes modulo twice the capacity: equal means empty, a capacity apart means full. The index alone gives the
 * place in the ring, for any capacity. `padBytes`, fixed when the ring is made, lie between the header of a record and its
 * content: contents begin at 8 + `padBytes` modulo 64.
 */

import { assert } from '../base/assert.ts';
import { checkSeal, LINE_BYTES, magicOf, seal } from './layout.ts';
import type { Region } from './region.ts';

const MAGIC = magicOf('MKRG');
const VERSION = 2;

const WORD_CAPACITY = 2;
const WORD_PAD = 3;
/** Mark of the producer: the incarnation that its records are for, and the index of the first of them. */
const WORD_MARK_EPOCH = 4;
const WORD_MARK_INDEX = 5;
const HEAD_OFFSET = LINE_BYTES;
const TAIL_OFFSET = 2 * LINE_BYTES;
const WAITING_OFFSET = 3 * LINE_BYTES;
/** Before the data lie the header and three words, each on lines of its own. */
export const RING_CONTROL_BYTES: number = 4 * LINE_BYTES;

/** Records begin at multiples of this and take whole blocks. */
export const RECORD_ALIGN = 64;
/** Length and metadata; the padding of the ring follows, then the content. */
export const RECORD_HEADER_BYTES = 8;
/** Longest padding before each content. */
const PAD_BYTES_MAX = 48;
/** In place of a length: the record begins at the start of the ring instead. */
const SKIP = -1;

/** Bytes added to a length before it is cut to whole blocks. */
function roundUpOf(padBytes: number): number {
  return RECORD_HEADER_BYTES + padBytes + RECORD_ALIGN - 1;
}

/** Bytes that a record of `lengthBytes` takes in a ring with that padding. */
export function recordBytes(lengthBytes: number, padBytes: number): number {
  return (lengthBytes + roundUpOf(padBytes)) & -RECORD_ALIGN;
}

/** Usable capacity of a ring to which `byteLength` bytes of buffer are given. */
export function ringCapacity(byteLength: number): number {
  return byteLength & -RECORD_ALIGN;
}

/** Longest record content a ring of that capacity always takes once it is empty, wherever its indices stand. */
export function maxRecordLength(capacityBytes: number, padBytes: number): number {
  return ((capacityBytes >> 1) & -RECORD_ALIGN) - RECORD_HEADER_BYTES - padBytes;
}

/** Bytes that a ring of that capacity takes in the arena; `at` must be a multiple of 128. */
export function ringBytes(capacityBytes: number): number {
  return RING_CONTROL_BYTES + Math.ceil(capacityBytes / LINE_BYTES) * LINE_BYTES;
}

/** Write the header of an empty ring over zeroed memory. Done once, by the producer's side, before anybody attaches. */
export function formatRing(region: Region, at: number, capacityBytes: number, padBytes: number): void {
  assert(at % LINE_BYTES === 0 && capacityBytes % RECORD_ALIGN === 0, 'ring: alignment');
  const isRoom = region.holds(region.offset(at), ringBytes(capacityBytes));
  assert(isRoom && capacityBytes >= 4 * RECORD_ALIGN, 'ring: size');
  assert(padBytes >= 0 && padBytes <= PAD_BYTES_MAX, 'ring: padding');
  region.words[(at >> 2) + WORD_CAPACITY] = capacityBytes;
  region.words[(at >> 2) + WORD_PAD] = padBytes;
  seal(region.words, at, MAGIC, VERSION);
}

/** '' when a ring of exactly that capacity and padding was formatted at `at`, otherwise why not. */
export function checkRing(region: Region, at: number, capacityBytes: number, padBytes: number): string {
  const why = checkSeal(region.words, at, MAGIC, VERSION);
  if (why !== '') return why;
  if (region.words[(at >> 2) + WORD_CAPACITY] !== capacityBytes) return 'wrong capacity';
  return region.words[(at >> 2) + WORD_PAD] === padBytes ? '' : 'wrong padding';
}

/** Whether the bytes between two indices are no more than the ring holds. */
function fits(head: number, tail: number, capacity: number): boolean {
  if (!isIndex(tail, capacity)) return false;
  const used = head - tail;
  return (used < 0 ? used + 2 * capacity : used) <= capacity;
}

function isIndex(index: number, capacity: number): boolean {
  return index >= 0 && index < 2 * capacity && (index & (RECORD_ALIGN - 1)) === 0;
}

export class RingProducer {
  readonly capacityBytes: number;
  readonly maxLengthBytes: number;
  readonly #padBytes: number;
  /** '' while the ring is sound. */
  broken: string = '';
  /** Set by `reserveRun`. */
  runAt: number = 0;

  readonly #words: Int32Array;
  readonly #dataAt: number;
  /** Content of a record that begins at the start of the ring. */
  readonly #contentAt: number;
  readonly #roundUp: number;
  readonly #headIndex: number;
  readonly #tailIndex: number;
  readonly #waitingIndex: number;
  /** Published head. */
  #head: number;
  /** Place of the next record in the ring. */
  #offset: number;
  #unpublished = 0;
  /** Free bytes as of the last look at the tail, less the bytes committed since. */
  #room = 0;
  /** False after `takeOver` until the consumer's index makes sense: counts as full till then. */
  #settled = true;

  /** Attach to a formatted ring, where the last producer left it. */
  constructor(region: Region, at: number, capacityBytes: number, padBytes: number) {
    this.capacityBytes = capacityBytes;
    this.maxLengthBytes = maxRecordLength(capacityBytes, padBytes);
    this.#padBytes = padBytes;
    this.#words = region.words;
    this.#dataAt = at + RING_CONTROL_BYTES;
    this.#contentAt = this.#dataAt + RECORD_HEADER_BYTES + padBytes;
    this.#roundUp = roundUpOf(padBytes);
    this.#headIndex = (at + HEAD_OFFSET) >> 2;
    this.#tailIndex = (at + TAIL_OFFSET) >> 2;
    this.#waitingIndex = (at + WAITING_OFFSET) >> 2;
    this.broken = checkRing(region, at, capacityBytes, padBytes);
    this.#head = Atomics.load(this.#words, this.#headIndex);
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
    const tail = Atomics.load(this.#words, this.#tailIndex);
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
    this.#settled = true;
  }

  #fail(why: string): void {
    this.#room = 0;
    if (this.#settled) this.broken = why;
  }

  /**
   * Become the producer after one that died, or that was broken: continue where it stopped, or, when its index makes no
   * sense, at the consumer's index. Until the consumer's index makes sense too, the ring counts as full.
   */
  takeOver(): void {
    const capacity = this.capacityBytes;
    const header = (this.#dataAt - RING_CONTROL_BYTES) >> 2;
    this.#words[header + WORD_CAPACITY] = capacity;
    this.#words[header + WORD_PAD] = this.#padBytes;
    seal(this.#words, this.#dataAt - RING_CONTROL_BYTES, MAGIC, VERSION);
    this.#settled = false;
    this.#unpublished = 0;
    this.#room = 0;
    this.broken = '';
    const tail = Atomics.load(this.#words, this.#tailIndex);
    this.#head = Atomics.load(this.#words, this.#headIndex);
    if (!isIndex(this.#head, capacity) || !fits(this.#head, tail, capacity)) {
      this.#head = isIndex(tail, capacity) ? tail : 0;
      Atomics.store(this.#words, this.#headIndex, this.#head);
    }
    this.#offset = this.#head % capacity;
    this.#refresh();
  }

  /**
   * Room for a record of up to `lengthBytes`; returns the offset in the arena where its content goes, or -1 (full, or
   * broken). Up to `maxLengthBytes`, it succeeds once the ring is empty. A second call before `commit` replaces the first.
   */
  reserve(lengthBytes: number): number {
    const size = (lengthBytes + this.#roundUp) & -RECORD_ALIGN;
    const offset = this.#offset;
    if (offset + size > this.capacityBytes) return this.#reserveAtStart(lengthBytes, size);
    if (size > this.#room) {
      if (!this.#look(size)) return -1;
    }
    return this.#contentAt + offset;
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
    this.#words[(this.#dataAt + this.#offset) >> 2] = SKIP;
    this.#unpublished += gap;
    this.#room -= gap;
    this.#offset = 0;
    return this.#contentAt;
  }

  /** The record reserved last is complete; `lengthBytes` at most the reserved length, `meta` any int32. */
  commit(lengthBytes: number, meta: number): void {
    const size = (lengthBytes + this.#roundUp) & -RECORD_ALIGN;
    const offset = this.#offset;
    const word = (this.#dataAt + offset) >> 2;
    this.#words[word] = lengthBytes;
    this.#words[word + 1] = meta;
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
    const size = (lengthBytes + this.#roundUp) & -RECORD_ALIGN;
    const most = Math.min(count, Math.floor((this.capacityBytes - this.#offset) / size));
    if (most * size > this.#room && this.broken === '') this.#refresh();
    this.runAt = this.#contentAt + this.#offset;
    return most * size <= this.#room ? most : Math.floor(this.#room / size);
  }

  /** The first `count` records reserved by `reserveRun` are complete. */
  commitRun(count: number, lengthBytes: number, meta: number): void {
    const size = (lengthBytes + this.#roundUp) & -RECORD_ALIGN;
    const words = this.#words;
    const step = size >> 2;
    let word = (this.#dataAt + this.#offset) >> 2;
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
    const header = (this.#dataAt - RING_CONTROL_BYTES) >> 2;
    this.#room += this.#unpublished;
    this.#unpublished = 0;
    this.#offset = this.#head % this.capacityBytes;
    this.#words[header + WORD_MARK_INDEX] = this.#head;
    Atomics.store(this.#words, header + WORD_MARK_EPOCH, epoch);
  }

  /** Make everything committed visible to the consumer. Returns whether there was anything. */
  publish(): boolean {
    if (this.#unpublished === 0) return false;
    let head = this.#head + this.#unpublished;
    if (head >= 2 * this.capacityBytes) head -= 2 * this.capacityBytes;
    this.#head = head;
    this.#unpublished = 0;
    Atomics.store(this.#words, this.#headIndex, head);
    return true;
  }

  /**
   * Ask the consumer to wake this side when there is room (its `release` returns true then). True when a record of
   * `lengthBytes` fits already, after a look made after asking, so that no wake-up is lost.
   */
  awaitRoom(lengthBytes: number): boolean {
    Atomics.store(this.#words, this.#waitingIndex, 1);
    if (this.broken !== '') return false;
    this.#refresh();
    const size = (lengthBytes + this.#roundUp) & -RECORD_ALIGN;
    const gap = this.#offset + size > this.capacityBytes ? this.capacityBytes - this.#offset : 0;
    return gap + size <= this.#room;
  }

  /** Bytes in use, as far as this side knows after a fresh look. */
  usedBytes(): number {
    if (this.broken === '') this.#refresh();
    return this.capacityBytes - this.#room;
  }
}

export class RingConsumer {
  readonly capacityBytes: number;
  /** '' while the ring is sound. */
  broken: string = '';

  readonly #words: Int32Array;
  readonly #dataAt: number;
  /** Content of a record that begins at the start of the ring. */
  readonly #contentAt: number;
  readonly #roundUp: number;
  readonly #headIndex: number;
  readonly #tailIndex: number;
  readonly #waitingIndex: number;
  /** Published tail. */
  #tail: number;
  /** The head as it was read last. */
  #headSeen: number;
  /** Place of the next record to read. */
  #offset: number;
  /** Published records not read yet, and read ones not released yet, in bytes. */
  #available = 0;
  #unreleased = 0;
  /** False after `takeOver` until the producer's index makes sense: counts as empty till then. */
  #settled = true;

  /** Attach to a formatted ring, where the last consumer left it. */
  constructor(region: Region, at: number, capacityBytes: number, padBytes: number) {
    this.capacityBytes = capacityBytes;
    this.#words = region.words;
    this.#dataAt = at + RING_CONTROL_BYTES;
    this.#contentAt = this.#dataAt + RECORD_HEADER_BYTES + padBytes;
    this.#roundUp = roundUpOf(padBytes);
    this.#headIndex = (at + HEAD_OFFSET) >> 2;
    this.#tailIndex = (at + TAIL_OFFSET) >> 2;
    this.#waitingIndex = (at + WAITING_OFFSET) >> 2;
    this.broken = checkRing(region, at, capacityBytes, padBytes);
    this.#tail = Atomics.load(this.#words, this.#tailIndex);
    if (!isIndex(this.#tail, capacityBytes)) {
      this.#tail = 0;
      this.broken = 'tail out of range';
    }
    this.#headSeen = this.#tail;
    this.#offset = this.#tail % capacityBytes;
  }

  /** Look at the producer's index again. */
  #refresh(): void {
    const capacity = this.capacityBytes;
    const head = Atomics.load(this.#words, this.#headIndex);
    this.#headSeen = head;
    if (!isIndex(head, capacity)) {
      this.#fail('head is no index');
      return;
    }
    let used = head - this.#tail;
    if (used < 0) used += 2 * capacity;
    const known = this.#unreleased + this.#available;
    if (used > capacity || used < known) {
      this.#fail('head out of range');
      return;
    }
    this.#available = used - this.#unreleased;
    this.#settled = true;
  }

  #fail(why: string): void {
    this.#available = 0;
    if (this.#settled) this.broken = why;
  }

  /** Whether a record waits; looks at shared memory afresh. A broken ring has none. */
  get pending(): boolean {
    if (this.#available > 0) return true;
    return this.broken === '' && Atomics.load(this.#words, this.#headIndex) !== this.#headSeen;
  }

  /**
   * Read up to `limit - start` records: offset of the content, its length and metadata go to the three arrays from index
   * `start` on. Returns the index after the last. The content stays valid until `release`. Lengths lie within the ring,
   * but only the layer above knows which are sensible.
   */
  receive(at: Int32Array, length: Int32Array, meta: Int32Array, start: number, limit: number): number {
    const words = this.#words;
    if (this.#available === 0) {
      // A plain load decides whether the ordered one is worth its price; before sleeping, `pending` takes the ordered one.
      if (words[this.#headIndex] === this.#headSeen || this.broken !== '') return start;
      this.#refresh();
    }
    const capacity = this.capacityBytes;
    const dataAt = this.#dataAt;
    const contentAt = this.#contentAt;
    const roundUp = this.#roundUp;
    let available = this.#available;
    let offset = this.#offset;
    const before = available;
    while (start < limit && available > 0) {
      const word = (dataAt + offset) >> 2;
      const bytes = words[word] as number;
      if (bytes === SKIP) {
        const gap = capacity - offset;
        if (gap > available || offset === 0) {
          this.#fail('skip marker out of place');
          return this.#keep(before - available, offset, 0, start);
        }
        available -= gap;
        offset = 0;
        continue;
      }
      const size = (bytes + roundUp) & -RECORD_ALIGN;
      if (bytes < 0 || bytes > capacity || size > available || offset + size > capacity) {
        this.#fail('record length out of range');
        return this.#keep(before - available, offset, 0, start);
      }
      at[start] = contentAt + offset;
      length[start] = bytes;
      meta[start] = words[word + 1] as number;
      start++;
      available -= size;
      offset += size;
      if (offset === capacity) offset = 0;
    }
    return this.#keep(before - available, offset, available, start);
  }

  #keep(read: number, offset: number, available: number, end: number): number {
    this.#unreleased += read;
    this.#offset = offset;
    this.#available = available;
    return end;
  }

  /**
   * Give everything read back to the producer. True when the producer asked for room and there is plenty now (half the
   * ring, or all that this side knows of): wake it.
   */
  release(): boolean {
    if (this.#unreleased === 0) return false;
    let tail = this.#tail + this.#unreleased;
    if (tail >= 2 * this.capacityBytes) tail -= 2 * this.capacityBytes;
    this.#tail = tail;
    this.#unreleased = 0;
    Atomics.store(this.#words, this.#tailIndex, tail);
    if (this.#available > this.capacityBytes >> 1 || Atomics.load(this.#words, this.#waitingIndex) === 0) return false;
    Atomics.store(this.#words, this.#waitingIndex, 0);
    return true;
  }

  /**
   * `release`, once an eighth of the ring is owed: telling the producer takes the line from its cache, which can wait until
   * there is nothing else to do. The caller sees to it that `release` follows when no more comes.
   */
  releaseMuch(): boolean {
    return this.#unreleased > this.capacityBytes >> 3 ? this.release() : false;
  }

  /** The incarnation of this side that the producer's latest records are for (`RingProducer.mark`). */
  get markedEpoch(): number {
    return Atomics.load(this.#words, ((this.#dataAt - RING_CONTROL_BYTES) >> 2) + WORD_MARK_EPOCH);
  }

  /** Drop every record before the producer's mark, read or not. False, and broken, when the mark makes no sense. */
  seekMark(): boolean {
    const capacity = this.capacityBytes;
    const head = Atomics.load(this.#words, this.#headIndex);
    const mark = this.#words[((this.#dataAt - RING_CONTROL_BYTES) >> 2) + WORD_MARK_INDEX] as number;
    if (
      !isIndex(head, capacity) ||
      !isIndex(mark, capacity) ||
      !fits(mark, this.#tail, capacity) ||
      !fits(head, mark, capacity)
    ) {
      this.#fail('mark out of range');
      return false;
    }
    this.#tail = mark;
    this.#headSeen = mark;
    this.#offset = mark % capacity;
    this.#available = 0;
    this.#unreleased = 0;
    this.#settled = true;
    Atomics.store(this.#words, this.#tailIndex, mark);
    return true;
  }

  /** Whether something read was not given back yet. */
  get owes(): boolean {
    return this.#unreleased > 0;
  }

  /**
   * Become the consumer after one that died, or that was broken: drop the records sent to it. When the producer's index makes
   * no sense, the ring counts as empty until it does.
   */
  takeOver(): void {
    const capacity = this.capacityBytes;
    const head = Atomics.load(this.#words, this.#headIndex);
    const tail = Atomics.load(this.#words, this.#tailIndex);
    this.#settled = isIndex(head, capacity);
    this.#tail = this.#settled ? head : isIndex(tail, capacity) ? tail : 0;
    this.#headSeen = head;
    this.#offset = this.#tail % capacity;
    this.#available = 0;
    this.#unreleased = 0;
    this.broken = '';
    Atomics.store(this.#words, this.#tailIndex, this.#tail);
  }
}
