/**
 * Role: the loads of the Node face (stream, dgram, http, connect) as subjects, for whatever stage they are run on.
 * Thread: the harness's main thread. A repetition in which anything arrived damaged counts as failed.
 */

import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Measured, Subject } from '../harness/measure.ts';
import type { Metric, Unit } from '../harness/row.ts';
import { numberOf } from '../harness/tools.ts';
import { type PairResult, type ProgramCall, runPair, type Stage } from './stages.ts';

/** Duration of one repetition. */
export interface Duration {
  seconds: number;
  warmupMs: number;
}

/** The warm-up lets the engine compile what it will run: ours is JavaScript where the peers' stack is the host's. */
export const FULL: Duration = { seconds: 1, warmupMs: 2000 };
export const QUICK: Duration = { seconds: 0.4, warmupMs: 700 };

interface Load {
  /** As it stands in metrics: `stream 64 KiB writes`. */
  label: string;
  server: ProgramCall;
  client: ProgramCall;
  /** Metrics of the rows: suffix of the name, its unit, and the figure out of the pair's results. */
  figures: readonly { suffix: string; unit: Unit; of: (pair: PairResult) => number }[];
  socketPath?: () => string;
}

/** Name of the row of a load on a stage: `stream 64 KiB writes, two workers`. */
export function metricOf(label: string, stage: Stage, suffix = ''): string {
  return `${label}${suffix}, ${stage.name}`;
}

function subjectOf(load: Load, stage: Stage, duration: Duration): Subject {
  const metrics: Metric[] = load.figures.map(({ suffix, unit }, i) => ({
    key: String(i),
    metric: metricOf(load.label, stage, suffix),
    unit,
  }));
  return {
    name: metricOf(load.label, stage),
    system: stage.system,
    metrics,
    placementMatters: stage.system === 'multikernel',
    ...(stage.missing === undefined ? {} : { missing: stage.missing }),
    async run(signal): Promise<Measured> {
      const pair = await runPair(stage, load.server, load.client, {
        seconds: duration.seconds + duration.warmupMs / 1000,
        signal,
        ...(load.socketPath && { socketPath: load.socketPath() }),
      });
      refuseDamage(load.label, pair);
      return { values: Object.fromEntries(load.figures.map(({ of }, i) => [String(i), of(pair)])) };
    },
  };
}

/** Throws when either side saw bytes that were not those sent, or connections that failed. */
function refuseDamage(label: string, pair: PairResult): void {
  for (const result of [pair.server, pair.client]) {
    for (const count of ['damaged', 'errors', 'failed']) {
      if (typeof result[count] === 'number' && result[count] > 0)
        throw new Error(`${label}: ${result[count]} ${count}`);
    }
  }
  if (typeof pair.client.total === 'number' && pair.client.total !== pair.server.total) {
    throw new Error(`${label}: ${pair.client.total} bytes sent, ${pair.server.total} arrived`);
  }
}

const WRITES = [
  { bytes: 65536, label: '64 KiB writes' },
  { bytes: 1460, label: '1460 B writes' },
];

/** One connection, one way, received bytes per second: 64 KiB and 1460-byte writes. */
export function streamSubjects(stage: Stage, duration: Duration): Subject[] {
  return WRITES.map(({ bytes, label }) => subjectOf(streamLoad(`stream ${label}`, bytes, duration), stage, duration));
}

/** The same over a UNIX socket, for stages that share the machine's file system. */
export function unixSubjects(stage: Stage, duration: Duration): Subject[] {
  let turn = 0;
  return WRITES.map(({ bytes, label }) => {
    const load = streamLoad(`unix socket ${label}`, bytes, duration);
    // A new name each time: the socket file of a run that failed may still be there.
    const socketPath = (): string =>
      join(tmpdir(), `mk-bench-${process.pid}-${bytes}-${stage.name.length}-${++turn}.sock`);
    return subjectOf({ ...load, socketPath }, stage, duration);
  });
}

function streamLoad(label: string, bytes: number, { seconds, warmupMs }: Duration): Load {
  return {
    label,
    server: { program: 'stream-server', args: ['--warmup-ms', String(warmupMs)] },
    client: {
      program: 'stream-client',
      args: ['--bytes', String(bytes), '--seconds', String(seconds + warmupMs / 1000)],
    },
    figures: [{ suffix: '', unit: 'Gbit/s', of: ({ server }) => numberOf(server, 'gbps') }],
  };
}

/** Datagrams received per second, sent as fast as send() takes them: 64 and 1472 bytes of payload. */
export function dgramSubjects(stage: Stage, duration: Duration): Subject[] {
  const args = ['--seconds', String(duration.seconds + duration.warmupMs / 1000)];
  return [64, 1472].map((bytes) =>
    subjectOf(
      {
        label: `dgram ${bytes} B`,
        server: { program: 'dgram-server', args: ['--warmup-ms', String(duration.warmupMs)] },
        client: { program: 'dgram-client', args: ['--bytes', String(bytes), ...args] },
        figures: [
          { suffix: '', unit: 'Mpps', of: ({ server }) => numberOf(server, 'mpps') },
          {
            suffix: ' lost',
            unit: '%',
            of: ({ server }) => {
              const lost = numberOf(server, 'lost');
              return (100 * lost) / Math.max(1, lost + numberOf(server, 'packets'));
            },
          },
        ],
      },
      stage,
      duration,
    ),
  );
}

/** The connection counts of hello world. */
export const HTTP_CONNECTIONS: readonly number[] = [1, 32, 256];
const BIG_BYTES = 1 << 20;

/** Keep-alive requests per second: hello world at 1, 32 and 256 connections, bodies of 1 MiB at 4; `raw` has the cheap client. */
export function httpSubjects(stage: Stage, duration: Duration, clients: readonly ('agent' | 'raw')[]): Subject[] {
  const subjects: Subject[] = [];
  for (const client of clients) {
    const by = client === 'raw' ? ', raw client' : '';
    for (const connections of HTTP_CONNECTIONS) {
      const load = httpLoad(`http hello world, ${connections} conn${by}`, client, connections, duration);
      subjects.push(subjectOf(load, stage, duration));
    }
    const big = httpLoad(`http 1 MiB bodies, 4 conn${by}`, client, 4, duration, [
      '--path',
      '/big',
      '--bytes',
      String(BIG_BYTES),
    ]);
    const gbps = {
      suffix: ', payload',
      unit: 'Gbit/s',
      of: ({ client }: PairResult) => numberOf(client, 'gbps'),
    } as const;
    subjects.push(subjectOf({ ...big, figures: [...big.figures, gbps] }, stage, duration));
  }
  return subjects;
}

function httpLoad(
  label: string,
  client: 'agent' | 'raw',
  connections: number,
  { seconds, warmupMs }: Duration,
  more: readonly string[] = [],
): Load {
  const args = ['--connections', String(connections), '--client', client, ...more];
  return {
    label,
    server: { program: 'http-server', args: [] },
    client: { program: 'http-client', args: [...args, '--seconds', String(seconds), '--warmup-ms', String(warmupMs)] },
    figures: [
      { suffix: '', unit: 'requests/s', of: (pair) => numberOf(pair.client, 'perSecond') },
      { suffix: ', p50', unit: 'us', of: (pair) => numberOf(pair.client, 'p50Us') },
      { suffix: ', p99', unit: 'us', of: (pair) => numberOf(pair.client, 'p99Us') },
    ],
  };
}

/** New connections per second, 16 at a time, each with one byte and an orderly end. */
export function connectSubjects(stage: Stage, { seconds, warmupMs }: Duration): Subject[] {
  const load: Load = {
    label: 'connect, 16 at a time',
    server: { program: 'connect-server', args: [] },
    client: { program: 'connect-client', args: ['--seconds', String(seconds), '--warmup-ms', String(warmupMs)] },
    figures: [{ suffix: '', unit: 'connections/s', of: ({ client }) => numberOf(client, 'perSecond') }],
  };
  return [subjectOf(load, stage, { seconds, warmupMs })];
}
