/** The seeded generator: the same on every machine, bounded draws stay in bounds. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { randomBelow, randomUnit, SeededRng } from './rng.ts';

describe('seeded generator', () => {
  it('gives equal sequences for equal seeds, others for others', () => {
    const draw = (seed: number): number[] => {
      const rng = new SeededRng(seed);
      return Array.from({ length: 50 }, () => rng.next32());
    };
    expect(draw(42)).toEqual(draw(42));
    expect(draw(42)).not.toEqual(draw(43));
    // Seeds above 32 bits count too.
    expect(draw(1)).not.toEqual(draw(1 + 2 ** 32));
    expect(draw(7).every((value) => value === (value | 0))).toBe(true);
  });

  it('keeps draws in bounds', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 0x7fffffff }), (seed, bound) => {
        const rng = new SeededRng(seed);
        for (let i = 0; i < 20; i++) {
          const below = randomBelow(rng, bound);
          expect(Number.isInteger(below) && below >= 0 && below < bound).toBe(true);
          const unit = randomUnit(rng);
          expect(unit >= 0 && unit < 1).toBe(true);
        }
      }),
    );
    const extremes = { next32: () => -1 };
    expect(randomBelow(extremes, 10)).toBe(9);
    expect(randomUnit(extremes)).toBeLessThan(1);
  });

  it('draws every value of a small range', () => {
    const rng = new SeededRng(1);
    const seen = new Set(Array.from({ length: 200 }, () => randomBelow(rng, 8)));
    expect([...seen].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });
});
