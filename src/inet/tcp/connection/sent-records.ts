/**
 * One record for each segment that was sent and not yet acknowledged, in the order of sequence numbers.
 *
 * Thread: the one that runs the CPU. A ring of typed arrays; an index counts up and is masked. The meaning of the flags is
 * the scoreboard's.
 */

import { seqGe } from '../../../base/sequence.ts';

/** Arrays of up to 64 bytes lie in the engine's own heap: cheap for connections that send little. */
const MIN_RECORDS = 8;
/** An emptied ring larger than this gives its memory back when the connection ends. */
const KEPT_RECORDS = 256;

export class SentRecords {
  protected seqs: Int32Array = new Int32Array(MIN_RECORDS);
  protected lengths: Int32Array = new Int32Array(MIN_RECORDS);
  protected flags: Uint8Array = new Uint8Array(MIN_RECORDS);
  protected times: Float64Array = new Float64Array(MIN_RECORDS);
  protected mask: number = MIN_RECORDS - 1;
  protected head: number = 0;
  protected tail: number = 0;

  get empty(): boolean {
    return this.head === this.tail;
  }

  get count(): number {
    return this.tail - this.head;
  }

  /** A segment was sent for the first time. `length` counts sequence space: data and FIN. */
  push(seq: number, length: number, nowUs: number): void {
    if (this.tail - this.head > this.mask) this.grow();
    const i = this.tail++ & this.mask;
    this.seqs[i] = seq;
    this.lengths[i] = length;
    this.flags[i] = 0;
    this.times[i] = nowUs;
  }

  get first(): number {
    return this.head === this.tail ? -1 : this.head;
  }

  get last(): number {
    return this.tail - 1;
  }

  seqOf(index: number): number {
    return this.seqs[index & this.mask] as number;
  }

  lengthOf(index: number): number {
    return this.lengths[index & this.mask] as number;
  }

  /** No records, and a small ring. */
  protected empties(): void {
    this.head = this.tail = 0;
    if (this.mask >= KEPT_RECORDS) this.allocate(MIN_RECORDS);
  }

  /** Index of the record that holds `seq`: the last one that does not begin after it; the head when all do. */
  protected indexAt(seq: number): number {
    let low = this.head;
    let high = this.tail;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (seqGe(seq, this.seqs[middle & this.mask] as number)) low = middle;
      else high = middle;
    }
    return low;
  }

  /** Make two records of one; later records move up by one place. */
  split(index: number, length: number): void {
    if (this.tail - this.head > this.mask) this.grow();
    const mask = this.mask;
    for (let n = this.tail; n > index; n--) {
      const to = n & mask;
      const from = (n - 1) & mask;
      this.seqs[to] = this.seqs[from] as number;
      this.lengths[to] = this.lengths[from] as number;
      this.flags[to] = this.flags[from] as number;
      this.times[to] = this.times[from] as number;
    }
    this.tail++;
    const first = index & mask;
    const second = (index + 1) & mask;
    this.seqs[second] = ((this.seqs[first] as number) + length) | 0;
    this.lengths[second] = (this.lengths[first] as number) - length;
    this.lengths[first] = length;
  }

  /** Make one record of `index` and the `count` after it; later records move down. */
  protected join(index: number, count: number): void {
    const { mask } = this;
    const first = index & mask;
    const last = (index + count) & mask;
    this.lengths[first] =
      ((this.seqs[last] as number) + (this.lengths[last] as number) - (this.seqs[first] as number)) | 0;
    for (let n = index + count + 1; n < this.tail; n++) {
      const from = n & mask;
      const to = (n - count) & mask;
      this.seqs[to] = this.seqs[from] as number;
      this.lengths[to] = this.lengths[from] as number;
      this.flags[to] = this.flags[from] as number;
      this.times[to] = this.times[from] as number;
    }
    this.tail -= count;
  }

  protected grow(): void {
    this.allocate((this.mask + 1) * 2);
  }

  // cold: the records double.
  protected allocate(records: number): void {
    const seq = new Int32Array(records);
    const length = new Int32Array(records);
    const flags = new Uint8Array(records);
    const sentUs = new Float64Array(records);
    const mask = records - 1;
    for (let n = this.head; n < this.tail; n++) {
      seq[n & mask] = this.seqs[n & this.mask] as number;
      length[n & mask] = this.lengths[n & this.mask] as number;
      flags[n & mask] = this.flags[n & this.mask] as number;
      sentUs[n & mask] = this.times[n & this.mask] as number;
    }
    this.seqs = seq;
    this.lengths = length;
    this.flags = flags;
    this.times = sentUs;
    this.mask = mask;
  }
}
