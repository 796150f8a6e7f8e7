/**
 * The addresses of a lab: a prefix for every network, an address for every interface.
 *
 * Thread: the supervisor's. Texts of the lab file that are wrong are reported, each with its path, and the rest is planned on.
 * Read first: addressing.ts, addressing6.ts.
 */

import {
  AddressPool,
  allocatePrefix,
  formatAddress,
  formatPrefix,
  overlaps,
  type Prefix,
  parseAddress,
  parsePrefix,
} from './addressing.ts';
import {
  AddressPool6,
  formatAddress6,
  formatPrefix6,
  overlaps6,
  type Prefix6,
  parseAddress6,
  parsePrefix6,
} from './addressing6.ts';
import type { LabConfig } from './config.ts';
import type { KeyPath } from './lab-file.ts';
import type { InterfacePlan, NetworkPlan, NodePlan } from './plan.ts';
import type { NetworkSegment } from './segments.ts';
import type { CarriedNetwork } from './vlans.ts';

/** RFC 8200 section 5. */
const MTU6_BYTES_MIN = 1280;
/** Host part of addresses in messages. */
const EXAMPLE_HOST = 10;

/** Takes one problem of the lab file. `atKey`: it is shown at the key and not at its value. */
export type ReportProblem = (path: KeyPath, message: string, atKey?: boolean) => void;

export interface Prefixes {
  prefix: Prefix | null;
  prefix6: Prefix6 | null;
}

interface Pools {
  pool4: AddressPool | null;
  pool6: AddressPool6 | null;
}

interface FixedAddresses {
  address4: number | null;
  address6: bigint | null;
}

/** The prefixes of every network: those given, and an IPv4 prefix for segments in which none is named, but `empty` ones. */
export function planPrefixes(
  networks: readonly CarriedNetwork[],
  segments: readonly NetworkSegment[],
  empty: ReadonlySet<number>,
  problem: ReportProblem,
): Prefixes[] {
  const inFirst = (index: number): number => segments[index]?.segment ?? index;
  // One network of a segment names its prefixes, or several the same ones: they become those of its first network.
  const named = networks.map(({ prefix }, index) =>
    prefix !== null
      ? index
      : networks.findIndex((other, at) => other.prefix !== null && inFirst(at) === inFirst(index)),
  );
  const given = networks.map((network, index) => {
    const source = networks[named[inFirst(index)] ?? -1];
    const isFirst = inFirst(index) === index;
    if (isFirst && source !== undefined && source !== network) return givenPrefixes(source, problem);
    return isFirst ? givenPrefixes(network, problem) : { prefix: null, prefix6: null };
  });
  reportOverlaps(networks, given, ({ prefix }) => prefix, overlaps, formatPrefix, problem);
  reportOverlaps(networks, given, ({ prefix6 }) => prefix6, overlaps6, formatPrefix6, problem);
  const taken = given.map(({ prefix }) => prefix).filter((prefix) => prefix !== null);
  given.forEach((prefixes, index) => {
    if (inFirst(index) !== index || named[index] !== -1 || empty.has(index)) return;
    prefixes.prefix = allocatePrefix(taken);
    taken.push(prefixes.prefix);
  });
  return given.map((_prefixes, index) => given[inFirst(index)] as Prefixes);
}

function givenPrefixes({ path: own, prefix: text, mtuBytes }: CarriedNetwork, problem: ReportProblem): Prefixes {
  const found: Prefixes = { prefix: null, prefix6: null };
  for (const { path, item } of items([...own, 'prefix'], text)) {
    const isIpv6 = item.includes(':');
    const prefix = isIpv6 ? parsePrefix6(item) : parsePrefix(item);
    if (typeof prefix === 'string') problem(path, prefix);
    else if ((isIpv6 ? found.prefix6 : found.prefix) !== null) {
      problem(path, `a second ${isIpv6 ? 'IPv6' : 'IPv4'} prefix`);
    } else if (isIpv6) found.prefix6 = prefix as Prefix6;
    else found.prefix = prefix as Prefix;
  }
  if (found.prefix6 !== null && mtuBytes < MTU6_BYTES_MIN) {
    problem([...own, 'mtu'], `IPv6 needs an mtu of ${MTU6_BYTES_MIN} or more, not ${mtuBytes}`);
  }
  return found;
}

/** Prefixes of one family must not overlap. */
function reportOverlaps<P>(
  networks: readonly CarriedNetwork[],
  given: readonly Prefixes[],
  of: (prefixes: Prefixes) => P | null,
  overlap: (a: P, b: P) => boolean,
  format: (prefix: P) => string,
  problem: ReportProblem,
): void {
  given.forEach((prefixes, index) => {
    const prefix = of(prefixes);
    if (prefix === null) return;
    for (let before = 0; before < index; before++) {
      const other = of(given[before] as Prefixes);
      if (other === null || !overlap(prefix, other)) continue;
      const network = networks[index] as CarriedNetwork;
      const all = items([...network.path, 'prefix'], network.prefix);
      const own = all.find(({ item }) => item.includes(':') === format(prefix).includes(':'));
      const message = `${format(prefix)} overlaps ${format(other)} of ${(networks[before] as CarriedNetwork).name}`;
      problem(own?.path ?? network.path, message);
      return;
    }
  });
}

/** Fixed addresses first, so that allocation goes around them; then in file order, IPv4 before IPv6, which follows it. */
export function planAddresses(
  config: LabConfig,
  nodes: NodePlan[],
  networks: NetworkPlan[],
  problem: ReportProblem,
): void {
  const own = networks.map(({ prefix, prefix6 }) => ({
    pool4: prefix === null ? null : new AddressPool(prefix),
    pool6: prefix6 === null ? null : new AddressPool6(prefix6),
  }));
  const pools = networks.map(({ segment }) => own[segment] as Pools);
  const full = (entry: InterfacePlan, node: NodePlan, prefix: string): void =>
    problem(
      ['networks', (networks[entry.network] as NetworkPlan).name],
      `no address of ${prefix} left for ${node.name}`,
    );
  const fixed = new Map<InterfacePlan, FixedAddresses>();
  config.nodes.forEach(({ addresses }, index) => {
    const node = nodes[index] as NodePlan;
    if (node.kind === 'bridge' && Object.keys(addresses).length > 0) {
      problem(['nodes', node.name, 'addresses'], 'a bridge has none');
      return;
    }
    for (const [network, text] of Object.entries(addresses)) {
      const path = [node.kind === 'host' ? 'hosts' : 'nodes', node.name, 'addresses', network];
      const entry = interfaceNamed(node, network, networks);
      if (entry === undefined) {
        problem(path, `${node.name} is not on a network "${network}"`, true);
        continue;
      }
      const found: FixedAddresses = fixed.get(entry) ?? { address4: null, address6: null };
      fixed.set(entry, found);
      for (const one of items(path, text)) fixAddress(node, pools[entry.network] as Pools, one, found, problem);
    }
  });
  const stations = nodes.filter(({ kind }) => kind !== 'bridge');
  const each = stations.flatMap((node) =>
    node.interfaces.filter(({ listed }) => listed).map((entry) => ({ node, entry })),
  );
  const hosts = new Map<InterfacePlan, number>();
  for (const { node, entry } of each) {
    const { pool4 } = pools[entry.network] as Pools;
    if (pool4 === null) continue;
    const address = fixed.get(entry)?.address4 ?? pool4.allocate(node.name, node.kind === 'router');
    if (address === null) full(entry, node, formatPrefix(pool4.prefix));
    else {
      entry.addresses.push({ address: formatAddress(address), prefixLength: pool4.prefix.length });
      hosts.set(entry, address - pool4.prefix.network);
    }
  }
  for (const { node, entry } of each) {
    const { pool6 } = pools[entry.network] as Pools;
    if (pool6 === null) continue;
    const router = node.kind === 'router';
    const address = fixed.get(entry)?.address6 ?? pool6.allocate(node.name, router, hosts.get(entry) ?? 0);
    if (address === null) full(entry, node, formatPrefix6(pool6.prefix));
    else entry.addresses.push({ address: formatAddress6(address), prefixLength: pool6.prefix.length });
  }
}

/** The interface of that name, or the first on the network of that name. */
export function interfaceNamed(
  { interfaces }: Pick<NodePlan, 'interfaces'>,
  name: string,
  networks: readonly Pick<NetworkPlan, 'name'>[],
): InterfacePlan | undefined {
  const listed = interfaces.filter((entry) => entry.listed);
  return listed.find((entry) => networks[entry.network]?.name === name) ?? listed.find((entry) => entry.name === name);
}

/** One fixed address of an interface: checked, reserved in its pool, put into `found`. */
function fixAddress(
  node: NodePlan,
  pools: Pools,
  { path, item }: { path: KeyPath; item: string },
  found: FixedAddresses,
  problem: ReportProblem,
): void {
  const { pool4, pool6 } = pools;
  const [addressText, lengthText] = item.split('/') as [string, string?];
  const isIpv6 = item.includes(':');
  const pool = isIpv6 ? pool6 : pool4;
  const address = isIpv6 ? parseAddress6(addressText) : parseAddress(addressText);
  const wrongLength = lengthText !== undefined && Number(lengthText) !== pool?.prefix.length;
  if (pool === null || address === null || wrongLength) {
    const examples = [
      pool4 === null ? null : formatAddress(pool4.prefix.network + EXAMPLE_HOST),
      pool6 === null ? null : formatAddress6(pool6.prefix.network + BigInt(EXAMPLE_HOST)),
    ].filter((text) => text !== null);
    problem(path, `"${item}" is no address of the network; one looks like ${examples.join(' or ')}`);
    return;
  }
  if ((isIpv6 ? found.address6 : found.address4) !== null) {
    problem(path, `a second ${isIpv6 ? 'IPv6' : 'IPv4'} address`);
    return;
  }
  const why =
    typeof address === 'bigint'
      ? (pool6 as AddressPool6).reserve(address, node.name)
      : (pool4 as AddressPool).reserve(address, node.name);
  if (why !== null) problem(path, why);
  if (typeof address === 'bigint') found.address6 = address;
  else found.address4 = address;
}

/** Items of a value that is one text or a list of texts, with the path of each. */
function items(path: KeyPath, value: string | string[] | null): { path: KeyPath; item: string }[] {
  if (value === null) return [];
  if (typeof value === 'string') return [{ path, item: value }];
  return value.map((item, index) => ({ path: [...path, index], item }));
}
