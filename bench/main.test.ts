import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { BENCH_NAMES } from '../src/cli/bench.ts';
import type { Bench } from './context.ts';
import { want } from './harness/want.ts';
import { BenchError, listBenches, runBench, runModule } from './main.ts';

const folder = mkdtempSync(join(tmpdir(), 'mk-bench-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A bench with one row of a peer that is there and one of a peer that is not. */
const bench: Bench = {
  run: (context) =>
    context.measure([
      {
        name: 'here',
        system: 'C',
        metrics: [{ key: 'v', metric: 'here', unit: 'ns' }],
        placementMatters: false,
        run: async () => ({ values: { v: 5 } }),
      },
      {
        name: 'absent',
        system: 'Linux',
        metrics: [{ key: 'v', metric: 'absent', unit: 'Gbit/s' }],
        missing: 'iperf3: not installed',
        run: async () => ({ values: {} }),
      },
    ]),
};

function recorder(): { write(text: string): void; text: string } {
  const record = { text: '', write: (text: string): void => void (record.text += text) };
  return record;
}

it('lists what there is, one line each, as the help text names it', () => {
  const benches = listBenches();
  expect(benches.map(({ name }) => name)).toEqual([
    'mint',
    'stream',
    'dgram',
    'http',
    'connect',
    'call',
    'bus',
    'netem',
    'boot',
    'peers',
  ]);
  expect(BENCH_NAMES).toEqual(benches.map(({ name }) => name));
  for (const { about } of benches) expect(about).toMatch(/^[^\n]{10,}$/);
});

it('refuses a bench that there is not, naming those that there are', async () => {
  for (const name of ['nonsense', 'constructor', '']) {
    const run = runBench(name, { out: folder });
    await expect(run).rejects.toThrow(BenchError);
    await expect(run).rejects.toThrow(/no such bench \(there are: .*peers/);
  }
});

it('prints rows as JSON and nothing else, and writes results and a figure', async () => {
  const [stdout, stderr] = [recorder(), recorder()];
  const out = join(folder, 'new', 'results');
  const report = await runModule('small', bench, { quick: true, json: true, out, stdout, stderr });
  const rows = JSON.parse(stdout.text) as { metric: string; value: number | null; note?: string }[];
  expect(rows).toEqual(report.rows);
  expect(rows[0]).toMatchObject({ bench: 'small', metric: 'here', unit: 'ns', value: 5 });
  expect(rows[1]).toMatchObject({ metric: 'absent', value: null, samples: [], note: 'iperf3: not installed' });
  expect(stderr.text).toBe('');
  expect(report.files).toEqual([join(out, 'small.json'), join(out, 'small.svg')]);
  expect(JSON.parse(readFileSync(join(out, 'small.json'), 'utf8'))).toMatchObject({
    bench: 'small',
    environment: { node: process.version, quick: true },
    rows: [{ metric: 'here' }, { metric: 'absent' }],
  });
  expect(readFileSync(join(out, 'small.svg'), 'utf8')).toContain('mk bench small');
});

it('prints a table for people', async () => {
  const [stdout, stderr] = [recorder(), recorder()];
  await runModule('small', bench, { quick: true, out: folder, stdout, stderr });
  expect(stdout.text).toMatch(/^bench small, quick: Node v\d+/);
  expect(stdout.text).toMatch(/\nhere +5\.00 +ns /);
  expect(stdout.text).toMatch(/\nabsent +- +Gbit\/s .*iperf3: not installed\n/);
  expect(stderr.text).toBe(`written: ${join(folder, 'small.json')} ${join(folder, 'small.svg')}\n`);
});

/** The same as a machine without other work says it. */
function undisturbed(text: string): string {
  return text.replace(' (disturbed)', '');
}

it('says on stderr which rows miss what they must reach, when asked', async () => {
  const missing: Bench = {
    run: async (context) => {
      const rows = await bench.run(context);
      for (const row of rows) want(row, { of: 'value', must: 4 });
      return rows;
    },
  };
  const [stdout, stderr] = [recorder(), recorder()];
  const options = { quick: true, json: true, out: folder, stdout, stderr };
  const { missed } = await runModule('small', missing, options);
  expect(missed.map(undisturbed)).toEqual(['small: here: 5.00 ns, must 4 ns']);
  expect(stderr.text).toBe('');
  await runModule('small', missing, { ...options, check: true });
  expect(undisturbed(stderr.text)).toBe('small: here: 5.00 ns, must 4 ns\n');
});

it('says when the folder for results cannot be made', async () => {
  const file = join(folder, 'a-file');
  writeFileSync(file, '');
  await expect(runModule('small', bench, { out: join(file, 'x') })).rejects.toThrow(BenchError);
});

it.runIf(process.platform === 'linux')('says so, too, where the system makes no folders', async () => {
  await expect(runModule('small', bench, { out: '/proc/bench/x' })).rejects.toThrow(/^\/proc\/bench: /);
});

it('ends when interrupted', async () => {
  const signal = AbortSignal.abort(new Error('interrupted'));
  await expect(
    runModule('small', bench, { out: folder, signal, stdout: recorder(), stderr: recorder() }),
  ).rejects.toThrow('interrupted');
});

it('is interrupted by SIGINT, and leaves no listener behind', async () => {
  const interrupted: Bench = {
    run: (context) => {
      process.emit('SIGINT', 'SIGINT');
      return bench.run(context);
    },
  };
  const before = process.listenerCount('SIGINT');
  await expect(runModule('small', interrupted, { out: folder })).rejects.toThrow(/^interrupted$/);
  expect(process.listenerCount('SIGINT')).toBe(before);
});
