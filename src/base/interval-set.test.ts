/** IntervalSet: joining, capacity, gaps, wrap-around; every operation against a set of single numbers. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IntervalSet } from './interval-set.ts';

function intervals(set: IntervalSet): [number, number][] {
  return Array.from({ length: set.count }, (_, index) => [set.startAt(index), set.endAt(index)]);
}

function filled(...list: [number, number][]): IntervalSet {
  const set = new IntervalSet(16);
  for (const [start, end] of list) set.add(start, end);
  return set;
}

describe('IntervalSet', () => {
  it('keeps separate intervals sorted', () => {
    expect(intervals(filled([30, 40], [10, 20], [50, 60]))).toEqual([
      [10, 20],
      [30, 40],
      [50, 60],
    ]);
  });

  it('joins what overlaps and what touches', () => {
    expect(intervals(filled([10, 20], [20, 30]))).toEqual([[10, 30]]);
    expect(intervals(filled([20, 30], [10, 20]))).toEqual([[10, 30]]);
    expect(intervals(filled([10, 20], [30, 40], [50, 60], [15, 50]))).toEqual([[10, 60]]);
    expect(intervals(filled([10, 20], [12, 18]))).toEqual([[10, 20]]);
  });

  it('says how much was new', () => {
    const set = filled([10, 20], [30, 40]);
    expect(set.add(10, 20)).toBe(0);
    expect(set.add(5, 5)).toBe(0);
    expect(set.add(9, 5)).toBe(0);
    expect(set.add(15, 35)).toBe(10);
    expect(set.add(0, 50)).toBe(20);
    expect(set.size).toBe(50);
  });

  it('refuses a further interval when full, but not one that joins', () => {
    const set = new IntervalSet(2);
    expect(set.add(10, 20)).toBe(10);
    expect(set.add(30, 40)).toBe(10);
    expect(set.add(50, 60)).toBe(-1);
    expect(intervals(set)).toEqual([
      [10, 20],
      [30, 40],
    ]);
    expect(set.add(20, 30)).toBe(10);
    expect(set.add(50, 60)).toBe(10);
    expect(set.count).toBe(2);
  });

  it('takes out what lies below a point', () => {
    const set = filled([10, 20], [30, 40], [50, 60]);
    expect(set.removeBelow(5)).toBe(0);
    expect(set.removeBelow(35)).toBe(15);
    expect(intervals(set)).toEqual([
      [35, 40],
      [50, 60],
    ]);
    expect(set.removeBelow(60)).toBe(15);
    expect(set.count).toBe(0);
  });

  it('finds gaps', () => {
    const set = filled([10, 20], [30, 40]);
    expect([set.gapStart(0), set.gapEnd(0, 100)]).toEqual([0, 10]);
    expect([set.gapStart(10), set.gapEnd(10, 100)]).toEqual([20, 30]);
    expect([set.gapStart(25), set.gapEnd(25, 28)]).toEqual([25, 28]);
    expect([set.gapStart(35), set.gapEnd(35, 100)]).toEqual([40, 100]);
  });

  it('works across 2^31 and across 0', () => {
    for (const middle of [0x80000000 | 0, 0]) {
      const set = filled([(middle - 20) | 0, (middle - 10) | 0], [(middle + 10) | 0, (middle + 20) | 0]);
      expect(set.add((middle - 10) | 0, (middle + 5) | 0)).toBe(15);
      expect(intervals(set)).toEqual([
        [(middle - 20) | 0, (middle + 5) | 0],
        [(middle + 10) | 0, (middle + 20) | 0],
      ]);
      expect(set.contains(middle)).toBe(true);
      expect(set.contains((middle + 5) | 0)).toBe(false);
      expect(set.removeBelow(middle)).toBe(20);
      expect(set.startAt(0)).toBe(middle);
    }
  });

  it('refuses an index outside', () => {
    expect(() => filled([1, 2]).startAt(1)).toThrow('interval index');
    expect(() => filled([1, 2]).endAt(-1)).toThrow('interval index');
    expect(() => new IntervalSet(0)).toThrow('capacity');
    const set = filled([1, 2]);
    set.clear();
    expect([set.count, set.size]).toEqual([0, 0]);
  });
});

const SPAN = 200;
const CAPACITY = 6;

type Step = { do: 'add'; start: number; length: number } | { do: 'removeBelow'; point: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('add' as const), start: fc.nat(SPAN), length: fc.nat(30) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('removeBelow' as const), point: fc.nat(SPAN) }) },
);

/** The intervals of a set of single numbers. */
function runs(numbers: ReadonlySet<number>): [number, number][] {
  const result: [number, number][] = [];
  for (const n of [...numbers].sort((a, b) => a - b)) {
    const last = result.at(-1);
    if (last !== undefined && last[1] === n) last[1] = n + 1;
    else result.push([n, n + 1]);
  }
  return result;
}

/** The same step on both; what `add` returns is compared with what the naive set gained. */
function apply(set: IntervalSet, naive: Set<number>, base: number, what: Step): void {
  const before = naive.size;
  if (what.do === 'removeBelow') {
    for (const n of [...naive]) if (n < what.point) naive.delete(n);
    expect(set.removeBelow((base + what.point) | 0)).toBe(before - naive.size);
    return;
  }
  const wider = new Set(naive);
  for (let n = what.start; n < what.start + what.length; n++) wider.add(n);
  const added = set.add((base + what.start) | 0, (base + what.start + what.length) | 0);
  if (runs(wider).length > CAPACITY) {
    expect(added).toBe(-1);
    return;
  }
  for (const n of wider) naive.add(n);
  expect(added).toBe(naive.size - before);
}

describe('IntervalSet against a naive set', () => {
  it('agrees after every step, wherever the window lies', () => {
    fc.assert(
      fc.property(fc.integer(), fc.array(step, { maxLength: 40 }), (base, steps) => {
        const set = new IntervalSet(CAPACITY);
        const naive = new Set<number>();
        for (const what of steps) {
          apply(set, naive, base, what);
          const expected = runs(naive).map(([start, end]) => [(base + start) | 0, (base + end) | 0]);
          expect(intervals(set)).toEqual(expected);
          expect(set.size).toBe(naive.size);
        }
      }),
    );
  });

  it('answers questions as the naive set does', () => {
    const question = fc.record({ start: fc.nat(SPAN + 40), length: fc.nat(40) });
    fc.assert(
      fc.property(fc.integer(), fc.array(step, { maxLength: 20 }), question, (base, steps, { start, length }) => {
        const set = new IntervalSet(CAPACITY);
        const naive = new Set<number>();
        for (const what of steps) apply(set, naive, base, what);
        const asked = Array.from({ length }, (_, i) => naive.has(start + i));
        const from = (base + start) | 0;
        const to = (base + start + length) | 0;
        expect(set.contains(from)).toBe(naive.has(start));
        expect(set.containsAll(from, to)).toBe(asked.every(Boolean));
        expect(set.containsAny(from, to)).toBe(asked.some(Boolean));
        let gap = start;
        while (naive.has(gap)) gap++;
        expect(set.gapStart(from)).toBe((base + gap) | 0);
        let gapEnd = gap;
        while (gapEnd < 1000 && !naive.has(gapEnd)) gapEnd++;
        expect(set.gapEnd(from, (base + 1000) | 0)).toBe((base + gapEnd) | 0);
      }),
    );
  });
});
