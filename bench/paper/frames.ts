/**
 * Role: raw Ethernet frames through the device contract between two workers, as subjects: throughput, round trip, and the
 * cost of sending and receiving a frame alone.
 * Thread: the harness's main thread; the work is in frames-worker.ts. Each repetition has an arena and two workers of its own.
 */

import { createNetwork, type NetworkDescriptor, networkBytes, type VniNetworkOptions } from '#src/link/index';
import { Arena } from '#src/mem/index';
import { entryUrl } from '../harness/entry.ts';
import type { Measured, Subject } from '../harness/measure.ts';
import { roundTripsOf } from '../harness/placement.ts';
import type { Metric } from '../harness/row.ts';
import { numberOf } from '../harness/tools.ts';
import type { FrameBoot } from './frames-worker.ts';
import { runSides, type SideResult } from './sides.ts';
import { CONTROL_BYTES } from './spin-line.ts';

/** Frames that the sender sends in turn, and places that the receiver copies to in turn. */
export const SOURCES = 64;

export type Buffers = NetworkDescriptor['buffers'];

export interface FrameRun {
  kind: 'throughput' | 'roundTrip' | 'alone';
  /** Frame with Ethernet header, without FCS. */
  frameBytes: number;
  /** One buffer per direction, or one shared buffer under a lock: the paper's configurations 2 and 1. */
  buffers: Buffers;
  /** Size of the buffer; null is the default. */
  ringBytes: number | null;
  batch: number;
  ms: number;
  warmupMs: number;
}

/** Gbit/s of frames, and Mpps. */
export function throughputSubject(name: string, run: Omit<FrameRun, 'kind'>, paper?: number): Subject {
  const metrics: Metric[] = [
    { key: 'gbps', metric: name, unit: 'Gbit/s', ...(paper === undefined ? {} : { paper }) },
    { key: 'mpps', metric: `${name}, packets`, unit: 'Mpps' },
  ];
  return subject(name, metrics, { ...run, kind: 'throughput' });
}

/** Median round trip of one frame, both sides spinning. */
export function roundTripSubject(name: string, run: Omit<FrameRun, 'kind'>): Subject {
  return subject(name, [{ key: 'rttNs', metric: name, unit: 'ns' }], { ...run, kind: 'roundTrip' });
}

/** Time of one thread alone for sending a frame (reserve, copy in, commit, share of flush) and for receiving it. */
export function aloneSubject(name: string, run: Omit<FrameRun, 'kind'>): Subject {
  const metrics: Metric[] = [
    { key: 'sendNs', metric: `${name}, send`, unit: 'ns' },
    { key: 'receiveNs', metric: `${name}, receive`, unit: 'ns' },
  ];
  return { ...subject(name, metrics, { ...run, kind: 'alone' }), placementMatters: false };
}

function subject(name: string, metrics: readonly Metric[], run: FrameRun): Subject {
  return { name, system: 'multikernel', metrics, run: (signal) => runFrames(run, signal) };
}

/** A network of that organisation and buffer size, whose frames are at most `frameBytes` long. */
export function networkOptions(
  ports: number,
  { buffers, ringBytes, frameBytes }: Pick<FrameRun, 'buffers' | 'ringBytes' | 'frameBytes'>,
): VniNetworkOptions {
  if (buffers === 'channels') return { ports, ...(ringBytes === null ? {} : { ringBytes }) };
  const longest = Math.max(1514, frameBytes);
  return { ports, buffers, frameBytes: longest, ...(ringBytes === null ? {} : { bufferBytes: ringBytes }) };
}

async function runFrames(run: FrameRun, signal: AbortSignal): Promise<Measured> {
  const options = networkOptions(2, run);
  const buffers = 2 * SOURCES * (run.frameBytes + 64);
  const arena = Arena.create(networkBytes(options) + 2 * buffers + CONTROL_BYTES + (1 << 20));
  const network = createNetwork(arena, options);
  const controlAt = arena.allocate(CONTROL_BYTES, 4096);
  const sides = run.kind === 'alone' ? ([0] as const) : ([0, 1] as const);
  const boots = sides.map((side): FrameBoot => ({ memory: arena.memory, network, controlAt, side, run }));
  const entry = entryUrl('frames-worker', import.meta.url);
  const [sent, received] = await runSides(entry, boots, { what: 'frames', ms: run.ms + run.warmupMs, signal });
  return measuredOf(run, sent ?? {}, received ?? {});
}

function measuredOf(run: FrameRun, sender: SideResult, receiver: SideResult): Measured {
  if (run.kind === 'alone') {
    return { values: { sendNs: numberOf(sender, 'sendNs'), receiveNs: numberOf(sender, 'receiveNs') } };
  }
  const rtt = roundTripsOf(sender);
  if (run.kind === 'roundTrip') return { values: { rttNs: numberOf(sender, 'rttNs') }, ...rtt };
  const mpps = numberOf(receiver, 'frames') / numberOf(receiver, 'seconds') / 1e6;
  return { values: { mpps, gbps: (mpps * run.frameBytes * 8) / 1000 }, ...rtt };
}
