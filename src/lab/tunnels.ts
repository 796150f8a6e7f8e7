/**
 * Tunnels of a lab: each is a network of two that the file does not name, whose packets go inside others between two addresses.
 *
 * Thread: the supervisor's. Read first: cables.ts, tunnel-routes.ts (what goes through them), net/gif/gif-link.ts.
 */

import { cableName, UNNAMED } from './cables.ts';
import type { LabConfig, NetworkConfig, TunnelConfig } from './config.ts';
import type { KeyPath } from './lab-file.ts';
import { addressesOf, type InterfacePlan, isIpv6, type NetworkPlan, type NodePlan } from './plan.ts';
import { unknownName } from './references.ts';
import { hopsFrom, type RoutingNode } from './routing.ts';

type Report = (path: KeyPath, message: string) => void;

/** The lab with its tunnels as networks, the last of each of its ends. */
export function withTunnels(config: LabConfig, report: Report): { config: LabConfig; names: string[] } {
  const networks: NetworkConfig[] = [...config.networks];
  const nodeNames = config.nodes.map(({ name }) => name);
  const ends = new Map<string, string[]>();
  const names = config.tunnels.map(({ endpoints, prefix, mtuBytes }, index) => {
    const path = ['tunnels', index];
    const name = cableName(endpoints, networks);
    const nodes = endpoints.map((endpoint) => endpoint.split(':')[0] as string);
    networks.push({ ...UNNAMED, kind: 'tunnel', name, path, prefix, mtuBytes });
    if (nodes[0] === nodes[1]) report([...path, 'endpoints'], 'two ends of one node');
    nodes.forEach((node, end) => {
      const at = [...path, 'endpoints', end];
      if (!nodeNames.includes(node)) report(at, unknownName(at, 'node', node, nodeNames).message);
      else if (config.nodes.find((one) => one.name === node)?.kind === 'bridge') report(at, 'a bridge has no address');
      ends.set(node, [...(ends.get(node) ?? []), name]);
    });
    return name;
  });
  if (names.length === 0) return { config, names };
  const nodes = config.nodes.map((node) => {
    const own = ends.get(node.name);
    if (own === undefined) return { ...node, networks: node.networks ?? onlyNetwork(config) };
    const given = node.networks ?? onlyNetwork(config);
    return given === null ? node : { ...node, networks: [...given, ...own] };
  });
  return { config: { ...config, networks, nodes }, names };
}

/** Its default is meant among the networks of the file. */
function onlyNetwork({ networks }: LabConfig): string[] | null {
  return networks.length === 1 ? [(networks[0] as NetworkConfig).name] : null;
}

/** The lab, when its nodes have addresses. */
interface TunnelParts {
  nodes: readonly NodePlan[];
  networks: readonly NetworkPlan[];
  /** By family: without tunnels. */
  routing(family: 4 | 6): readonly RoutingNode[];
}

/** Outer addresses are put into the gifs of the two ends. Returns the tunnels that have all they need. */
export function planTunnels(
  tunnels: readonly TunnelConfig[],
  names: readonly string[],
  parts: TunnelParts,
  report: Report,
): PlannedTunnel[] {
  const taken = new Map<string, number>();
  return tunnels.flatMap((tunnel, index) => {
    const network = parts.networks.findIndex(({ name }) => name === names[index]);
    const path = ['tunnels', index];
    const outer = outerOf(tunnel, parts);
    if (typeof outer === 'string') {
      report([...path, 'endpoints'], outer);
      return [];
    }
    const key = outer.map(({ address }) => address).join(' ');
    const other = taken.get(key) ?? taken.get(key.split(' ').reverse().join(' '));
    if (other !== undefined) report(path, `tunnels[${other}] has the same addresses, ${key.replace(' ', ' and ')}`);
    taken.set(key, index);
    outer.forEach(({ node, address }, end) => {
      const gif = node.interfaces.find((entry) => entry.network === network) as InterfacePlan;
      gif.tunnel = { source: address, destination: outer[1 - end]?.address as string };
    });
    const outerNetworks = outer.map(({ entry }) => parts.networks[entry.network]?.segment ?? entry.network);
    return [{ index, network, nodes: outer.map(({ node }) => node.name) as [string, string], outerNetworks }];
  });
}

/** A tunnel with its outer addresses. */
export interface PlannedTunnel {
  /** Index in `tunnels:`. */
  index: number;
  network: number;
  nodes: [string, string];
  /** Segments with an outer address. */
  outerNetworks: number[];
}

interface OuterEnd {
  node: NodePlan;
  entry: InterfacePlan;
  address: string;
}

/** Addresses of the outer packets; a text says why there are none. */
function outerOf({ endpoints, over }: TunnelConfig, parts: TunnelParts): [OuterEnd, OuterEnd] | string {
  const wanted = endpoints.map((endpoint) => {
    const [name, iface = null] = endpoint.split(':') as [string, string?];
    return { node: parts.nodes.find((one) => one.name === name) as NodePlan, interface: iface };
  }) as [End, End];
  for (const { node, interface: iface } of wanted) {
    if (iface !== null && !node.interfaces.some((entry) => entry.name === iface && entry.listed)) {
      return `${node.name} has no address at ${iface}`;
    }
  }
  for (const family of over === null ? ([4, 6] as const) : [over === 'ipv4' ? (4 as const) : (6 as const)]) {
    const nodes = parts.routing(family);
    const [a, b] = wanted;
    const ends = [outerEnd(a, b, family, nodes, parts.networks), outerEnd(b, a, family, nodes, parts.networks)];
    if (ends[0] !== null && ends[1] !== null) return ends as [OuterEnd, OuterEnd];
  }
  const [a, b] = wanted.map(({ node }) => node.name);
  const what = over === null ? '' : ` of ${over === 'ipv4' ? 'IPv4' : 'IPv6'}`;
  return `there is no way${what} from ${a} to ${b} for the packets of the tunnel`;
}

interface End {
  node: NodePlan;
  /** Named; null: chosen. */
  interface: string | null;
}

/** The interface of `end`, among those with an address of the family, that is the fewest routers away from `other`. */
function outerEnd(
  end: End,
  other: End,
  family: 4 | 6,
  nodes: readonly RoutingNode[],
  networks: readonly NetworkPlan[],
): OuterEnd | null {
  const from = nodes.find(({ name }) => name === other.node.name) as RoutingNode;
  const hops = hopsFrom(from, nodes, networks.length);
  let best: OuterEnd | null = null;
  let bestHops = Number.POSITIVE_INFINITY;
  for (const entry of end.node.interfaces) {
    const address = addressesOf(entry).find((text) => isIpv6(text) === (family === 6));
    const network = networks[entry.network] as NetworkPlan;
    if (address === undefined || network.kind === 'tunnel') continue;
    if (end.interface !== null && entry.name !== end.interface) continue;
    const passed = hops[network.segment]?.passed;
    // A way that leads through the end itself reaches its near side first.
    if (passed === undefined || passed.length >= bestHops) continue;
    best = { node: end.node, entry, address };
    bestHops = passed.length;
  }
  return best;
}
