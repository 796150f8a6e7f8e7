/**
 * The bridge of a node of kind "bridge": its members are the node's interfaces, its settings those of `bridge:`.
 *
 * Thread: the supervisor's. Read first: config.ts (BridgeOptions), segments.ts (circles).
 */

import { interfaceNamed, type ReportProblem } from './address-planner.ts';
import type { BridgeOptions, NodeConfig } from './config.ts';
import type { KeyPath } from './lab-file.ts';
import type { BridgeBoot, BridgePortBoot } from './messages.ts';
import type { InterfacePlan, NetworkPlan, NodePlan } from './plan.ts';
import { durationMs } from './quantity.ts';
import { unknownName } from './references.ts';

/** The least that IEEE 802.1D allows. */
const FORWARD_DELAY_SEC = 4;
/** Stations of a lab that a bridge remembers. */
const MAX_ADDRESSES = 65_536;
const MAC = /^[0-9a-f]{1,2}(:[0-9a-f]{1,2}){5}$/i;

/** Null: the node is no bridge. */
export function planBridge(
  { name, kind, bridge }: NodeConfig,
  nodes: readonly NodePlan[],
  index: number,
  networks: readonly NetworkPlan[],
  problem: ReportProblem,
): BridgeBoot | null {
  const path = ['nodes', name, 'bridge'];
  if (kind !== 'bridge') {
    if (Object.keys(bridge).length > 0) problem(path, 'only a node of kind "bridge" has one', true);
    return null;
  }
  const node = nodes[index] as NodePlan;
  const members = node.interfaces.filter(({ listed }) => listed);
  reportNested(node, members, networks, problem);
  const ports = portsOf(bridge, node, networks, [...path, 'ports'], problem);
  const isIncluded = Object.keys(bridge.static ?? {}).map((station) => {
    const at = [...path, 'static', station];
    const member = interfaceNamed(node, (bridge.static as Record<string, string>)[station] as string, networks);
    if (member === undefined) {
      problem(at, unknownPort(at, (bridge.static as Record<string, string>)[station] as string, node, networks));
      return [];
    }
    return macsOf(station, member, nodes, networks, at, problem).map((mac) => ({ mac, interface: member.name }));
  });
  const { priority, hello_time, forward_delay, max_age, max_addresses, timeout } = bridge;
  const sec = (text: string): number => durationMs(text) / 1000;
  return {
    ...(priority === undefined ? {} : { priority }),
    ...(hello_time === undefined ? {} : { helloTimeSec: sec(hello_time) }),
    forwardDelaySec: forward_delay === undefined ? FORWARD_DELAY_SEC : sec(forward_delay),
    ...(max_age === undefined ? {} : { maxAgeSec: sec(max_age) }),
    maxAddresses: max_addresses ?? MAX_ADDRESSES,
    ...(timeout === undefined ? {} : { timeoutSec: sec(timeout) }),
    ports,
    static: isIncluded.flat(),
  };
}

/** A frame of a VLAN that comes to a member belongs to the bridge already. */
function reportNested(
  node: NodePlan,
  members: readonly InterfacePlan[],
  networks: readonly NetworkPlan[],
  problem: ReportProblem,
): void {
  for (const { parent, network } of members) {
    const below = members.find((entry) => entry.name === parent);
    if (below === undefined) continue;
    const [vlan, carrier] = [networks[network]?.name, networks[below.network]?.name];
    problem(['nodes', node.name, 'networks'], `a bridge is on ${carrier}, VLANs and all, or on ${vlan}, not on both`);
  }
}

function portsOf(
  { stp, ports = {} }: BridgeOptions,
  node: NodePlan,
  networks: readonly NetworkPlan[],
  path: KeyPath,
  problem: ReportProblem,
): BridgePortBoot[] {
  const members = node.interfaces.filter(({ listed }) => listed);
  const circle = members.some(({ network }) => networks[network]?.looped === true);
  const plans = members.map((entry) => ({
    interface: entry.name,
    stp: stp ?? circle,
    learn: true,
    discover: true,
    protected: false,
  }));
  for (const [name, { cost, priority, ...flags }] of Object.entries(ports)) {
    const entry = interfaceNamed(node, name, networks);
    const plan = plans.find((one) => one.interface === entry?.name);
    if (plan === undefined) {
      problem([...path, name], unknownPort([...path, name], name, node, networks), true);
      continue;
    }
    Object.assign(
      plan,
      flags,
      priority === undefined ? {} : { priority },
      cost === undefined ? {} : { pathCost: cost },
    );
  }
  return plans;
}

function unknownPort(path: KeyPath, name: string, node: NodePlan, networks: readonly NetworkPlan[]): string {
  const listed = node.interfaces.filter((entry) => entry.listed);
  const known = listed.map(({ network }) => networks[network]?.name ?? '');
  return unknownName(path, `network or interface of ${node.name}`, name, [...new Set(known)]).message;
}

/** Addresses of a node on the segment of a member, or that one Ethernet address. */
function macsOf(
  station: string,
  member: InterfacePlan,
  nodes: readonly NodePlan[],
  networks: readonly NetworkPlan[],
  path: KeyPath,
  problem: ReportProblem,
): string[] {
  if (MAC.test(station)) return [station.toLowerCase()];
  const node = nodes.find(({ name }) => name === station);
  if (node === undefined) {
    const names = nodes.map(({ name }) => name);
    problem(path, unknownName(path, 'node', station, names).message, true);
    return [];
  }
  const segment = networks[member.network]?.segment;
  const found = node.interfaces.filter((entry) => entry.listed && networks[entry.network]?.segment === segment);
  if (found.length === 0) problem(path, `${station} is not behind it`, true);
  return [...new Set(found.map(({ mac }) => mac))];
}
