import { describe, expect, it } from 'vitest';
import { checkRow, compare, missingRow, type Row, ratioRow } from './row.ts';

const run = { rttBeforeNs: 100, rttAfterNs: 110, placement: 'near', foreignCores: 0 } as const;

function row(metric: string, value: number | null): Row {
  if (value === null) return missingRow('b', 'C', { key: 'k', metric, unit: 'Gbit/s' }, 'cc: no C compiler installed');
  return {
    bench: 'b',
    metric,
    system: 'C',
    unit: 'Gbit/s',
    value,
    samples: [value],
    placement: 'near',
    quiet: true,
    runs: [run],
  };
}

describe('checkRow', () => {
  it('takes a full row and a missing one', () => {
    const full: Row = { ...row('a', 10), low: 9, high: 11, baseline: 'c', ratio: 2, paper: 78.79, note: 'so' };
    expect(checkRow(full)).toEqual(full);
    expect(checkRow(row('a', null)).value).toBeNull();
  });

  it.each([
    ['a unit of its own', { ...row('a', 1), unit: 'furlongs' }, /row: unit: /],
    ['a field that rows do not have', { ...row('a', 1), colour: 'red' }, /row: colour: /],
    ['no value and no reason', { ...row('a', null), note: undefined }, /say why/],
    ['a value that is no number', { ...row('a', 1), value: Number.NaN }, /row: value: /],
    ['samples without their circumstances', { ...row('a', 1), samples: [1, 2] }, /one run per sample/],
    ['no metric', { ...row('', 1) }, /row: metric: /],
    ['a mark that does not exist', { ...row('a', 1), placement: 'close' }, /row: placement: /],
  ])('refuses %s', (_what, bad, message) => {
    expect(() => checkRow(bad)).toThrow(message);
  });
});

describe('comparison', () => {
  it('divides by the baseline', () => {
    const rows = [row('ours', 50), row('R', 200)];
    compare(rows, 'ours', 'R');
    expect(rows[0]).toMatchObject({ baseline: 'R', ratio: 0.25 });
    expect(ratioRow(rows, 'ours', 'R')).toMatchObject({
      metric: 'ours / R',
      unit: 'x',
      value: 0.25,
      placement: 'near',
    });
  });

  it('does not hold a quiet figure against a disturbed one', () => {
    const rows = [row('ours', 50), { ...row('R', 200), quiet: false }];
    compare(rows, 'ours', 'R');
    expect(rows[0]).toMatchObject({ baseline: 'R', note: 'no ratio: R was disturbed' });
    expect(rows[0]).not.toHaveProperty('ratio');
    expect(checkRow(ratioRow(rows, 'ours', 'R'))).toMatchObject({ value: null, quiet: false });
    const both = rows.map((each) => ({ ...each, quiet: false }));
    expect(ratioRow(both, 'ours', 'R')).toMatchObject({ value: 0.25, quiet: false });
  });

  it('names a baseline that was not measured, without a ratio', () => {
    const rows = [row('ours', 50), row('R', null)];
    compare(rows, 'ours', 'R');
    expect(rows[0]).toMatchObject({ baseline: 'R' });
    expect(rows[0]).not.toHaveProperty('ratio');
    expect(checkRow(ratioRow(rows, 'ours', 'R'))).toMatchObject({ value: null, note: 'R: not measured' });
    expect(ratioRow(rows, 'absent', 'R')).toMatchObject({ value: null, note: 'absent: not measured' });
  });
});
