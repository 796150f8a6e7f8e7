/**
 * The consumer's end of a ring.
 *
 * Thread: the consumer's. It copies the header word of each record once, checks it, and yields places. Read first: spsc-ring.ts.
 */

import type { Region } from './region.ts';
import { RingEnd } from './ring-end.ts';
import { fits, isIndex, RECORD_ALIGN, SKIP, WORD_MARK_EPOCH, WORD_MARK_INDEX } from './spsc-ring.ts';

/** Consumer's end of a ring: reads records in place, in batches, and gives their room back. */
export class RingConsumer extends RingEnd {
  /** Published tail. */
  #tail: number;
  /** The head as it was read last. */
  #headSeen: number;
  /** Place of the next record to read. */
  #offset: number;
  /** Published records not read yet, and read ones not released yet, in bytes. */
  #available = 0;
  #unreleased = 0;

  /** Attach to a formatted ring, where the last consumer left it. */
  constructor(region: Region, at: number, capacityBytes: number, padBytes: number) {
    super(region, at, capacityBytes, padBytes);
    this.#tail = Atomics.load(this.words, this.tailIndex);
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
    const head = Atomics.load(this.words, this.headIndex);
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
    this.settled = true;
  }

  #fail(why: string): void {
    this.#available = 0;
    if (this.settled) this.broken = why;
  }

  /** Whether a record waits; looks at shared memory afresh. A broken ring has none. */
  get pending(): boolean {
    if (this.#available > 0) return true;
    return this.broken === '' && Atomics.load(this.words, this.headIndex) !== this.#headSeen;
  }

  /**
   * Read up to `limit - start` records: offset of the content, its length and metadata go to the three arrays from index
   * `start` on. Returns the index after the last. The content stays valid until `release`. Lengths lie within the ring,
   * but only the layer above knows which are sensible.
   */
  receive(at: Int32Array, length: Int32Array, meta: Int32Array, start: number, limit: number): number {
    const words = this.words;
    if (this.#available === 0) {
      // A plain load decides whether the ordered one is worth its price; before sleeping, `pending` takes the ordered one.
      if (words[this.headIndex] === this.#headSeen || this.broken !== '') return start;
      this.#refresh();
    }
    const capacity = this.capacityBytes;
    const dataAt = this.dataAt;
    const contentAt = this.contentAt;
    const roundUp = this.roundUp;
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
    Atomics.store(this.words, this.tailIndex, tail);
    if (this.#available > this.capacityBytes >> 1 || Atomics.load(this.words, this.waitingIndex) === 0) return false;
    Atomics.store(this.words, this.waitingIndex, 0);
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
    return Atomics.load(this.words, (this.controlAt >> 2) + WORD_MARK_EPOCH);
  }

  /** Drop every record before the producer's mark, read or not. False, and broken, when the mark makes no sense. */
  seekMark(): boolean {
    const capacity = this.capacityBytes;
    const head = Atomics.load(this.words, this.headIndex);
    const mark = this.words[(this.controlAt >> 2) + WORD_MARK_INDEX] as number;
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
    this.settled = true;
    Atomics.store(this.words, this.tailIndex, mark);
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
    const head = Atomics.load(this.words, this.headIndex);
    const tail = Atomics.load(this.words, this.tailIndex);
    this.settled = isIndex(head, capacity);
    this.#tail = this.settled ? head : isIndex(tail, capacity) ? tail : 0;
    this.#headSeen = head;
    this.#offset = this.#tail % capacity;
    this.#available = 0;
    this.#unreleased = 0;
    this.broken = '';
    Atomics.store(this.words, this.tailIndex, this.#tail);
  }
}
