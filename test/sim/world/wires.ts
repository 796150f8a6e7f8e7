/**
 * The wires of a world: a segment is a wire of its own, or a VLAN of one, which it may share with others.
 */

import type { Draw } from './draw.ts';
import type { SegmentPlan, Topology } from './topology.ts';

export interface WirePlan {
  mtuBytes: number;
  capabilities: number;
  ringBytes: number;
  tagged: boolean;
}

/** Beside the packet, for two tags. */
const TAG_BYTES = 8;
const FIRST_TAG = 10;

/** Give each segment its wire, and some their tags. Segments of one subnet have the same tags, so that a bridge can pass them on. */
export function layWires(draw: Draw, { segments, wires, nodes }: Pick<Topology, 'segments' | 'wires' | 'nodes'>): void {
  const subnets = Math.max(...segments.map(({ subnet }) => subnet)) + 1;
  const tags = Array.from({ length: subnets }, (_, subnet): number[] => {
    if (draw.chance(0.7)) return [];
    return draw.chance(0.25) ? [FIRST_TAG + subnet, draw.between(1, 4094)] : [FIRST_TAG + subnet];
  });
  for (const segment of segments) {
    segment.tags = tags[segment.subnet] as number[];
    segment.wire = draw.chance(0.5) ? sharedWire(draw, segments, wires, segment) : -1;
    if (segment.wire < 0) segment.wire = wires.push(wireOf(segment)) - 1;
  }
  for (let subnet = 0; subnet < subnets; subnet++) {
    const own = segments.filter((one) => one.subnet === subnet);
    const alone = own.every(({ wire }) => segments.filter((one) => one.wire === wire).length === 1);
    // All bridges of a subnet or none: messages of a spanning tree are in a VLAN, or outside.
    const raw = alone && draw.chance(0.5);
    for (const { bridge, ports } of nodes) {
      if (bridge !== null && segments[ports[0]?.segment ?? -1]?.subnet === subnet) bridge.raw = raw;
    }
  }
}

function wireOf({ mtuBytes, capabilities, ringBytes, tags }: SegmentPlan): WirePlan {
  const tagged = tags.length > 0;
  return { mtuBytes: tagged ? mtuBytes + TAG_BYTES : mtuBytes, capabilities, ringBytes, tagged };
}

/** A wire that is there and carries other VLANs, or -1. Its packets may have to be longer. */
function sharedWire(draw: Draw, segments: readonly SegmentPlan[], wires: WirePlan[], segment: SegmentPlan): number {
  if (segment.tags.length === 0) return -1;
  const free = wires.flatMap(({ tagged }, wire) => {
    const others = segments.filter((one) => one.wire === wire);
    return tagged && others.every((one) => one.tags[0] !== segment.tags[0]) ? [wire] : [];
  });
  if (free.length === 0) return -1;
  const index = draw.pick(free);
  const wire = wires[index] as WirePlan;
  wire.mtuBytes = Math.max(wire.mtuBytes, segment.mtuBytes + TAG_BYTES);
  wire.ringBytes = Math.max(wire.ringBytes, segment.ringBytes);
  return index;
}
