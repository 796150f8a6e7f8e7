/**
 * SipHash-2-4 over 32-bit words: the keyed hash behind initial sequence numbers, timestamp offsets
 * (RFC 6528) and interface identifiers (RFC 7217).
 *
 * Thread: the one that runs the kernel. Words of 64 bits are pairs of int32 kept in one scratch array; `hash3`
 * allocates nothing. `hash3` runs once per connection, not per segment.
 * Read first: Aumasson and Bernstein, "SipHash: a fast short-input PRF"; RFC 6528 section 3.
 */

import type { Rng } from './rng.ts';

/** v0..v3 as (high, low) pairs. */
const v = new Int32Array(8);

function add(a: number, b: number): void {
  const low = ((v[a + 1] as number) >>> 0) + ((v[b + 1] as number) >>> 0);
  v[a] = ((v[a] as number) + (v[b] as number) + (low > 0xffff_ffff ? 1 : 0)) | 0;
  v[a + 1] = low | 0;
}

function xor(a: number, b: number): void {
  v[a] = (v[a] as number) ^ (v[b] as number);
  v[a + 1] = (v[a + 1] as number) ^ (v[b + 1] as number);
}

/** Rotate left by `n`, 0 < n < 32. */
function rotate(a: number, n: number): void {
  const high = v[a] as number;
  const low = v[a + 1] as number;
  v[a] = (high << n) | (low >>> (32 - n));
  v[a + 1] = (low << n) | (high >>> (32 - n));
}

function swapHalves(a: number): void {
  const high = v[a] as number;
  v[a] = v[a + 1] as number;
  v[a + 1] = high;
}

function round(): void {
  add(0, 2);
  add(4, 6);
  rotate(2, 13);
  rotate(6, 16);
  xor(2, 0);
  xor(6, 4);
  swapHalves(0);
  add(4, 2);
  add(0, 6);
  rotate(2, 17);
  rotate(6, 21);
  xor(2, 4);
  xor(6, 0);
  swapHalves(4);
}

function absorb(high: number, low: number): void {
  v[6] = (v[6] as number) ^ high;
  v[7] = (v[7] as number) ^ low;
  round();
  round();
  v[0] = (v[0] as number) ^ high;
  v[1] = (v[1] as number) ^ low;
}

/** A 128-bit key, as the four little-endian words of its bytes. */
export class SipKey {
  readonly words: Int32Array = new Int32Array(4);

  static random(rng: Rng): SipKey {
    const key = new SipKey();
    for (let i = 0; i < 4; i++) key.words[i] = rng.next32();
    return key;
  }

  /** Low 32 bits of the hash of three words (12 bytes, each word little-endian). */
  hash3(a: number, b: number, c: number): number {
    this.#begin();
    absorb(b, a);
    absorb(12 << 24, c);
    finish();
    return low();
  }

  /** High and low 32 bits of the hash of any number of words, at most 63. */
  hash(words: readonly number[]): [number, number] {
    this.#begin();
    const { length } = words;
    let i = 0;
    for (; i + 1 < length; i += 2) absorb(words[i + 1] as number, words[i] as number);
    absorb((4 * length) << 24, i < length ? (words[i] as number) : 0);
    finish();
    return [(v[0] as number) ^ (v[2] as number) ^ (v[4] as number) ^ (v[6] as number), low()];
  }

  #begin(): void {
    const k0l = this.words[0] as number;
    const k0h = this.words[1] as number;
    const k1l = this.words[2] as number;
    const k1h = this.words[3] as number;
    v[0] = k0h ^ 0x736f6d65;
    v[1] = k0l ^ 0x70736575;
    v[2] = k1h ^ 0x646f7261;
    v[3] = k1l ^ 0x6e646f6d;
    v[4] = k0h ^ 0x6c796765;
    v[5] = k0l ^ 0x6e657261;
    v[6] = k1h ^ 0x74656462;
    v[7] = k1l ^ 0x79746573;
  }
}

function finish(): void {
  v[5] = (v[5] as number) ^ 0xff;
  round();
  round();
  round();
  round();
}

function low(): number {
  return ((v[1] as number) ^ (v[3] as number) ^ (v[5] as number) ^ (v[7] as number)) | 0;
}
