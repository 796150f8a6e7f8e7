/**
 * Random topologies: Ethernet segments joined by bridges and routers, with hosts on them.
 *
 * Segments form a tree of bridges and routers; a further router may close a circle. Segments joined by bridges are one
 * subnet. A host knows either the best router for each other subnet or only some router of its own, which may then send
 * redirects. Routes are static and follow the fewest hops.
 */

import type { Draw } from './draw.ts';

export interface SegmentPlan {
  /** Which subnet it belongs to. */
  subnet: number;
  mtuBytes: number;
  /** `CAP_*` bits that all devices on it offer. */
  capabilities: number;
  ringBytes: number;
}

export interface PortPlan {
  segment: number;
  /** Dotted, and of IPv6; empty on a bridge, and where the world has not that family. */
  address: string;
  address6: string;
  full: 'wait' | 'drop';
}

export interface RoutePlan {
  destination: string;
  prefixLength: number;
  gateway: string;
}

export interface NodePlan {
  name: string;
  kind: 'host' | 'router' | 'bridge';
  ports: PortPlan[];
  routes: RoutePlan[];
  /** A host that has its addresses and routes of IPv6 from what routers advertise. */
  auto: boolean;
}

export interface Topology {
  segments: SegmentPlan[];
  nodes: NodePlan[];
}

/** Which families of addresses a world has. */
export type Families = 'ipv4' | 'ipv6' | 'both';

export const PREFIX_LENGTH = 24;
export const PREFIX_LENGTH6 = 64;
const MTUS4 = [1500, 1500, 1500, 9000, 4000, 1400, 1006, 576, 300, 150];
/** RFC 8200 section 5: no link carries less than 1280. */
const MTUS6 = [1500, 1500, 1500, 9000, 4000, 1400, 1280];
const MTU6_MIN = 1280;
const RING_BYTES = [32_768, 65_536, 131_072, 262_144];
/** CAP_CHECKSUM_PARTIAL, and with CAP_SUPER_FRAMES. */
const CAPABILITIES = [0, 0, 1, 3];

interface Sizes {
  segments: number;
  hosts: number;
}

export class TopologyBuilder {
  readonly #draw: Draw;
  readonly #segments: SegmentPlan[] = [];
  readonly #nodes: NodePlan[] = [];
  /** How many addresses of each subnet were given. */
  readonly #given: number[] = [];
  /** Partial checksums are no checksums: not for worlds that flip bits. */
  readonly #offload: boolean;
  readonly #families: Families;

  constructor(draw: Draw, families: Families, offload: boolean) {
    this.#draw = draw;
    this.#families = families;
    this.#offload = offload;
  }

  build({ segments, hosts }: Sizes): Topology {
    this.#newSegment(-1);
    while (this.#segments.length < segments) this.#join();
    if (this.#given.length > 2 && this.#draw.chance(0.4)) this.#closeCircle();
    for (let i = 0; i < hosts; i++) this.#addHost(i);
    this.#addRoutes();
    return { segments: this.#segments, nodes: this.#nodes };
  }

  /** A segment of a new subnet, or (`subnet` >= 0) one more of a bridged one. */
  #newSegment(like: number): number {
    const draw = this.#draw;
    const ringBytes = draw.pick(RING_BYTES);
    const twin = this.#segments[like];
    if (twin !== undefined) {
      // A bridge passes frames on as they are.
      for (const one of this.#segments) if (one.subnet === twin.subnet) one.capabilities = 0;
      return this.#segments.push({ ...twin }) - 1;
    }
    const least = this.#families === 'ipv4' ? 0 : MTU6_MIN;
    const mtus = this.#families === 'ipv4' ? MTUS4 : MTUS6;
    const mtuBytes = Math.max(Math.min(draw.pick(mtus), (ringBytes >> 2) - 64), least);
    const capabilities = this.#offload ? draw.pick(CAPABILITIES) : 0;
    this.#given.push(0);
    return this.#segments.push({ subnet: this.#given.length - 1, mtuBytes, capabilities, ringBytes }) - 1;
  }

  /** One more segment, behind a bridge or a router, new or one that is there. */
  #join(): void {
    const draw = this.#draw;
    const from = draw.below(this.#segments.length);
    const kind = draw.chance(0.35) ? 'bridge' : 'router';
    const there = this.#nodes.find((one) => one.kind === kind && one.ports.some((port) => port.segment === from));
    const to = this.#newSegment(kind === 'bridge' ? from : -1);
    if (there !== undefined && draw.chance(0.4)) {
      there.ports.push(this.#port(to, kind));
      return;
    }
    const count = this.#nodes.filter((one) => one.kind === kind).length;
    this.#addNode(`${kind === 'bridge' ? 'br' : 'r'}${count}`, kind, [from, to]);
  }

  #closeCircle(): void {
    const draw = this.#draw;
    const a = draw.below(this.#segments.length);
    const b = draw.below(this.#segments.length);
    if (this.#segment(a).subnet === this.#segment(b).subnet) return;
    const count = this.#nodes.filter((one) => one.kind === 'router').length;
    this.#addNode(`r${count}`, 'router', [a, b]);
  }

  #addHost(index: number): void {
    const alone = this.#segments.findIndex((_, i) => !this.#nodes.some((one) => isOn(one, i)));
    const segment = index < 2 && alone >= 0 ? alone : this.#draw.below(this.#segments.length);
    this.#addNode(`h${index}`, 'host', [segment]);
  }

  #addNode(name: string, kind: NodePlan['kind'], segments: number[]): void {
    this.#nodes.push({
      name,
      kind,
      ports: segments.map((segment) => this.#port(segment, kind)),
      routes: [],
      auto: false,
    });
  }

  #port(segment: number, kind: NodePlan['kind']): PortPlan {
    const { subnet } = this.#segment(segment);
    const full = this.#draw.chance(0.3) ? 'drop' : 'wait';
    if (kind === 'bridge') return { segment, address: '', address6: '', full };
    const number = (this.#given[subnet] as number) + 1;
    this.#given[subnet] = number;
    return {
      segment,
      address: this.#families === 'ipv6' ? '' : `10.0.${subnet}.${number}`,
      address6: this.#families === 'ipv4' ? '' : `2001:db8:0:${subnet}::${number}`,
      full,
    };
  }

  #segment(index: number): SegmentPlan {
    return this.#segments[index] as SegmentPlan;
  }

  #addRoutes(): void {
    const subnets = this.#given.map((_, subnet) => subnet);
    for (const node of this.#nodes) {
      if (node.kind === 'bridge') continue;
      const own = subnetsOf(this.#segments, node);
      const gateways = this.#nodes.filter((one) => one.kind === 'router' && one !== node);
      if (node.kind === 'host' && this.#draw.chance(0.5)) {
        const near = gateways.flatMap((one) => one.ports.filter((p) => own.includes(this.#segment(p.segment).subnet)));
        if (near.length > 0) addDefaultRoutes(node, this.#draw.pick(near));
        continue;
      }
      for (const subnet of subnets) {
        if (own.includes(subnet)) continue;
        const gateway = nextHop(this.#segments, gateways, own, subnet);
        if (gateway !== null) addRoutes(node, subnet, gateway);
      }
    }
  }
}

function addDefaultRoutes(node: NodePlan, { address, address6 }: PortPlan): void {
  if (address !== '') node.routes.push({ destination: '0.0.0.0', prefixLength: 0, gateway: address });
  if (address6 !== '') node.routes.push({ destination: '::', prefixLength: 0, gateway: address6 });
}

function addRoutes(node: NodePlan, subnet: number, { address, address6 }: PortPlan): void {
  if (address !== '') {
    node.routes.push({ destination: `10.0.${subnet}.0`, prefixLength: PREFIX_LENGTH, gateway: address });
  }
  if (address6 !== '') {
    const destination = `2001:db8:0:${subnet}::`;
    node.routes.push({ destination, prefixLength: PREFIX_LENGTH6, gateway: address6 });
  }
}

function isOn(node: NodePlan, segment: number): boolean {
  return node.ports.some((port) => port.segment === segment);
}

function subnetsOf(segments: readonly SegmentPlan[], node: NodePlan): number[] {
  return node.ports.map((port) => (segments[port.segment] as SegmentPlan).subnet);
}

/** The port of the router through which `target` is fewest hops away. */
function nextHop(
  segments: readonly SegmentPlan[],
  routers: readonly NodePlan[],
  own: readonly number[],
  target: number,
): PortPlan | null {
  // Hops from each subnet to the target.
  const hops = new Map([[target, 0]]);
  for (let distance = 0, found = true; found; distance++) {
    found = false;
    for (const router of routers) {
      const reached = subnetsOf(segments, router);
      if (!reached.some((subnet) => hops.get(subnet) === distance)) continue;
      for (const subnet of reached) {
        if (hops.has(subnet)) continue;
        hops.set(subnet, distance + 1);
        found = true;
      }
    }
  }
  let best: PortPlan | null = null;
  let bestHops = Number.POSITIVE_INFINITY;
  for (const router of routers) {
    const reached = subnetsOf(segments, router);
    const distance = Math.min(...reached.map((subnet) => hops.get(subnet) ?? Number.POSITIVE_INFINITY));
    const port = router.ports.find((one) => own.includes((segments[one.segment] as SegmentPlan).subnet));
    if (port === undefined || distance >= bestHops) continue;
    best = port;
    bestHops = distance;
  }
  return best;
}

/** Indices of all nodes that packets between two hosts may pass, both ways, the hosts included. */
export function nodesBetween(topology: Topology, a: number, b: number): Set<number> {
  const { nodes } = topology;
  const found = new Set([a, b]);
  const from = (nodes[a] as NodePlan).ports.map((port) => port.segment);
  const to = (nodes[b] as NodePlan).ports.map((port) => port.segment);
  if (from.some((segment) => to.includes(segment))) return found;
  // A host's router need not lie on the way: it sends the packet back to the one that does.
  const gateways = [a, b].flatMap((host) => gatewaysOf(topology, nodes[host] as NodePlan));
  for (const [index, node] of nodes.entries()) {
    if (node.kind === 'host') continue;
    const near = segmentsFrom(nodes, from, node);
    const far = segmentsFrom(nodes, to, node);
    const between = node.ports.some(
      (entry) =>
        near.has(entry.segment) && node.ports.some((exit) => exit.segment !== entry.segment && far.has(exit.segment)),
    );
    if (between || node.ports.some((p) => gateways.includes(p.address) || gateways.includes(p.address6)))
      found.add(index);
  }
  return found;
}

/** Who advertises itself to a host may become its router. */
function gatewaysOf({ nodes, segments }: Topology, host: NodePlan): string[] {
  const known = host.routes.map((route) => route.gateway);
  return host.auto ? [...known, ...routerPorts(segments, nodes, host).map(({ address6 }) => address6)] : known;
}

/** Ports of routers on the subnets of a node. */
export function routerPorts(
  segments: readonly SegmentPlan[],
  nodes: readonly NodePlan[],
  node: NodePlan,
): readonly PortPlan[] {
  const own = subnetsOf(segments, node);
  const routers = nodes.filter((one) => one.kind === 'router' && one !== node);
  return routers.flatMap((one) => one.ports.filter((p) => own.includes((segments[p.segment] as SegmentPlan).subnet)));
}

/** The segments that can be reached without passing `without`. */
function segmentsFrom(nodes: readonly NodePlan[], start: readonly number[], without: NodePlan): Set<number> {
  const seen = new Set(start);
  for (let before = 0; before < seen.size; ) {
    before = seen.size;
    for (const node of nodes) {
      if (node === without || node.kind === 'host' || !node.ports.some((port) => seen.has(port.segment))) continue;
      for (const port of node.ports) seen.add(port.segment);
    }
  }
  return seen;
}
