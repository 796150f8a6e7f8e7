/**
 * Out-of-order data: which ranges beyond RCV.NXT are there, and which of them to report.
 *
 * Thread: the one that runs the CPU. The bytes themselves lie in the receive buffer's ring where they belong; here are
 * only the ranges, sorted and disjoint, and the order in which they were last touched, since the first SACK block must
 * report the segment that triggered the ACK and the following ones repeat the most recent reports.
 * Read first: RFC 2018 section 4.
 */

import { seqGe, seqGt, seqLe, seqLt } from '../../../base/sequence.ts';

const MIN_RANGES = 8;
/** Ranges that an ACK can report at most (without timestamps). */
const RECENT = 4;
const EMPTY: Int32Array = new Int32Array(0);

/** Blocks chosen by the last `report`, of whichever connection: they are written into a segment at once. */
export const blockStart: Int32Array = new Int32Array(RECENT);
export const blockEnd: Int32Array = new Int32Array(RECENT);

export class ReassemblyQueue {
  #starts: Int32Array = EMPTY;
  #ends: Int32Array = EMPTY;
  /** Number of ranges. */
  count: number = 0;
  /** A sequence number inside each recently touched range, latest first. */
  #recent: Int32Array = EMPTY;
  #recentCount: number = 0;
  /** The FIN's sequence number is known although data before it is missing. */
  finKnown: boolean = false;
  finSeq: number = 0;

  /** End of the last range; only while `count > 0`. */
  get endSeq(): number {
    return this.#ends[this.count - 1] as number;
  }

  clear(): void {
    this.count = 0;
    this.#recentCount = 0;
    this.finKnown = false;
  }

  /** Whether all of `[start, end)` is there already. */
  covers(start: number, end: number): boolean {
    for (let i = 0; i < this.count; i++) {
      if (seqLt(start, this.#starts[i] as number)) return false;
      if (seqLe(end, this.#ends[i] as number)) return true;
    }
    return false;
  }

  /** Enter `[start, end)`, joined with what it touches. False when there are `most` ranges already. */
  add(start: number, end: number, most: number): boolean {
    let from = 0;
    while (from < this.count && seqGt(start, this.#ends[from] as number)) from++;
    let to = from;
    let newStart = start;
    let newEnd = end;
    for (; to < this.count && seqGe(end, this.#starts[to] as number); to++) {
      if (seqLt(this.#starts[to] as number, newStart)) newStart = this.#starts[to] as number;
      if (seqGt(this.#ends[to] as number, newEnd)) newEnd = this.#ends[to] as number;
    }
    const shift = 1 - (to - from);
    if (shift > 0) {
      if (this.count >= most) return false;
      if (this.count === this.#starts.length) this.#grow();
    }
    if (shift !== 0) {
      this.#starts.copyWithin(to + shift, to, this.count);
      this.#ends.copyWithin(to + shift, to, this.count);
      this.count += shift;
    }
    this.#starts[from] = newStart;
    this.#ends[from] = newEnd;
    this.#touch(start, newStart, newEnd);
    return true;
  }

  /** RCV.NXT reached `seq`: the end of what is now in order, `seq` itself when a gap follows. Ranges passed are forgotten. */
  advance(seq: number): number {
    let passed = 0;
    while (passed < this.count && seqGe(seq, this.#starts[passed] as number)) {
      if (seqGt(this.#ends[passed] as number, seq)) seq = this.#ends[passed] as number;
      passed++;
    }
    if (passed > 0) {
      this.#starts.copyWithin(0, passed, this.count);
      this.#ends.copyWithin(0, passed, this.count);
      this.count -= passed;
      if (this.count === 0) this.#recentCount = 0;
    }
    return seq;
  }

  /**
   * Choose up to `limit` blocks to report, most recent first, into {@link blockStart} and {@link blockEnd}. Returns how
   * many.
   */
  report(limit: number): number {
    let blocks = 0;
    for (let r = 0; r < this.#recentCount && blocks < limit; r++) {
      const range = this.#rangeOf(this.#recent[r] as number);
      if (range < 0) continue;
      const start = this.#starts[range] as number;
      let known = false;
      for (let b = 0; b < blocks; b++) if (blockStart[b] === start) known = true;
      if (known) continue;
      blockStart[blocks] = start;
      blockEnd[blocks++] = this.#ends[range] as number;
    }
    return blocks;
  }

  /** Index of the range that holds `seq`, -1 when none does. */
  #rangeOf(seq: number): number {
    for (let i = 0; i < this.count; i++) {
      if (seqLt(seq, this.#starts[i] as number)) return -1;
      if (seqLt(seq, this.#ends[i] as number)) return i;
    }
    return -1;
  }

  /** Put the range that now is `[start, end)` first among the recent ones, and out of the later places. */
  #touch(seq: number, start: number, end: number): void {
    if (this.#recent.length === 0) this.#makeRecent();
    let kept = 0;
    for (let r = 0; r < this.#recentCount; r++) {
      const other = this.#recent[r] as number;
      const inside = seqGe(other, start) && seqLt(other, end);
      if (!inside) this.#recent[kept++] = other;
    }
    if (kept === RECENT) kept--;
    for (let r = kept; r > 0; r--) this.#recent[r] = this.#recent[r - 1] as number;
    this.#recent[0] = seq;
    this.#recentCount = kept + 1;
  }

  // cold: once per connection.
  #makeRecent(): void {
    this.#recent = new Int32Array(RECENT);
  }

  // cold: the ranges double.
  #grow(): void {
    const size = Math.max(MIN_RANGES, this.#starts.length * 2);
    const starts = new Int32Array(size);
    const ends = new Int32Array(size);
    starts.set(this.#starts);
    ends.set(this.#ends);
    this.#starts = starts;
    this.#ends = ends;
  }
}
