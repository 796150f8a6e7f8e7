/**
 * A ring of variable-length records between one producer and one consumer: the buffer of every directed channel.
 *
 * Thread: the producer's on one side, the consumer's on the other. Read docs/layouts/spsc-ring.md first: it draws the
 * layout and lists which transitions are legal. Each side works on private cursors, publishes its index once per batch,
 * and believes nothing that the other wrote before it was copied and checked; a violation marks the ring broken with a
 * reason, on that side, for good. Nothing here throws or allocates after construction, and no access leaves the ring.
 *
 * Indices count bytes modulo twice the capacity: equal means empty, a capacity apart means full, and the place in the ring
 * follows from the index alone, whatever the capacity.
 */

import { assert } from '../base/assert.ts';
import type { Arena } from './arena.ts';
import { checkSeal, LINE_BYTES, magicOf, seal } from './layout.ts';

const MAGIC = magicOf('MKRG');
const VERSION = 1;

const WORD_CAPACITY = 2;
const HEAD_OFFSET = LINE_BYTES;
const TAIL_OFFSET = 2 * LINE_BYTES;
const WAITING_OFFSET = 3 * LINE_BYTES;
/** Before the data lie the header and three words, each on lines of its own. */
export const RING_CONTROL_BYTES: number = 4 * LINE_BYTES;

/** Records begin at multiples of this and take whole blocks. */
export const RECORD_ALIGN = 64;
/** Length and metadata, then two bytes that put what follows the Ethernet header on a multiple of 4. */
export const RECORD_HEADER_BYTES = 10;
const ROUND_UP: number = RECORD_HEADER_BYTES + RECORD_ALIGN - 1;
/** In place of a length: the record begins at the start of the ring instead. */
const SKIP = -1;

/** Bytes that a record of `lengthBytes` takes in the ring. */
export function recordBytes(lengthBytes: number): number {
  return (lengthBytes + ROUND_UP) & -RECORD_ALIGN;
}

/** Usable capacity of a ring to which `byteLength` bytes of buffer are given. */
export function ringCapacity(byteLength: number): number {
  return byteLength & -RECORD_ALIGN;
}

/** Longest record content a ring of that capacity always takes once it is empty, wherever its indices stand. */
export function maxRecordLength(capacityBytes: number): number {
  return ((capacityBytes >> 1) & -RECORD_ALIGN) - RECORD_HEADER_BYTES;
}

/** Bytes that a ring of that capacity takes in the arena; `at` must be a multiple of 128. */
export function ringBytes(capacityBytes: number): number {
  return RING_CONTROL_BYTES + Math.ceil(capacityBytes / LINE_BYTES) * LINE_BYTES;
}

/** Write the header of an empty ring over zeroed memory. Done once, by the producer's side, before anybody attaches. */
export function formatRing(arena: Arena, at: number, capacityBytes: number): void {
  assert(at % LINE_BYTES === 0 && capacityBytes % RECORD_ALIGN === 0, 'ring: alignment');
  assert(capacityBytes >= 4 * RECORD_ALIGN && at + ringBytes(capacityBytes) <= arena.byteLength, 'ring: size');
  arena.words[(at >> 2) + WORD_CAPACITY] = capacityBytes;
  seal(arena.words, at, MAGIC, VERSION);
}

/** '' when a ring of exactly that capacity was formatted at `at`, otherwise why not. */
export function checkRing(arena: Arena, at: number, capacityBytes: number): string {
  const why = checkSeal(arena.words, at, MAGIC, VERSION);
  if (why !== '') return why;
  return arena.words[(at >> 2) + WORD_CAPACITY] === capacityBytes ? '' : 'wrong capacity';
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
  /** '' while the ring is sound. */
  broken: string = '';
  /** Set by `reserveRun`. */
  runAt: number = 0;

  readonly #words: Int32Array;
  readonly #dataAt: number;
  readonly #headIndex: number;
  readonly #tailIndex: number;
  readonly #waitingIndex: number;
  /** Published head. */
  #head: number;
  /** Place of the next record in the ring. */
  #offset: number;
  #unpublished = 0;
  /** Free bytes as of the last look at the tail, less what was committed since. */
  #room = 0;
  /** False after `takeOver` until the consumer's index makes sense: counts as full till then. */
  #settled = true;

  /** Attach to a formatted ring, where the last producer left it. */
  constructor(arena: Arena, at: number, capacityBytes: number) {
    this.capacityBytes = capacityBytes;
    this.maxLengthBytes = maxRecordLength(capacityBytes);
    this.#words = arena.words;
    this.#dataAt = at + RING_CONTROL_BYTES;
    this.#headIndex = (at + HEAD_OFFSET) >> 2;
    this.#tailIndex = (at + TAIL_OFFSET) >> 2;
    this.#waitingIndex = (at + WAITING_OFFSET) >> 2;
    this.broken = checkRing(arena, at, capacityBytes);
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
   * Become the producer after one that died, or that was broken: continue where it stopped, or, when what it left makes no
   * sense, at the consumer's index. Until the consumer's index makes sense too, the ring counts as full.
   */
  takeOver(): void {
    const capacity = this.capacityBytes;
    this.#words[((this.#dataAt - RING_CONTROL_BYTES) >> 2) + WORD_CAPACITY] = capacity;
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
    const size = (lengthBytes + ROUND_UP) & -RECORD_ALIGN;
    const offset = this.#offset;
    if (offset + size > this.capacityBytes) return this.#reserveAtStart(lengthBytes, size);
    if (size > this.#room) {
      if (!this.#look(size)) return -1;
    }
    return this.#dataAt + offset + RECORD_HEADER_BYTES;
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
    return this.#dataAt + RECORD_HEADER_BYTES;
  }

  /** The record reserved last is complete; `lengthBytes` at most what was reserved, `meta` any int32. */
  commit(lengthBytes: number, meta: number): void {
    const size = (lengthBytes + ROUND_UP) & -RECORD_ALIGN;
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
    const size = (lengthBytes + ROUND_UP) & -RECORD_ALIGN;
    const most = Math.min(count, Math.floor((this.capacityBytes - this.#offset) / size));
    if (most * size > this.#room && this.broken === '') this.#refresh();
    this.runAt = this.#dataAt + this.#offset + RECORD_HEADER_BYTES;
    return most * size <= this.#room ? most : Math.floor(this.#room / size);
  }

  /** The first `count` records reserved by `reserveRun` are complete. */
  commitRun(count: number, lengthBytes: number, meta: number): void {
    const size = (lengthBytes + ROUND_UP) & -RECORD_ALIGN;
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
    const size = recordBytes(lengthBytes);
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
  constructor(arena: Arena, at: number, capacityBytes: number) {
    this.capacityBytes = capacityBytes;
    this.#words = arena.words;
    this.#dataAt = at + RING_CONTROL_BYTES;
    this.#headIndex = (at + HEAD_OFFSET) >> 2;
    this.#tailIndex = (at + TAIL_OFFSET) >> 2;
    this.#waitingIndex = (at + WAITING_OFFSET) >> 2;
    this.broken = checkRing(arena, at, capacityBytes);
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
      const size = (bytes + ROUND_UP) & -RECORD_ALIGN;
      if (bytes < 0 || bytes > capacity || size > available || offset + size > capacity) {
        this.#fail('record length out of range');
        return this.#keep(before - available, offset, 0, start);
      }
      at[start] = dataAt + offset + RECORD_HEADER_BYTES;
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

  /** Whether something read was not given back yet. */
  get owes(): boolean {
    return this.#unreleased > 0;
  }

  /**
   * Become the consumer after one that died, or that was broken: drop what was sent to it. When the producer's index makes
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
