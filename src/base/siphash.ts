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

/**
 * SipRound, `count` times. One function without calls: a program's first connections run it uncompiled, where a call costs more
 * than the arithmetic.
 */
function rounds(count: number): void {
  let h0 = v[0] as number;
  let l0 = v[1] as number;
  let h1 = v[2] as number;
  let l1 = v[3] as number;
  let h2 = v[4] as number;
  let l2 = v[5] as number;
  let h3 = v[6] as number;
  let l3 = v[7] as number;
  let low = 0;
  let high = 0;
  for (let i = 0; i < count; i++) {
    // v0 += v1, v2 += v3
    low = (l0 >>> 0) + (l1 >>> 0);
    h0 = (h0 + h1 + (low > 0xffff_ffff ? 1 : 0)) | 0;
    l0 = low | 0;
    low = (l2 >>> 0) + (l3 >>> 0);
    h2 = (h2 + h3 + (low > 0xffff_ffff ? 1 : 0)) | 0;
    l2 = low | 0;
    // v1 = rotl(v1, 13) ^ v0, v3 = rotl(v3, 16) ^ v2
    high = ((h1 << 13) | (l1 >>> 19)) ^ h0;
    l1 = ((l1 << 13) | (h1 >>> 19)) ^ l0;
    h1 = high;
    high = ((h3 << 16) | (l3 >>> 16)) ^ h2;
    l3 = ((l3 << 16) | (h3 >>> 16)) ^ l2;
    h3 = high;
    // v0 = rotl(v0, 32); v2 += v1, v0 += v3
    low = (l2 >>> 0) + (l1 >>> 0);
    h2 = (h2 + h1 + (low > 0xffff_ffff ? 1 : 0)) | 0;
    l2 = low | 0;
    low = (h0 >>> 0) + (l3 >>> 0);
    h0 = (l0 + h3 + (low > 0xffff_ffff ? 1 : 0)) | 0;
    l0 = low | 0;
    // v1 = rotl(v1, 17) ^ v2, v3 = rotl(v3, 21) ^ v0
    high = ((h1 << 17) | (l1 >>> 15)) ^ h2;
    l1 = ((l1 << 17) | (h1 >>> 15)) ^ l2;
    h1 = high;
    high = ((h3 << 21) | (l3 >>> 11)) ^ h0;
    l3 = ((l3 << 21) | (h3 >>> 11)) ^ l0;
    h3 = high;
    // v2 = rotl(v2, 32)
    high = l2;
    l2 = h2;
    h2 = high;
  }
  v[0] = h0;
  v[1] = l0;
  v[2] = h1;
  v[3] = l1;
  v[4] = h2;
  v[5] = l2;
  v[6] = h3;
  v[7] = l3;
}

function absorb(high: number, low: number): void {
  v[6] = (v[6] as number) ^ high;
  v[7] = (v[7] as number) ^ low;
  rounds(2);
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
  rounds(4);
}

function low(): number {
  return ((v[1] as number) ^ (v[3] as number) ^ (v[5] as number) ^ (v[7] as number)) | 0;
}
