/**
 * The tunnels of a world: gif interfaces of two routers, through which one of them reaches a subnet of the other.
 *
 * Outer addresses lie in subnets that nobody reaches through a tunnel, so that no tunnel leads into itself or another.
 */

import type { Draw } from './draw.ts';
import { addRoutes, type Families, type NodePlan, type PortPlan, type Topology } from './topology.ts';

export interface TunnelEnd {
  node: number;
  /** Address of a port, by which the outer packets go. */
  outer: string;
  /** Addresses of the gif; empty where the world has not that family. */
  address: string;
  address6: string;
}

export interface TunnelPlan {
  ends: readonly [TunnelEnd, TunnelEnd];
  mtuBytes: number;
}

const MTUS = [1280, 1280, 1400, 4000];

/** `subnet`: the first that is free. A subnet with an outer address is reached without a tunnel, by everybody. */
export function drawTunnels(draw: Draw, topology: Topology, families: Families, subnet: number): void {
  const { nodes, segments, tunnels } = topology;
  const routers = nodes.flatMap((node, index) => (node.kind === 'router' ? [index] : []));
  if (routers.length < 2 || draw.chance(0.3)) return;
  const subnetOf = (port: PortPlan): number => segments[port.segment]?.subnet ?? -1;
  const has = (node: NodePlan, wanted: number): boolean => node.ports.some((port) => subnetOf(port) === wanted);
  const outside = new Set<number>();
  const inside = new Set<number>();
  for (let left = draw.between(1, 2); left > 0; left--) {
    const a = draw.pick(routers);
    const b = draw.pick(routers.filter((one) => one !== a));
    const [from, to] = [nodes[a] as NodePlan, nodes[b] as NodePlan];
    const reached = draw.pick(to.ports.map(subnetOf));
    const free = (ports: readonly PortPlan[]): PortPlan[] =>
      ports.filter((port) => subnetOf(port) !== reached && !inside.has(subnetOf(port)));
    const [mine, theirs] = [free(from.ports), free(to.ports)];
    if (mine.length === 0 || theirs.length === 0 || has(from, reached) || outside.has(reached)) continue;
    const six = families === 'ipv6' || (families === 'both' && draw.chance(0.5));
    const own = subnet + tunnels.length;
    const end = (node: number, port: PortPlan, number: number): TunnelEnd => ({
      node,
      outer: six ? port.address6 : port.address,
      address: families === 'ipv6' ? '' : `10.0.${own}.${number}`,
      address6: families === 'ipv4' ? '' : `2001:db8:0:${own}::${number}`,
    });
    const [near, far] = [draw.pick(mine), draw.pick(theirs)];
    const ends = [end(a, near, 1), end(b, far, 2)] as const;
    // One gif has two addresses to itself.
    if (tunnels.some((one) => ends.every(({ outer }) => one.ends.some((other) => other.outer === outer)))) continue;
    tunnels.push({ ends, mtuBytes: draw.pick(MTUS) });
    for (const port of [near, far]) outside.add(subnetOf(port));
    inside.add(reached);
    route(from, reached, ends[1]);
    // The way back: through the tunnel as well, or not.
    const back = from.ports.map(subnetOf).filter((one) => !has(to, one) && !outside.has(one));
    if (back.length === 0 || draw.chance(0.3)) continue;
    const other = draw.pick(back);
    inside.add(other);
    route(to, other, ends[0]);
  }
}

/** The routes of a node to a subnet lead to that end from now on. */
function route(node: NodePlan, subnet: number, end: TunnelEnd): void {
  const before = [`10.0.${subnet}.0`, `2001:db8:0:${subnet}::`];
  node.routes = node.routes.filter(({ destination }) => !before.includes(destination));
  addRoutes(node, subnet, end);
}
