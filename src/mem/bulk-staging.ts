/**
 * Copies between the arena and ordinary arrays.
 *
 * Thread: any; the scratch belongs to the calling thread. The host may lend a copy of its own ({@link lendBufferCopy}, in
 * Node a memcpy). Without it: JavaScript copies to or from shared memory in words of 8 bytes when both ends are congruent
 * modulo 8, and byte by byte otherwise (V8's Relaxed_Memmove). Bytes whose ends are not congruent take two steps: between the
 * array and a congruent place in the scratch by `set`, between the scratch and their place by `Bulk.copy`. Measured on Node
 * 20: a view costs 30 ns, so few bytes go one by one; views of the scratch are kept.
 */

import type { Arena } from './arena.ts';

/** Larger copies go in pieces of this size; the scratch has 64 bytes more. */
const SCRATCH_BYTES = 32768;
/** Length from which making a view costs less than copying a byte at a time. */
const BY_LOOP_BYTES = 32;
/** Views of the scratch up to this length are made once and kept. */
const KEPT_VIEW_BYTES = 2048;

const scratches = new WeakMap<SharedArrayBuffer, number>();

/** Copies `n` bytes between two buffers, either of them shared, at any alignment. Ranges are the caller's responsibility. */
export type BufferCopy = (
  dst: ArrayBufferLike,
  dstOffset: number,
  src: ArrayBufferLike,
  srcOffset: number,
  n: number,
) => void;

let lentCopy: BufferCopy | null = null;

/**
 * Let this thread's bulks made from now on copy longer arrays by `copy`. Returns false, with nothing changed, when it does not
 * copy between shared and ordinary memory.
 */
// cold: once per thread
export function lendBufferCopy(copy: BufferCopy): boolean {
  const shared = new Uint8Array(new SharedArrayBuffer(8));
  const own = Uint8Array.of(1, 2, 3, 4);
  copy(shared.buffer, 3, own.buffer, 1, 3);
  copy(own.buffer, 0, shared.buffer, 2, 3);
  if (shared.join() !== '0,0,0,2,3,4,0,0' || own.join() !== '0,2,3,4') return false;
  lentCopy = copy;
  return true;
}

/** Bytes of a scratch. */
export const SCRATCH_TOTAL_BYTES: number = SCRATCH_BYTES + 64;

/**
 * Give this thread a scratch at `at` (64-aligned, {@link SCRATCH_TOTAL_BYTES}) before its first `createBulk`, so that a
 * thread that takes another's place takes its scratch too. Without it the first `createBulk` of a thread takes one from
 * the arena for good.
 */
export function lendScratch(arena: Arena, at: number): void {
  scratches.set(arena.buffer, at);
}

/** This thread's scratch in that arena. */
function scratchOf(arena: Arena): number {
  let at = scratches.get(arena.buffer);
  if (at === undefined) {
    at = arena.allocate(SCRATCH_TOTAL_BYTES, 64);
    scratches.set(arena.buffer, at);
  }
  return at;
}

type Copy = (dst: number, src: number, n: number) => void;

/** A range outside the array would reach other memory: the lent copy does not look. */
// cold: throws at a defect of the caller only
function checkRange(array: Uint8Array, offset: number, n: number): void {
  if (!(offset >= 0 && n <= array.length - offset))
    throw new RangeError(`no bytes ${offset} to ${offset + n} in an array of ${array.length}`);
}

export class Staging {
  readonly #bytes: Uint8Array;
  readonly #buffer: ArrayBufferLike;
  readonly #lent: BufferCopy | null = lentCopy;
  readonly #copy: Copy;
  readonly #scratchAt: number;
  /** By start modulo 8 and length. */
  readonly #views: (Uint8Array | undefined)[] = new Array<Uint8Array | undefined>(8 * (KEPT_VIEW_BYTES + 1)).fill(
    undefined,
  );

  constructor(arena: Arena, copy: Copy) {
    this.#bytes = arena.bytes;
    this.#buffer = arena.buffer;
    this.#copy = copy;
    this.#scratchAt = scratchOf(arena);
  }

  // cold: without the memcpy of the host a copy needs a view
  copyIn(dst: number, src: Uint8Array, srcOffset: number, n: number): void {
    const bytes = this.#bytes;
    if (n <= BY_LOOP_BYTES) {
      copyFew(bytes, dst, src, srcOffset, n);
      return;
    }
    if (this.#lent !== null) {
      checkRange(src, srcOffset, n);
      this.#lent(this.#buffer, dst, src.buffer, src.byteOffset + srcOffset, n);
      return;
    }
    const phase = (src.byteOffset + srcOffset) & 7;
    if ((dst & 7) === phase) {
      bytes.set(srcOffset === 0 && n === src.length ? src : src.subarray(srcOffset, srcOffset + n), dst);
      return;
    }
    const stage = this.#scratchAt + phase;
    while (n > 0) {
      const piece = Math.min(n, SCRATCH_BYTES);
      const whole = srcOffset === 0 && piece === src.length;
      bytes.set(whole ? src : src.subarray(srcOffset, srcOffset + piece), stage);
      this.#copy(dst, stage, piece);
      srcOffset += piece;
      dst += piece;
      n -= piece;
    }
  }

  // cold: without the memcpy of the host a copy needs a view
  copyOut(dst: Uint8Array, dstOffset: number, src: number, n: number): void {
    const bytes = this.#bytes;
    if (n <= BY_LOOP_BYTES) {
      copyFew(dst, dstOffset, bytes, src, n);
      return;
    }
    if (this.#lent !== null) {
      checkRange(dst, dstOffset, n);
      this.#lent(dst.buffer, dst.byteOffset + dstOffset, this.#buffer, src, n);
      return;
    }
    const phase = (dst.byteOffset + dstOffset) & 7;
    if (n <= KEPT_VIEW_BYTES) {
      this.#copy(this.#scratchAt + phase, src, n);
      dst.set(this.#views[phase * (KEPT_VIEW_BYTES + 1) + n] ?? this.#view(phase, n), dstOffset);
      return;
    }
    if ((src & 7) === phase) {
      dst.set(bytes.subarray(src, src + n), dstOffset);
      return;
    }
    const stage = this.#scratchAt + phase;
    while (n > 0) {
      const piece = Math.min(n, SCRATCH_BYTES);
      this.#copy(stage, src, piece);
      dst.set(bytes.subarray(stage, stage + piece), dstOffset);
      dstOffset += piece;
      src += piece;
      n -= piece;
    }
  }

  // cold: without the memcpy of the host a copy needs a view
  #view(phase: number, n: number): Uint8Array {
    const view = this.#bytes.subarray(this.#scratchAt + phase, this.#scratchAt + phase + n);
    this.#views[phase * (KEPT_VIEW_BYTES + 1) + n] = view;
    return view;
  }
}

/** Four at a time: a quarter less than one at a time, and two views fewer than `set`. */
/** Copy `n` bytes between two arrays, either of them shared, at any alignment. Throws RangeError when a range lies outside. */
// cold: without the memcpy of the host a copy needs a view
export function copyBytes(dst: Uint8Array, dstOffset: number, src: Uint8Array, srcOffset: number, n: number): void {
  checkRange(dst, dstOffset, n);
  checkRange(src, srcOffset, n);
  if (n <= BY_LOOP_BYTES) copyFew(dst, dstOffset, src, srcOffset, n);
  else if (lentCopy !== null)
    lentCopy(dst.buffer, dst.byteOffset + dstOffset, src.buffer, src.byteOffset + srcOffset, n);
  else dst.set(src.subarray(srcOffset, srcOffset + n), dstOffset);
}

function copyFew(dst: Uint8Array, dstOffset: number, src: Uint8Array, srcOffset: number, n: number): void {
  let i = 0;
  for (; i + 4 <= n; i += 4) {
    dst[dstOffset + i] = src[srcOffset + i] as number;
    dst[dstOffset + i + 1] = src[srcOffset + i + 1] as number;
    dst[dstOffset + i + 2] = src[srcOffset + i + 2] as number;
    dst[dstOffset + i + 3] = src[srcOffset + i + 3] as number;
  }
  for (; i < n; i++) dst[dstOffset + i] = src[srcOffset + i] as number;
}
