/** Sequence numbers: order and difference, wherever in the circle of 2^32 they lie. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seqDiff, seqGe, seqGt, seqLe, seqLt } from './sequence.ts';

describe('sequence numbers', () => {
  it('are ordered across 0 and across 2^31', () => {
    for (const [before, after] of [
      [-1, 0],
      [0x7fffffff, 0x80000000 | 0],
      [-10, 10],
      [1, 2],
    ] as const) {
      expect([seqLt(before, after), seqLt(after, before)]).toEqual([true, false]);
      expect([seqLe(before, after), seqLe(after, before)]).toEqual([true, false]);
      expect([seqGt(before, after), seqGt(after, before)]).toEqual([false, true]);
      expect([seqGe(before, after), seqGe(after, before)]).toEqual([false, true]);
    }
    expect([seqLt(5, 5), seqLe(5, 5), seqGt(5, 5), seqGe(5, 5), seqDiff(5, 5)]).toEqual([false, true, false, true, 0]);
  });

  it('differ by what was added', () => {
    const distance = fc.integer({ min: -0x7fffffff, max: 0x7fffffff });
    fc.assert(
      fc.property(fc.integer(), distance, (start, by) => {
        const end = (start + by) | 0;
        expect(seqDiff(end, start)).toBe(by);
        expect(seqLt(start, end)).toBe(by > 0);
        expect(seqGt(end, start)).toBe(by > 0);
        expect(seqGe(end, start)).toBe(by >= 0);
      }),
    );
  });
});
