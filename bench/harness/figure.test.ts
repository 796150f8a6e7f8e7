import { expect, it } from 'vitest';
import { barsOf, drawSvg, NoFigure } from './figure.ts';
import { missingRow, type Row } from './row.ts';

function row(metric: string, unit: Row['unit'], value: number, more: Partial<Row> = {}): Row {
  return { bench: 'b', metric, system: 'C', unit, value, samples: [value], placement: 'near', quiet: true, ...more };
}

const ROWS: Row[] = [
  row('ring & <copy>', 'Gbit/s', 320, { low: 300, high: 330 }),
  row('udp', 'Gbit/s', 81, { system: 'multikernel', placement: 'far', paper: 78.79 }),
  row('round trip', 'ns', 105),
  missingRow('b', 'Linux', { key: '', metric: 'iperf3', unit: 'Mpps' }, 'iperf3: not installed'),
];

it('draws a panel per unit with every measured row, and the paper beside it', async () => {
  const svg = await drawSvg(barsOf('mk bench b', 'where', ROWS));
  expect(svg).toMatch(/^<svg [^>]*xmlns="http:\/\/www.w3.org\/2000\/svg"/);
  expect(svg.trimEnd()).toMatch(/<\/svg>$/);
  for (const text of [
    'mk bench b',
    'ring &amp; &lt;copy&gt;',
    'round trip',
    'Gbit/s',
    '>ns<',
    '>81.0 (far), paper 78.8<',
    '#c1121f',
  ]) {
    expect(svg).toContain(text);
  }
  expect(svg).not.toContain('iperf3');
  expect(svg).not.toContain('Mpps');
});

it('cuts no name short', async () => {
  const names = ['checksum computed', 'checksum flag'].map(
    (end) => `a row with a name as long as rows of benches have, ${end}`,
  );
  const svg = await drawSvg(
    barsOf(
      'mk bench b',
      'where',
      names.map((name) => row(name, 'Mpps', 1)),
    ),
  );
  for (const name of names) expect(svg).toContain(`>${name}<`);
});

it('leaves a panel of nothing lost to the table', () => {
  const spec = (lost: number): unknown[] =>
    barsOf('t', '', [row('a', 'Mpps', 1), row('a lost', '%', lost)]).vconcat as unknown[];
  expect(spec(0)).toHaveLength(1);
  expect(spec(0.5)).toHaveLength(2);
});

it('says in one line what is missing when vega is not installed', async () => {
  const failure = drawSvg(barsOf('t', '', ROWS), () => Promise.reject(new Error('Cannot find package')));
  await expect(failure).rejects.toThrow(NoFigure);
  await expect(failure).rejects.toThrow(/^figure: vega and vega-lite are not installed \(npm install .*\)$/);
});
