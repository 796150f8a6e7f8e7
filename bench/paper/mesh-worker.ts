/**
 * Role: half of the ports of a mesh: sends from each to all ports of the other half, and receives what comes to its own.
 * Thread: a worker of its own, spinning under a time limit. Frames are copied in and out; length, receiver, order on each
 * channel and last byte are checked.
 */

import { parentPort, workerData } from 'node:worker_threads';
import { type DeviceQueue, FrameBatch, type NetworkDescriptor, openVni } from '#src/link/index';
import { Arena, type Bulk, createBulk, type WasmMemory } from '#src/mem/index';
import { MEASURED_WORD, type MeshRun, RECEIVED_WORD, SENT_WORD } from './mesh.ts';
import { WORKER_GRACE_MS } from './sides.ts';
import { SpinLine } from './spin-line.ts';

export interface MeshBoot {
  memory: WasmMemory;
  network: NetworkDescriptor;
  controlAt: number;
  side: 0 | 1;
  run: MeshRun;
}

const { memory, network, controlAt, side, run } = workerData as MeshBoot;
const { frameBytes } = run;
const MAC_HI = 0x0200;
/** Offsets of the last four bytes of the source address and of the sequence number. */
const SOURCE_AT = 8;
const SEQUENCE_AT = 14;
const PLACES = 64;
const BURST = 16;
/** Turns between two looks at how much is on its way. */
const SAMPLE_TURNS = 16;

const arena = Arena.attach(memory);
const bulk: Bulk = createBulk(arena);
const { view, words } = arena;
const control = controlAt >> 2;
const stride = Math.ceil((frameBytes + 8) / 64) * 64;
const line = new SpinLine(words, controlAt, side, performance.now() + run.ms + run.warmupMs + WORKER_GRACE_MS);
const sources = arena.allocate(PLACES * stride, 64) + 2;
const sinks = arena.allocate(PLACES * stride, 64) + 2;

function fillSources(): void {
  for (let i = 0; i < PLACES; i++) {
    for (let k = 0; k < frameBytes; k++) view.setUint8(sources + i * stride + k, (k * 31) & 0xff);
  }
}

/** Next sequence number of each channel, by sender and receiver. */
const nextSent = new Int32Array(run.kernels * run.kernels);
const nextReceived = new Int32Array(run.kernels * run.kernels);

/** Sends up to a burst from one port to another; returns how many went. */
function sendBurst(device: DeviceQueue, from: number, to: number, place: number): number {
  const channel = from * run.kernels + to;
  let sent = 0;
  for (; sent < BURST; sent++) {
    const at = device.reserve(MAC_HI, to + 1, frameBytes);
    if (at < 0) break;
    bulk.copy(at, sources + ((place + sent) & (PLACES - 1)) * stride, frameBytes);
    view.setUint16(at, MAC_HI);
    view.setInt32(at + 2, to + 1);
    view.setInt32(at + SOURCE_AT, from + 1);
    view.setInt32(at + SEQUENCE_AT, (nextSent[channel] as number)++);
    device.commit(frameBytes, 0);
  }
  device.flush();
  return sent;
}

let damaged = 0;

/** Receives a batch on one port; returns how many came. */
function receiveBatch(device: DeviceQueue, to: number, batch: FrameBatch, place: number): number {
  const count = device.receive(batch);
  if (count === 0) return 0;
  for (let i = 0; i < count; i++) {
    const sink = sinks + ((place + i) & (PLACES - 1)) * stride;
    if (batch.length[i] !== frameBytes) damaged++;
    bulk.copy(sink, batch.at[i] as number, frameBytes);
    if (view.getUint8(sink + frameBytes - 1) !== (((frameBytes - 1) * 31) & 0xff)) damaged++;
    const channel = (view.getInt32(sink + SOURCE_AT) - 1) * run.kernels + to;
    if (view.getInt32(sink + 2) !== to + 1 || view.getInt32(sink + SEQUENCE_AT) !== nextReceived[channel]) damaged++;
    (nextReceived[channel] as number)++;
  }
  device.release();
  return count;
}

function inFlight(): number {
  const word = (name: number, of: number): number => Atomics.load(words, control + name + 32 * of);
  return word(SENT_WORD, 0) + word(SENT_WORD, 1) - word(RECEIVED_WORD, 0) - word(RECEIVED_WORD, 1);
}

interface Tally {
  startMs: number;
  from: number;
  samples: number;
  inFlight: number;
  peak: number;
}

function main(): Record<string, number> {
  fillSources();
  const own = Array.from({ length: run.kernels }, (_, port) => port).filter((port) => port % 2 === side);
  const others = Array.from({ length: run.kernels }, (_, port) => port).filter((port) => port % 2 !== side);
  const devices = own.map((port) =>
    openVni(arena, bulk, network, port, { name: `mesh${port}`, mac: { hi: MAC_HI, lo: port + 1 } }),
  );
  const batch = new FrameBatch(64);
  line.meet();
  const warmMs = performance.now() + run.warmupMs;
  const untilMs = warmMs + run.ms;
  const tally: Tally = { startMs: 0, from: 0, samples: 0, inFlight: 0, peak: 0 };
  let [sent, received] = [0, 0];
  let seconds = 0;
  let framesPerSecond = 0;
  // A side that has measured goes on until the other has, too: its traffic is half of what the other measures.
  for (let turn = 0; Atomics.load(words, control + MEASURED_WORD) < 2; turn++) {
    const to = others[turn % others.length] as number;
    for (let i = 0; i < devices.length; i++) {
      const device = devices[i] as DeviceQueue;
      const port = own[i] as number;
      sent += sendBurst(device, port, to, sent);
      received += receiveBatch(device, port, batch, received);
    }
    Atomics.store(words, control + SENT_WORD + 32 * side, sent);
    Atomics.store(words, control + RECEIVED_WORD + 32 * side, received);
    if (turn % SAMPLE_TURNS !== 0) continue;
    const nowMs = performance.now();
    line.checkLimit();
    if (nowMs < warmMs || seconds > 0) continue;
    if (tally.startMs === 0) [tally.startMs, tally.from] = [nowMs, received];
    const waiting = inFlight();
    tally.samples++;
    tally.inFlight += waiting;
    tally.peak = Math.max(tally.peak, waiting);
    if (nowMs < untilMs || tally.samples < 2 || received === tally.from) continue;
    seconds = (nowMs - tally.startMs) / 1000;
    framesPerSecond = (received - tally.from) / seconds;
    Atomics.add(words, control + MEASURED_WORD, 1);
  }
  line.meet();
  return { framesPerSecond, meanInFlight: tally.inFlight / tally.samples, peakInFlight: tally.peak, damaged };
}

parentPort?.postMessage(main());
