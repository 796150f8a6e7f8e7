/**
 * A sorted set of disjoint, half-open intervals `[start, end)` of 32-bit sequence numbers, of bounded size.
 *
 * Thread: any; an instance belongs to one owner. All methods but the constructor allocate nothing. Sequence numbers are
 * int32 modulo 2^32, so the set is sorted by signed differences: its members, and every number it is asked about, must lie
 * within 2^31 - 1 of each other. A sliding window sees to that: what falls behind it is taken out with `removeBelow`.
 * Read first: base/sequence.ts. Uses: SACK scoreboards (RFC 6675), reassembly of segments.
 */

import { assert } from './assert.ts';

export class IntervalSet {
  readonly capacity: number;
  #count = 0;
  readonly #starts: Int32Array;
  readonly #ends: Int32Array;

  /** `capacity`: how many separate intervals there can be. */
  constructor(capacity: number) {
    assert(Number.isInteger(capacity) && capacity > 0, 'interval set capacity is a positive integer');
    this.capacity = capacity;
    this.#starts = new Int32Array(capacity);
    this.#ends = new Int32Array(capacity);
  }

  /** Number of intervals, at most `capacity`. */
  get count(): number {
    return this.#count;
  }

  /** Start of interval `index`, 0 being the lowest. */
  startAt(index: number): number {
    assert(index >= 0 && index < this.#count, 'interval index');
    return this.#starts[index] as number;
  }

  /** End (exclusive) of interval `index`. */
  endAt(index: number): number {
    assert(index >= 0 && index < this.#count, 'interval index');
    return this.#ends[index] as number;
  }

  clear(): void {
    this.#count = 0;
  }

  /** How many numbers are in the set. */
  get size(): number {
    let size = 0;
    for (let i = 0; i < this.#count; i++) size += ((this.#ends[i] as number) - (this.#starts[i] as number)) | 0;
    return size;
  }

  /**
   * Add `[start, end)`, joining what it overlaps or touches. Returns how many numbers were not in the set before (0: all
   * were, or the interval is empty), or -1, with the set unchanged, when it would need more intervals than there is room for.
   */
  add(start: number, end: number): number {
    let added = (end - start) | 0;
    if (added <= 0) return 0;
    // [first, last): the members that overlap or touch the new one.
    const first = this.#firstEndingAtOrAfter(start);
    let last = first;
    let from = start | 0;
    let to = end | 0;
    while (last < this.#count && (((this.#starts[last] as number) - end) | 0) <= 0) {
      const memberStart = this.#starts[last] as number;
      const memberEnd = this.#ends[last] as number;
      const overlapStart = ((memberStart - start) | 0) > 0 ? memberStart : start;
      const overlapEnd = ((memberEnd - end) | 0) < 0 ? memberEnd : end;
      added -= (overlapEnd - overlapStart) | 0;
      if (((memberStart - from) | 0) < 0) from = memberStart;
      if (((memberEnd - to) | 0) > 0) to = memberEnd;
      last++;
    }
    if (first === last && this.#count === this.capacity) return -1;
    this.#resize(first, last - first, 1);
    this.#starts[first] = from;
    this.#ends[first] = to;
    return added;
  }

  /** Take out everything before `point`. Returns how many numbers went. */
  removeBelow(point: number): number {
    let removed = 0;
    let gone = 0;
    while (gone < this.#count && (((this.#ends[gone] as number) - point) | 0) <= 0) {
      removed += ((this.#ends[gone] as number) - (this.#starts[gone] as number)) | 0;
      gone++;
    }
    if (gone > 0) this.#resize(0, gone, 0);
    if (this.#count > 0 && (((this.#starts[0] as number) - point) | 0) < 0) {
      removed += (point - (this.#starts[0] as number)) | 0;
      this.#starts[0] = point;
    }
    return removed;
  }

  /** Whether `point` is in the set. */
  contains(point: number): boolean {
    const index = this.indexOf(point);
    return index >= 0;
  }

  /** Whether all of `[start, end)` is in the set. An empty interval is. */
  containsAll(start: number, end: number): boolean {
    if (((end - start) | 0) <= 0) return true;
    const index = this.indexOf(start);
    return index >= 0 && (((this.#ends[index] as number) - end) | 0) >= 0;
  }

  /** Whether any of `[start, end)` is in the set. */
  containsAny(start: number, end: number): boolean {
    if (((end - start) | 0) <= 0) return false;
    const index = this.#firstEndingAfter(start);
    return index < this.#count && (((this.#starts[index] as number) - end) | 0) < 0;
  }

  /** The interval that holds `point`, or -1. */
  indexOf(point: number): number {
    const index = this.#firstEndingAfter(point);
    return index < this.#count && (((this.#starts[index] as number) - point) | 0) <= 0 ? index : -1;
  }

  /** The first number at or after `point` that is not in the set: where the next gap begins. */
  gapStart(point: number): number {
    const index = this.indexOf(point);
    return index < 0 ? point | 0 : (this.#ends[index] as number);
  }

  /**
   * Where the gap that begins at `gapStart(point)` ends: the start of the next interval, or `limit` when that comes first or
   * there is none. `limit` must not lie before the gap.
   */
  gapEnd(point: number, limit: number): number {
    const index = this.#firstEndingAfter(this.gapStart(point));
    if (index >= this.#count) return limit | 0;
    const next = this.#starts[index] as number;
    return ((next - limit) | 0) < 0 ? next : limit | 0;
  }

  /** Index of the first member with `end > point`; `count` when there is none. */
  #firstEndingAfter(point: number): number {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((((this.#ends[middle] as number) - point) | 0) > 0) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Index of the first member with `end >= point`; `count` when there is none. */
  #firstEndingAtOrAfter(point: number): number {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((((this.#ends[middle] as number) - point) | 0) >= 0) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Make the `before` members at `index` into `after` ones; those behind them move. */
  #resize(index: number, before: number, after: number): void {
    if (before === after) return;
    this.#starts.copyWithin(index + after, index + before, this.#count);
    this.#ends.copyWithin(index + after, index + before, this.#count);
    this.#count += after - before;
  }
}
