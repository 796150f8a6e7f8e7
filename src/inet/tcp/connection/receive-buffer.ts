/**
 * Receive buffer: in-order bytes the program has not read, and room for what is still to come.
 *
 * Thread: the one that runs the CPU. Bytes `[readSeq, RCV.NXT)` are readable; segments beyond RCV.NXT are written to
 * their place in the same {@link ByteRing}. The limit bounds the advertised window and grows to what the reader takes in
 * a round trip (dynamic right-sizing, as Fisk and Feng describe) unless the program set SO_RCVBUF. The ring itself is
 * smaller than the limit until data needs it.
 */

import { seqLt } from '../../../base/sequence.ts';
import { US_PER_MS } from '../../../base/units.ts';
import type { Bulk } from '../../../mem/bulk.ts';
import type { Heap } from '../../../mem/heap.ts';
import { ByteRing } from './byte-ring.ts';

/** An echo that took fewer ticks of a millisecond is mostly rounding. */
const MIN_TICKS = 4;

export class ReceiveBuffer {
  readonly ring: ByteRing;
  readSeq: number = 0;
  limitBytes: number;
  /** Set by SO_RCVBUF: no growth of the limit. */
  fixed: boolean = false;
  /** Data was dropped for want of memory: what the ring has is all that is offered, until there is more again. */
  denied: boolean = false;

  /** Right-sizing: bytes read since `#roundUs`, most read in any round, receiver's estimate of the round trip. */
  #roundBytes: number = 0;
  #roundMostBytes: number;
  #roundUs: number = -0.5;
  rttUs: number = -0.5;
  #lastEcho: number = 0;
  /** Round trip without timestamps: when the window that began at `#probeSeq` is filled, a round trip has passed. */
  #probeSeq: number = 0;
  #probeUs: number = -0.5;

  constructor(heap: Heap, bulk: Bulk, limitBytes: number) {
    this.ring = new ByteRing(heap, bulk);
    this.limitBytes = limitBytes;
    this.#roundMostBytes = limitBytes >> 1;
  }

  begin(seq: number): void {
    this.readSeq = seq;
  }

  /** The part of the limit for which there is memory: what may be offered, read or not. */
  get offerableBytes(): number {
    return Math.min(this.limitBytes, this.denied ? this.ring.capacity : this.ring.allowedBytes);
  }

  /** Nobody will read the bytes up to `seq`: forget them and give the memory back. */
  discard(seq: number): void {
    this.readSeq = seq;
    this.ring.release();
  }

  /** Bytes from `seq` on for which the ring has memory. */
  roomFrom(seq: number): number {
    return (this.readSeq + this.ring.capacity - seq) | 0;
  }

  /** Have room for bytes up to `endSeq`, or for as many of them as the heap gives; `heldEndSeq` ends what is there, out-of-order data included. */
  ensure(endSeq: number, heldEndSeq: number): boolean {
    const need = (endSeq - this.readSeq) | 0;
    if (need <= this.ring.capacity) return true;
    return this.ring.grow(this.readSeq, (heldEndSeq - this.readSeq) | 0, need);
  }

  /**
   * `count` bytes were read: move on, and adjust the limit once per round trip. `mss` bounds the rounding, `maxBytes`
   * the growth.
   */
  consumed(count: number, mss: number, maxBytes: number, nowUs: number): void {
    this.readSeq = (this.readSeq + count) | 0;
    this.#roundBytes += count;
    if (this.fixed || this.rttUs < 0 || nowUs - this.#roundUs < this.rttUs) return;
    if (this.#roundUs >= 0 && this.#roundBytes > this.#roundMostBytes) {
      // Twice what was read, since a sender in slow start doubles; and ahead of a reader that still speeds up.
      const growth = this.#roundBytes / this.#roundMostBytes;
      const wanted = 2 * this.#roundBytes * Math.min(growth, 2) + 16 * mss;
      this.#roundMostBytes = this.#roundBytes;
      if (wanted > this.limitBytes) this.limitBytes = Math.min(Math.floor(wanted), Math.max(maxBytes, this.limitBytes));
    }
    this.#roundBytes = 0;
    this.#roundUs = nowUs;
  }

  /**
   * Round trip from an echoed timestamp, whose clock ticks in milliseconds: `nowTicks + offset` is our clock as the peer
   * sees it. One of a few ticks says too little and is left to `probeRtt`; each echo counts once.
   */
  noteEcho(nowTicks: number, offset: number, echo: number): void {
    if (echo === this.#lastEcho) return;
    this.#lastEcho = echo;
    const ticks = (nowTicks + offset - echo) | 0;
    if (ticks < MIN_TICKS) return;
    const rttUs = ticks * US_PER_MS;
    if (this.rttUs < 0) this.rttUs = rttUs;
    // A peer that stood still for some milliseconds is no path of a hundred times the length.
    else this.rttUs += (Math.min(rttUs, 2 * this.rttUs) - this.rttUs) / 8;
  }

  /**
   * Round trip from the time a window takes to fill; an upper bound, so only smaller values count. Segments of one batch
   * have one time: a window that the rest of the batch fills says nothing.
   */
  probeRtt(rcvNxt: number, windowEndSeq: number, nowUs: number): void {
    if (nowUs === this.#probeUs) return;
    if (this.#probeUs >= 0 && seqLt(rcvNxt, this.#probeSeq)) return;
    if (this.#probeUs >= 0) {
      const rttUs = Math.max(nowUs - this.#probeUs, 1);
      if (this.rttUs < 0 || rttUs < this.rttUs) this.rttUs = rttUs;
    }
    this.#probeSeq = windowEndSeq;
    this.#probeUs = nowUs;
  }
}
