/**
 * What the programs of a world do: connections of random shape, and exchanges of datagrams.
 */

import type { Draw } from './draw.ts';
import type { Families } from './topology.ts';

const MS = 1000;
const SECOND = 1_000_000;

/** How a program ends its side. */
export type Ending =
  /** Shut down when all is written, close when the peer has done so too. */
  | 'orderly'
  /** Reset in the middle. */
  | 'abort'
  /** Close in the middle, whatever was not read: a reset too, unless nothing was unread. */
  | 'leave'
  /** Close when all is written and read, with a linger time of 0. */
  | 'linger';

/** One side of a connection. */
export interface SidePlan {
  sendBytes: number;
  /** Most bytes of one write and one read. */
  writeMost: number;
  readMost: number;
  /** A slow reader waits so long after each read; 0: reads all at once. */
  readPauseUs: number;
  /** Idle before the end is said. */
  idleUs: number;
  ending: Ending;
  /** abort, leave: after so many bytes were written. */
  endAtBytes: number;
  noDelay: boolean;
  /** -1: off; otherwise idle time before the first probe. */
  keepIdleMs: number;
  keepIntervalMs: number;
  keepCount: number;
  /** 0: as the system has it. */
  sendBufferBytes: number;
  receiveBufferBytes: number;
}

/**
 * How the server is named: by its address of a family; `mapped`, by its IPv4 address from a socket of IPv6; `link`, by its
 * link-local one.
 */
export type Naming = 'ipv4' | 'ipv6' | 'mapped' | 'link';

export interface StreamPlan {
  id: number;
  naming: Naming;
  /** Both connect to each other at the same time (RFC 9293 section 3.5, figure 7). */
  mutual: boolean;
  client: number;
  server: number;
  port: number;
  atUs: number;
  /** Nobody listens there. */
  closedPort: boolean;
  sides: readonly [client: SidePlan, server: SidePlan];
}

export interface DatagramPlan {
  id: number;
  naming: Naming;
  client: number;
  server: number;
  port: number;
  atUs: number;
  closedPort: boolean;
  /** The client connects its socket, so that it hears of errors. */
  connected: boolean;
  count: number;
  sizeMost: number;
  intervalUs: number;
  /** The server sends every n-th datagram back; 0: none. */
  echoEvery: number;
}

export interface TrafficLimits {
  hosts: readonly number[];
  streams: number;
  datagrams: number;
  /** Most bytes of one direction of a stream. */
  bytesMost: number;
  /** Datagrams are never longer: fragments whose damage cancels out would pass for sound. */
  datagramMost: number;
  /** Hosts vanish: whoever only waits must find out by itself. */
  watchful: boolean;
  families: Families;
  /** Whether two hosts are on one subnet. */
  neighbors(a: number, b: number): boolean;
}

export function drawStreams(draw: Draw, limits: TrafficLimits): StreamPlan[] {
  return Array.from({ length: limits.streams }, (_, id) => {
    const [client, server] = drawPair(draw, limits.hosts);
    const closedPort = draw.chance(0.04);
    const mutual = !closedPort && client !== server && draw.chance(0.06);
    const shape = drawShape(draw, limits.bytesMost);
    const sides = [drawSide(draw, limits, shape[0]), drawSide(draw, limits, shape[1])] as const;
    if (shape[0] > 0 && shape[1] > 0 && draw.chance(0.3)) for (const side of sides) tighten(draw, side);
    // A reset may be lost: only keep-alive finds out.
    if (sides[0].ending !== 'orderly') watch(draw, sides[1]);
    if (sides[1].ending !== 'orderly') watch(draw, sides[0]);
    return {
      id,
      naming: drawNaming(draw, limits, client, server),
      mutual,
      client,
      server,
      port: closedPort ? 9 : mutual ? 3000 + id : 1000 + draw.below(3),
      atUs: draw.below(draw.chance(0.8) ? SECOND : 10 * SECOND),
      closedPort,
      sides,
    };
  });
}

/** A reader that is late and has little room: its window closes again and again while it writes. */
function tighten(draw: Draw, side: SidePlan): void {
  side.receiveBufferBytes = draw.scale(4096, 20_000);
  side.readMost = draw.between(1000, 8000);
  side.readPauseUs = draw.scale(1000, 50 * MS);
}

function drawNaming(draw: Draw, { families, neighbors }: TrafficLimits, a: number, b: number): Naming {
  if (families === 'ipv4') return 'ipv4';
  if (a !== b && neighbors(a, b) && draw.chance(0.1)) return 'link';
  if (families === 'ipv6') return 'ipv6';
  return draw.pick(['ipv4', 'ipv6', 'ipv6', 'mapped']);
}

function watch(draw: Draw, side: SidePlan): void {
  if (side.keepIdleMs < 0) side.keepIdleMs = draw.scale(1000, 60_000);
}

/** Two hosts, now and then one and the same. */
function drawPair(draw: Draw, hosts: readonly number[]): [number, number] {
  const client = draw.pick(hosts);
  const others = hosts.filter((one) => one !== client);
  return [client, others.length === 0 || draw.chance(0.03) ? client : draw.pick(others)];
}

/** Bytes up and down. */
function drawShape(draw: Draw, most: number): [number, number] {
  const x = draw.unit();
  const some = (): number => (draw.chance(0.08) ? 0 : draw.scale(1, most));
  if (x < 0.25) return [some(), 0];
  if (x < 0.5) return [draw.scale(1, 2000), some()];
  return [some(), some()];
}

function drawSide(draw: Draw, limits: TrafficLimits, sendBytes: number): SidePlan {
  const x = draw.unit();
  const ending = x < 0.84 ? 'orderly' : x < 0.9 ? 'abort' : x < 0.95 ? 'leave' : 'linger';
  const keeps = limits.watchful || draw.chance(0.3);
  return {
    sendBytes,
    writeMost: draw.scale(Math.max(1, Math.floor(sendBytes / 500)), 100_000),
    readMost: draw.scale(Math.max(1, Math.floor(limits.bytesMost / 500)), 100_000),
    readPauseUs: draw.chance(0.15) ? draw.scale(100, 100 * MS) : 0,
    idleUs: draw.chance(0.15) ? draw.scale(MS, 60 * SECOND) : 0,
    ending,
    endAtBytes: draw.below(sendBytes + 1),
    noDelay: draw.chance(0.5),
    keepIdleMs: keeps ? draw.scale(1000, 60_000) : -1,
    keepIntervalMs: draw.scale(1000, 10_000),
    keepCount: draw.between(5, 12),
    sendBufferBytes: draw.chance(0.25) ? draw.scale(4096, 300_000) : 0,
    receiveBufferBytes: draw.chance(0.25) ? draw.scale(4096, 300_000) : 0,
  };
}

export function drawDatagrams(draw: Draw, limits: TrafficLimits): DatagramPlan[] {
  return Array.from({ length: limits.datagrams }, (_, id) => {
    const [client, server] = drawPair(draw, limits.hosts);
    const closedPort = draw.chance(0.1);
    return {
      id,
      naming: drawNaming(draw, limits, client, server),
      client,
      server,
      port: closedPort ? 9 : 2000 + id,
      atUs: draw.below(2 * SECOND),
      closedPort,
      connected: draw.chance(0.5),
      count: draw.scale(1, 60),
      sizeMost: draw.scale(16, limits.datagramMost),
      intervalUs: draw.chance(0.3) ? 0 : draw.scale(10, SECOND),
      echoEvery: draw.below(4),
    };
  });
}
