/**
 * Bulk work over the arena: copy, fill, and the Internet checksum's sum (RFC 1071), plus copies between the arena and
 * ordinary arrays.
 *
 * Thread: each thread makes its own with {@link createBulk}. Two implementations behind one interface: a small SIMD module
 * over the arena's memory (src/wasm/bulk.ts), and TypeScript where the engine has no SIMD. JavaScript's own `set` and
 * `copyWithin` copy *shared* memory byte by byte unless source and destination are congruent modulo 8, six times slower:
 * nothing here calls them on shared memory otherwise.
 */

import type { Arena } from './arena.ts';
import { ScriptBulk } from './bulk-script.ts';
import { createWasmBulk } from './bulk-wasm.ts';

/** Offsets (`dst`, `src`, `at`) are bytes into the arena; `n` counts bytes. Ranges are the caller's responsibility. */
export interface Bulk {
  /** Name of the implementation. */
  readonly kind: 'wasm' | 'script';
  /** Like memmove: the ranges may overlap. */
  copy(dst: number, src: number, n: number): void;
  /** Set `n` bytes from `at` on to `byte`. */
  fill(at: number, n: number, byte: number): void;
  /**
   * Ones' complement sum of `n` bytes read as big-endian 16-bit words, folded to 16 bits, not complemented; an odd last
   * byte counts as the high half of a word (RFC 1071 section 4.1).
   */
  sum(at: number, n: number): number;
  /** `copy`, and the `sum` of the copied bytes, in one pass. The ranges must not overlap. */
  copySum(dst: number, src: number, n: number): number;
  /** Into the arena from an ordinary array. */
  copyIn(dst: number, src: Uint8Array, srcOffset: number, n: number): void;
  /** From the arena into an ordinary array. */
  copyOut(dst: Uint8Array, dstOffset: number, src: number, n: number): void;
  /**
   * Segments of TCP, `count` of them, `stride` apart from `dst` on: each has the `headerBytes` at `header`, its sequence number
   * (at `numberAt`) `n` higher than that of the one before, and the next `n` bytes from `src`. The checksum, 12 bytes
   * behind the number, is made from them and from `sum`, which covers all else (unfolded, below 2^31 - 2^18); with a
   * negative `sum` it stays as in the header. Headers have 16 bytes or more before the number.
   */
  writeRun(
    dst: number,
    stride: number,
    header: number,
    headerBytes: number,
    numberAt: number,
    src: number,
    n: number,
    count: number,
    sum: number,
  ): void;
  /**
   * The reverse: of `count` segments that lie `stride` apart from `src` on, those that continue the one whose header is at
   * `header`, which nobody else may write. As long as a segment has this header, the number `n` higher than the one
   * before, and (unless `sum` is negative) the right checksum, its `n` bytes are copied to `dst` and those that follow.
   * Returns how many there were; of the next one bytes may have been copied. Behind the checksum a header has 2 bytes, or
   * 8 and more.
   */
  readRun(
    dst: number,
    src: number,
    stride: number,
    header: number,
    headerBytes: number,
    numberAt: number,
    n: number,
    count: number,
    sum: number,
  ): number;
}

/** Options of {@link createBulk}. */
export interface BulkOptions {
  /** False: the TypeScript implementation even where SIMD exists. */
  simd?: boolean;
}

/** Bulk operations over this arena for the calling thread. */
// cold: once per thread
export function createBulk(arena: Arena, options: BulkOptions = {}): Bulk {
  if (options.simd !== false) {
    const bulk = createWasmBulk(arena);
    if (bulk !== null) return bulk;
  }
  return new ScriptBulk(arena);
}
