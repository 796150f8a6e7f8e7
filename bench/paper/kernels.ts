/**
 * Role: UDP and TCP between two kernels on two workers, through their socket calls, as subjects: throughput, round trip (spinning
 * and asleep), and the cost of a datagram on one thread alone.
 * Thread: the harness's main thread; the work is in kernels-worker.ts. Each repetition has an arena and kernels of its own.
 */

import { createNetwork, networkBytes } from '#src/link/index';
import { Arena } from '#src/mem/index';
import { entryUrl } from '../harness/entry.ts';
import type { Measured, Subject } from '../harness/measure.ts';
import { roundTripsOf } from '../harness/placement.ts';
import type { Metric } from '../harness/row.ts';
import { numberOf } from '../harness/tools.ts';
import type { KernelSetup } from './kernels-worker.ts';
import { runSides, type SideResult } from './sides.ts';
import { CONTROL_BYTES } from './spin-line.ts';

/** IPv4 and UDP headers: payload + this is the IP packet. */
export const UDP_HEADERS_BYTES = 28;

export interface KernelRun {
  kind: 'udp' | 'udpRoundTrip' | 'udpAlone' | 'tcp' | 'tcpRoundTrip' | 'tcpAlone';
  /** Payload of one datagram; of one write for TCP. */
  payloadBytes: number;
  mtuBytes: number;
  /** Buffer of each direction; null is the default. */
  ringBytes: number | null;
  /** computed: made and verified over every byte. flag: the link vouches for the bytes, as virtio does. */
  checksum: 'computed' | 'flag';
  /** The link takes segments of up to 64 KiB. */
  superFrames: boolean;
  /** Datagrams sent from and taken out of shared memory, as a program inside the kernel would; otherwise by socket calls. */
  inPlace: boolean;
  /** A side without work sleeps on its doorbell at once instead of spinning. */
  asleep: boolean;
  ms: number;
  warmupMs: number;
}

const HEAP_BYTES = 64 << 20;
/** Counters of two kernels and their devices, places in shared memory, and some. */
const MORE_BYTES = 16 << 20;

/** Datagrams per second that arrive, Gbit/s of IP packets (as the paper counts), and the share lost. */
export function udpSubject(name: string, run: KernelRun, paper?: number): Subject {
  return subject(
    name,
    [
      { key: 'gbps', metric: name, unit: 'Gbit/s', ...(paper === undefined ? {} : { paper }) },
      { key: 'mpps', metric: `${name}, packets`, unit: 'Mpps' },
      { key: 'lost', metric: `${name}, lost`, unit: '%' },
    ],
    { ...run, kind: 'udp' },
  );
}

/** Bytes of a TCP connection that the receiving program got per second. */
export function tcpSubject(name: string, run: KernelRun, paper?: number): Subject {
  const metric: Metric = { key: 'gbps', metric: name, unit: 'Gbit/s', ...(paper === undefined ? {} : { paper }) };
  return subject(name, [metric], { ...run, kind: 'tcp' });
}

/** Median round trip through both stacks. */
export function roundTripSubject(name: string, run: KernelRun): Subject {
  return subject(name, [{ key: 'rtt', metric: name, unit: run.asleep ? 'us' : 'ns' }], run);
}

/** Time on one thread for a send call with its share of the flush, and for receiving a datagram. */
export function udpAloneSubject(name: string, run: KernelRun): Subject {
  return aloneSubject(name, { ...run, kind: 'udpAlone' });
}

/** Time on one thread for a segment with data: sent and acknowledged, taken and read. */
export function tcpAloneSubject(name: string, run: KernelRun): Subject {
  return aloneSubject(name, { ...run, kind: 'tcpAlone' });
}

function aloneSubject(name: string, run: KernelRun): Subject {
  const metrics: Metric[] = [
    { key: 'sendNs', metric: `${name}, send`, unit: 'ns' },
    { key: 'receiveNs', metric: `${name}, receive`, unit: 'ns' },
  ];
  return { ...subject(name, metrics, run), placementMatters: false };
}

function subject(name: string, metrics: readonly Metric[], run: KernelRun): Subject {
  return {
    name,
    system: 'multikernel',
    metrics,
    placementMatters: !run.asleep,
    run: (signal) => runKernels(run, signal),
  };
}

function isAlone({ kind }: KernelRun): boolean {
  return kind === 'udpAlone' || kind === 'tcpAlone';
}

async function runKernels(run: KernelRun, signal: AbortSignal): Promise<Measured> {
  const options = { ports: 2, ...(run.ringBytes === null ? {} : { ringBytes: run.ringBytes }) };
  const arena = Arena.create(networkBytes(options) + CONTROL_BYTES + 2 * HEAP_BYTES + MORE_BYTES);
  const network = createNetwork(arena, options);
  const controlAt = arena.allocate(CONTROL_BYTES, 4096);
  const heaps = [0, 1].map(() => arena.allocate(HEAP_BYTES, 4096));
  const doorbells = [0, 1].map(() => arena.allocateDoorbell());
  const sides = isAlone(run) ? ([0] as const) : ([0, 1] as const);
  const boots = sides.map(
    (side): KernelSetup => ({
      memory: arena.memory,
      network,
      controlAt,
      heapBytes: HEAP_BYTES,
      heaps,
      doorbells,
      side,
      run,
    }),
  );
  const entry = entryUrl('kernels-worker', import.meta.url);
  const [near, far] = await runSides(entry, boots, { what: run.kind, ms: run.ms + run.warmupMs, signal });
  return measuredOf(run, near ?? {}, far ?? {});
}

function measuredOf(run: KernelRun, near: SideResult, far: SideResult): Measured {
  if (isAlone(run)) {
    return { values: { sendNs: numberOf(near, 'sendNs'), receiveNs: numberOf(near, 'receiveNs') } };
  }
  const rtt = roundTripsOf(near);
  if (run.kind === 'udpRoundTrip' || run.kind === 'tcpRoundTrip') {
    return { values: { rtt: numberOf(near, 'rttNs') / (run.asleep ? 1000 : 1) }, ...rtt };
  }
  const perSecond = numberOf(far, 'received') / numberOf(far, 'seconds');
  if (run.kind === 'tcp') return { values: { gbps: (perSecond * 8) / 1e9 }, ...rtt };
  const gbps = (perSecond * (run.payloadBytes + UDP_HEADERS_BYTES) * 8) / 1e9;
  const sent = numberOf(far, 'span');
  const lost = sent === 0 ? 0 : (100 * Math.max(0, sent - numberOf(far, 'received'))) / sent;
  return { values: { mpps: perSecond / 1e6, gbps, lost }, ...rtt };
}
