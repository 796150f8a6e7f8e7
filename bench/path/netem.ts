/**
 * Role: `mk bench netem`: how exactly an impaired link keeps the delay and the rate that were asked for, beside tc-netem(8) on a veth pair
 * between two namespaces, with the same programs.
 * Thread: the harness's main thread. Delays are those of one way: half of what round trips take longer than on the same link without
 * impairments, measured just before; programs, system calls and wake-ups take their time on both.
 */

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ImpairmentOptions, Placement } from '#src/index';
import type { Bench, BenchContext } from '../context.ts';
import type { Subject } from '../harness/measure.ts';
import { compare, type Row, rowOf } from '../harness/row.ts';
import { type CompiledPeers, jsonLine, lacking, numberOf, runTool } from '../harness/tools.ts';
import { want } from '../harness/want.ts';
import { namespacesMissing, SERVER_ADDRESS, VethPair } from '../peers/namespaces.ts';
import { KernelStage } from './kernels.ts';
import { type ProgramCall, type ProgramResult, programUrl, runPair, type Stage } from './stages.ts';

const PORT = 8000;
const SECONDS = 10;
/** Link-layer, IP and UDP header of a datagram. */
const HEADER_BYTES = 42;
/** Between two round trips, at least. */
const GAP_MS = 20;
const BURST_BYTES = 1208;
const BURST = 500;

type TcWords = readonly [client: string | null, server: string | null];

interface Case {
  name: string;
  unit: 'us' | '%';
  impair: ImpairmentOptions;
  /** The same for tc, at the client and at the server. */
  tc: TcWords;
  client: readonly string[];
  /** Distance from what was asked for. `plain`: the same without impairments; null for a rate. */
  error(result: ProgramResult, plain: ProgramResult | null): number;
  comparesPlain: boolean;
  must: number;
}

function delay(ms: number, count: number): Case {
  return {
    name: `delay ${ms} ms, off by`,
    unit: 'us',
    impair: { delay: `${ms}ms` },
    tc: [`delay ${ms}ms`, `delay ${ms}ms`],
    // Programs sleep as long without the delay as with it: the longer they sleep, the later they wake.
    client: ['--count', String(count), '--gap-ms', String(Math.max(GAP_MS, 2 * ms))],
    error: (result, plain) => {
      const addedMs = numberOf(result, 'medianMs') - numberOf(plain as ProgramResult, 'medianMs');
      return Math.abs(addedMs / 2 - ms) * 1000;
    },
    comparesPlain: true,
    must: Math.max(200, ms * 10),
  };
}

function rate(mbit: number): Case {
  return {
    name: `rate ${mbit} Mbit/s, off by`,
    unit: '%',
    impair: { rate: `${mbit}mbit`, up: true },
    tc: [`rate ${mbit}mbit`, null],
    client: ['--count', String(BURST), '--bytes', String(BURST_BYTES), '--burst'],
    error: (result) => {
      const bits = numberOf(result, 'datagrams') * (BURST_BYTES + HEADER_BYTES) * 8;
      return Math.abs(bits / (numberOf(result, 'spanMs') * 1000) / mbit - 1) * 100;
    },
    comparesPlain: false,
    must: 1,
  };
}

const CASES: readonly Case[] = [delay(1, 40), delay(5, 40), delay(40, 20), rate(2), rate(10), rate(100)];

/** Stages of two kernels by where their programs run. */
const PLACEMENTS: readonly { name: string; placement: Placement }[] = [
  { name: 'two kernels, programs as processes', placement: 'process' },
  { name: 'two kernels', placement: 'beside' },
];

/** Two processes in two namespaces, joined by a veth pair that tc impairs. */
class NamespaceStage implements Stage {
  readonly name = 'tc netem on veth';
  readonly system = 'Linux' as const;
  private readonly peers: CompiledPeers;
  private readonly tc: TcWords;
  private pair: VethPair | undefined;

  constructor(peers: CompiledPeers, tc: TcWords) {
    this.peers = peers;
    this.tc = tc;
  }

  async endpoint(): Promise<{ host: string; port: number }> {
    const pair = new VethPair(this.peers);
    this.pair = pair;
    const [client, server] = this.tc;
    for (const [namespace, words] of [
      [pair.client, client],
      [pair.server, server],
    ] as const) {
      if (words === null) continue;
      const args = ['-n', namespace, 'qdisc', 'add', 'dev', 'veth0', 'root', 'netem', ...words.split(' ')];
      const { status, stderr } = spawnSync('tc', args, { encoding: 'utf8', timeout: 10_000 });
      if (status !== 0) throw new Error(`tc ${args.join(' ')}: ${stderr.trim().split('\n')[0]}`);
    }
    return { host: SERVER_ADDRESS, port: PORT };
  }

  async run(role: 'server' | 'client', call: ProgramCall, limitMs: number, signal: AbortSignal) {
    const namespace = (this.pair as VethPair)[role];
    const command = [process.execPath, fileURLToPath(programUrl(call.program)), ...call.args];
    return jsonLine(await runTool('ip', ['netns', 'exec', namespace, ...command], { limitMs, signal }));
  }

  async clear(): Promise<void> {
    this.pair?.remove();
  }

  close(): Promise<void> {
    return this.clear();
  }
}

function metricOf({ name }: Case, stage: Stage): string {
  return `${name}, ${stage.name}`;
}

function subject(one: Case, stage: Stage, plain: Stage, missing: string | undefined): Subject {
  const metric = metricOf(one, stage);
  return {
    name: metric,
    system: stage.system,
    metrics: [{ key: 'error', metric, unit: one.unit }],
    placementMatters: false,
    ...(missing === undefined ? {} : { missing }),
    async run(signal) {
      const server = { program: 'netem-server', args: [] };
      const client = { program: 'netem-client', args: one.client };
      const on = (where: Stage) => runPair(where, server, client, { seconds: SECONDS, signal });
      const before = one.comparesPlain ? (await on(plain)).client : null;
      const result = await on(stage);
      return { values: { error: one.error(result.client, before) } };
    },
  };
}

async function run(context: BenchContext): Promise<Row[]> {
  const missing = namespacesMissing() ?? lacking(['tc']);
  const cases = context.effort.quick ? CASES.filter(({ name }) => /40 ms| 1 ms|10 M/.test(name)) : CASES;
  const stages = cases.map((one) => ({
    one,
    ours: PLACEMENTS.map(({ name, placement }) => new KernelStage(name, {}, placement, one.impair)),
    tc: new NamespaceStage(context.peers, one.tc),
  }));
  const plain = PLACEMENTS.map(({ name, placement }) => new KernelStage(name, {}, placement));
  const plainTc = new NamespaceStage(context.peers, [null, null]);
  try {
    const subjects = stages.flatMap(({ one, ours, tc }) => [
      ...ours.map((stage, i) => subject(one, stage, plain[i] as Stage, undefined)),
      subject(one, tc, plainTc, missing),
    ]);
    const rows = await context.measure(subjects);
    for (const { one, ours, tc } of stages) {
      for (const stage of ours) {
        compare(rows, metricOf(one, stage), metricOf(one, tc));
        want(rowOf(rows, metricOf(one, stage)), { of: 'value', must: one.must });
      }
    }
    return rows;
  } finally {
    for (const stage of [...stages.flatMap(({ ours, tc }) => [...ours, tc]), ...plain, plainTc]) await stage.close();
  }
}

export const bench: Bench = { run };
