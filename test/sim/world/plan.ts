/**
 * A world as data: everything about it that is decided before its clock starts. Equal seeds give equal plans.
 */

import type { Impairment } from '../../../src/link/impairment.ts';
import { Draw } from './draw.ts';
import {
  type Families,
  type NodePlan,
  routerPorts,
  type SegmentPlan,
  type Topology,
  TopologyBuilder,
} from './topology.ts';
import { type DatagramPlan, drawDatagrams, drawStreams, type StreamPlan } from './traffic.ts';
import { drawEvents, drawImpairment, drawSeverity, type EventPlan, type Severity } from './trouble.ts';

export interface WorldPlan extends Topology {
  seed: number;
  severity: Severity;
  families: Families;
  /** Of each machine, for socket buffers. */
  heapBytes: number;
  /** By node and port. */
  impairments: Impairment[][];
  /** By node. */
  sysctls: Record<string, number>[];
  /** Programs that listen take connections so long after they came; by node. */
  acceptDelaysUs: number[];
  /** Few ports for connections: they are used again and again. */
  fewPorts: boolean;
  streams: StreamPlan[];
  datagrams: DatagramPlan[];
  events: EventPlan[];
}

/** Most worlds are small, so that thousands take minutes. */
function drawSizes(draw: Draw): { segments: number; hosts: number; streams: number; bytesMost: number } {
  const x = draw.unit();
  if (x < 0.45) return { segments: 1, hosts: 2, streams: draw.between(1, 4), bytesMost: 100_000 };
  if (x < 0.8) {
    return { segments: draw.between(1, 3), hosts: draw.between(2, 4), streams: draw.between(1, 8), bytesMost: 100_000 };
  }
  if (x < 0.97) {
    return { segments: draw.between(2, 5), hosts: draw.between(3, 6), streams: draw.between(4, 24), bytesMost: 60_000 };
  }
  if (x < 0.985) {
    return {
      segments: draw.between(1, 3),
      hosts: draw.between(2, 4),
      streams: draw.between(1, 4),
      bytesMost: 3_000_000,
    };
  }
  return { segments: draw.between(1, 4), hosts: draw.between(2, 6), streams: draw.between(50, 200), bytesMost: 5000 };
}

export function planWorld(seed: number): WorldPlan {
  const draw = new Draw(seed);
  const severity = drawSeverity(draw);
  const sizes = drawSizes(draw);
  // One port at most flips bits: two flips on one way can cancel out in a checksum.
  const flips = severity !== 'none' && draw.chance(0.3);
  const families = draw.pick(['ipv4', 'ipv4', 'ipv6', 'both'] as const);
  const topology = new TopologyBuilder(draw.fork(), families, !flips).build(sizes);
  const { nodes } = topology;
  const hosts = nodes.flatMap((node, index) => (node.kind === 'host' ? [index] : []));
  const flipper = flips ? draw.below(nodes.length) : -1;
  const impairments = nodes.map((node, n) =>
    node.ports.map((_, p) => drawImpairment(draw, draw.chance(0.6) ? severity : 'none', n === flipper && p === 0)),
  );
  const events = drawEvents(draw.fork(), topology, severity);
  const fewPorts = draw.chance(0.1);
  const sysctls = nodes.map((node) => ({ ...drawSysctls(draw, node), ...(fewPorts ? drawPorts(draw) : {}) }));
  const limits = {
    hosts,
    streams: sizes.streams,
    datagrams: draw.chance(0.4) ? draw.between(1, 4) : 0,
    bytesMost: sizes.bytesMost,
    datagramMost: flips ? 500 : draw.pick([1000, 9000, 65_507]),
    watchful: events.length > 0 || severity === 'awful' || sysctls.some(isSilent),
    families,
    neighbors: (a: number, b: number) => subnetOf(topology, a) === subnetOf(topology, b),
  };
  const plan: WorldPlan = {
    seed,
    severity,
    families,
    heapBytes: draw.chance(0.9) ? 16 << 20 : draw.pick([2 << 20, 3 << 20, 5 << 20]),
    ...topology,
    impairments,
    sysctls,
    acceptDelaysUs: nodes.map(() => (draw.chance(0.15) ? draw.scale(100, 300_000) : 0)),
    fewPorts,
    streams: drawStreams(draw.fork(), limits),
    datagrams: drawDatagrams(draw.fork(), limits),
    events,
  };
  if (families !== 'ipv4' && draw.chance(0.6)) advertise(draw, plan);
  return plan;
}

/** Until routers have advertised themselves and hosts have addresses. */
const SETTLE_US = 15_000_000;

/** Routers advertise what they are, hosts make their own addresses and have no other routes. */
function advertise(draw: Draw, plan: WorldPlan): void {
  const { nodes, segments, streams, datagrams, events } = plan;
  const name = (last: string): string => `net.inet6.ip6.${last}`;
  for (const [n, node] of nodes.entries()) {
    const sysctls = plan.sysctls[n] as Record<string, number>;
    if (node.kind === 'bridge') continue;
    if (draw.chance(0.3)) sysctls[name('dad_count')] = draw.between(1, 2);
    if (node.kind === 'router') {
      sysctls[name('rtadv')] = 1;
      sysctls[name('rtadv_maxinterval')] = draw.scale(20, 600);
      sysctls[name('rtadv_preference')] = draw.between(-1, 1);
      // All that hosts learn of them ends before it is looked for (world.ts).
      sysctls[name('rtadv_vltime')] = 2400;
      sysctls[name('rtadv_pltime')] = draw.between(600, 2400);
    } else if (routerPorts(segments, nodes, node).length > 0 && draw.chance(0.8)) {
      node.auto = true;
      for (const port of node.ports) port.address6 = '';
      node.routes = node.routes.filter(({ destination }) => !destination.includes(':'));
      sysctls[name('accept_rtadv')] = 1;
      sysctls[name('stableids')] = draw.chance(0.7) ? 1 : 0;
      sysctls[name('use_tempaddr')] = draw.chance(0.5) ? 1 : 0;
      sysctls[name('temppltime')] = draw.scale(20, 86_400);
    }
  }
  for (const one of [...streams, ...datagrams]) one.atUs += SETTLE_US;
  // Some trouble comes while addresses are made.
  for (const event of events) {
    if (draw.chance(0.3)) continue;
    event.atUs += SETTLE_US;
    if ('untilUs' in event) event.untilUs += SETTLE_US;
  }
}

function subnetOf({ nodes, segments }: Topology, host: number): number {
  const port = (nodes[host] as NodePlan).ports[0] as NodePlan['ports'][number];
  return (segments[port.segment] as SegmentPlan).subnet;
}

/** Above any header of ours. */
const HEADERS_MOST = 90;
/** What arrives, is late and comes again: so many times as often as it had to be sent. */
const TIMES_MOST = 60;
/** Neighbors, groups, keep-alive, probes. */
const FRAMES_ASIDE = 20_000;

/** Generously, how many frames a world can need; with more, machines answer each other's answers. */
export function framesMost({ nodes, segments, streams, datagrams }: WorldPlan): number {
  const least = Math.min(...segments.map((one) => one.mtuBytes)) - HEADERS_MOST;
  const ports = nodes.reduce((sum, node) => sum + node.ports.length, 0);
  let frames = 0;
  for (const { sides } of streams) {
    const bytes = sides[0].sendBytes + sides[1].sendBytes;
    frames += bytes / least;
    // Each write may be a segment, each read opens a window.
    for (const side of sides) frames += (2 * side.sendBytes) / side.writeMost + (2 * bytes) / side.readMost;
  }
  for (const { count, sizeMost } of datagrams) frames += 2 * count * (1 + sizeMost / least);
  return FRAMES_ASIDE + Math.ceil(TIMES_MOST * ports * frames);
}

/** A machine that never says why it drops something. */
export function isSilent(sysctls: Record<string, number>): boolean {
  return sysctls['net.inet.icmp.errppslimit'] === 0;
}

/** Ports enough for what is connected at a time, but not for what is in TIME_WAIT too. */
function drawPorts(draw: Draw): Record<string, number> {
  const first = 50_000;
  return { 'net.inet.ip.anonportmin': first, 'net.inet.ip.anonportmax': first + draw.between(25, 40) };
}

/** Options negotiable and switchable, sizes, times. Some machines have all as it comes. */
function drawSysctls(draw: Draw, node: NodePlan): Record<string, number> {
  if (draw.chance(0.4)) return {};
  const bit = (p: number): number => (draw.chance(p) ? 1 : 0);
  const tcp: Record<string, number> = {
    timestamps: bit(0.8),
    'sack.enable': bit(0.8),
    'sack.dsack': bit(0.8),
    win_scale: bit(0.8),
    congctl: bit(0.7),
    limited_transmit: bit(0.8),
    rack: bit(0.8),
    tlp: bit(0.8),
    prr: bit(0.8),
    frto: bit(0.8),
    hystart: bit(0.8),
    pacing: bit(0.7),
    'abc.enable': bit(0.8),
    'abc.aggressive': draw.below(3),
    mtu_probing: draw.below(3),
    'ecn.enable': draw.below(3),
    slowstart_after_idle: bit(0.8),
    ack_batch: draw.scale(2, 128),
    quickack: draw.below(20),
    delack: draw.scale(1, 300),
    init_win: draw.scale(1, 20),
    sendspace: 4096 << draw.below(6),
    recvspace: 4096 << draw.below(6),
    recvbuf_auto: bit(0.8),
    sendbuf_auto: bit(0.8),
    msl: draw.scale(100, 30_000),
    fin_timeout: draw.scale(1000, 60_000),
    reass_limit: draw.scale(4, 1024),
    rfc1337: bit(0.3),
    anonportalgo: draw.between(1, 4),
  };
  const ip: Record<string, number> = {
    'net.inet.ip.mtudisc': bit(0.9),
    'net.inet.arp.nd_reachable': draw.scale(1000, 60_000),
    'net.inet6.icmp6.nd6_reachable': draw.scale(1000, 60_000),
    'net.inet.ip.redirect': bit(0.8),
    'net.inet6.ip6.redirect': bit(0.8),
    'net.inet.icmp.rediraccept': bit(0.8),
    'net.inet6.icmp6.rediraccept': bit(0.8),
    'net.inet6.ip6.auto_flowlabel': bit(0.8),
  };
  const sysctls: Record<string, number> = {};
  for (const [name, value] of Object.entries(tcp)) if (draw.chance(0.4)) sysctls[`net.inet.tcp.${name}`] = value;
  for (const [name, value] of Object.entries(ip)) if (draw.chance(0.3)) sysctls[name] = value;
  // Path MTUs can only be found by probing.
  if (node.kind === 'router' && draw.chance(0.15)) {
    sysctls['net.inet.icmp.errppslimit'] = 0;
    sysctls['net.inet6.icmp6.errppslimit'] = 0;
  }
  return sysctls;
}
