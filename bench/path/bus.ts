/**
 * Role: `mk bench bus`: frames and round trips between processes over a bus of shmif interfaces, against a UNIX datagram socket in C,
 * and the time of a tool's call at a `rump_server`, beside that of an empty Node program.
 * Thread: the harness's main thread; participants are processes. Missing: vni between processes, veth.
 */

import { type ChildProcess, fork, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Bench, BenchContext } from '../context.ts';
import { entryUrl } from '../harness/entry.ts';
import type { Measured, Subject } from '../harness/measure.ts';
import { compare, type Row, rowOf, type Unit } from '../harness/row.ts';
import { type CompiledPeers, jsonLine, numberOf, runTool } from '../harness/tools.ts';
import { want } from '../harness/want.ts';
import { C_SPIN_RTT, C_UNIX_BLOCKING_RTT, cSubjects } from '../peers/c-peers.ts';

const CHILD = fileURLToPath(entryUrl('bus-child', import.meta.url));
const FRAME_BYTES = 1514;
const ROUND_TRIP_BYTES = 64;
const SOCKET = 'C unix datagram 1500 B, 2 processes';
const SPINNING = 'bus round trip, spinning';
const ASLEEP = 'bus round trip, asleep';
const IN_LOOPS = 'bus round trip, asleep in event loops';
const TOOL = 'rump.ifconfig -l';
const EMPTY = 'node -e 0';
const TOOL_MS_MAX = 120;
const GRACE_MS = 30_000;
/** The sender begins before the counters and ends after them. */
const MARGIN_MS = 1500;

function busName(processes: number): string {
  return `shared bus 1500 B, ${processes} processes`;
}

/** Participants on a bus of their own. */
class Party {
  readonly #folder: string = mkdtempSync(join(tmpdir(), 'mk-bus-'));
  readonly #children: ChildProcess[] = [];

  async add(role: string, idle: string, bytes: number, ms: number): Promise<ChildProcess> {
    const args = [role, idle, join(this.#folder, 'bus'), String(bytes), String(ms)];
    const child = fork(CHILD, args, { execArgv: [] });
    this.#children.push(child);
    await answer(child, 'ready');
    return child;
  }

  close(): void {
    for (const child of this.#children) child.kill('SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** The message with that key. */
function answer(child: ChildProcess, key: string): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`a participant says no ${key}`)), GRACE_MS);
    child.on('message', (message: Record<string, unknown>) => {
      if (!(key in message)) return;
      clearTimeout(timer);
      resolve(message);
    });
    child.once('exit', () => {
      clearTimeout(timer);
      reject(new Error('a participant has ended'));
    });
  });
}

async function frames(processes: number, ms: number): Promise<Measured> {
  const party = new Party();
  try {
    const counters = [];
    for (let i = 1; i < processes; i++) counters.push(await party.add('count', 'spin', FRAME_BYTES, ms));
    const sender = await party.add('send', 'spin', FRAME_BYTES, ms + MARGIN_MS);
    const answers = counters.map((counter) => answer(counter, 'perSecond'));
    for (const child of [...counters, sender]) child.send('begin');
    const results = await Promise.all(answers);
    if (results.some((result) => numberOf(result, 'bad') > 0)) throw new Error('damaged frames');
    const all = results.reduce((sum, result) => sum + numberOf(result, 'perSecond'), 0);
    return { values: { value: all / 1e6 } };
  } finally {
    party.close();
  }
}

async function roundTrip(idle: 'spin' | 'block' | 'sleep', ms: number, perUnit: number): Promise<Measured> {
  const party = new Party();
  try {
    const echo = await party.add('echo', idle, ROUND_TRIP_BYTES, ms);
    const ask = await party.add('ask', idle, ROUND_TRIP_BYTES, ms);
    const result = answer(ask, 'medianNs');
    echo.send('begin');
    ask.send('begin');
    return { values: { value: numberOf(await result, 'medianNs') / perUnit } };
  } finally {
    party.close();
  }
}

function ours(name: string, unit: Unit, run: () => Promise<Measured>, placementMatters = true): Subject {
  return { name, system: 'multikernel', metrics: [{ key: 'value', metric: name, unit }], placementMatters, run };
}

function socketSubject(peers: CompiledPeers, ms: number): Subject {
  const missing = peers.missing();
  return {
    name: SOCKET,
    system: 'C',
    metrics: [{ key: 'value', metric: SOCKET, unit: 'Mpps' }],
    placementMatters: false,
    ...(missing === undefined ? {} : { missing }),
    async run(signal) {
      const output = await runTool(peers.build('dgram'), [String(FRAME_BYTES), String(ms)], {
        limitMs: ms + GRACE_MS,
        signal,
      });
      const result = jsonLine(output);
      if (numberOf(result, 'bad') > 0) throw new Error('datagrams were lost');
      return { values: { value: numberOf(result, 'perSecond') / 1e6 } };
    },
  };
}

/** Time of a program from its start to its end, the best of a few: others on the machine only add to it. */
function startTimeMs(args: readonly string[], env: NodeJS.ProcessEnv): number {
  const times = Array.from({ length: 5 }, () => {
    const begin = performance.now();
    const { status, stderr } = spawnSync(process.execPath, args, { env, encoding: 'utf8' });
    if (status !== 0) throw new Error(stderr.split('\n')[0]);
    return performance.now() - begin;
  });
  return Math.min(...times);
}

/** A server and its tool: the built commands. */
function toolSubjects(): Subject[] {
  const command = (file: string): string =>
    fileURLToPath(new URL(`../../tools/bin/${file}`, entryUrl('x', import.meta.url)));
  const timed = async (tool: boolean): Promise<Measured> => {
    const folder = mkdtempSync(join(tmpdir(), 'mk-bus-'));
    const env = { ...process.env, RUMP_SERVER: `unix://${join(folder, 'sock')}` };
    try {
      if (!tool) return { values: { value: startTimeMs(['-e', '0'], env) } };
      spawnSync(process.execPath, [command('rump-server.js'), env.RUMP_SERVER], { env });
      const ms = startTimeMs([command('ifconfig.cjs'), '-l'], env);
      spawnSync(process.execPath, [command('halt.cjs')], { env });
      return { values: { value: ms } };
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  };
  return [
    ours(TOOL, 'ms', () => timed(true), false),
    { ...ours(EMPTY, 'ms', () => timed(false), false), system: 'Node' },
  ];
}

async function run(context: BenchContext): Promise<Row[]> {
  const { quick } = context.effort;
  const ms = quick ? 500 : 2000;
  const { peers } = context;
  const processes = quick ? [2, 4] : [2, 4, 8];
  const roundTrips = cSubjects(peers, { ms, quick }).filter(({ name }) =>
    [C_SPIN_RTT, C_UNIX_BLOCKING_RTT].includes(name),
  );
  const rows = await context.measure([
    ...processes.map((count) => ours(busName(count), 'Mpps', () => frames(count, ms))),
    socketSubject(peers, ms),
    ours(SPINNING, 'ns', () => roundTrip('spin', ms, 1)),
    ours(ASLEEP, 'us', () => roundTrip('block', ms, 1000), false),
    ours(IN_LOOPS, 'us', () => roundTrip('sleep', ms, 1000), false),
    ...roundTrips,
    ...toolSubjects(),
  ]);
  compare(rows, busName(2), SOCKET);
  compare(rows, SPINNING, C_SPIN_RTT);
  compare(rows, ASLEEP, C_UNIX_BLOCKING_RTT);
  compare(rows, IN_LOOPS, C_UNIX_BLOCKING_RTT);
  compare(rows, TOOL, EMPTY);
  want(rowOf(rows, busName(2)), { of: 'ratio', must: 2 });
  want(rowOf(rows, SPINNING), { of: 'ratio', must: 10 });
  want(rowOf(rows, ASLEEP), { of: 'ratio', must: 1.3 });
  want(rowOf(rows, TOOL), { of: 'value', must: TOOL_MS_MAX });
  return rows;
}

export const bench: Bench = { run };
