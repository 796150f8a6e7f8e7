/**
 * Role: the rows of `mk bench mint` that are ours: what is measured between two kernels, under which names.
 * Thread: the harness's main thread.
 */

import type { Subject } from '../harness/measure.ts';
import { aloneSubject, type FrameRun, roundTripSubject as frameRoundTrip, throughputSubject } from './frames.ts';
import {
  type KernelRun,
  roundTripSubject,
  tcpAloneSubject,
  tcpSubject,
  UDP_HEADERS_BYTES,
  udpAloneSubject,
  udpSubject,
} from './kernels.ts';
import { MESH_KERNELS, meshSubject } from './mesh.ts';

/** The paper's packet buffer, and what it reports for packets of 1500 bytes. */
export const PAPER_BUFFER_BYTES = 392_200;
export const PAPER_UDP_GBPS = 78.79;
export const PAPER_TCP_GBPS = 10.51;

/** A super-frame: as long as IPv4 allows, nearly. */
export const SUPER_BYTES = 65_000;
export const SIZES: readonly number[] = [64, 128, 256, 512, 1024, 1500, 9000, SUPER_BYTES];
const QUICK_SIZES: readonly number[] = [64, 1500, 9000];
const BATCH = 64;
/** Size of one write of the TCP sender. */
const WRITE_BYTES = 65_536;
/** Ethernet header and FCS: a frame of 64 bytes is an IP packet of 46. */
const ETHERNET_BYTES = 18;

/** Frames of TCP below an MTU of 1500. */
const TCP_SIZES: readonly number[] = SIZES.filter((size) => size < 1500);
const IPV4_MTU_MIN = 68;

type Checksum = KernelRun['checksum'];
const CHECKSUMS: readonly Checksum[] = ['computed', 'flag'];

export interface Durations {
  ms: number;
  warmupMs: number;
}

export const QUICK_DURATIONS: Durations = { ms: 200, warmupMs: 200 };
export const FULL_DURATIONS: Durations = { ms: 500, warmupMs: 400 };

function buffer(ringBytes: number | null): string {
  return ringBytes === null ? '' : `, buffer of ${ringBytes} B`;
}

export function rawMetric(frameBytes: number, ringBytes: number | null = null): string {
  return `raw frames ${frameBytes} B${buffer(ringBytes)}`;
}

/** The paper's configuration 1: both directions in one buffer. */
export const SHARED_RAW = 'raw frames 1500 B, one shared buffer';
export const SHARED_RAW_PAPER: string = `${SHARED_RAW} of ${PAPER_BUFFER_BYTES} B`;

export function rawRoundTripMetric(frameBytes: number): string {
  return `raw frame round trip ${frameBytes} B`;
}

/** `sizeBytes`: of the Ethernet frame up to 1024, of the IP packet from 1500. */
export function udpMetric(sizeBytes: number, checksum: Checksum, ringBytes: number | null = null): string {
  return `UDP ${sizeBytes} B, checksum ${checksum}${buffer(ringBytes)}`;
}

export function udpInPlaceMetric(sizeBytes: number, checksum: Checksum): string {
  return `${udpMetric(sizeBytes, checksum)}, in place`;
}

export function udpRoundTripMetric(payloadBytes: number, asleep = false, inPlace = false): string {
  return `UDP round trip ${payloadBytes} B, ${asleep ? 'both asleep' : 'both spinning'}${inPlace ? ', in place' : ''}`;
}

export const TCP_ROUND_TRIP = 'TCP round trip 4 B, both spinning';

export function udpCostMetric(payloadBytes: number): string {
  return `cost of a UDP datagram of ${payloadBytes} B`;
}

/** Metric of the cost of a segment with data, by the frames it travels in. */
export function tcpCostMetric(link: TcpLink): string {
  return `cost of a TCP segment, ${link}`;
}

export type TcpLink = 'MTU 1500' | 'MTU 9000' | 'super-frames';

export function tcpMetric(link: TcpLink, checksum: Checksum, ringBytes: number | null = null): string {
  return `TCP ${link}, checksum ${checksum}${buffer(ringBytes)}`;
}

/** TCP in Ethernet frames below 1500 B; from there on rows have the MTU in their name. */
export function tcpSizeMetric(frameBytes: number, checksum: Checksum): string {
  return `TCP ${frameBytes} B, checksum ${checksum}`;
}

/** Raw frames through the device contract. */
export function rawSubjects(quick: boolean, durations: Durations): Subject[] {
  const run = (frameBytes: number, ringBytes: number | null, batch: number): Omit<FrameRun, 'kind'> => ({
    frameBytes,
    buffers: 'channels',
    ringBytes,
    batch,
    ...durations,
  });
  const sizes = quick ? QUICK_SIZES : SIZES;
  return [
    ...sizes.map((bytes) => throughputSubject(rawMetric(bytes), run(bytes, null, BATCH))),
    throughputSubject(rawMetric(1500, PAPER_BUFFER_BYTES), run(1500, PAPER_BUFFER_BYTES, BATCH)),
    throughputSubject(SHARED_RAW, { ...run(1500, null, BATCH), buffers: 'shared' }),
    throughputSubject(SHARED_RAW_PAPER, { ...run(1500, PAPER_BUFFER_BYTES, BATCH), buffers: 'shared' }),
    ...[64, 1500].map((bytes) => frameRoundTrip(rawRoundTripMetric(bytes), run(bytes, null, 1))),
    ...(quick ? [1500] : [64, 1500]).map((bytes) =>
      aloneSubject(`cost of a raw frame ${bytes} B`, run(bytes, null, BATCH)),
    ),
  ];
}

/** Payload and MTU of a UDP row of that size. */
function datagram(sizeBytes: number): { payloadBytes: number; mtuBytes: number } {
  const packetBytes = sizeBytes < 1500 ? sizeBytes - ETHERNET_BYTES : sizeBytes;
  return { payloadBytes: packetBytes - UDP_HEADERS_BYTES, mtuBytes: Math.max(1500, packetBytes) };
}

function base(durations: Durations): KernelRun {
  return {
    kind: 'udp',
    payloadBytes: 1472,
    mtuBytes: 1500,
    ringBytes: null,
    checksum: 'computed',
    superFrames: false,
    inPlace: false,
    asleep: false,
    ...durations,
  };
}

/** Datagrams by socket calls, and in place as a program inside the kernel sends them. */
export function udpSubjects(quick: boolean, durations: Durations): Subject[] {
  const run = base(durations);
  const points: [size: number, checksum: Checksum][] = quick
    ? [
        [64, 'computed'],
        [1500, 'computed'],
        [1500, 'flag'],
      ]
    : SIZES.flatMap((size): [number, Checksum][] => [
        [size, 'computed'],
        [size, 'flag'],
      ]);
  const paper = (size: number): number | undefined => (size === 1500 ? PAPER_UDP_GBPS : undefined);
  const throughput = points.map(([size, checksum]) =>
    udpSubject(udpMetric(size, checksum), { ...run, ...datagram(size), checksum }, paper(size)),
  );
  const small = udpSubject(
    udpMetric(1500, 'computed', PAPER_BUFFER_BYTES),
    { ...run, ringBytes: PAPER_BUFFER_BYTES },
    PAPER_UDP_GBPS,
  );
  const inPlace: [number, Checksum][] = [
    [1500, 'computed'],
    [1500, 'flag'],
    [64, 'computed'],
  ];
  return [
    ...throughput,
    small,
    ...(quick ? inPlace.slice(0, 1) : inPlace).map(([size, checksum]) =>
      udpSubject(udpInPlaceMetric(size, checksum), { ...run, ...datagram(size), checksum, inPlace: true }, paper(size)),
    ),
  ];
}

/** Round trips, and the cost of a datagram on one thread alone. */
export function latencySubjects(quick: boolean, durations: Durations): Subject[] {
  const run = base(durations);
  const trip = (payloadBytes: number, asleep: boolean, inPlace = false): Subject =>
    roundTripSubject(udpRoundTripMetric(payloadBytes, asleep, inPlace), {
      ...run,
      kind: 'udpRoundTrip',
      payloadBytes,
      asleep,
      inPlace,
    });
  const tcp = roundTripSubject(TCP_ROUND_TRIP, { ...run, kind: 'tcpRoundTrip', payloadBytes: 4 });
  return [
    trip(4, false),
    trip(4, false, true),
    ...(quick ? [] : [trip(1472, false), tcp]),
    trip(4, true),
    ...[18, 1472].map((payloadBytes) => udpAloneSubject(udpCostMetric(payloadBytes), { ...run, payloadBytes })),
  ];
}

/** One connection; goodput of the receiving program. */
export function tcpSubjects(quick: boolean, durations: Durations): Subject[] {
  const run = { ...base(durations), payloadBytes: WRITE_BYTES };
  const one = (link: TcpLink, checksum: Checksum, ringBytes: number | null = null): Subject =>
    tcpSubject(
      tcpMetric(link, checksum, ringBytes),
      {
        ...run,
        checksum,
        ringBytes,
        mtuBytes: link === 'MTU 9000' ? 9000 : 1500,
        superFrames: link === 'super-frames',
      },
      link === 'MTU 1500' ? PAPER_TCP_GBPS : undefined,
    );
  const sizes = quick ? [] : TCP_SIZES;
  return [
    ...sizes.flatMap((size) => CHECKSUMS.map((checksum) => smallTcpSubject(size, { ...run, checksum }))),
    one('MTU 1500', 'computed'),
    one('MTU 1500', 'flag'),
    ...(quick ? [] : [one('MTU 9000', 'computed'), one('MTU 9000', 'flag')]),
    one('super-frames', 'computed'),
    ...(quick ? [] : [one('super-frames', 'flag')]),
    one('MTU 1500', 'computed', PAPER_BUFFER_BYTES),
    tcpAloneSubject(tcpCostMetric('MTU 1500'), run),
    ...(quick ? [] : [tcpAloneSubject(tcpCostMetric('super-frames'), { ...run, superFrames: true })]),
  ];
}

function smallTcpSubject(frameBytes: number, run: KernelRun): Subject {
  const mtuBytes = frameBytes - ETHERNET_BYTES;
  const subject = tcpSubject(tcpSizeMetric(frameBytes, run.checksum), { ...run, mtuBytes });
  if (mtuBytes >= IPV4_MTU_MIN) return subject;
  return { ...subject, missing: `its packets have ${mtuBytes} B, and IPv4 links take ${IPV4_MTU_MIN} (RFC 791)` };
}

/** More kernels, which the paper left open. */
export function meshSubjects(quick: boolean, durations: Durations): Subject[] {
  const organisations = ['channels', 'shared'] as const;
  return (quick ? [2, 32] : MESH_KERNELS).flatMap((kernels) =>
    organisations.map((buffers) => meshSubject({ kernels, buffers, frameBytes: 1500, ...durations })),
  );
}
