import fc from 'fast-check';
import { expect, it } from 'vitest';
import { memoryPair } from '../../test/fixtures/memory-pair.ts';
import { SeededRng } from '../base/rng.ts';
import type { Agent } from '../host/contract.ts';
import { Simulation } from '../host/sim/simulation.ts';
import { Kernel } from '../kernel/kernel.ts';
import { Arena } from '../mem/arena.ts';
import { formatRingPair, RingPair } from '../mem/ring-pair.ts';
import { SocketAddress } from '../socket/sockaddr.ts';
import { SYS } from '../sys/syscalls.ts';
import { RumpClient } from './client.ts';
import { ControlService } from './control-service.ts';
import { KernelProcess } from './kernel-process.ts';
import { PassedFiles } from './passed-files.ts';
import * as protocol from './protocol.ts';
import { RumpServer, SESSION_BYTES, SESSION_RING_BYTES, type SessionMemory } from './server.ts';
import { SessionProcess } from './session-process.ts';
import { SocketService } from './socket-service.ts';
import { SystemCallService } from './system-call-service.ts';
import { encodeValue } from './value-codec.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const simulation = new Simulation(1);
const kernel = Kernel.create({ name: 'k', arena: Arena.create(64 << 20), host: simulation.host() });
simulation.add(...kernel.cpus);
const expiries: (() => void)[] = [];
const passed = new PassedFiles(kernel.processes.wakeups, new SeededRng(3), (_ms, run) => void expiries.push(run));
const regionAt = kernel.arena.allocate(SESSION_BYTES, 65_536);
const region = kernel.arena.part(kernel.arena.offset(regionAt), SESSION_BYTES);
let moved: Agent | null = null;
/** The memory of one session at a time, in the arena of this process. */
function memory(): SessionMemory {
  region.bytes.fill(0, region.base, region.base + SESSION_BYTES);
  formatRingPair(region, SESSION_RING_BYTES);
  return {
    pair: new RingPair(region, SESSION_RING_BYTES, 1),
    path: 'here',
    hide: () => undefined,
    requestWork: () => undefined,
    begin: (agent) => {
      moved = agent;
    },
    free: () => {
      moved = null;
    },
  };
}
const server = new RumpServer({
  rng: new SeededRng(1),
  memory,
  features: protocol.FEATURE_SOCKETS | protocol.FEATURE_CONTROL | protocol.FEATURE_SYSCALLS | protocol.FEATURE_RINGS,
  services: (client) => {
    const process = new SessionProcess(kernel.processes, 'fuzz', client.limits.descriptorsMax);
    return [
      new SocketService(client, process, passed),
      new ControlService(client, {
        request: (operation, params) => kernel.client.answer(operation as never, params as never),
        open: (stream, request, sink) => kernel.client.openNow(stream as never, request as never, sink as never),
      }),
      new SystemCallService(client, new KernelProcess(process)),
    ];
  },
});

const LOOPBACK = 0x7f000001;
const word = fc.oneof(
  fc.integer({ min: -2, max: 6 }),
  fc.constantFrom(-0x8000_0000, 0x7fff_ffff, 65_535, 65_536, LOOPBACK, protocol.SEND_WINDOW_BYTES),
  fc.integer(),
);
const address = fc.record({
  family: fc.constantFrom(4, 4, 6, 5),
  w3: fc.constantFrom(0, 1, LOOPBACK, 0xe0000001, -1),
  scopeId: fc.constantFrom(0, 1, 99, -1),
  port: fc.constantFrom(0, 80, 81, 65_535, 65_536),
});
const value = fc.oneof(
  fc.record({
    id: fc.integer({ min: 0, max: 3 }),
    request: fc.constantFrom('interface.list', 'route.add', 'x'),
    params: fc.jsonValue(),
  }),
  fc.record({
    id: fc.integer({ min: 0, max: 3 }),
    open: fc.constantFrom('raw', 'capture', 'routeEvents', 'connection', 'x'),
    params: fc.jsonValue(),
  }),
  fc.record({ id: fc.integer({ min: 0, max: 3 }), input: fc.jsonValue() }),
  fc.record({ id: fc.integer({ min: 0, max: 3 }), close: fc.constant(true) }),
  fc.jsonValue(),
);
const numbers = fc
  .array(fc.constantFrom(0, 1, 2, 3, 24, 16, -1, 1e9, 2 ** 53, Number.NaN), { maxLength: 8 })
  .map((args) => new Uint8Array(Float64Array.from(args).buffer));
const payload = fc.oneof(fc.uint8Array({ maxLength: 60 }), value.map(encodeValue), numbers);
const operation = fc.oneof(
  fc.integer({ min: protocol.OPEN_STREAM, max: protocol.INTERFACE }),
  fc.constantFrom(protocol.CONTROL, protocol.SYSCALL, 0, 5, 99, 0xffff),
);
const PLAIN = {
  class: protocol.REQUEST,
  operation: 0,
  request: 1,
  object: 0,
  a: 0,
  b: 0,
  c: 0,
  payload: protocol.NO_PAYLOAD,
  addresses: [],
};
const frame = fc.record({
  class: fc.constantFrom(1, 1, 1, 1, 1, 1, 2, 3, 4, 9),
  operation,
  request: fc.integer({ min: 0, max: 5 }),
  object: fc.integer({ min: -1, max: 5 }),
  a: fc.oneof(word, fc.constantFrom(...Object.values(SYS))),
  b: word,
  c: word,
  payload,
  addresses: fc.array(address, { maxLength: 2 }),
});
type Written = Omit<protocol.Frame, 'addresses'> & {
  addresses: readonly { family: number; w3: number; scopeId: number; port: number }[];
};

/** Frames that make some sense, so that a session lives long enough to get into trouble. */
const good = fc.constantFrom(1, 3, 5);
const request = fc.integer({ min: 1, max: 5 });
const named = fc.array(
  address.map((one) => ({ ...one, family: one.family === 6 ? 6 : 4, scopeId: 0, port: one.port & 0xffff })),
  { minLength: 1, maxLength: 2 },
);
const sensible = fc
  .oneof(
    fc.record({
      operation: fc.constantFrom(protocol.OPEN_STREAM, protocol.OPEN_DATAGRAM),
      object: good,
      a: fc.constantFrom(4, 6),
    }),
    fc.record({
      operation: fc.constantFrom(protocol.BIND, protocol.CONNECT, protocol.SEND_TO),
      object: good,
      addresses: named,
    }),
    fc.record({ operation: fc.constant(protocol.LISTEN), object: good, a: word }),
    fc.record({ operation: fc.constantFrom(protocol.SEND, protocol.SEND_TO), object: good, payload }),
    fc.record({
      operation: fc.constantFrom(protocol.SHUTDOWN, protocol.CLOSE, protocol.ABORT, protocol.EXPORT),
      object: good,
      a: fc.constant(4),
    }),
    fc.record({
      operation: fc.constantFrom(protocol.SET_OPTION, protocol.GET_OPTION),
      object: good,
      a: fc.integer({ min: 0, max: 18 }),
      b: word,
    }),
    fc.record({
      operation: fc.constant(protocol.MEMBERSHIP),
      object: good,
      a: word,
      b: fc.constantFrom(0, 1),
      addresses: named,
    }),
    fc.record({ operation: fc.constantFrom(protocol.ORDER, protocol.INTERFACE), object: good, addresses: named }),
    fc.record({ operation: fc.constant(protocol.CONTROL), payload: value.map(encodeValue) }),
    fc.record({
      operation: fc.constant(protocol.SYSCALL),
      a: fc.constantFrom(...Object.values(SYS)),
      payload: numbers,
    }),
  )
  .chain((part) => request.map((number): Written => ({ ...PLAIN, request: number, ...part })));

function bytesOf(given: Written): Uint8Array {
  const bytes = protocol.payloadOf(
    given.payload,
    given.addresses.map((one) => ({ ...one, w0: 0, w1: 0, w2: 0 })) as never,
  );
  const { request: number, object, a, b, c, addresses } = given;
  return protocol.frameOf(bytes, given.class, given.operation, number, object, a, b, c, addresses.length);
}

/** Records of a ring: frames, whole or in pieces, and bytes that are none. */
const record = fc.record({
  meta: fc.constantFrom(0, 0, 0, 0, 1, 2, -1),
  bytes: fc.oneof(
    { weight: 8, arbitrary: fc.oneof(frame, sensible).map((one) => bytesOf({ ...one, request: one.request & 1 })) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 100 }) },
  ),
});

async function playRecords(records: readonly { meta: number; bytes: Uint8Array }[]): Promise<void> {
  const [carrier, other] = memoryPair();
  server.accept(Object.assign(other, { wake: () => undefined }), null, 0);
  const client = await RumpClient.connect(carrier, { rng: new SeededRng(7), key: null, features: 23 });
  client.begin({ event: () => undefined, request: () => undefined, closed: () => undefined });
  expect((await client.call(protocol.REGION, 0)).a).toBe(SESSION_BYTES);
  expect((await client.call(protocol.MAPPED, 0)).a).toBe(0);
  const pair = RingPair.open(region, 0);
  for (const { meta, bytes } of records) {
    const at = pair.out.reserve(bytes.length);
    region.bytes.set(bytes, at);
    pair.out.commit(bytes.length, meta);
    pair.publish();
    moved?.doWork(0);
    kernel.cpus[0].flush();
    simulation.settle();
    await Promise.resolve();
  }
  void client.close();
  await client.closed;
  await turn();
  simulation.settle();
  expect(moved).toBe(null);
  expect(server.sessions).toBe(0);
  expect(kernel.processes.count).toBe(1);
  for (const expire of expiries.splice(0)) expire();
  expect([...kernel.listeningPorts('tcp'), ...kernel.listeningPorts('udp')]).toEqual([]);
}

async function play(frames: readonly Written[]): Promise<void> {
  const [carrier, other] = memoryPair();
  server.accept(other, null, 0);
  const client = await RumpClient.connect(carrier, { rng: new SeededRng(7), key: null, features: 7 });
  client.begin({ event: () => undefined, request: (asked) => client.answer(asked, -14), closed: () => undefined });
  for (const given of frames) {
    if (!carrier.write(bytesOf(given), null)) break;
    kernel.cpus[0].flush();
    simulation.settle();
    await Promise.resolve();
  }
  await turn();
  void client.close();
  await client.closed;
  await turn();
  simulation.settle();
  expect(server.sessions).toBe(0);
  expect(kernel.processes.count).toBe(1);
  for (const expire of expiries.splice(0)) expire();
  expect([...kernel.listeningPorts('tcp'), ...kernel.listeningPorts('udp')]).toEqual([]);
}

it('takes any frames of an authenticated client, and has nothing left when it goes', async () => {
  await fc.assert(fc.asyncProperty(fc.array(frame, { maxLength: 20 }), play), { numRuns: 200 });
});

it('takes calls in any order, and has nothing left when the client goes', async () => {
  const before = server.admission.refused.get('malformed frame') ?? 0;
  const runs = 300;
  await fc.assert(fc.asyncProperty(fc.array(sensible, { maxLength: 40 }), play), { numRuns: runs });
  // Opening a number twice is the one thing that ends a session here.
  expect((server.admission.refused.get('malformed frame') ?? 0) - before).toBeLessThan(runs);
});

it('takes any records of a ring, and has nothing left when the client goes', async () => {
  await fc.assert(fc.asyncProperty(fc.array(record, { maxLength: 40 }), playRecords), { numRuns: 300 });
});

it('serves data where it lies', async () => {
  const [carrier, other] = memoryPair();
  server.accept(Object.assign(other, { wake: () => undefined }), null, 0);
  const client = await RumpClient.connect(carrier, { rng: new SeededRng(7), key: null, features: 23 });
  client.begin({ event: () => undefined, request: () => undefined, closed: () => undefined });
  await client.call(protocol.REGION, 0);
  await client.call(protocol.MAPPED, 0);
  const pair = RingPair.open(region, 0);
  const put = (...given: Parameters<typeof protocol.frameOf>): void => {
    const bytes = protocol.frameOf(...given);
    region.bytes.set(bytes, pair.out.reserve(bytes.length));
    pair.out.commit(bytes.length, 0);
    pair.publish();
    moved?.doWork(0);
    simulation.settle();
    moved?.doWork(0);
  };
  const to = SocketAddress.ipv4(LOOPBACK, 80);
  const { REQUEST } = protocol;
  put(protocol.NO_PAYLOAD, REQUEST, protocol.OPEN_DATAGRAM, 0, 1, 4);
  put(protocol.payloadOf(protocol.NO_PAYLOAD, [to]), REQUEST, protocol.BIND, 1, 1, 0, 0, 0, 1);
  put(protocol.payloadOf(Uint8Array.of(7, 8, 9), [to]), REQUEST, protocol.SEND_TO, 0, 1, 0, 0, 0, 1);
  const [at, length, meta] = [new Int32Array(8), new Int32Array(8), new Int32Array(8)];
  const count = pair.in.receive(at, length, meta, 0, 8);
  const frames = Array.from({ length: count }, (_, i) => {
    const place = at[i] as number;
    return protocol.decodeWhole(region.bytes.slice(place, place + (length[i] as number)));
  });
  expect(frames.map((one) => [one?.class, one?.operation, one?.object])).toEqual([
    [protocol.REPLY, protocol.BIND, 1],
    [protocol.EVENT, protocol.DATAGRAM, 1],
  ]);
  expect([...(frames[1]?.payload ?? [])]).toEqual([7, 8, 9]);
  expect(frames[1]?.addresses[0]?.equals(to)).toBe(true);
  void client.close();
  await client.closed;
});
