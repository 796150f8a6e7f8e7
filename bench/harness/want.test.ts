import { expect, it } from 'vitest';
import { checkRow, missingRow, paperRow, type Row, type Unit } from './row.ts';
import { missed, want } from './want.ts';

function row(metric: string, unit: Unit, value: number | null, more: Partial<Row> = {}): Row {
  return {
    bench: 'b',
    metric,
    system: 'multikernel',
    unit,
    value,
    samples: value === null ? [] : [value],
    placement: 'near',
    quiet: true,
    ...more,
  };
}

it('marks a row with the figure it must reach, and whether it did: rates must be higher, times, memory and shares lower', () => {
  const rows = [
    row('rate', 'Gbit/s', 50, { baseline: 'R', ratio: 0.5 }),
    row('time', 'ns', 201),
    row('memory', 'MiB', 64),
    row('share', '%', 1.1, { note: 'so' }),
  ];
  want(rows[0], { of: 'ratio', must: 0.5, aim: 0.85 });
  want(rows[1], { of: 'value', must: 200, aim: 60 });
  want(rows[2], { of: 'value', must: 64 });
  want(rows[3], { of: 'value', must: 1 });
  expect(rows.map((each) => [each.want?.met, each.note])).toEqual([
    [true, 'must 0.5×, aim 0.85×'],
    [false, 'must 200 ns, aim 60 ns: missed'],
    [true, 'must 64 MiB'],
    [false, 'must 1 %: missed; so'],
  ]);
  expect(checkRow(rows[0]).want).toEqual({ of: 'ratio', must: 0.5, aim: 0.85, met: true });
});

it('holds nothing against a row that was not measured, or has no ratio', () => {
  const absent = missingRow('b', 'multikernel', { key: 'k', metric: 'absent', unit: 'Mpps' }, 'no time left');
  const alone = row('alone', 'Mpps', 9, { note: 'no ratio: R was disturbed' });
  want(absent, { of: 'value', must: 8 });
  want(alone, { of: 'ratio', must: 2 });
  want(undefined, { of: 'value', must: 8 });
  expect([absent.want, absent.note]).toEqual([{ of: 'value', must: 8, met: null }, 'no time left']);
  expect([alone.want, alone.note]).toEqual([{ of: 'ratio', must: 2, met: null }, 'must 2×; no ratio: R was disturbed']);
  expect(missed([absent, alone])).toEqual([]);
});

it('lists the misses, a line each', () => {
  const rows = [
    row('raw frames', 'Gbit/s', 41, { baseline: 'C ring', ratio: 0.41 }),
    row('idle', '%', 1.25),
    row('fine', 'Mpps', 9),
    row('ours / theirs', 'x', 4.2, { quiet: false }),
  ];
  want(rows[0], { of: 'ratio', must: 0.5, aim: 0.85 });
  want(rows[1], { of: 'value', must: 1 });
  want(rows[2], { of: 'value', must: 8 });
  want(rows[3], { of: 'value', must: 5 });
  expect(missed(rows)).toEqual([
    'b: raw frames: 0.41× of C ring, must 0.5×, aim 0.85×',
    'b: idle: 1.25 %, must 1 %',
    'b: ours / theirs: 4.20× (disturbed), must 5×',
  ]);
});

it('makes a row of what a figure is of the one in the paper', () => {
  const rows = [
    row('UDP', 'Gbit/s', 39.395, { paper: 78.79 }),
    row('TCP', 'Gbit/s', null, { paper: 10.51, note: 'why' }),
  ];
  expect(paperRow(rows, 'UDP')).toMatchObject({ metric: 'UDP / paper', unit: 'x', value: 0.5 });
  expect(checkRow(paperRow(rows, 'TCP'))).toMatchObject({ value: null, note: 'TCP: not measured' });
  expect(paperRow([row('raw', 'Gbit/s', 1)], 'raw')).toBeNull();
});
