import { describe, expect, it } from 'vitest';
import * as change from './word-changes.ts';

/** Change, word before, operand, comparand, word afterwards. */
const CASES: [number, number, number, number, number][] = [
  [change.CHANGE_SWAP, 7, -9, 0, -9],
  [change.CHANGE_CAS_EQ, 7, 1, 7, 1],
  [change.CHANGE_CAS_EQ, 7, 1, 8, 7],
  [change.CHANGE_CAS_NE, 7, 1, 8, 1],
  [change.CHANGE_CAS_NE, 7, 1, 7, 7],
  [change.CHANGE_CAS_LT, -3, 1, -2, 1],
  [change.CHANGE_CAS_LT, -2, 1, -2, -2],
  [change.CHANGE_CAS_LE, -2, 1, -2, 1],
  [change.CHANGE_CAS_LE, -1, 1, -2, -1],
  [change.CHANGE_CAS_GT, 5, 1, 4, 1],
  [change.CHANGE_CAS_GT, 4, 1, 4, 4],
  [change.CHANGE_CAS_GE, 4, 1, 4, 1],
  [change.CHANGE_CAS_GE, 3, 1, 4, 3],
  [change.CHANGE_MASKED_SWAP, 0x1234, 0xabcd, 0x0ff0, 0x1bc4],
  [change.CHANGE_ADD, 0x7fffffff, 1, 0, -0x80000000],
  [change.CHANGE_AND, 0b1100, 0b1010, 0, 0b1000],
  [change.CHANGE_OR, 0b1100, 0b1010, 0, 0b1110],
  [change.CHANGE_XOR, 0b1100, 0b1010, 0, 0b0110],
  [change.CHANGE_MIN, -1, 1, 0, -1],
  [change.CHANGE_MIN, 1, -1, 0, -1],
  [change.CHANGE_MAX, -1, 1, 0, 1],
  [change.CHANGE_MAX, 1, -1, 0, 1],
  [change.CHANGE_TEST_AND_SET, 0, 0, 0, 1],
  [change.CHANGE_TEST_AND_SET, 1, 0, 0, 1],
  [change.CHANGES, 5, 6, 7, 5],
];

describe('changes of words', () => {
  it.each(CASES)(
    'change %i of %i by %i, %i gives %i in 32 bits, and says what was',
    (kind, old, operand, other, next) => {
      const words = new Int32Array(new SharedArrayBuffer(8));
      words[1] = old;
      expect(change.changeWord(words, 1, kind, operand, other)).toBe(old);
      expect([...words]).toEqual([0, next]);
    },
  );

  it.each(CASES)('change %i of %i by %i, %i is the same in 64 bits', (kind, old, operand, other, next) => {
    const wide = (n: number): bigint => (BigInt(n) << 32n) | 5n;
    const longs = new BigInt64Array(new SharedArrayBuffer(16));
    const plain = kind === change.CHANGE_ADD || kind === change.CHANGE_TEST_AND_SET;
    const of = plain ? (n: number): bigint => BigInt(n) : wide;
    longs[1] = of(old);
    expect(
      change.changeLong(
        longs,
        1,
        kind,
        of(operand),
        kind === change.CHANGE_MASKED_SWAP ? BigInt(other) << 32n : of(other),
      ),
    ).toBe(of(old));
    const expected =
      kind === change.CHANGE_ADD ? 0x80000000n : kind === change.CHANGE_XOR ? BigInt(next) << 32n : of(next);
    expect([...longs]).toEqual([0n, expected]);
  });

  it('covers every change', () => {
    expect(new Set(CASES.map(([kind]) => kind)).size).toBe(change.CHANGES + 1);
  });
});
