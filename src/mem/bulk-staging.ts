/**
 * Copies between the arena and ordinary arrays.
 *
 * Thread: any; the scratch belongs to the calling thread. JavaScript copies to or from shared memory in words of 8 bytes
 * when both ends are congruent modulo 8, and byte by byte otherwise (V8's Relaxed_Memmove). So when they are not, the
 * bytes take two steps: between the array and a congruent place in the scratch by `set`, between scratch and their place
 * by a wasm copy. Few bytes go one by one, which saves making a view (30 ns).
 */

import type { Arena } from './arena.ts';

/** Larger copies go in pieces of this size; the scratch has 64 bytes more. */
const SCRATCH_BYTES = 32768;
const BY_LOOP_BYTES = 48;

const scratches = new WeakMap<SharedArrayBuffer, number>();

/** This thread's scratch in that arena. */
export function scratchOf(arena: Arena): number {
  let at = scratches.get(arena.buffer);
  if (at === undefined) {
    at = arena.allocate(SCRATCH_BYTES + 64, 64);
    scratches.set(arena.buffer, at);
  }
  return at;
}

type Copy = (dst: number, src: number, n: number) => void;

export function copyIn(
  bytes: Uint8Array,
  scratchAt: number,
  copy: Copy,
  dst: number,
  src: Uint8Array,
  srcOffset: number,
  n: number,
): void {
  if (n <= BY_LOOP_BYTES) {
    for (let i = 0; i < n; i++) bytes[dst + i] = src[srcOffset + i] as number;
    return;
  }
  const phase = (src.byteOffset + srcOffset) & 7;
  if ((dst & 7) === phase) {
    bytes.set(src.subarray(srcOffset, srcOffset + n), dst);
    return;
  }
  const stage = scratchAt + phase;
  while (n > 0) {
    const piece = Math.min(n, SCRATCH_BYTES);
    bytes.set(src.subarray(srcOffset, srcOffset + piece), stage);
    copy(dst, stage, piece);
    srcOffset += piece;
    dst += piece;
    n -= piece;
  }
}

export function copyOut(
  bytes: Uint8Array,
  scratchAt: number,
  copy: Copy,
  dst: Uint8Array,
  dstOffset: number,
  src: number,
  n: number,
): void {
  if (n <= BY_LOOP_BYTES) {
    for (let i = 0; i < n; i++) dst[dstOffset + i] = bytes[src + i] as number;
    return;
  }
  const phase = (dst.byteOffset + dstOffset) & 7;
  if ((src & 7) === phase) {
    dst.set(bytes.subarray(src, src + n), dstOffset);
    return;
  }
  const stage = scratchAt + phase;
  while (n > 0) {
    const piece = Math.min(n, SCRATCH_BYTES);
    copy(stage, src, piece);
    dst.set(bytes.subarray(stage, stage + piece), dstOffset);
    dstOffset += piece;
    src += piece;
    n -= piece;
  }
}
