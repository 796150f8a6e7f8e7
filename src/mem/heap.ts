/**
 * Heap: buddy allocator over a kernel's own region, for socket buffers and other memory of unequal lifetimes.
 *
 * Thread: the kernel's. Blocks are powers of two from `minBytes` to `maxBytes`. All bookkeeping lies in private memory:
 * no other party can corrupt it, and a peer that scribbles over the region damages contents only. Free blocks of an order
 * form a doubly linked list through arrays indexed by the smallest block; freeing merges with the buddy at once. Entries of
 * these arrays are block numbers plus one, so that 0 is none and pages of blocks that were never used stay untouched.
 *
 * Many buffers share a heap by dynamic thresholds (Choudhury and Hahne, "Dynamic queue length thresholds for shared-memory
 * packet switches", 1998): a buffer may be a quarter of what is free (`shareBytes`), so that there is always some left, and
 * an eighth of the heap is kept for buffers that are small.
 */

import { assert } from '../base/assert.ts';

const DEFAULT_MIN_BYTES = 256;
const DEFAULT_MAX_BYTES: number = 8 * 1024 * 1024;
const NONE = 0;

/** The part of the heap that is kept for small buffers, and the part of the rest that one buffer may be, as shifts. */
const RESERVE_SHIFT = 3;
const SHARE_SHIFT = 2;
/** A buffer may be as large while half of the reserve is there, and as large after that. */
const SMALL_BYTES = 4096;
const SMALLEST_BYTES = 1024;

/** State of the smallest block at which a block begins: its order, free or taken, or nothing begins there. */
const FREE = 0x40;
const TAKEN = 0x80;

/** Options of a {@link Heap}: its block sizes. */
export interface HeapOptions {
  /** Smallest block, a power of two; default 256. */
  minBytes?: number;
  /** Largest block, a power of two; default 8 MiB (or less, when the region is smaller). */
  maxBytes?: number;
}

/**
 * Buddy allocator over a region that belongs to one thread: blocks of powers of two, whose bookkeeping lies in private memory.
 */
export class Heap {
  /** Place of the first block. */
  readonly baseAt: number;
  /** Bytes that the blocks cover: those of the region, less what is no whole smallest block. */
  readonly byteLength: number;
  /** Size of the smallest block. */
  readonly minBytes: number;
  /** Size of the largest block: most that one `allocate` gives. */
  readonly maxBytes: number;
  /** Bytes in blocks handed out, rounding included. */
  usedBytes: number = 0;
  /** Bytes that may be handed out: all of them, or fewer. A limit that is lowered holds for what comes after. */
  limitBytes: number;
  /** Times that there was less than somebody wanted. */
  refusals: number = 0;
  /** Size of the block that `allocateShare` gave last. */
  allocatedBytes: number = 0;

  readonly #minShift: number;
  readonly #orders: number;
  readonly #units: number;
  readonly #state: Uint8Array;
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #first: Int32Array;

  /**
   * The region `[baseAt, baseAt + byteLength)` of the arena; its last bytes below one smallest block are not used. Throws an
   * Error when a block size is no power of two, the region is shorter than a block or `baseAt` is no multiple of 64.
   */
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
    this.limitBytes = this.byteLength;
    const largest = Math.min(31 - Math.clz32(wantedMax >>> this.#minShift), 31 - Math.clz32(this.#units));
    this.maxBytes = this.minBytes << largest;
    this.#orders = largest + 1;
    this.#state = new Uint8Array(this.#units);
    this.#next = new Int32Array(this.#units);
    this.#previous = new Int32Array(this.#units);
    this.#first = new Int32Array(this.#orders);
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
    if (!(byteLength > 0 && byteLength <= this.maxBytes)) return this.#refuse();
    const wanted = this.#orderOf(byteLength);
    if (this.usedBytes + (this.minBytes << wanted) > this.limitBytes) return this.#refuse();
    let order = wanted;
    while (order < this.#orders && this.#first[order] === NONE) order++;
    if (order === this.#orders) return this.#refuse();
    const unit = (this.#first[order] as number) - 1;
    this.#unlink(unit, order);
    while (order > wanted) {
      order--;
      this.#link(unit + (1 << order), order);
    }
    this.#state[unit] = TAKEN | wanted;
    this.usedBytes += this.minBytes << wanted;
    return this.baseAt + (unit << this.#minShift);
  }

  /** `allocate` that leaves the reserve alone: for what can be lost. */
  allocateSpare(byteLength: number): number {
    const freeBytes = this.limitBytes - this.usedBytes - this.blockBytes(byteLength);
    return freeBytes < this.limitBytes >> RESERVE_SHIFT ? this.#refuse() : this.allocate(byteLength);
  }

  /**
   * Bytes that a buffer which has `heldBytes` of this heap may have by now, a power of two: less than `heldBytes` when it
   * should give some back, up to 4096 when only the reserve is left, 0 when nothing is. Fragmentation may leave less.
   */
  shareBytes(heldBytes: number): number {
    const freeBytes = this.limitBytes - this.usedBytes + heldBytes;
    const reserveBytes = this.limitBytes >> RESERVE_SHIFT;
    const share = (freeBytes - reserveBytes) >> SHARE_SHIFT;
    if (share >= 2 * SMALL_BYTES) return Math.min(0x8000_0000 >>> Math.clz32(share), this.maxBytes);
    if (freeBytes >= (reserveBytes >> 1) + SMALL_BYTES) return SMALL_BYTES;
    return freeBytes >= SMALLEST_BYTES ? SMALLEST_BYTES : 0;
  }

  /**
   * A block for a buffer that has one of `heldBytes`, perhaps 0, and needs `byteLength`: as large, or as its share and what is
   * free allow, but larger than the one it has. Returns its offset and sets `allocatedBytes`; -1 when there is none.
   */
  allocateShare(byteLength: number, heldBytes: number): number {
    const wanted = this.blockBytes(Math.min(byteLength, this.maxBytes));
    const share = this.shareBytes(heldBytes);
    if (share < byteLength) this.refusals++;
    for (let bytes = Math.min(wanted, share); bytes > heldBytes && bytes >= this.minBytes; bytes >>= 1) {
      const at = this.allocate(bytes);
      if (at < 0) continue;
      this.allocatedBytes = bytes;
      return at;
    }
    return -1;
  }

  #refuse(): number {
    this.refusals++;
    return -1;
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
    if (first !== NONE) this.#previous[first - 1] = unit + 1;
    this.#first[order] = unit + 1;
  }

  #unlink(unit: number, order: number): void {
    const next = this.#next[unit] as number;
    const previous = this.#previous[unit] as number;
    if (previous === NONE) this.#first[order] = next;
    else this.#next[previous - 1] = next;
    if (next !== NONE) this.#previous[next - 1] = previous;
    this.#state[unit] = 0;
  }
}
