/**
 * `Bulk` in TypeScript, for engines without SIMD in WebAssembly.
 *
 * Thread: any. Ranges that are congruent modulo 8 are copied by the engine in words; others by 16-bit or 8-bit steps of a
 * loop, which is slow and right. Sums take 32 bits at a time, halves added apart (RFC 1071 section 2(C)).
 */

import { checksumOf, foldSum } from '../base/checksum.ts';
import type { Arena } from './arena.ts';
import type { Bulk } from './bulk.ts';

const BY_LOOP_BYTES = 48;
const LITTLE_ENDIAN: boolean = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

function fold(sum: number): number {
  while (sum > 0xffff) sum = (sum % 0x10000) + Math.floor(sum / 0x10000);
  return sum;
}

function swap(sum: number): number {
  return ((sum & 0xff) << 8) | (sum >> 8);
}

/** Both halves of a word. */
function halves(word: number): number {
  return (word >>> 16) + (word & 0xffff);
}

export class ScriptBulk implements Bulk {
  readonly kind = 'script';
  readonly #bytes: Uint8Array;
  readonly #halves: Uint16Array;
  readonly #words: Int32Array;
  readonly #view: DataView;

  constructor(arena: Arena) {
    this.#bytes = arena.bytes;
    this.#halves = new Uint16Array(arena.buffer);
    this.#words = arena.words;
    this.#view = arena.view;
  }

  copy(dst: number, src: number, n: number): void {
    if (n > BY_LOOP_BYTES || (dst > src && dst < src + n)) {
      this.#bytes.copyWithin(dst, src, src + n);
      return;
    }
    const bytes = this.#bytes;
    for (let i = 0; i < n; i++) bytes[dst + i] = bytes[src + i] as number;
  }

  fill(at: number, n: number, byte: number): void {
    this.#bytes.fill(byte, at, at + n);
  }

  sum(at: number, n: number): number {
    const odd = at & 1;
    const end = at + n;
    // An odd start shifts every byte to the other half of its word: sum the words in between, then swap (RFC 1071 section 2(B)).
    let edges = 0;
    if (odd !== 0 && n > 0) edges += (this.#bytes[at++] as number) << 8;
    let middle = 0;
    while (at < end - 1 && (at & 3) !== 0) {
      middle += this.#halves[at >> 1] as number;
      at += 2;
    }
    middle += this.#sumWords(at, end);
    at += (end - at) & ~3;
    if (end - at >= 2) {
      middle += this.#halves[at >> 1] as number;
      at += 2;
    }
    let sum = LITTLE_ENDIAN ? swap(fold(middle)) : fold(middle);
    if (at < end) sum += (this.#bytes[at] as number) << 8;
    if (odd === 0) return fold(sum);
    return fold(swap(fold(sum)) + edges);
  }

  /** Whole aligned words in [at, end). */
  #sumWords(at: number, end: number): number {
    const words = this.#words;
    const last = at + ((end - at) & ~3);
    let total = 0;
    let low = 0;
    let high = 0;
    for (let count = 0; at < last; at += 4) {
      const word = words[at >> 2] as number;
      low = (low + (word & 0xffff)) | 0;
      high = (high + (word >>> 16)) | 0;
      // 2^15 halves of at most 2^16 stay within int32.
      if (++count === 0x7fff) {
        total += low + high;
        low = 0;
        high = 0;
        count = 0;
      }
    }
    return total + low + high;
  }

  copySum(dst: number, src: number, n: number): number {
    this.copy(dst, src, n);
    return this.sum(dst, n);
  }

  // cold: without WebAssembly a copy needs a view
  copyIn(dst: number, src: Uint8Array, srcOffset: number, n: number): void {
    const bytes = this.#bytes;
    if (n <= BY_LOOP_BYTES) {
      for (let i = 0; i < n; i++) bytes[dst + i] = src[srcOffset + i] as number;
    } else {
      bytes.set(src.subarray(srcOffset, srcOffset + n), dst);
    }
  }

  // cold: without WebAssembly a copy needs a view
  copyOut(dst: Uint8Array, dstOffset: number, src: number, n: number): void {
    const bytes = this.#bytes;
    if (n <= BY_LOOP_BYTES) {
      for (let i = 0; i < n; i++) dst[dstOffset + i] = bytes[src + i] as number;
    } else {
      dst.set(bytes.subarray(src, src + n), dstOffset);
    }
  }

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
  ): void {
    const view = this.#view;
    let number = view.getInt32(header + numberAt);
    for (let i = 0; i < count; i++) {
      this.copy(dst, header, headerBytes);
      view.setInt32(dst + numberAt, number);
      const payload = this.copySum(dst + headerBytes, src, n);
      if (sum >= 0) view.setUint16(dst + numberAt + 12, checksumOf(sum + halves(number) + payload));
      number = (number + n) | 0;
      src += n;
      dst += stride;
    }
  }

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
  ): number {
    const view = this.#view;
    let number = view.getInt32(header + numberAt);
    for (let taken = 0; taken < count; taken++) {
      number = (number + n) | 0;
      if (view.getInt32(src + numberAt) !== number) return taken;
      if (!this.#alike(src, header, 0, numberAt)) return taken;
      if (!this.#alike(src, header, numberAt + 4, numberAt + 12)) return taken;
      if (!this.#alike(src, header, numberAt + 14, headerBytes)) return taken;
      const checksum = view.getUint16(src + numberAt + 12);
      const payload = this.copySum(dst, src + headerBytes, n);
      if (sum >= 0 && foldSum(sum + halves(number) + checksum + payload) !== 0xffff) return taken;
      dst += n;
      src += stride;
    }
    return count;
  }

  #alike(a: number, b: number, from: number, to: number): boolean {
    const bytes = this.#bytes;
    for (let i = from; i < to; i++) if (bytes[a + i] !== bytes[b + i]) return false;
    return true;
  }
}
