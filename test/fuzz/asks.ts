/**
 * Questions of the fuzzer to a live lab: the operations of the lab and of a kernel, the methods of the façade, bytes on the
 * sockets.
 * Arguments are right ones that were spoilt, or junk. Nodes `a` and `r` must survive it all; `b` may be stopped and run.
 */

import { connect } from 'node:net';
import { inspect } from 'node:util';
import type { ControlClient } from '../../src/lab/control-client.ts';
import type { Lab } from '../../src/lab/lab.ts';
import { controlPath, kernelFolder, kernelPath } from '../../src/lab/runtime-folder.ts';
import { encodeHello, randomWords } from '../../src/rump/handshake.ts';
import type { KernelClient } from '../../src/rump/kernel-client.ts';
import * as protocol from '../../src/rump/protocol.ts';
import { encodeValue } from '../../src/rump/value-codec.ts';
import { CONTROL_STREAMS } from '../../src/sys/control-streams.ts';
import { CONTROL_OPERATIONS } from '../../src/sys/control-table.ts';
import type { Chance } from './chance.ts';
import { junk, junkObject, spoil } from './junk.ts';

const NO_OPERATIONS: readonly string[] = ['constructor', '__proto__', 'toString', 'hasOwnProperty', '', 'nothing'];
const IP = { family: 4, w0: 0, w1: 0, w2: 0, w3: 0x0a000063, scopeId: 0 };
const EVENTS_MAX = 30;
const PATIENCE_MS = 20;

/** The lab, and ways to it. */
export interface Target {
  readonly name: string;
  /** In this process. */
  readonly lab: Lab;
  /** Over the control socket. */
  readonly client: ControlClient;
  readonly kernels: readonly KernelClient[];
  /** The last question, for a report. */
  asked: string;
}

function note(target: Target, subject: string, ...words: unknown[]): void {
  target.asked = `${subject} ${words.map((word) => inspect(word, { depth: 5, breakLength: 160 })).join(' ')}`;
}

type Fields = Readonly<Record<string, unknown>>;

/** Right questions, `down` apart. */
const LAB_REQUESTS: Readonly<Record<string, Fields>> = {
  info: {},
  counters: { node: 'b' },
  partition: { a: ['b'], b: ['nobody'], oneWay: true, how: 'reject' },
  heal: { id: null, between: { a: ['b'], b: ['b'] } },
  run: { node: 'b', script: 'idle.js', argv: ['x'], nodeFlags: [], env: { A: '1' }, cwd: '/' },
  powerOff: { node: 'b' },
  start: { node: 'b' },
  stop: { node: 'b', graceMs: 100 },
  environment: { node: 'a' },
  checks: {},
};
const LAB_STREAMS: Readonly<Record<string, Fields>> = {
  metrics: { intervalMs: 100 },
  logs: { nodes: ['b'], lines: 5, follow: true },
  states: {},
};
const KERNEL_REQUESTS: Fields = {
  index: 1,
  name: 'net.inet.ip.ttl',
  value: 64,
  mtuBytes: 1500,
  address: IP,
  destination: IP,
  prefixLength: 32,
  gateway: null,
  interfaceIndex: 0,
  action: 0,
  linkAddress: [2, 0, 0, 0, 0, 1],
  temporary: true,
  published: false,
  id: 'x',
  from: [IP],
  links: [{ linkAddress: [2, 0, 0, 0, 0, 1], all: false }],
  family: 4,
};
const KERNEL_STREAMS: Fields = { family: 4, protocol: 1, interface: 'eth0', snapBytes: 64, address: IP, port: 80 };
const STREAM_INPUTS: readonly Fields[] = [
  { type: 'write', bytes: new Uint8Array(10) },
  { type: 'credit', bytes: 10 },
  { type: 'end' },
  { type: 'send', to: IP, port: 53, bytes: new Uint8Array(10) },
  { type: 'refuse', to: IP, port: 53, bytes: new Uint8Array(10) },
  { id: 1, to: IP, hops: 64, bytes: new Uint8Array(16) },
];

function someOf(chance: Chance, names: readonly string[]): never {
  return (chance.yes(0.9) ? chance.pick(names) : chance.pick(NO_OPERATIONS)) as never;
}

function wrong(chance: Chance, right: Fields): never {
  return (chance.yes(0.6) ? spoil(chance, right) : chance.yes(0.5) ? junkObject(chance) : junk(chance)) as never;
}

/** The events of a stream for a moment; rejects as the stream ends. */
async function sip(events: AsyncIterable<unknown> & { close(): void }): Promise<void> {
  const timer = setTimeout(() => events.close(), PATIENCE_MS);
  let count = 0;
  try {
    for await (const _ of events) if (++count === EVENTS_MAX) break;
  } finally {
    clearTimeout(timer);
  }
}

/** Open, a few inputs, close; rejects with how the stream ended. */
function throughStream(
  chance: Chance,
  open: (sink: { event(): void; end(error: Error | null): void }) => { send(input: never): void; close(): void },
): Promise<void> {
  return new Promise((resolve, reject) => {
    const handle = open({ event: () => {}, end: (error) => (error === null ? resolve() : reject(error)) });
    for (let n = chance.below(4); n > 0; n--) handle.send(wrong(chance, chance.pick(STREAM_INPUTS)));
    setTimeout(() => handle.close(), chance.below(PATIENCE_MS));
  });
}

function askLab(chance: Chance, target: Target): Promise<unknown> {
  const { client } = target;
  const request = chance.yes(0.7);
  const table = request ? LAB_REQUESTS : LAB_STREAMS;
  const operation = someOf(chance, Object.keys(table));
  const params = wrong(chance, table[operation] ?? {});
  note(target, request ? 'lab request' : 'lab stream', operation, params);
  return request
    ? client.request(operation, params)
    : throughStream(chance, (sink) => client.open(operation, params, sink));
}

function askKernel(chance: Chance, target: Target): Promise<unknown> {
  const kernel = chance.pick(target.kernels);
  const request = chance.yes(0.7);
  const operation = someOf(chance, request ? CONTROL_OPERATIONS : CONTROL_STREAMS);
  const params = wrong(chance, request ? KERNEL_REQUESTS : KERNEL_STREAMS);
  note(target, request ? 'kernel request' : 'kernel stream', operation, params);
  return request
    ? kernel.control(operation, params)
    : throughStream(chance, (sink) => kernel.open(operation, params, sink));
}

/** The server of `b` answers nothing, and may be off. */
function unlessLate(answer: Promise<unknown>): Promise<unknown> {
  return answer.catch((error: { code?: unknown }) => {
    if (error.code !== 'ETIMEDOUT') throw error;
  });
}

/** A method of the façade with arguments that it does not expect. */
function askFacade(chance: Chance, target: Target): Promise<unknown> {
  const { lab } = target;
  const node = lab.node(chance.pick(['a', 'r']));
  const given: unknown[] = [];
  const kept = (value: unknown): never => {
    given.push(value);
    return value as never;
  };
  const any = (): never => kept(junk(chance));
  const spoilt = (right: Fields): never => kept(wrong(chance, right));
  const change = { name: 'eth0', mtuBytes: 1500, addAddress: { address: '10.0.0.99', prefixLength: 24 } };
  const route = { destination: '1.2.3.0', prefixLength: 24, gateway: '10.0.0.1', kind: 'unicast' };
  const neighbor = { address: '10.0.0.77', mac: '02:00:00:00:00:01', temporary: false, published: false };
  const ping = { count: 2, intervalMs: 1, payloadBytes: 8, ttl: 9, waitMs: 5 };
  const program = { argv: [], nodeFlags: [], env: {}, cwd: '.' };
  const methods: readonly (() => Promise<unknown>)[] = [
    () => lab.counters(any()),
    () => lab.heal(any(), any()),
    () => lab.partition(any(), any(), spoilt({ how: 'reject', oneWay: true })),
    () => sip(lab.metrics(spoilt({ intervalMs: 100 }))),
    () => sip(lab.logs(spoilt({ nodes: [], lines: 3, follow: true }))),
    () => node.routes(any()),
    () => node.neighbors(any()),
    () => node.sockets(spoilt({ proto: 'tcp' })),
    () => node.sysctl(any()),
    () => node.setSysctl(any(), any()),
    () => node.setInterface(spoilt(change)),
    () => node.addRoute(spoilt(route)),
    () => node.deleteRoute(spoilt(route)),
    () => node.addNeighbor(spoilt(neighbor)),
    () => node.deleteNeighbor(any()),
    () => sip(node.ping(chance.yes(0.5) ? 'b' : any(), spoilt(ping))),
    () => sip(node.capture(spoilt({ interfaces: ['eth0'], filter: 'tcp', snapBytes: 64 }))),
    () => {
      const signal = AbortSignal.timeout(PATIENCE_MS);
      const options = Object.assign({ ...(spoilt({ method: 'GET', headers: {}, body: 'x' }) as object) }, { signal });
      return unlessLate(node.fetch(chance.yes(0.5) ? 'http://b/' : any(), options));
    },
    () => lab.node('b').run(chance.yes(0.5) ? 'idle.js' : any(), spoilt(program)),
    () => lab.node('b').powerOff(),
    () =>
      new Promise((resolve, reject) => {
        const socket = node.connect(any(), chance.yes(0.5) ? 'b' : any());
        socket.on('error', reject).on('close', resolve);
        setTimeout(() => socket.destroy(), PATIENCE_MS);
      }),
  ];
  const at = chance.below(methods.length);
  const answer = (methods[at] as () => Promise<unknown>)();
  note(target, `facade ${String(methods[at])}`, ...given);
  return answer;
}

/** Frames of remote calls with anything in them, or bytes that are none. */
function strangeBytes(chance: Chance): Uint8Array {
  if (chance.yes(0.2)) return Uint8Array.from({ length: chance.below(400) }, () => chance.below(256));
  const { VERSION_MIN: versionMin, VERSION_MAX: versionMax } = protocol;
  const nonce = randomWords(chance);
  const hello = encodeHello({ versionMin, versionMax, features: -1, role: chance.below(5), session: nonce, nonce });
  const payload = chance.pick([hello, encodeValue(junk(chance)), new Uint8Array(chance.below(80)), new Uint8Array(0)]);
  const operation = chance.yes(0.5) ? chance.below(80) : chance.pick([protocol.HELLO, protocol.PROOF, protocol.RELAY]);
  const frame = protocol.frameOf(payload, chance.below(5), operation, chance.edge() | 0);
  if (chance.yes(0.3)) new DataView(frame.buffer).setInt32(0, chance.edge() | 0, true);
  return frame;
}

function askSocket(chance: Chance, target: Target): Promise<unknown> {
  const { name } = target;
  note(target, 'bytes');
  return new Promise((resolve) => {
    const kernel = kernelPath(kernelFolder(name) as string, chance.pick(['a', 'r'])) as string;
    const socket = connect(chance.yes(0.5) ? controlPath(name) : kernel);
    socket.on('error', () => {}).on('close', resolve);
    socket.resume();
    for (let n = 1 + chance.below(4); n > 0; n--) socket.write(strangeBytes(chance));
    setTimeout(() => socket.destroy(), chance.below(PATIENCE_MS));
  });
}

/** One question of any kind; settles as it was answered. Text of it for a report comes with the seed. */
export function ask(chance: Chance, target: Target): Promise<unknown> {
  return chance.pick([askLab, askKernel, askFacade, askFacade, askSocket])(chance, target);
}
