/**
 * Role: `mk bench mint`: the experiment of the Mint VNI paper (papers/003): frames, UDP and TCP between two kernels through shared
 * memory, one core each, beside a ring in C of the same frame size and Linux with iperf3; and what the paper left open.
 * Thread: the harness's main thread.
 */

import type { Bench, BenchContext } from '../context.ts';
import type { Subject } from '../harness/measure.ts';
import { compare, paperRow, type Row, ratioRow, rowOf } from '../harness/row.ts';
import { type Wanted, want } from '../harness/want.ts';
import { C_MEMCPY_1500, C_RING_1500, C_SPIN_RTT, C_UNIX_BLOCKING_RTT, cRing, cSubjects } from '../peers/c-peers.ts';
import {
  IPERF_LOOPBACK_TCP,
  IPERF_LOOPBACK_UDP_1472,
  IPERF_VETH_OFF,
  IPERF_VETH_ON,
  iperfSubjects,
} from '../peers/iperf3.ts';
import { mintFigures } from './mint-figures.ts';
import {
  FULL_DURATIONS,
  latencySubjects,
  meshSubjects,
  PAPER_BUFFER_BYTES,
  QUICK_DURATIONS,
  rawMetric,
  rawRoundTripMetric,
  rawSubjects,
  SHARED_RAW,
  SHARED_RAW_PAPER,
  SIZES,
  TCP_ROUND_TRIP,
  tcpMetric,
  tcpSubjects,
  udpCostMetric,
  udpInPlaceMetric,
  udpMetric,
  udpRoundTripMetric,
  udpSubjects,
} from './mint-rows.ts';

const PEERS = new Set([C_MEMCPY_1500, C_SPIN_RTT, C_UNIX_BLOCKING_RTT, ...SIZES.map(cRing)]);
const LINUX = new Set([IPERF_LOOPBACK_TCP, IPERF_LOOPBACK_UDP_1472, IPERF_VETH_ON, IPERF_VETH_OFF]);

/** Metric, its baseline, and the ratio that is wanted. */
const COMPARISONS: readonly (readonly [metric: string, baseline: string, wanted?: Wanted])[] = [
  ...SIZES.filter((bytes) => bytes !== 1500).map((bytes) => [rawMetric(bytes), cRing(bytes)] as const),
  [rawMetric(1500), C_RING_1500, { of: 'ratio', must: 0.5, aim: 0.85 }],
  [rawMetric(1500, PAPER_BUFFER_BYTES), C_RING_1500],
  [SHARED_RAW, C_RING_1500],
  [SHARED_RAW_PAPER, C_RING_1500],
  ...[64, 1500].map((bytes) => [rawRoundTripMetric(bytes), C_SPIN_RTT] as const),
  [udpMetric(1500, 'computed'), C_RING_1500, { of: 'ratio', must: 0.25, aim: 0.5 }],
  [udpMetric(1500, 'computed', PAPER_BUFFER_BYTES), C_RING_1500],
  [udpMetric(1500, 'flag'), C_RING_1500, { of: 'ratio', must: 0.35 }],
  [udpInPlaceMetric(1500, 'computed'), C_RING_1500],
  [udpInPlaceMetric(1500, 'flag'), C_RING_1500],
  [tcpMetric('MTU 1500', 'computed'), C_RING_1500, { of: 'ratio', must: 0.1, aim: 0.25 }],
  [tcpMetric('MTU 1500', 'flag'), C_RING_1500],
  [tcpMetric('MTU 1500', 'computed', PAPER_BUFFER_BYTES), C_RING_1500],
  [tcpMetric('MTU 9000', 'computed'), C_RING_1500],
  [tcpMetric('super-frames', 'computed'), C_RING_1500, { of: 'ratio', must: 0.2, aim: 0.45 }],
  [tcpMetric('super-frames', 'flag'), C_RING_1500],
  [udpRoundTripMetric(4), C_SPIN_RTT, { of: 'ratio', must: 8, aim: 3 }],
  [udpRoundTripMetric(4, false, true), C_SPIN_RTT, { of: 'ratio', must: 8, aim: 3 }],
  [udpRoundTripMetric(1472), C_SPIN_RTT],
  [TCP_ROUND_TRIP, C_SPIN_RTT],
  [udpRoundTripMetric(4, true), C_UNIX_BLOCKING_RTT, { of: 'ratio', must: 1.3, aim: 1 }],
];

/** Rows that are held against further peers, and the value that is wanted of the row made for that. */
const RATIOS: readonly (readonly [metric: string, baseline: string, wanted?: Wanted])[] = [
  [udpMetric(1500, 'computed'), IPERF_LOOPBACK_UDP_1472, { of: 'value', must: 20, aim: 45 }],
  [tcpMetric('MTU 1500', 'computed'), IPERF_VETH_OFF, { of: 'value', must: 5 }],
  [tcpMetric('MTU 1500', 'computed'), IPERF_VETH_ON, { of: 'value', must: 1.3 }],
  [tcpMetric('MTU 1500', 'computed'), IPERF_LOOPBACK_TCP],
];

/** The paper's UDP, beside what it is of the bandwidth of memory: there 38.5 %. */
const MEMORY_SHARE: readonly [metric: string, baseline: string, note: string] = [
  udpMetric(1500, 'flag'),
  C_MEMCPY_1500,
  'aim 0.385×, the share of memory bandwidth in the paper',
];

/** Rows that must reach the figure of the paper. */
const AS_THE_PAPER: readonly string[] = [udpMetric(1500, 'computed')];

/** Absolute figures that are wanted. */
const WANTED: readonly (readonly [metric: string, wanted: Wanted])[] = [
  [`${udpMetric(64, 'computed')}, packets`, { of: 'value', must: 8, aim: 30 }],
  [`${udpCostMetric(18)}, send`, { of: 'value', must: 200, aim: 60 }],
];

function peerSubjects({ effort, peers }: BenchContext): Subject[] {
  const { quick } = effort;
  const c = cSubjects(peers, { ms: quick ? 150 : 500, quick }).filter(({ name }) => PEERS.has(name));
  const linux = iperfSubjects(peers, { seconds: quick ? 1 : 2, quick }).filter(({ name }) => LINUX.has(name));
  return [...c, ...linux];
}

/** Sets ratios and notes, and adds the further comparisons. */
export function compared(rows: readonly Row[]): Row[] {
  for (const [metric, baseline, wanted] of COMPARISONS) {
    compare(rows, metric, baseline);
    want(rowOf(rows, metric), wanted);
  }
  for (const [metric, wanted] of WANTED) want(rowOf(rows, metric), wanted);
  const papers = AS_THE_PAPER.flatMap((metric) => paperRow(rows, metric) ?? []);
  for (const row of papers) want(row, { of: 'value', must: 1 });
  const ratios = RATIOS.filter(([metric]) => rowOf(rows, metric) !== undefined).map(([metric, baseline, wanted]) => {
    const row = ratioRow(rows, metric, baseline);
    want(row, wanted);
    return row;
  });
  const [metric, baseline, note] = MEMORY_SHARE;
  const share = ratioRow(rows, metric, baseline);
  if (share.value !== null) share.note = note;
  return [...rows, ...papers, share, ...ratios];
}

async function run(context: BenchContext): Promise<Row[]> {
  const { quick } = context.effort;
  const durations = quick ? QUICK_DURATIONS : FULL_DURATIONS;
  const groups = [rawSubjects, udpSubjects, tcpSubjects, latencySubjects, meshSubjects];
  const ours = groups.flatMap((group) => group(quick, durations));
  return compared(await context.measure([...peerSubjects(context), ...ours]));
}

export const bench: Bench = { run, figures: mintFigures };
