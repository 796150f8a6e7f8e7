/**
 * A ring of bytes in the CPU's heap, addressed by sequence number.
 *
 * Thread: the one that runs the CPU. The byte with sequence number `seq` lies at `(seq + bias) mod capacity`: there is
 * no head and no tail to keep, an out-of-order segment is written straight to where it belongs, and growing means copying
 * each byte to its place in the larger ring. The capacity is a power of two; nothing is allocated until it is needed and
 * an empty ring can be given back.
 */

import type { Bulk } from '../../../mem/bulk.ts';
import type { Heap } from '../../../mem/heap.ts';

/** Data up to here is small, and has a block of its size; the next size of a ring. */
const SMALL_BYTES = 1024;
const PAGE_BYTES = 4096;

/**
 * Combine the sum of a piece with that of the piece that follows it: after an odd number of bytes, words are swapped
 * (RFC 1071 section 2 (B)).
 */
function addSum(sum: number, lengthBefore: number, next: number): number {
  return sum + (lengthBefore & 1 ? ((next & 0xff) << 8) | (next >>> 8) : next);
}

export class ByteRing {
  capacity: number = 0;
  #at: number = 0;
  #bias: number = 0;
  readonly #heap: Heap;
  readonly #bulk: Bulk;

  constructor(heap: Heap, bulk: Bulk) {
    this.#heap = heap;
    this.#bulk = bulk;
  }

  /**
   * Have room for `needBytes` from `startSeq` on, or for as many as the heap gives; the `usedBytes` that are there keep their
   * sequence numbers. False when there is less than was needed.
   */
  grow(startSeq: number, usedBytes: number, needBytes: number): boolean {
    if (needBytes <= this.capacity) return true;
    // Small data takes a small block; more data is likely to be followed by yet more.
    const wanted = needBytes > SMALL_BYTES && needBytes < PAGE_BYTES ? PAGE_BYTES : needBytes;
    const at = this.#heap.allocateShare(wanted, this.capacity);
    if (at < 0) return false;
    const capacity = this.#heap.allocatedBytes;
    const oldAt = this.#at;
    const oldMask = this.capacity - 1;
    const mask = capacity - 1;
    for (let done = 0; done < usedBytes; ) {
      const from = (startSeq + done + this.#bias) & oldMask;
      const to = (startSeq + done + this.#bias) & mask;
      const piece = Math.min(usedBytes - done, this.capacity - from, capacity - to);
      this.#bulk.copy(at + to, oldAt + from, piece);
      done += piece;
    }
    if (this.capacity > 0) this.#heap.free(oldAt);
    this.#at = at;
    this.capacity = capacity;
    return needBytes <= capacity;
  }

  /** Bytes that the heap allows the ring by now; those that it has count until they are given back. */
  get allowedBytes(): number {
    return Math.max(this.capacity, this.#heap.shareBytes(this.capacity));
  }

  /** Only while the ring is empty: give the memory back if it is more than a share, or if little is left for others. */
  yieldMemory(): void {
    if (this.capacity === 0) return;
    const share = this.#heap.shareBytes(this.capacity);
    if (share < this.capacity || share <= PAGE_BYTES) this.release();
  }

  /** Give the memory back; the ring must be empty. */
  release(): void {
    if (this.capacity > 0) this.#heap.free(this.#at);
    this.capacity = 0;
  }

  /**
   * Only while the ring is empty: place the next byte, `seq`, at offset `phase` (0 to 7). A ring that is emptied often
   * stays in the cache that way, and copies from or to an array congruent modulo 8 need no second step.
   */
  align(seq: number, phase: number): void {
    this.#bias = (phase - seq) | 0;
  }

  /** Offset of the byte `seq` in the arena. */
  at(seq: number): number {
    return this.#at + ((seq + this.#bias) & (this.capacity - 1));
  }

  /** Bytes from `seq` on that lie in one piece. */
  contiguous(seq: number): number {
    return this.capacity - ((seq + this.#bias) & (this.capacity - 1));
  }

  /** From an ordinary array. */
  copyIn(seq: number, from: Uint8Array, offset: number, lengthBytes: number): void {
    const first = this.contiguous(seq);
    if (lengthBytes <= first) {
      this.#bulk.copyIn(this.at(seq), from, offset, lengthBytes);
    } else {
      this.#bulk.copyIn(this.at(seq), from, offset, first);
      this.#bulk.copyIn(this.#at, from, offset + first, lengthBytes - first);
    }
  }

  /** To an ordinary array. */
  copyOut(seq: number, into: Uint8Array, offset: number, lengthBytes: number): void {
    const first = this.contiguous(seq);
    if (lengthBytes <= first) {
      this.#bulk.copyOut(into, offset, this.at(seq), lengthBytes);
    } else {
      this.#bulk.copyOut(into, offset, this.at(seq), first);
      this.#bulk.copyOut(into, offset + first, this.#at, lengthBytes - first);
    }
  }

  /** From another place in the arena. */
  write(seq: number, src: number, lengthBytes: number): void {
    const first = this.contiguous(seq);
    if (lengthBytes <= first) {
      this.#bulk.copy(this.at(seq), src, lengthBytes);
    } else {
      this.#bulk.copy(this.at(seq), src, first);
      this.#bulk.copy(this.#at, src + first, lengthBytes - first);
    }
  }

  /** To another place in the arena. */
  read(seq: number, dst: number, lengthBytes: number): void {
    const first = this.contiguous(seq);
    if (lengthBytes <= first) {
      this.#bulk.copy(dst, this.at(seq), lengthBytes);
    } else {
      this.#bulk.copy(dst, this.at(seq), first);
      this.#bulk.copy(dst + first, this.#at, lengthBytes - first);
    }
  }

  /** `write`, returning the sum of the bytes (not folded). */
  writeSum(seq: number, src: number, lengthBytes: number): number {
    const first = this.contiguous(seq);
    if (lengthBytes <= first) return this.#bulk.copySum(this.at(seq), src, lengthBytes);
    const sum = this.#bulk.copySum(this.at(seq), src, first);
    return addSum(sum, first, this.#bulk.copySum(this.#at, src + first, lengthBytes - first));
  }

  /** `read`, returning the sum of the bytes (not folded). */
  readSum(seq: number, dst: number, lengthBytes: number): number {
    const first = this.contiguous(seq);
    if (lengthBytes <= first) return this.#bulk.copySum(dst, this.at(seq), lengthBytes);
    const sum = this.#bulk.copySum(dst, this.at(seq), first);
    return addSum(sum, first, this.#bulk.copySum(dst + first, this.#at, lengthBytes - first));
  }
}
