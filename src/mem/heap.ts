/**
 * Heap: buddy allocator over a kernel's own region, for socket buffers and other memory of unequal lifetimes.
 *
 * Thread: the kernel's. Blocks are powers of two from `minBytes` to `maxBytes`. All bookkeeping lies in private memory:
 * no other party can corrupt it, and a peer that scribbles over the region damages contents only. Free blocks of an order
 * form a doubly linked list through arrays indexed by the smallest block; freeing merges with the buddy at once.
 */

import { assert } from '../base/assert.ts';

const DEFAULT_MIN_BYTES = 4096;
const DEFAULT_MAX_BYTES: number = 8 * 1024 * 1024;
const NONE = -1;

/** State of the smallest block at which a block begins: its order, free or taken, or nothing begins there. */
const FREE = 0x40;
const TAKEN = 0x80;

export interface HeapOptions {
  /** Smallest block, a power of two; default 4096. */
  minBytes?: number;
  /** Largest block, a power of two; default 8 MiB (or less, when the region is smaller). */
  maxBytes?: number;
}

export class Heap {
  readonly baseAt: number;
  readonly byteLength: number;
  readonly minBytes: number;
  readonly maxBytes: number;
  /** Bytes in blocks handed out, rounding included. */
  usedBytes: number = 0;

  readonly #minShift: number;
  readonly #orders: number;
  readonly #units: number;
  readonly #state: Uint8Array;
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #first: Int32Array;

  /** The region `[baseAt, baseAt + byteLength)` of the arena; its last bytes below one smallest block are not used. */
  constructor(baseAt: number, byteLength: number, options: HeapOptions = {}) {
    this.baseAt = baseAt;
    this.minBytes = options.minBytes ?? DEFAULT_MIN_BYTES;
    this.#minShift = 31 - Math.clz32(this.minBytes);
    const wantedMax = options.maxBytes ?? DEFAULT_MAX_BYTES;
    assert(
      this.minBytes === 1 << this.#minShift && (wantedMax & (wantedMax - 1)) === 0,
      'heap: block sizes are powers of two',
    );
    this.#units = Math.floor(byteLength / this.minBytes);
    assert(this.#units > 0 && baseAt % 64 === 0, 'heap: region below one block, or not aligned');
    this.byteLength = this.#units * this.minBytes;
    const largest = Math.min(31 - Math.clz32(wantedMax >>> this.#minShift), 31 - Math.clz32(this.#units));
    this.maxBytes = this.minBytes << largest;
    this.#orders = largest + 1;
    this.#state = new Uint8Array(this.#units);
    this.#next = new Int32Array(this.#units).fill(NONE);
    this.#previous = new Int32Array(this.#units).fill(NONE);
    this.#first = new Int32Array(this.#orders).fill(NONE);
    this.#cover();
  }

  /** Cut the region into the largest blocks that fit and are aligned to their size. */
  #cover(): void {
    for (let unit = this.#units; unit > 0; ) {
      // From the end, so that low addresses come first in the lists.
      let order = 0;
      while (order + 1 < this.#orders && (unit & ((1 << (order + 1)) - 1)) === 0) order++;
      unit -= 1 << order;
      this.#link(unit, order);
    }
  }

  /**
   * A block of at least `byteLength` bytes: its offset in the arena, aligned to the smallest block; -1 when none is free
   * or it is longer than `maxBytes`. The content is the last user's.
   */
  allocate(byteLength: number): number {
    if (!(byteLength > 0 && byteLength <= this.maxBytes)) return -1;
    const wanted = this.#orderOf(byteLength);
    let order = wanted;
    while (order < this.#orders && this.#first[order] === NONE) order++;
    if (order === this.#orders) return -1;
    const unit = this.#first[order] as number;
    this.#unlink(unit, order);
    while (order > wanted) {
      order--;
      this.#link(unit + (1 << order), order);
    }
    this.#state[unit] = TAKEN | wanted;
    this.usedBytes += this.minBytes << wanted;
    return this.baseAt + (unit << this.#minShift);
  }

  /** Bytes that `allocate(byteLength)` really takes, 0 when it cannot. */
  blockBytes(byteLength: number): number {
    return byteLength > 0 && byteLength <= this.maxBytes ? this.minBytes << this.#orderOf(byteLength) : 0;
  }

  /** Give a block back; `at` as `allocate` returned it. Throws on anything else: a defect of the caller. */
  free(at: number): void {
    const offset = at - this.baseAt;
    let unit = offset >> this.#minShift;
    const state = unit >= 0 && unit < this.#units ? (this.#state[unit] as number) : 0;
    assert((state & TAKEN) !== 0 && unit << this.#minShift === offset, 'heap: not an allocated block');
    let order = state & 0x3f;
    this.usedBytes -= this.minBytes << order;
    this.#state[unit] = 0;
    while (order + 1 < this.#orders) {
      const buddy = unit ^ (1 << order);
      if (buddy >= this.#units || this.#state[buddy] !== (FREE | order)) break;
      this.#unlink(buddy, order);
      unit = Math.min(unit, buddy);
      order++;
    }
    this.#link(unit, order);
  }

  #orderOf(byteLength: number): number {
    const units = (byteLength + this.minBytes - 1) >>> this.#minShift;
    return units <= 1 ? 0 : 32 - Math.clz32(units - 1);
  }

  #link(unit: number, order: number): void {
    const first = this.#first[order] as number;
    this.#state[unit] = FREE | order;
    this.#next[unit] = first;
    this.#previous[unit] = NONE;
    if (first !== NONE) this.#previous[first] = unit;
    this.#first[order] = unit;
  }

  #unlink(unit: number, order: number): void {
    const next = this.#next[unit] as number;
    const previous = this.#previous[unit] as number;
    if (previous === NONE) this.#first[order] = next;
    else this.#next[previous] = next;
    if (next !== NONE) this.#previous[next] = previous;
    this.#state[unit] = 0;
  }
}
