/**
 * A lab as it will be: names resolved, programs found, addresses, MACs, names and routes given out.
 *
 * Thread: the supervisor's. planner.ts makes it.
 */

import type { Impairment } from '../link/impairment.ts';
import { formatPrefix, type Prefix } from './addressing.ts';
import { formatPrefix6, type Prefix6 } from './addressing6.ts';
import type { CheckConfig, Dependency, NetworkKind, Placement } from './config.ts';
import type { BridgeBoot } from './messages.ts';
import type { LabOperation, LabRequests } from './operations.ts';
import type { PortConfig, ServiceConfig } from './port-text.ts';
import type { RestartPolicy } from './restart-policy.ts';
import type { PlannedRoute } from './routing.ts';

export interface NetworkPlan {
  name: string;
  kind: NetworkKind;
  /** A VLAN: its tag, and the index of the network that carries it; 0 and null otherwise. */
  vlan: number;
  on: number | null;
  /** At least one of the two is there, but where only VLANs are used. */
  prefix: Prefix | null;
  prefix6: Prefix6 | null;
  mtuBytes: number;
  ringBytes: number | null;
  full: 'wait' | 'drop';
  offload: boolean;
  domain: string | null;
  /** Kernels on it, one for each interface; the position is the port number. */
  ports: string[];
  /** Index of the first network that bridges join it with; its own when there is none. */
  segment: number;
  /** Bridges join the networks of the segment in a circle: their spanning trees are on. */
  looped: boolean;
}

export interface InterfacePlan {
  name: string;
  /** Index into `LabPlan.networks`. */
  network: number;
  /** Port of the network; of an Ethernet network only. */
  port: number;
  /** That of the interface below a vlan; empty on a tunnel. */
  mac: string;
  /** The node is on that network; false: the interface carries VLANs only, without an address. */
  listed: boolean;
  /** Name of the interface that carries it, when it is a vlan. */
  parent: string | null;
  /** Addresses of the outer packets, when it is a tunnel. */
  tunnel: { source: string; destination: string } | null;
  /** One of each family that the network has, IPv4 first. */
  addresses: { address: string; prefixLength: number }[];
}

export interface ProgramPlan {
  /** As written, for people. */
  text: string;
  /** Path of a program that is not Node; null: Node, which runs `script`. */
  executable: string | null;
  script: string;
  nodeFlags: string[];
  argv: string[];
  cwd: string;
}

export interface NodePlan {
  name: string;
  kind: 'node' | 'router' | 'bridge' | 'host';
  program: ProgramPlan | null;
  /** Place of its program, whenever it gets one. */
  placement: Placement;
  /** Reason of a placement that the lab file does not name; null: it does. */
  placementReason: string | null;
  /** Port of its inspector; 0: a free one; null: it has none but by flags of its own. */
  inspectPort: number | null;
  env: Record<string, string>;
  /** Memory of its kernel; null: the default. */
  memoryBytes: number | null;
  programHeapBytes: number | null;
  interfaces: InterfacePlan[];
  routes: PlannedRoute[];
  forwarding: boolean;
  /** Its bridge; null: it is none. */
  bridge: BridgeBoot | null;
  dependsOn: Dependency[];
  restart: RestartPolicy;
  ports: PortConfig[];
  /** Services of the host that it stands for. */
  services: ServiceConfig[];
  sysctl: [name: string, value: number][];
}

/** A link of the lab: the path between two nodes on one network, or a node's attachment to a network (`b` null). */
export interface LinkPlace {
  a: string;
  b: string | null;
  /** Interfaces of the two on that network; null: `b` is. */
  aInterface: string;
  bInterface: string | null;
  /** Index into `LabPlan.networks`. */
  network: number;
}

export interface LinkPlan extends LinkPlace {
  /** From `a` to `b`, or what `a` sends. */
  up: Impairment;
  down: Impairment;
}

/** One request to the lab. */
export type LabRequest = {
  [Op in LabOperation]: { operation: Op; params: LabRequests[Op]['params'] };
}[LabOperation];

/** A request that is made at its time. */
export type TimelinePlan = LabRequest & {
  atMs: number;
  /** In words: "break api, db". */
  title: string;
  /** The node in whose log it is told. */
  node: string;
};

/** A lab as it will be made: every default filled in, every address allocated. */
export interface LabPlan {
  /** Name of the lab. */
  name: string;
  /** Domain of the names of its nodes. */
  domain: string;
  /** Seed of its chance; null: none was given. */
  seed: number | null;
  /** The file, for people; null for `lab({...})`. */
  file: string | null;
  /** Folder at which relative paths of the lab start. */
  folder: string;
  /** Networks, cables among them. */
  networks: NetworkPlan[];
  /** Nodes in the order of the lab file. */
  nodes: NodePlan[];
  /** Links that are bad from the beginning. */
  links: LinkPlan[];
  /** Requests at their times. */
  timeline: TimelinePlan[];
  /** Things that must hold. */
  checks: CheckConfig[];
}

/** The prefixes of a network as text, IPv4 first. */
export function prefixTexts({ prefix, prefix6 }: NetworkPlan): string[] {
  return [...(prefix === null ? [] : [formatPrefix(prefix)]), ...(prefix6 === null ? [] : [formatPrefix6(prefix6)])];
}

export function isIpv6(address: string): boolean {
  return address.includes(':');
}

/** Addresses of an interface, IPv4 first. */
export function addressesOf({ addresses }: InterfacePlan): string[] {
  return addresses.map(({ address }) => address);
}

/** All names of the lab and their addresses as `node` should use them: addresses on its own networks first. */
export function hostsFor(plan: LabPlan, node: NodePlan | null): Record<string, string[]> {
  const hosts: Record<string, string[]> = {};
  const near = new Set(node?.interfaces.map((entry) => entry.network));
  for (const other of plan.nodes) {
    const sorted = [...other.interfaces].sort((a, b) => Number(near.has(b.network)) - Number(near.has(a.network)));
    const addresses = usableFirst(sorted.flatMap(addressesOf), node);
    hosts[other.name] = addresses;
    hosts[`${other.name}.${plan.domain}`] = addresses;
    for (const entry of sorted) {
      const { domain } = plan.networks[entry.network] as NetworkPlan;
      if (domain === null || domain === plan.domain) continue;
      const name = `${other.name}.${domain}`;
      hosts[name] = [...(hosts[name] ?? []), ...addressesOf(entry)];
    }
  }
  return hosts;
}

/** A node without addresses of a family has no use for those of others. */
function usableFirst(addresses: string[], node: NodePlan | null): string[] {
  if (node === null) return addresses;
  const own = node.interfaces.flatMap(addressesOf);
  const usable = new Set(own.map(isIpv6));
  const rank = (address: string): number => Number(!usable.has(isIpv6(address)));
  return addresses.sort((a, b) => rank(a) - rank(b));
}
