/**
 * Role: `mk bench bus`: frames and round trips between processes, over a channel of vni for each two of them and over a shared bus of
 * shmif (the two configurations of papers/003), against a UNIX datagram socket and UDP over a veth pair in C, and the time of a
 * tool's call at a `rump_server`, beside that of an empty Node program.
 * Thread: the harness's main thread; participants are processes. On the bus each frame is heard by all others, with vni by one; the
 * figure counts what is heard.
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
import { namespacesMissing, SERVER_ADDRESS, VethPair } from '../peers/namespaces.ts';

const CHILD = fileURLToPath(entryUrl('bus-child', import.meta.url));
const FRAME_BYTES = 1514;
const ROUND_TRIP_BYTES = 64;
const SOCKET = 'C unix datagram 1500 B, 2 processes';
const VETH = 'C UDP over veth, 1500 B packets, 2 namespaces';
/** Payload of such a packet, without the headers of IP and UDP. */
const VETH_PAYLOAD_BYTES = 1472;
const VETH_PORT = 5201;
const TOOL = 'rump.ifconfig -l';
const EMPTY = 'node -e 0';
const TOOL_MS_MAX = 120;
/** Times the UNIX socket's figure. */
const FRAMES_MIN: Record<Medium, number> = { vni: 5, bus: 2 };
/** Times the bare spin round trip, and the UNIX socket's round trip. */
const SPINNING_MAX = 10;
const ASLEEP_MAX = 1.3;
const MEDIA: readonly Medium[] = ['vni', 'bus'];
const GRACE_MS = 30_000;
/** The sender begins before the counters and ends after them. */
const MARGIN_MS = 1500;

type Medium = 'bus' | 'vni';
type Idle = 'spin' | 'block' | 'sleep';

function framesName(medium: Medium, processes: number): string {
  return `${medium === 'bus' ? 'shared bus' : 'per-channel vni'} 1500 B, ${processes} processes`;
}

function roundTripName(medium: Medium, idle: Idle): string {
  return `${medium} round trip, ${IDLE_NAMES[idle]}`;
}

const IDLE_NAMES: Record<Idle, string> = { spin: 'spinning', block: 'asleep', sleep: 'asleep in event loops' };

/** Participants on a bus or vni network of their own. */
class Party {
  readonly #folder: string = mkdtempSync(join(tmpdir(), 'mk-bus-'));
  readonly #children: ChildProcess[] = [];
  readonly #medium: Medium;

  constructor(medium: Medium) {
    this.#medium = medium;
  }

  async add(role: string, idle: Idle, bytes: number, ms: number): Promise<ChildProcess> {
    const args = [this.#medium, role, idle, join(this.#folder, this.#medium), String(bytes), String(ms)];
    const child = fork(CHILD, args, { execArgv: [] });
    this.#children.push(child);
    await answer(child, 'ready');
    return child;
  }

  begin(): void {
    const pids = this.#children.map(({ pid }) => pid);
    for (const child of this.#children) child.send({ others: pids.filter((pid) => pid !== child.pid) });
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

async function frames(medium: Medium, processes: number, ms: number): Promise<Measured> {
  const party = new Party(medium);
  try {
    const counters = [];
    for (let i = 1; i < processes; i++) counters.push(await party.add('count', 'spin', FRAME_BYTES, ms));
    await party.add('send', 'spin', FRAME_BYTES, ms + MARGIN_MS);
    const answers = counters.map((counter) => answer(counter, 'perSecond'));
    party.begin();
    const results = await Promise.all(answers);
    if (results.some((result) => numberOf(result, 'bad') > 0)) throw new Error('damaged frames');
    const all = results.reduce((sum, result) => sum + numberOf(result, 'perSecond'), 0);
    return { values: { value: all / 1e6 } };
  } finally {
    party.close();
  }
}

async function roundTrip(medium: Medium, idle: Idle, ms: number, perUnit: number): Promise<Measured> {
  const party = new Party(medium);
  try {
    await party.add('echo', idle, ROUND_TRIP_BYTES, ms);
    const ask = await party.add('ask', idle, ROUND_TRIP_BYTES, ms);
    const result = answer(ask, 'medianNs');
    party.begin();
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

/** One namespace sends to the other, over the wire of the host. */
function vethSubject(peers: CompiledPeers, ms: number): Subject {
  const missing = namespacesMissing() ?? peers.missing();
  return {
    name: VETH,
    system: 'Linux',
    metrics: [{ key: 'value', metric: VETH, unit: 'Mpps' }],
    placementMatters: false,
    ...(missing === undefined ? {} : { missing }),
    async run(signal) {
      const udp = peers.build('udp');
      const pair = new VethPair(peers);
      try {
        const call = (namespace: string, verb: string, forMs: number): string[] => {
          const args = [verb, SERVER_ADDRESS, VETH_PORT, VETH_PAYLOAD_BYTES, forMs].map(String);
          return ['netns', 'exec', namespace, udp, ...args];
        };
        let sent: Promise<string> | null = null;
        const output = await runTool('ip', call(pair.server, 'receive', ms), {
          limitMs: ms + GRACE_MS,
          signal,
          onOutput: () => {
            sent ??= runTool('ip', call(pair.client, 'send', ms + MARGIN_MS), { limitMs: ms + GRACE_MS, signal });
          },
        });
        await sent;
        const result = jsonLine(output);
        if (numberOf(result, 'bad') > 0) throw new Error('datagrams out of order');
        return { values: { value: numberOf(result, 'perSecond') / 1e6 } };
      } finally {
        pair.remove();
      }
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
    ...MEDIA.flatMap((medium) =>
      processes.map((count) => ours(framesName(medium, count), 'Mpps', () => frames(medium, count, ms))),
    ),
    socketSubject(peers, ms),
    vethSubject(peers, ms),
    ...MEDIA.flatMap((medium) => [
      ours(roundTripName(medium, 'spin'), 'ns', () => roundTrip(medium, 'spin', ms, 1)),
      ours(roundTripName(medium, 'block'), 'us', () => roundTrip(medium, 'block', ms, 1000), false),
      ours(roundTripName(medium, 'sleep'), 'us', () => roundTrip(medium, 'sleep', ms, 1000), false),
    ]),
    ...roundTrips,
    ...toolSubjects(),
  ]);
  for (const medium of MEDIA) {
    for (const count of processes) compare(rows, framesName(medium, count), SOCKET);
    compare(rows, roundTripName(medium, 'spin'), C_SPIN_RTT);
    compare(rows, roundTripName(medium, 'block'), C_UNIX_BLOCKING_RTT);
    compare(rows, roundTripName(medium, 'sleep'), C_UNIX_BLOCKING_RTT);
    want(rowOf(rows, framesName(medium, 2)), { of: 'ratio', must: FRAMES_MIN[medium] });
    want(rowOf(rows, roundTripName(medium, 'spin')), { of: 'ratio', must: SPINNING_MAX });
    want(rowOf(rows, roundTripName(medium, 'block')), { of: 'ratio', must: ASLEEP_MAX });
  }
  compare(rows, VETH, SOCKET);
  compare(rows, TOOL, EMPTY);
  want(rowOf(rows, TOOL), { of: 'value', must: TOOL_MS_MAX });
  return rows;
}

export const bench: Bench = { run };
