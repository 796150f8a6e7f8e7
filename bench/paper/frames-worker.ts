/**
 * Role: one side of a raw-frame measurement: port 0 sends (and asks), port 1 receives (and answers).
 * Thread: a worker of its own, spinning; every wait has a time limit. Payload is copied in from places of the sender's own
 * and out to places of the receiver's own, as in the C ring; the receiver checks length, sequence number and last word.
 */

import { parentPort, workerData } from 'node:worker_threads';
import { type DeviceQueue, FrameBatch, type NetworkDescriptor, openVni } from '#src/link/index';
import { Arena, type Bulk, createBulk, type WasmMemory } from '#src/mem/index';
import { median } from '../harness/statistics.ts';
import { type FrameRun, SOURCES } from './frames.ts';
import { WORKER_GRACE_MS } from './sides.ts';
import { SpinLine } from './spin-line.ts';

export interface FrameBoot {
  memory: WasmMemory;
  network: NetworkDescriptor;
  controlAt: number;
  side: 0 | 1;
  run: FrameRun;
}

const { memory, network, controlAt, side, run } = workerData as FrameBoot;
const MAC_HI = 0x0200;
/** Offset of the sequence number: behind the Ethernet header. */
const SEQUENCE_AT = 14;
/** Sequence number of the frame after which nothing comes. */
const LAST = -1;
/** Round trips per reading of the clock. */
const RTT_ROUNDS = 50;

const arena = Arena.attach(memory);
const bulk: Bulk = createBulk(arena);
const { view } = arena;
const { frameBytes } = run;
const stride = Math.ceil((frameBytes + 8) / 64) * 64;
const line = new SpinLine(arena.words, controlAt, side, performance.now() + run.ms + run.warmupMs + WORKER_GRACE_MS);

function open(port: number): DeviceQueue {
  return openVni(arena, bulk, network, port, {
    name: `bench${port}`,
    mac: { hi: MAC_HI, lo: port + 1 },
    mtuBytes: Math.max(1500, frameBytes - 14),
  });
}

/** Places of `frameBytes` each, at offsets congruent with a slot's (2 modulo 8); filled with a pattern when they are sent from. */
function places(to: number | null): number {
  const at = arena.allocate(SOURCES * stride, 64) + 2;
  if (to === null) return at;
  for (let i = 0; i < SOURCES; i++) {
    const frame = at + i * stride;
    for (let k = 0; k < frameBytes; k++) view.setUint8(frame + k, (k * 31 + i * 7) & 0xff);
    view.setUint16(frame, MAC_HI);
    view.setInt32(frame + 2, to + 1);
    view.setUint16(frame + 6, MAC_HI);
    view.setInt32(frame + 8, 1 - to + 1);
    view.setUint16(frame + 12, 0x88b5); // local experimental (IEEE 802)
  }
  return at;
}

/** Sends up to `count` frames, numbered from `sequence`; returns how many went. */
function sendSome(device: DeviceQueue, sources: number, sequence: number, count: number): number {
  const to = 2 - side;
  for (let i = 0; i < count; i++) {
    const at = device.reserve(MAC_HI, to, frameBytes);
    if (at < 0) {
      device.flush();
      return i;
    }
    bulk.copy(at, sources + ((sequence + i) & (SOURCES - 1)) * stride, frameBytes);
    view.setInt32(at + SEQUENCE_AT, sequence + i, true);
    device.commit(frameBytes, 0);
  }
  device.flush();
  return count;
}

function sendOne(device: DeviceQueue, sources: number, sequence: number): void {
  for (let turns = 1; ; turns++) {
    const at = device.reserve(MAC_HI, 2 - side, frameBytes);
    if (at >= 0) {
      bulk.copy(at, sources + (sequence & (SOURCES - 1)) * stride, frameBytes);
      view.setInt32(at + SEQUENCE_AT, sequence, true);
      device.commit(frameBytes, 0);
      device.flush();
      return;
    }
    if ((turns & 0xfff) === 0) line.checkLimit();
  }
}

/** Copies a batch out, checks it; returns the number of wrong frames. `state.next` is the next sequence number. */
function takeBatch(batch: FrameBatch, count: number, sinks: number, state: { next: number; last: boolean }): number {
  let damaged = 0;
  for (let i = 0; i < count; i++) {
    const sequence = view.getInt32((batch.at[i] as number) + SEQUENCE_AT, true);
    if (sequence === LAST) {
      state.last = true;
      return damaged;
    }
    const slot = state.next & (SOURCES - 1);
    const sink = sinks + slot * stride;
    const length = batch.length[i] as number;
    if (length !== frameBytes || sequence !== state.next) damaged++;
    bulk.copy(sink, batch.at[i] as number, Math.min(length, frameBytes));
    if (view.getUint8(sink + frameBytes - 1) !== (((frameBytes - 1) * 31 + slot * 7) & 0xff)) damaged++;
    state.next++;
  }
  return damaged;
}

function sendAll(device: DeviceQueue): Record<string, number | null> {
  const sources = places(1);
  const rttBeforeNs = line.roundTrip();
  let sequence = 0;
  for (let turns = 1; ; turns++) {
    const sent = sendSome(device, sources, sequence, run.batch);
    sequence += sent;
    if ((turns & 15) !== 0) continue;
    if (line.enough) break;
    line.checkLimit();
  }
  sendOne(device, sources, LAST);
  return { rttBeforeNs, rttAfterNs: line.roundTrip(), frames: sequence };
}

function receiveAll(device: DeviceQueue): Record<string, number | null> {
  const sinks = places(null);
  const batch = new FrameBatch(run.batch);
  const state = { next: 0, last: false };
  line.roundTrip();
  const firstMs = performance.now();
  let startMs = 0;
  let from = 0;
  let damaged = 0;
  let idle = 0;
  let turns = 0;
  while (!state.last) {
    const count = device.receive(batch);
    if (count === 0) {
      if ((++idle & 0xfff) === 0) line.checkLimit();
      continue;
    }
    damaged += takeBatch(batch, count, sinks, state);
    device.release();
    if (startMs !== 0 && (line.enough || (++turns & 15) !== 0)) continue;
    const nowMs = performance.now();
    if (startMs !== 0) {
      if (nowMs - startMs >= run.ms) line.tellEnough();
    } else if (nowMs - firstMs >= run.warmupMs) [startMs, from] = [nowMs, state.next];
  }
  const seconds = (performance.now() - startMs) / 1000;
  line.roundTrip();
  return { frames: state.next - from, seconds, damaged };
}

/** One frame there and back, median over batches. */
function ask(device: DeviceQueue): Record<string, number | null> {
  const sources = places(1);
  const batch = new FrameBatch(run.batch);
  const rttBeforeNs = line.roundTrip();
  const warmMs = performance.now() + run.warmupMs;
  const untilMs = warmMs + run.ms;
  const batches: number[] = [];
  let damaged = 0;
  let sequence = 0;
  for (let now = performance.now(); now < untilMs || batches.length === 0; ) {
    const startMs = now;
    for (let round = 0; round < RTT_ROUNDS; round++, sequence++) {
      sendOne(device, sources, sequence);
      for (let turns = 1; device.receive(batch) === 0; turns++) if ((turns & 0xfff) === 0) line.checkLimit();
      if (view.getInt32((batch.at[0] as number) + SEQUENCE_AT, true) !== sequence) damaged++;
      device.release();
    }
    now = performance.now();
    if (startMs >= warmMs) batches.push(((now - startMs) * 1e6) / RTT_ROUNDS);
  }
  sendOne(device, sources, LAST);
  return { rttNs: median(batches), rttBeforeNs, rttAfterNs: line.roundTrip(), damaged };
}

function answer(device: DeviceQueue): Record<string, number | null> {
  const sources = places(0);
  const batch = new FrameBatch(run.batch);
  line.roundTrip();
  for (let sequence = 0; sequence !== LAST; ) {
    for (let turns = 1; device.receive(batch) === 0; turns++) if ((turns & 0xfff) === 0) line.checkLimit();
    sequence = view.getInt32((batch.at[0] as number) + SEQUENCE_AT, true);
    device.release();
    if (sequence !== LAST) sendOne(device, sources, sequence);
  }
  line.roundTrip();
  return {};
}

/** Both devices on this thread, in turn: what each direction costs when nobody else holds the cache lines. */
function alone(sender: DeviceQueue, receiver: DeviceQueue): Record<string, number | null> {
  const sources = places(1);
  const sinks = places(null);
  const batch = new FrameBatch(run.batch);
  const state = { next: 0, last: false };
  const warmMs = performance.now() + run.warmupMs;
  const untilMs = warmMs + run.ms;
  let damaged = 0;
  let [sendMs, receiveMs, frames, sequence] = [0, 0, 0, 0];
  for (let startMs = performance.now(); startMs < untilMs || frames === 0; ) {
    // Several batches per reading of the clock, as many as surely fit in the ring.
    const bufferBytes = network.ringBytes || (network.slots * network.maxFrameBytes) / 4;
    const rounds = Math.max(1, Math.floor(bufferBytes / 2 / ((frameBytes + 64) * run.batch)));
    const before = sequence;
    for (let i = 0; i < rounds; i++) sequence += sendSome(sender, sources, sequence, run.batch);
    const middleMs = performance.now();
    for (let count = receiver.receive(batch); count > 0; count = receiver.receive(batch)) {
      damaged += takeBatch(batch, count, sinks, state);
      receiver.release();
    }
    const endMs = performance.now();
    if (startMs >= warmMs) {
      sendMs += middleMs - startMs;
      receiveMs += endMs - middleMs;
      frames += sequence - before;
    }
    startMs = endMs;
  }
  if (state.next !== sequence) damaged += sequence - state.next;
  return { sendNs: (sendMs * 1e6) / frames, receiveNs: (receiveMs * 1e6) / frames, damaged };
}

function main(): Record<string, number | null> {
  if (run.kind === 'alone') return alone(open(0), open(1));
  const device = open(side);
  if (run.kind === 'throughput') return side === 0 ? sendAll(device) : receiveAll(device);
  return side === 0 ? ask(device) : answer(device);
}

parentPort?.postMessage(main());
