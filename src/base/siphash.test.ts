import { describe, expect, it } from 'vitest';
import { SeededRng } from './rng.ts';
import { SipKey } from './siphash.ts';

describe('SipKey', () => {
  it('gives the reference hash of the bytes 00..0b under the key 00..0f', () => {
    const key = new SipKey();
    key.words.set([0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c]);
    expect(key.hash3(0x03020100, 0x07060504, 0x0b0a0908)).toBe(0x860ee5fb | 0);
  });

  it('gives the reference hashes of the bytes 00.. in whole words', () => {
    const key = new SipKey();
    key.words.set([0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c]);
    const words = [0x03020100, 0x07060504, 0x0b0a0908];
    expect(key.hash([])).toEqual([0x726fdb47, 0xdd0e0e31 | 0]);
    expect(key.hash(words.slice(0, 2))).toEqual([0x93f5f579 | 0, 0x9a932462 | 0]);
    expect(key.hash(words)).toEqual([0x751e8fbc, 0x860ee5fb | 0]);
  });

  it('depends on every word and on the key', () => {
    const key = SipKey.random(new SeededRng(1));
    const other = SipKey.random(new SeededRng(2));
    const hashes = [
      key.hash3(1, 2, 3),
      key.hash3(1, 2, 4),
      key.hash3(1, 3, 3),
      key.hash3(2, 2, 3),
      other.hash3(1, 2, 3),
    ];
    expect(new Set(hashes).size).toBe(5);
  });
});
