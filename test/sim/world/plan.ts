/**
 * A world as data: everything about it that is decided before its clock starts. Equal seeds give equal plans.
 */

import type { Impairment } from '../../../src/link/impairment.ts';
import { Draw } from './draw.ts';
import { type Topology, TopologyBuilder } from './topology.ts';
import { type DatagramPlan, drawDatagrams, drawStreams, type StreamPlan } from './traffic.ts';
import { drawEvents, drawImpairment, drawSeverity, type EventPlan, type Severity } from './trouble.ts';

export interface WorldPlan extends Topology {
  seed: number;
  severity: Severity;
  /** By node and port. */
  impairments: Impairment[][];
  /** By node: names below net.inet. */
  sysctls: Record<string, number>[];
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
  return { segments: draw.between(1, 3), hosts: draw.between(2, 4), streams: draw.between(1, 4), bytesMost: 3_000_000 };
}

export function planWorld(seed: number): WorldPlan {
  const draw = new Draw(seed);
  const severity = drawSeverity(draw);
  const sizes = drawSizes(draw);
  // One port at most flips bits: two flips on one way can cancel out in a checksum.
  const flips = severity !== 'none' && draw.chance(0.3);
  const topology = new TopologyBuilder(draw.fork(), !flips).build(sizes);
  const { nodes } = topology;
  const hosts = nodes.flatMap((node, index) => (node.kind === 'host' ? [index] : []));
  const flipper = flips ? draw.below(nodes.length) : -1;
  const impairments = nodes.map((node, n) =>
    node.ports.map((_, p) => drawImpairment(draw, draw.chance(0.6) ? severity : 'none', n === flipper && p === 0)),
  );
  const events = drawEvents(draw.fork(), topology, severity);
  const limits = {
    hosts,
    streams: sizes.streams,
    datagrams: draw.chance(0.4) ? draw.between(1, 4) : 0,
    bytesMost: sizes.bytesMost,
    datagramMost: flips ? 500 : draw.pick([1000, 9000, 65_507]),
    watchful: events.length > 0 || severity === 'awful',
  };
  return {
    seed,
    severity,
    ...topology,
    impairments,
    sysctls: nodes.map(() => drawSysctls(draw)),
    streams: drawStreams(draw.fork(), limits),
    datagrams: drawDatagrams(draw.fork(), limits),
    events,
  };
}

/** Options negotiable and switchable, sizes, times. Some machines have all as it comes. */
function drawSysctls(draw: Draw): Record<string, number> {
  if (draw.chance(0.4)) return {};
  const bit = (p: number): number => (draw.chance(p) ? 1 : 0);
  const sysctls: Record<string, number> = {
    'tcp.timestamps': bit(0.8),
    'tcp.sack.enable': bit(0.8),
    'tcp.sack.dsack': bit(0.8),
    'tcp.win_scale': bit(0.8),
    'tcp.congctl': bit(0.7),
    'tcp.limited_transmit': bit(0.8),
    'tcp.rack': bit(0.8),
    'tcp.tlp': bit(0.8),
    'tcp.prr': bit(0.8),
    'tcp.frto': bit(0.8),
    'tcp.ecn.enable': draw.below(3),
    'tcp.slowstart_after_idle': bit(0.8),
    'tcp.ack_batch': draw.scale(2, 128),
    'tcp.quickack': draw.below(20),
    'tcp.delack': draw.scale(1, 300),
    'tcp.init_win': draw.scale(1, 20),
    'tcp.sendspace': 4096 << draw.below(6),
    'tcp.recvspace': 4096 << draw.below(6),
    'tcp.msl': draw.scale(100, 30_000),
    'tcp.fin_timeout': draw.scale(1000, 60_000),
    'ip.mtudisc': bit(0.9),
  };
  for (const name of Object.keys(sysctls)) if (draw.chance(0.5)) delete sysctls[name];
  return sysctls;
}
