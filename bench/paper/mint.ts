/**
 * Role: `mk bench mint`: the experiment of the Mint VNI paper (papers/003): frames between two kernels through shared memory,
 * one core each, beside a ring in C of the same frame and buffer sizes and Linux with iperf3.
 * Thread: the harness's main thread.
 *
 * Targets (R = C ring 1500 B, default ring; P = spin round trip): raw frames 1500 B 0.50 R; round trip 8 P.
 * The paper: UDP 78.79 Gbit/s, TCP 10.51 Gbit/s, 1500-byte packets, packet buffer of 392,200 bytes.
 */

import type { Bench, BenchContext } from '../context.ts';
import type { Subject } from '../harness/measure.ts';
import { compare, type Row } from '../harness/row.ts';
import { C_RING_1500, C_SPIN_RTT, cRing, cSubjects } from '../peers/c-peers.ts';
import { IPERF_LOOPBACK_TCP, IPERF_VETH_OFF, IPERF_VETH_ON, iperfSubjects } from '../peers/iperf3.ts';
import { aloneSubject, type FrameRun, roundTripSubject, SUPER_FRAME_BYTES, throughputSubject } from './frames.ts';
import { MESH_KERNELS, meshSubject } from './mesh.ts';

/** The paper's packet buffer. */
export const PAPER_BUFFER_BYTES = 392_200;
export const PAPER_UDP_GBPS = 78.79;
export const PAPER_TCP_GBPS = 10.51;

const BATCH = 64;
export const FRAME_SIZES: readonly number[] = [64, 128, 256, 512, 1024, 1500, 9000, SUPER_FRAME_BYTES];
const QUICK_SIZES: readonly number[] = [64, 1500, 9000];

/** Name of the throughput row of raw frames. */
export function rawMetric(frameBytes: number, ringBytes: number | null): string {
  return `raw frames ${frameBytes} B${ringBytes === null ? '' : `, buffer of ${ringBytes} B`}`;
}

/** Name of the round-trip row of raw frames. */
export function roundTripMetric(frameBytes: number): string {
  return `raw frame round trip ${frameBytes} B`;
}

const PEERS = new Set([C_SPIN_RTT, ...FRAME_SIZES.map(cRing)]);
const LINUX = new Set([IPERF_LOOPBACK_TCP, IPERF_VETH_ON, IPERF_VETH_OFF]);

/** Raw frames through the device contract. */
export function rawSubjects(quick: boolean): Subject[] {
  const time = quick ? { ms: 200, warmupMs: 150 } : { ms: 500, warmupMs: 300 };
  const run = (frameBytes: number, ringBytes: number | null, batch: number): Omit<FrameRun, 'kind'> => ({
    frameBytes,
    ringBytes,
    batch,
    ...time,
  });
  const sizes = quick ? QUICK_SIZES : FRAME_SIZES;
  return [
    ...sizes.map((bytes) => throughputSubject(rawMetric(bytes, null), run(bytes, null, BATCH))),
    throughputSubject(rawMetric(1500, PAPER_BUFFER_BYTES), run(1500, PAPER_BUFFER_BYTES, BATCH)),
    roundTripSubject(roundTripMetric(64), run(64, null, 1)),
    roundTripSubject(roundTripMetric(1500), run(1500, null, 1)),
    aloneSubject('cost of a raw frame 64 B', run(64, null, BATCH)),
    aloneSubject('cost of a raw frame 1500 B', run(1500, null, BATCH)),
  ];
}

/** What the paper left open: more kernels. */
export function meshSubjects(quick: boolean): Subject[] {
  const time = quick ? { ms: 200, warmupMs: 150 } : { ms: 500, warmupMs: 300 };
  const counts = quick ? [2, 32] : MESH_KERNELS;
  return counts.map((kernels) => meshSubject({ kernels, frameBytes: 1500, ...time }));
}

function peerSubjects({ effort, peers }: BenchContext): Subject[] {
  const { quick } = effort;
  const c = cSubjects(peers, { ms: quick ? 150 : 500, quick }).filter(({ name }) => PEERS.has(name));
  const linux = iperfSubjects(peers, { seconds: quick ? 1 : 2, quick }).filter(({ name }) => LINUX.has(name));
  return [...c, ...linux];
}

async function run(context: BenchContext): Promise<Row[]> {
  const { quick } = context.effort;
  const rows = await context.measure([...peerSubjects(context), ...rawSubjects(quick), ...meshSubjects(quick)]);
  for (const bytes of FRAME_SIZES) compare(rows, rawMetric(bytes, null), cRing(bytes));
  compare(rows, rawMetric(1500, PAPER_BUFFER_BYTES), C_RING_1500);
  for (const bytes of [64, 1500]) compare(rows, roundTripMetric(bytes), C_SPIN_RTT);
  return rows;
}

export const bench: Bench = { run };
