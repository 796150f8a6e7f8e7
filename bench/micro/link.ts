/**
 * Role: the cost of the memory and link layers alone: one frame through a ring, through each device, and the bulk copies
 * and sums, sending and receiving apart. It is the cost of the code alone, with its data in the cache.
 * Thread: the main thread, so nothing comes from another core. Run: `node dist/bench/micro/link.js [milliseconds per row]`.
 */

import { type Device, FrameBatch, onlyQueue } from '#src/link/device';
import { LoopbackDevice } from '#src/link/loopback';
import { Middleware } from '#src/link/middleware';
import { createNetwork, FRAME_PAD_BYTES, type VniNetworkOptions } from '#src/link/network';
import { openVni } from '#src/link/open-vni';
import { Arena } from '#src/mem/arena';
import { createBulk } from '#src/mem/bulk';
import { RingConsumer } from '#src/mem/ring-consumer';
import { RingProducer } from '#src/mem/ring-producer';
import { formatRing, ringBytes } from '#src/mem/spsc-ring';

const LENGTHS = [60, 1514];
const BATCHES = [1, 64];
/** Small enough for the level 2 cache: one thread never finds its lines elsewhere. */
const RING_BYTES = 256 * 1024;
const ROUNDS = 7;
const COPY_BYTES = [18, 64, 256, 1460, 65_536];

const msPerRow = Number(process.argv[2] ?? 50);
const arena: Arena = Arena.create(640 * 1024 * 1024);
const bulk = createBulk(arena);

/** Two halves that are timed apart, a stretch of each in turn. */
interface Path {
  name: string;
  send(count: number, lengthBytes: number): void;
  receive(): number;
}

function ringPath(): Path {
  const at = arena.allocate(ringBytes(RING_BYTES), 128);
  formatRing(arena, at, RING_BYTES, FRAME_PAD_BYTES);
  const producer = new RingProducer(arena, at, RING_BYTES, FRAME_PAD_BYTES);
  const consumer = new RingConsumer(arena, at, RING_BYTES, FRAME_PAD_BYTES);
  const batch = new FrameBatch();
  return {
    name: 'ring',
    send(count, lengthBytes) {
      for (let i = 0; i < count; i++) {
        producer.reserve(lengthBytes);
        producer.commit(lengthBytes, 0);
      }
      producer.publish();
    },
    receive() {
      const count = consumer.receive(batch.at, batch.length, batch.meta, 0, batch.capacity);
      consumer.release();
      return count;
    },
  };
}

function devicePath(name: string, from: Device, to: Device, isCopying: boolean): Path {
  const sender = onlyQueue(from);
  const receiver = onlyQueue(to);
  const { view } = arena;
  const batch = new FrameBatch();
  const app = arena.allocate(65_536, 64);
  const { hi, lo } = to.mac;
  return {
    name,
    send(count, lengthBytes) {
      for (let i = 0; i < count; i++) {
        const at = sender.reserve(hi, lo, lengthBytes);
        if (isCopying) bulk.copy(at, app, lengthBytes);
        view.setUint16(at, hi);
        view.setInt32(at + 2, lo);
        sender.commit(lengthBytes, 0);
      }
      sender.flush();
    },
    receive() {
      const count = receiver.receive(batch);
      if (isCopying) {
        for (let i = 0; i < count; i++) bulk.copy(app, batch.at[i] as number, batch.length[i] as number);
      }
      receiver.release();
      return count;
    },
  };
}

let networks = 0;

function vni(options: VniNetworkOptions): [Device, Device] {
  const network = createNetwork(arena, { ringBytes: RING_BYTES, bufferBytes: 8 * RING_BYTES, ...options });
  const device = (port: number): Device =>
    openVni(arena, bulk, network, port, { name: `n${networks}p${port}`, mac: { hi: 0x0200, lo: port } });
  networks++;
  return [device(0), device(1)];
}

/** Nanoseconds per frame, sending and receiving: the best of several rounds. */
function time(path: Path, lengthBytes: number, batch: number): [number, number] {
  const stretch = Math.max(1, Math.floor(RING_BYTES / 4 / (lengthBytes + 74) / batch));
  let bestSend = Infinity;
  let bestReceive = Infinity;
  for (let round = 0; round < ROUNDS; round++) {
    let sendMs = 0;
    let receiveMs = 0;
    let frames = 0;
    for (const untilMs = performance.now() + msPerRow / ROUNDS; performance.now() < untilMs; ) {
      const start = performance.now();
      for (let i = 0; i < stretch; i++) path.send(batch, lengthBytes);
      const middle = performance.now();
      let received = 0;
      for (let count = path.receive(); count > 0; count = path.receive()) received += count;
      receiveMs += performance.now() - middle;
      sendMs += middle - start;
      if (received !== stretch * batch) throw new Error(`${path.name}: ${received} of ${stretch * batch} frames`);
      frames += received;
    }
    bestSend = Math.min(bestSend, (sendMs * 1e6) / frames);
    bestReceive = Math.min(bestReceive, (receiveMs * 1e6) / frames);
  }
  return [bestSend, bestReceive];
}

/** Nanoseconds per call, the best of several rounds; calls walk through 192 KiB. */
function timeCall(call: (at: number) => unknown, n: number): number {
  const spread = 192 * 1024;
  let best = Infinity;
  for (let round = 0; round < ROUNDS; round++) {
    let calls = 0;
    const start = performance.now();
    for (const untilMs = start + msPerRow / ROUNDS; performance.now() < untilMs; ) {
      for (let i = 0, at = 0; i < 256; i++) {
        call(at);
        at += (n + 63) & ~63;
        if (at + n > spread) at = 0;
      }
      calls += 256;
    }
    best = Math.min(best, ((performance.now() - start) * 1e6) / calls);
  }
  return best;
}

function print(label: string, values: readonly number[]): void {
  process.stdout.write(`${label.padEnd(44)}${values.map((ns) => ns.toFixed(1).padStart(10)).join('')}\n`);
}

const loopback = new LoopbackDevice(arena);
const wrapped = new Middleware(new LoopbackDevice(arena, { name: 'lo1' }));
const paths = [
  ringPath(),
  devicePath('vni', ...vni({ ports: 2 }), false),
  devicePath('vni, 40 ports', ...vni({ ports: 40 }), false),
  devicePath('vni, shared buffer', ...vni({ ports: 2, buffers: 'shared' }), false),
  devicePath('loopback', loopback, loopback, false),
  devicePath('middleware around loopback', wrapped, wrapped, false),
  devicePath('vni, copied in and out', ...vni({ ports: 2 }), true),
];
process.stdout.write(`${'ns per frame'.padEnd(44)}${'send'.padStart(10)}${'receive'.padStart(10)}\n`);
for (const path of paths) {
  for (const lengthBytes of LENGTHS) {
    for (const batch of BATCHES)
      print(`${path.name}, ${lengthBytes} B, batch ${batch}`, time(path, lengthBytes, batch));
  }
}

const from = arena.allocate(256 * 1024, 4096);
const to = arena.allocate(256 * 1024, 4096);
const outside = new Uint8Array(256 * 1024);
const script = createBulk(arena, { simd: false });
process.stdout.write(`\n${'ns per call'.padEnd(44)}${COPY_BYTES.map((n) => `${n} B`.padStart(10)).join('')}\n`);
const calls: [string, (n: number) => (at: number) => unknown][] = [
  ['copy', (n) => (at) => bulk.copy(to + at + 4, from + at, n)],
  ['sum', (n) => (at) => bulk.sum(from + at, n)],
  ['copySum', (n) => (at) => bulk.copySum(to + at + 4, from + at, n)],
  ['copyIn, congruent', (n) => (at) => bulk.copyIn(to + at, outside, at, n)],
  ['copyIn, not congruent', (n) => (at) => bulk.copyIn(to + at + 4, outside, at, n)],
  ['copyOut, congruent', (n) => (at) => bulk.copyOut(outside, at, from + at, n)],
  ['copyOut, not congruent', (n) => (at) => bulk.copyOut(outside, at + 4, from + at, n)],
  ['copy, no wasm', (n) => (at) => script.copy(to + at + 4, from + at, n)],
  ['sum, no wasm', (n) => (at) => script.sum(from + at, n)],
];
for (const [name, call] of calls) {
  print(
    name,
    COPY_BYTES.map((n) => timeCall(call(n), n)),
  );
}
