import { describe, expect, it } from 'vitest';
import { drawSvg } from '../harness/figure.ts';
import type { Subject } from '../harness/measure.ts';
import { checkRow, type Row } from '../harness/row.ts';
import { C_RING_1500, C_SPIN_RTT } from '../peers/c-peers.ts';
import { aloneSubject, type FrameRun, roundTripSubject, throughputSubject } from './frames.ts';
import {
  type KernelRun,
  roundTripSubject as kernelRoundTrip,
  tcpAloneSubject,
  tcpSubject,
  udpAloneSubject,
  udpSubject,
} from './kernels.ts';
import { meshSubject } from './mesh.ts';
import { compared } from './mint.ts';
import { mintFigures } from './mint-figures.ts';
import {
  FULL_DURATIONS,
  latencySubjects,
  meshSubjects,
  PAPER_BUFFER_BYTES,
  QUICK_DURATIONS,
  rawSubjects,
  tcpSubjects,
  udpSubjects,
} from './mint-rows.ts';

const signal = new AbortController().signal;
const run = (frameBytes: number, ringBytes: number | null = null): Omit<FrameRun, 'kind'> => ({
  frameBytes,
  buffers: 'channels',
  ringBytes,
  batch: 16,
  ms: 60,
  warmupMs: 10,
});

const subjects: Subject[] = [
  throughputSubject('64 B', run(64)),
  throughputSubject('1500 B in the buffer of the paper', run(1500, PAPER_BUFFER_BYTES)),
  throughputSubject('super-frames', run(65_000)),
  throughputSubject('one shared buffer', { ...run(1500), buffers: 'shared' }),
  aloneSubject('alone in one shared buffer', { ...run(1500), buffers: 'shared' }),
  roundTripSubject('round trip', run(64)),
  aloneSubject('alone', run(1500)),
];

// A run throws when a frame came damaged, lost or out of order.
it.each(subjects.map((subject) => [subject.name, subject] as const))(
  'raw frames, %s: all arrive whole',
  async (_, subject) => {
    const { values } = await subject.run(signal);
    for (const { key } of subject.metrics) expect(values[key]).toBeGreaterThan(0);
  },
);

it.each([
  [2, 'channels'],
  [9, 'channels'],
  [32, 'channels'],
  [2, 'shared'],
  [32, 'shared'],
] as const)('a mesh of %i kernels, %s, carries frames that arrive whole', async (kernels, buffers) => {
  const { values } = await meshSubject({ kernels, buffers, frameBytes: 1500, ms: 60, warmupMs: 10 }).run(signal);
  expect(values.gbps).toBeGreaterThan(0);
  expect(values.memory).toBeGreaterThan(0);
  expect(values.peakShare).toBeGreaterThanOrEqual(values.meanShare as number);
  expect(values.peakShare).toBeLessThanOrEqual(100);
});

const kernels: KernelRun = {
  kind: 'udp',
  payloadBytes: 1472,
  mtuBytes: 1500,
  ringBytes: null,
  checksum: 'computed',
  superFrames: false,
  inPlace: false,
  asleep: false,
  ms: 60,
  warmupMs: 10,
};
const through: Subject[] = [
  udpSubject('UDP', kernels),
  udpSubject('UDP 18 B in place', { ...kernels, payloadBytes: 18, inPlace: true }),
  udpSubject('UDP 1472 B in place, checksum flag', { ...kernels, inPlace: true, checksum: 'flag' }),
  udpSubject('UDP in the buffer of the paper', { ...kernels, ringBytes: PAPER_BUFFER_BYTES }),
  udpAloneSubject('UDP alone', { ...kernels, payloadBytes: 18 }),
  kernelRoundTrip('UDP round trip', { ...kernels, kind: 'udpRoundTrip', payloadBytes: 4 }),
  kernelRoundTrip('UDP round trip, asleep', { ...kernels, kind: 'udpRoundTrip', payloadBytes: 4, asleep: true }),
  tcpSubject('TCP', { ...kernels, payloadBytes: 65_536 }),
  tcpSubject('TCP, super-frames', { ...kernels, payloadBytes: 65_536, superFrames: true, checksum: 'flag' }),
  tcpSubject('TCP in frames of 128 B', { ...kernels, payloadBytes: 65_536, mtuBytes: 110 }),
  tcpAloneSubject('TCP alone', { ...kernels, payloadBytes: 65_536 }),
  tcpAloneSubject('TCP alone, super-frames', { ...kernels, payloadBytes: 65_536, superFrames: true }),
  kernelRoundTrip('TCP round trip', { ...kernels, kind: 'tcpRoundTrip', payloadBytes: 4 }),
];

it('TCP has a row for every frame size, or why there is none', () => {
  const subjects = tcpSubjects(false, FULL_DURATIONS);
  for (const size of [64, 128, 256, 512, 1024]) {
    for (const checksum of ['computed', 'flag']) {
      const subject = subjects.find(({ name }) => name === `TCP ${size} B, checksum ${checksum}`);
      expect(subject?.missing).toEqual(size === 64 ? expect.stringMatching(/46 B.*RFC 791/) : undefined);
    }
  }
  const names = subjects.map(({ name }) => name);
  for (const link of ['MTU 1500', 'MTU 9000', 'super-frames']) expect(names).toContain(`TCP ${link}, checksum flag`);
});

it.each(through.map((subject) => [subject.name, subject] as const))(
  'two kernels, %s: all arrive whole',
  async (_, subject) => {
    const { values } = await subject.run(signal);
    for (const { key, unit } of subject.metrics) {
      if (unit === '%') expect(values[key]).toBeGreaterThanOrEqual(0);
      else expect(values[key]).toBeGreaterThan(0);
    }
  },
);

describe.each([
  ['quick', true, QUICK_DURATIONS],
  ['full', false, FULL_DURATIONS],
] as const)('rows, %s', (_name, quick, durations) => {
  const groups = [rawSubjects, udpSubjects, tcpSubjects, latencySubjects, meshSubjects];
  const metrics = groups.flatMap((group) => group(quick, durations)).flatMap((subject) => subject.metrics);
  const rows = metrics.map(
    ({ metric, unit, paper }, i): Row => ({
      bench: 'mint',
      metric,
      system: 'multikernel',
      unit,
      value: i + 1,
      samples: [],
      placement: 'near',
      quiet: true,
      ...(paper === undefined ? {} : { paper }),
    }),
  );
  const peer = (metric: string, unit: Row['unit'], value: number): Row => ({
    ...(rows[0] as Row),
    system: 'C',
    metric,
    unit,
    value,
  });
  const all = compared([...rows, peer(C_RING_1500, 'Gbit/s', 300), peer(C_SPIN_RTT, 'ns', 100)]);

  it('have names of their own, and those that the paper reports beside them', () => {
    expect(new Set(metrics.map(({ metric }) => metric)).size).toBe(metrics.length);
    expect(metrics.filter(({ paper }) => paper === 78.79).length).toBeGreaterThan(2);
    expect(metrics.filter(({ paper }) => paper === 10.51).length).toBeGreaterThan(2);
  });

  it('are held against the C ring, the spin round trip and Linux, with what is wanted', () => {
    const row = (metric: string): Row => all.find((each) => each.metric === metric) as Row;
    expect(row('raw frames 1500 B')).toMatchObject({
      baseline: C_RING_1500,
      want: { of: 'ratio', must: 0.5, aim: 0.85 },
    });
    expect(row('raw frames 1500 B').ratio).toBeGreaterThan(0);
    expect(row('UDP round trip 4 B, both spinning')).toMatchObject({
      baseline: C_SPIN_RTT,
      want: { of: 'ratio', must: 8, aim: 3 },
    });
    expect(row('UDP 64 B, checksum computed, packets').want).toMatchObject({ of: 'value', must: 8, aim: 30 });
    expect(row('UDP 1500 B, checksum computed / paper').want).toMatchObject({ of: 'value', must: 1 });
    expect(row('TCP MTU 1500, checksum computed / iperf3 TCP veth, offloads off')).toMatchObject({
      value: null,
      want: { of: 'value', must: 5, met: null },
      note: 'iperf3 TCP veth, offloads off: not measured',
    });
    // Each must that the bench names is in a row, in a quick run as well.
    expect(all.filter((each) => each.want !== undefined).length).toBe(14);
    all.map(checkRow);
  });

  it('are drawn, with the points of the paper', async () => {
    const figures = mintFigures(all, 'this machine');
    expect(figures.map(({ name }) => name)).toEqual(['throughput', 'kernels', 'all']);
    const [throughput, kernels, bars] = await Promise.all(figures.map(({ spec }) => drawSvg(spec)));
    expect(throughput).toContain('paper, UDP: 78.79');
    expect(throughput).toContain('paper, TCP: 10.51');
    for (const series of [
      'raw frames',
      'UDP, checksum computed',
      'UDP, checksum carried as a flag',
      'TCP, checksum computed',
    ]) {
      expect(throughput).toContain(`>${series}<`);
    }
    for (const series of ['a buffer per channel, mean', 'one shared buffer, peak'])
      expect(kernels).toContain(`>${series}<`);
    for (const row of all) if (row.value !== null) expect(bars).toContain(`>${row.metric}<`);
    for (const svg of [throughput, kernels, bars]) expect(svg).toContain('this machine');
  });
});
