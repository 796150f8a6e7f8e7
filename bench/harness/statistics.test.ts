import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { median, quantile, rounded, spread } from './statistics.ts';

describe('quantile', () => {
  it('interpolates between neighbours', () => {
    expect(quantile([10, 20, 30, 40], 0)).toBe(10);
    expect(quantile([10, 20, 30, 40], 1)).toBe(40);
    expect(quantile([10, 20, 30, 40], 0.5)).toBe(25);
    expect(quantile([10, 20, 30, 40, 50], 0.25)).toBe(20);
    expect(quantile([0, 10], 0.9)).toBe(9);
  });

  it('refuses an empty list', () => {
    expect(() => quantile([], 0.5)).toThrow(RangeError);
    expect(() => median([])).toThrow(RangeError);
  });
});

describe('median', () => {
  it('does not depend on the order and leaves the list alone', () => {
    const values = [5, 1, 900, 3, 4];
    expect(median(values)).toBe(4);
    expect(values).toEqual([5, 1, 900, 3, 4]);
    expect(median([2, 1])).toBe(1.5);
  });

  it('has as many values below as above', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 1 }), (values) => {
        const middle = median(values);
        const below = values.filter((value) => value < middle).length;
        const above = values.filter((value) => value > middle).length;
        expect(below).toBeLessThanOrEqual(values.length / 2);
        expect(above).toBeLessThanOrEqual(values.length / 2);
      }),
    );
  });
});

describe('spread', () => {
  it('is relative to the median', () => {
    expect(spread([8, 10, 13])).toEqual({ low: 8, high: 13, relative: 0.5 });
    expect(spread([0, 0])).toEqual({ low: 0, high: 0, relative: 0 });
  });
});

it('rounds to five digits', () => {
  expect(rounded(123456.7)).toBe(123460);
  expect(rounded(0.00012345678)).toBe(0.00012346);
  expect(rounded(0)).toBe(0);
});
