import { describe, expect, it } from 'vitest';
import type { Subject } from '../harness/measure.ts';
import { aloneSubject, type FrameRun, roundTripSubject, throughputSubject } from './frames.ts';
import { meshSubject } from './mesh.ts';
import { FRAME_SIZES, PAPER_BUFFER_BYTES, rawMetric, rawSubjects, roundTripMetric } from './mint.ts';

const signal = new AbortController().signal;
const run = (frameBytes: number, ringBytes: number | null = null): Omit<FrameRun, 'kind'> => ({
  frameBytes,
  ringBytes,
  batch: 16,
  ms: 60,
  warmupMs: 10,
});

const subjects: Subject[] = [
  throughputSubject('64 B', run(64)),
  throughputSubject('1500 B in the buffer of the paper', run(1500, PAPER_BUFFER_BYTES)),
  throughputSubject('super-frames', run(65_000)),
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

it.each([2, 9, 32])('a mesh of %i kernels carries frames that arrive whole', async (kernels) => {
  const { values } = await meshSubject({ kernels, frameBytes: 1500, ms: 60, warmupMs: 10 }).run(signal);
  expect(values.gbps).toBeGreaterThan(0);
  expect(values.memory).toBeGreaterThan(0);
  expect(values.peakShare).toBeGreaterThanOrEqual(values.meanShare as number);
  expect(values.peakShare).toBeLessThanOrEqual(100);
});

describe('rows', () => {
  it('cover the frame sizes, the buffer of the paper and both round trips', () => {
    const metrics = rawSubjects(false).flatMap((subject) => subject.metrics.map(({ metric }) => metric));
    const expected = [...FRAME_SIZES.map((bytes) => rawMetric(bytes, null)), rawMetric(1500, 392_200)];
    expect(metrics).toEqual(expect.arrayContaining([...expected, roundTripMetric(64), roundTripMetric(1500)]));
    expect(new Set(metrics).size).toBe(metrics.length);
  });
});
