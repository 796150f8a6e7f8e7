/**
 * Role: the peers written in C (c/*.c): memcpy, the SPSC ring, round trips of a spinning word and of sockets.
 * Thread: children of the harness. Compiled when there is a C compiler; without one each row says so.
 */

import type { Measured, Subject } from '../harness/measure.ts';
import { roundTripsOf } from '../harness/placement.ts';
import type { Unit } from '../harness/row.ts';
import { type CompiledPeers, jsonLine, numberOf, runTool } from '../harness/tools.ts';

/** Name of the row of the C ring with frames of that size: slots of 1536 B, or slots that hold the larger ones. */
export function cRing(frameBytes: number): string {
  return frameBytes <= 1528 ? ringName(frameBytes, 1536, 2048) : ringName(frameBytes, ...largeSlots(frameBytes));
}

/** R of the targets: copy in and out, 1500 B, default ring size. */
export const C_RING_1500: string = cRing(1500);
/** M of the targets. */
export const C_MEMCPY_1500 = 'C memcpy 1500 B, L2';
/** P of the targets. */
export const C_SPIN_RTT = 'C spin round trip';
export const C_UNIX_BLOCKING_RTT = 'C unix datagram round trip 4 B, blocking';
export const C_UDP_BLOCKING_RTT = 'C UDP loopback round trip 4 B, blocking';
export const C_UDP_BUSY_RTT = 'C UDP loopback round trip 4 B, busy-poll';

/** Working set of memcpy: 192 KiB, in the second-level cache of every machine of the last ten years. */
const WORKING_SET = 196_608;
const BATCH = 64;
const RTT_ROUNDS = 200_000;
const GRACE_MS = 25_000;

export interface CPeerOptions {
  /** Measured time of one repetition. */
  ms: number;
  quick: boolean;
}

/** All C peers. */
export function cSubjects(peers: CompiledPeers, options: CPeerOptions): Subject[] {
  return [...memcpySubjects(peers, options), ...ringSubjects(peers, options), ...rttSubjects(peers, options)];
}

/** memcpy over a working set that stays in L2; 1500 B is M. */
export function memcpySubjects(peers: CompiledPeers, { ms, quick }: CPeerOptions): Subject[] {
  const sizes = quick ? [64, 1500, 65_536] : [64, 256, 1500, 4096, 65_536];
  return sizes.map((bytes) =>
    subject(peers, {
      name: `C memcpy ${bytes} B, L2`,
      unit: 'Gbit/s',
      placementMatters: false,
      source: 'memcpy',
      args: [bytes, WORKING_SET, ms],
      ms,
      value: (result) => (numberOf(result, 'bytesPerSecond') * 8) / 1e9,
    }),
  );
}

const RING_BYTES = 4 << 20;
/** The paper's packet buffer, 392,200 B, holds as many slots of 1536 B. */
const PAPER_SLOTS = 255;

function ringName(frameBytes: number, slotBytes: number, slots: number): string {
  return `C ring ${frameBytes} B, ${slots} slots of ${slotBytes} B`;
}

/** Slots for frames above 1528 B: header and frame rounded to a cache line, as many as fill 4 MiB. */
function largeSlots(frameBytes: number): [slotBytes: number, slots: number] {
  const slotBytes = Math.ceil((frameBytes + 8) / 64) * 64;
  return [slotBytes, Math.floor(RING_BYTES / slotBytes)];
}

/** The ring: frame sizes in slots of 1536 B, 64 B in slots of their own size, larger frames in slots that hold them, the paper's buffer size. */
export function ringSubjects(peers: CompiledPeers, { ms, quick }: CPeerOptions): Subject[] {
  const sizes = quick ? [64, 1500] : [64, 128, 256, 512, 1024, 1500];
  const shapes = [
    ...sizes.map((bytes): [number, number, number] => [bytes, 1536, 2048]),
    [64, 128, 32_768],
    ...(quick ? [9000] : [9000, 65_000]).map((bytes): [number, number, number] => [bytes, ...largeSlots(bytes)]),
    [1500, 1536, PAPER_SLOTS],
  ] as const;
  return shapes.map(([bytes, slotBytes, slots]) =>
    subject(peers, {
      name: ringName(bytes, slotBytes, slots),
      unit: 'Gbit/s',
      placementMatters: true,
      source: 'ring',
      args: [bytes, slotBytes, slots, Math.min(BATCH, slots >> 1), ms],
      ms,
      value: (result) => (numberOf(result, 'frames') * bytes * 8) / numberOf(result, 'seconds') / 1e9,
    }),
  );
}

/** Round trips, medians: the spinning word, and 4 bytes over sockets, sleeping and polling. */
export function rttSubjects(peers: CompiledPeers, { ms }: CPeerOptions): Subject[] {
  const kinds: readonly (readonly [string, string, string, Unit])[] = [
    [C_SPIN_RTT, 'spin', 'busy', 'ns'],
    [C_UNIX_BLOCKING_RTT, 'unix', 'block', 'us'],
    ['C unix datagram round trip 4 B, busy-poll', 'unix', 'busy', 'us'],
    [C_UDP_BLOCKING_RTT, 'udp', 'block', 'us'],
    [C_UDP_BUSY_RTT, 'udp', 'busy', 'us'],
    ['C TCP loopback round trip 4 B, blocking', 'tcp', 'block', 'us'],
    ['C TCP loopback round trip 4 B, busy-poll', 'tcp', 'busy', 'us'],
  ];
  return kinds.map(([name, kind, mode, unit]) =>
    subject(peers, {
      name,
      unit,
      placementMatters: kind === 'spin',
      source: 'rtt',
      args: [kind, mode, 4, RTT_ROUNDS, ms],
      ms,
      value: (result) => numberOf(result, 'p50Ns') / (unit === 'us' ? 1000 : 1),
    }),
  );
}

interface Peer {
  name: string;
  unit: Unit;
  placementMatters: boolean;
  source: string;
  args: readonly (string | number)[];
  ms: number;
  value(result: Record<string, unknown>): number;
}

function subject(peers: CompiledPeers, peer: Peer): Subject {
  const missing = peers.missing();
  return {
    name: peer.name,
    system: 'C',
    metrics: [{ key: 'value', metric: peer.name, unit: peer.unit }],
    placementMatters: peer.placementMatters,
    ...(missing === undefined ? {} : { missing }),
    async run(signal): Promise<Measured> {
      const output = await runTool(peers.build(peer.source), peer.args.map(String), {
        limitMs: peer.ms + GRACE_MS,
        signal,
      });
      const result = jsonLine(output);
      const measured: Measured = { values: { value: peer.value(result) } };
      // The ring takes the spin round trip on its own two threads.
      return 'rttBeforeNs' in result ? { ...measured, ...roundTripsOf(result) } : measured;
    },
  };
}
