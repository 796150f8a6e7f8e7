import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { BenchContext } from '../context.ts';
import type { Row } from '../harness/row.ts';
import { CompiledPeers } from '../harness/tools.ts';
import { compareWithBest, faceBench } from './face.ts';
import { KernelStage } from './kernels.ts';
import { connectSubjects, dgramSubjects, httpSubjects, streamSubjects, unixSubjects } from './loads.ts';
import { damage, PERIOD, pattern, STRIDE } from './programs/pattern.mjs';
import { NODE_STAGES, processes, runPair, type Stage, workers } from './stages.ts';

const programs = new URL('./programs/', import.meta.url);
const signal = new AbortController().signal;
const short = { seconds: 0.05, warmupMs: 20 };

it('programs import nothing but Node and each other', () => {
  for (const name of readdirSync(programs)) {
    const text = readFileSync(new URL(name, programs), 'utf8');
    for (const [, from] of text.matchAll(/^import .* from '(.*)';$/gm))
      expect(from).toMatch(/^(node:\w+|\.\/pattern\.mjs)$/);
  }
});

describe('the checkable stream', () => {
  it('is accepted in whatever pieces it arrives', () => {
    const expected = pattern(1000);
    for (const size of [1, 63, 64, STRIDE, 1000, PERIOD]) {
      const stream = Buffer.concat([expected.subarray(0, PERIOD), expected.subarray(0, PERIOD)]);
      let damaged = 0;
      for (let at = 0; at < stream.length; at += size) damaged += damage(expected, stream.subarray(at, at + size), at);
      expect(damaged).toBe(0);
    }
  });

  it('shows bytes lost, repeated or moved', () => {
    const expected = pattern(0);
    const most = (0.9 * 15_000) / STRIDE;
    expect(damage(expected, expected.subarray(4096, 20_000), 4095)).toBeGreaterThan(most);
    expect(damage(expected, expected.subarray(0, 20_000), 1460)).toBeGreaterThan(most);
    expect(damage(expected, Buffer.alloc(20_000), 0)).toBeGreaterThan(most);
  });
});

const APART = new KernelStage('two kernels, programs as processes', {}, 'process');

describe.each([...NODE_STAGES, new KernelStage(), APART].map((stage) => [stage.name, stage] as const))(
  'on %s',
  (_name, stage) => {
    afterAll(() => stage.close());

    const subjects = [
      ...streamSubjects(stage, short),
      ...unixSubjects(stage, short),
      ...dgramSubjects(stage, short),
      ...httpSubjects(stage, short, ['agent', 'raw']).filter(({ name }) => /, (4|32) conn/.test(name)),
      ...connectSubjects(stage, short),
    ];
    it.each(subjects.map((subject) => [subject.name, subject] as const))(
      '%s: runs, and all that arrives is right',
      async (_, subject) => {
        const { values } = await subject.run(signal);
        for (const metric of subject.metrics) expect(values[metric.key], metric.metric).toBeGreaterThanOrEqual(0);
      },
    );
  },
);

describe.each([workers, processes, new KernelStage(), APART])('a pair that fails, on $name', (stage) => {
  afterAll(() => stage.close());

  it('is ended, with the reason of the one that failed', async () => {
    const server = { program: 'stream-server', args: ['--nonsense'] };
    const client = { program: 'stream-client', args: [] };
    await expect(runPair(stage, server, client, { seconds: 1, signal })).rejects.toThrow(/^[^\n]*$/);
  });

  it('is ended when interrupted', async () => {
    const interrupt = new AbortController();
    const pair = runPair(
      stage,
      { program: 'http-server', args: [] },
      { program: 'http-client', args: ['--seconds', '30'] },
      { seconds: 30, signal: interrupt.signal },
    );
    interrupt.abort(new Error('enough'));
    await expect(pair).rejects.toThrow();
  });
});

it('counts a repetition with damage or errors as failed', async () => {
  const broken = (server: object, client: object): Stage => ({
    name: 'a broken stage',
    system: 'Node',
    endpoint: async () => ({ host: '127.0.0.1', port: 1 }),
    run: async (role) => ({ gbps: 1, ...(role === 'server' ? server : client) }),
    close: async () => {},
  });
  const run = (server: object, client: object): Promise<unknown> =>
    (streamSubjects(broken(server, client), short)[0] as { run(s: AbortSignal): Promise<unknown> }).run(signal);
  await expect(run({ damaged: 3 }, {})).rejects.toThrow('stream 64 KiB writes: 3 damaged');
  await expect(run({ total: 5 }, { total: 6 })).rejects.toThrow('stream 64 KiB writes: 6 bytes sent, 5 arrived');
  await expect(run({ total: 6 }, { total: 6 })).resolves.toEqual({ values: { 0: 1 } });
});

it('a program says what it takes when called wrongly', () => {
  const program = new URL('http-client.mjs', programs);
  expect(() => execFileSync(process.execPath, [program.pathname, '--nonsense'], { stdio: 'pipe' })).toThrow(/nonsense/);
});

describe('the comparison', () => {
  const row = (metric: string, unit: Row['unit'], value: number | null): Row => ({
    bench: 'b',
    metric,
    system: 'Node',
    unit,
    value,
    samples: [],
    placement: 'near',
    quiet: true,
    ...(value === null ? { note: 'why' } : {}),
  });

  it('is with the faster rival, by rate or by time', () => {
    const rows = [row('ours', 'Gbit/s', 10), row('a', 'Gbit/s', 4), row('b', 'Gbit/s', 5), row('c', 'Gbit/s', null)];
    compareWithBest(rows, 'ours', ['a', 'b', 'c', 'absent']);
    expect(rows[0]).toMatchObject({ baseline: 'b', ratio: 2 });
    const times = [row('ours', 'us', 10), row('a', 'us', 4), row('b', 'us', 5)];
    compareWithBest(times, 'ours', ['a', 'b']);
    expect(times[0]).toMatchObject({ baseline: 'a', ratio: 2.5 });
  });

  it('is not made of shares, nor without a rival', () => {
    const rows = [row('lost', '%', 10), row('a', '%', 4), row('ours', 'ms', 1), row('b', 'ms', null)];
    compareWithBest(rows, 'lost', ['a']);
    compareWithBest(rows, 'ours', ['b']);
    for (const each of rows) expect(each).not.toHaveProperty('ratio');
  });
});

it('a face bench measures a point on every stage, closes the stage, and compares', async () => {
  let closed = false;
  const ours: Stage = { ...workers, name: 'ours', system: 'multikernel', close: async () => void (closed = true) };
  const bench = faceBench(
    (stage) => [
      {
        name: stage.name,
        system: stage.system,
        metrics: [{ key: 'v', metric: `load, ${stage.name}`, unit: 'Gbit/s' }],
        run: async () => ({ values: { v: stage.name.length } }),
      },
    ],
    () => [{ stage: ours, wanted: { of: 'ratio', must: 2 }, rivals: NODE_STAGES }],
  );
  const context = new BenchContext(
    'face',
    { quick: true, repetitions: 1, retries: 0, budgetMs: 1e9, patienceMs: 0 },
    {
      signal,
      peers: new CompiledPeers(),
      instruments: { roundTripNs: async () => 100, load: () => null, quiet: async () => {}, nowMs: () => 0 },
      onProgress: () => {},
    },
  );
  const rows = await bench.run(context);
  expect(rows.map(({ metric }) => metric)).toEqual(['load, ours', 'load, two workers', 'load, two processes']);
  expect(rows[0]).toMatchObject({ baseline: 'load, two processes', system: 'multikernel' });
  expect(rows[0]).toMatchObject({
    ratio: 0.30769,
    want: { of: 'ratio', must: 2, met: false },
    note: 'must 2×: missed',
  });
  expect(rows[1]).not.toHaveProperty('note');
  expect(closed).toBe(true);
});
