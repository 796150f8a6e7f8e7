/**
 * Send buffer: bytes that the program wrote and the peer has not acknowledged.
 *
 * Thread: the one that runs the CPU. Bytes `[startSeq, endSeq)` lie in a {@link ByteRing}; `startSeq` follows SND.UNA.
 * The limit is what `send` may fill, as far as the heap gives memory; it grows with the congestion window (twice of it, so that a window in flight leaves
 * one to be written) unless the program set SO_SNDBUF.
 */

import { Errno } from '../../../base/errors.ts';
import type { Bulk } from '../../../mem/bulk.ts';
import type { Heap } from '../../../mem/heap.ts';
import { ByteRing } from './byte-ring.ts';

export class SendBuffer {
  readonly ring: ByteRing;
  startSeq: number = 0;
  endSeq: number = 0;
  limitBytes: number;
  /** Set by SO_SNDBUF: no growth of the limit. */
  fixed: boolean = false;
  /** A `send` found too little room: tell when there is some. */
  starved: boolean = false;

  constructor(heap: Heap, bulk: Bulk, limitBytes: number) {
    this.ring = new ByteRing(heap, bulk);
    this.limitBytes = limitBytes;
  }

  get usedBytes(): number {
    return (this.endSeq - this.startSeq) | 0;
  }

  /** Room within the limit and the memory that there is. */
  get freeBytes(): number {
    return Math.max(Math.min(this.limitBytes, this.ring.allowedBytes) - this.usedBytes, 0);
  }

  begin(seq: number): void {
    this.startSeq = seq;
    this.endSeq = seq;
  }

  /** Append from an ordinary array what fits: the count, or `-EAGAIN` when nothing does, be it for want of memory. */
  append(from: Uint8Array, offset: number, lengthBytes: number): number {
    const count = this.#reserve(lengthBytes);
    if (count <= 0) return count;
    if (this.usedBytes === 0) this.ring.align(this.endSeq, (from.byteOffset + offset) & 7);
    this.ring.copyIn(this.endSeq, from, offset, count);
    this.endSeq = (this.endSeq + count) | 0;
    return count;
  }

  /** The same from a place in the arena. */
  appendFrom(at: number, lengthBytes: number): number {
    const count = this.#reserve(lengthBytes);
    if (count <= 0) return count;
    if (this.usedBytes === 0) this.ring.align(this.endSeq, 0);
    this.ring.write(this.endSeq, at, count);
    this.endSeq = (this.endSeq + count) | 0;
    return count;
  }

  /**
   * Room of up to `wantBytes` in one piece at the end, to be written in place: its size or a negative errno. The room
   * begins at `ring.at(endSeq)` and is appended by `commit`.
   */
  reserve(wantBytes: number): number {
    const count = this.#reserve(wantBytes);
    if (count > 0 && this.usedBytes === 0) this.ring.align(this.endSeq, 0);
    return count <= 0 ? count : Math.min(count, this.ring.contiguous(this.endSeq));
  }

  commit(lengthBytes: number): void {
    this.endSeq = (this.endSeq + lengthBytes) | 0;
  }

  /** Everything before `seq` was acknowledged. Returns true when a starved writer should be told. */
  acknowledge(seq: number): boolean {
    this.startSeq = seq;
    if (seq === this.endSeq) this.ring.yieldMemory();
    if (!this.starved || 4 * this.freeBytes < Math.min(this.limitBytes, this.ring.allowedBytes)) return false;
    this.starved = false;
    return true;
  }

  #reserve(lengthBytes: number): number {
    const used = this.usedBytes;
    let count = Math.min(lengthBytes, this.limitBytes - used);
    if (count < lengthBytes) this.starved = true;
    if (count <= 0) return -Errno.EAGAIN;
    if (used + count > this.ring.capacity && !this.ring.grow(this.startSeq, used, used + count)) {
      count = Math.min(count, this.ring.capacity - used);
      this.starved = true;
      if (count <= 0) return -Errno.EAGAIN;
    }
    return count;
  }
}
