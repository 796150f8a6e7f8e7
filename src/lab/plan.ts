/**
 * From the lab as written to the lab as it will be: names resolved, programs found, addresses, MACs, names and routes given out.
 *
 * Thread: the supervisor's. Everything that can be wrong with a lab file beyond its shape is found here, before anything is
 * started. Read first: config.ts, addressing.ts, routing.ts.
 */

import { statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
import {
  AddressPool,
  allocatePrefix,
  formatAddress,
  formatPrefix,
  macAddress,
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
import type { CheckConfig, Dependency, LabConfig, NetworkConfig, NodeConfig } from './config.ts';
import { type KeyPath, LabFileError, type Locate, type Problem } from './lab-file.ts';
import { type ProgramCommand, parseProgramCommand } from './program-command.ts';
import { referenceProblems, unknownName } from './references.ts';
import { type PlannedRoute, type RoutedNetworks, type RoutingNode, routesOf } from './routing.ts';

const NODES_MAX = 65_000;
const PORTS_MAX = 256;
/** RFC 8200 section 5. */
const MTU6_BYTES_MIN = 1280;
/** Host part of addresses in messages. */
const EXAMPLE_HOST = 10;

export interface NetworkPlan {
  name: string;
  /** At least one of the two is there. */
  prefix: Prefix | null;
  prefix6: Prefix6 | null;
  mtuBytes: number;
  ringBytes: number | null;
  full: 'wait' | 'drop';
  offload: boolean;
  domain: string | null;
  /** Kernels on it; the position is the port number. */
  ports: string[];
}

export interface InterfacePlan {
  name: string;
  /** Index into `LabPlan.networks`. */
  network: number;
  port: number;
  mac: string;
  /** One of each family that the network has, IPv4 first. */
  addresses: { address: string; prefixLength: number }[];
}

export interface ProgramPlan {
  /** As written, for people. */
  text: string;
  script: string;
  nodeFlags: string[];
  argv: string[];
  cwd: string;
}

export interface NodePlan {
  name: string;
  kind: 'node' | 'router';
  program: ProgramPlan | null;
  env: Record<string, string>;
  memoryBytes: number | null;
  interfaces: InterfacePlan[];
  routes: PlannedRoute[];
  forwarding: boolean;
  dependsOn: Dependency[];
  sysctl: [name: string, value: number][];
}

export interface LabPlan {
  name: string;
  domain: string;
  seed: number | null;
  /** The file, for people; null for `lab({...})`. */
  file: string | null;
  /** Folder at which relative paths of the lab start. */
  folder: string;
  networks: NetworkPlan[];
  nodes: NodePlan[];
  checks: CheckConfig[];
}

export interface PlanContext {
  /** For messages. */
  file: string;
  /** null: not from a file. */
  path: string | null;
  folder: string;
  locate: Locate;
}

/** Throws {@link LabFileError} with everything that is wrong. */
export function planLab(config: LabConfig, context: PlanContext): LabPlan {
  return new Planner(config, context).plan();
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
  const usable = [IPV4, IPV6].filter((family) => own.some(family.has));
  const rank = (address: string): number => Number(!usable.some((family) => family.has(address)));
  return addresses.sort((a, b) => rank(a) - rank(b));
}

/** Path of a script as `node SCRIPT` would find it, or null. */
export function findScript(script: string, cwd: string): string | null {
  const path = resolve(cwd, script);
  try {
    return createRequire(join(cwd, 'noop.js')).resolve(path);
  } catch {
    return null;
  }
}

interface Prefixes {
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

/** Parts of an address family that routing needs. */
interface Family {
  any: RoutedNetworks['any'];
  has(address: string): boolean;
  prefixOf(network: NetworkPlan): { address: string; length: number } | null;
}

const IPV4: Family = {
  any: '0.0.0.0',
  has: (address) => !address.includes(':'),
  prefixOf: ({ prefix }) => prefix && { address: formatAddress(prefix.network), length: prefix.length },
};
const IPV6: Family = {
  any: '::',
  has: (address) => address.includes(':'),
  prefixOf: ({ prefix6 }) => prefix6 && { address: formatAddress6(prefix6.network), length: prefix6.length },
};

/** The prefixes of a network as text, IPv4 first. */
export function prefixTexts({ prefix, prefix6 }: NetworkPlan): string[] {
  return [...(prefix === null ? [] : [formatPrefix(prefix)]), ...(prefix6 === null ? [] : [formatPrefix6(prefix6)])];
}

class Planner {
  readonly #config: LabConfig;
  readonly #context: PlanContext;
  readonly #problems: Problem[] = [];
  readonly #networkIndex: Map<string, number>;

  constructor(config: LabConfig, context: PlanContext) {
    this.#config = config;
    this.#context = context;
    this.#networkIndex = new Map(config.networks.map((network, index) => [network.name, index]));
  }

  plan(): LabPlan {
    const config = this.#config;
    const name = config.name ?? this.#nameFromFolder();
    const domain = config.domain ?? `${name}.lan`;
    if (config.nodes.length === 0) this.#problem(['nodes'], 'a lab needs at least one node');
    if (config.nodes.length > NODES_MAX) this.#problem(['nodes'], `more than ${NODES_MAX} nodes`);
    const prefixes = this.#prefixes();
    const networks = config.networks.map((network, index) => networkPlan(network, prefixes[index] as Prefixes));
    const nodes = config.nodes.map((node, index) => this.#node(node, index, networks));
    this.#addresses(nodes, networks);
    this.#problems.push(...referenceProblems(config, domain));
    if (this.#problems.length > 0) throw this.#error();
    this.#routes(nodes, networks);
    const { path, folder } = this.#context;
    return { name, domain, seed: config.seed, file: path, folder, networks, nodes, checks: config.checks };
  }

  #routes(nodes: NodePlan[], networks: NetworkPlan[]): void {
    for (const family of [IPV4, IPV6]) {
      const routing = nodes.map((node) => routingNode(node, family));
      if (routing.every((node) => node.ports.length === 0)) continue;
      const routed: RoutedNetworks = { prefixes: networks.map(family.prefixOf), any: family.any };
      nodes.forEach((node, index) => {
        node.routes.push(...routesOf(routing[index] as RoutingNode, routing, routed));
      });
    }
  }

  #error(): LabFileError {
    return new LabFileError(this.#context.file, this.#problems, this.#context.locate);
  }

  #problem(path: KeyPath, message: string, atKey = false): void {
    this.#problems.push({ path, message, atKey });
  }

  #unknown(path: KeyPath, what: string, name: string, known: readonly string[]): void {
    this.#problems.push(unknownName(path, what, name, known));
  }

  #nameFromFolder(): string {
    if (this.#context.path === null) return 'lab';
    const cleaned = basename(dirname(this.#context.path))
      .toLowerCase()
      .replace(/[^a-z0-9-]+/g, '-')
      .replace(/^[^a-z]+|-+$/g, '')
      .slice(0, 32);
    return cleaned === '' ? 'lab' : cleaned;
  }

  /** The prefixes of every network: those given, and an IPv4 prefix for those that name none. */
  #prefixes(): Prefixes[] {
    const { networks } = this.#config;
    const given = networks.map((network) => this.#givenPrefixes(network));
    this.#overlaps(given, (prefixes) => prefixes.prefix, overlaps, formatPrefix);
    this.#overlaps(given, (prefixes) => prefixes.prefix6, overlaps6, formatPrefix6);
    const taken = given.map(({ prefix }) => prefix).filter((prefix) => prefix !== null);
    given.forEach((prefixes, index) => {
      if ((networks[index] as NetworkConfig).prefix !== null) return;
      prefixes.prefix = allocatePrefix(taken);
      taken.push(prefixes.prefix);
    });
    return given;
  }

  #givenPrefixes({ name, prefix: text, mtuBytes }: NetworkConfig): Prefixes {
    const found: Prefixes = { prefix: null, prefix6: null };
    for (const { path, item } of items(['networks', name, 'prefix'], text)) {
      const isIpv6 = item.includes(':');
      const prefix = isIpv6 ? parsePrefix6(item) : parsePrefix(item);
      if (typeof prefix === 'string') this.#problem(path, prefix);
      else if ((isIpv6 ? found.prefix6 : found.prefix) !== null) {
        this.#problem(path, `a second ${isIpv6 ? 'IPv6' : 'IPv4'} prefix`);
      } else if (isIpv6) found.prefix6 = prefix as Prefix6;
      else found.prefix = prefix as Prefix;
    }
    if (found.prefix6 !== null && mtuBytes < MTU6_BYTES_MIN) {
      this.#problem(['networks', name, 'mtu'], `IPv6 needs an mtu of ${MTU6_BYTES_MIN} or more, not ${mtuBytes}`);
    }
    return found;
  }

  /** Prefixes of one family must not overlap. */
  #overlaps<P>(
    given: readonly Prefixes[],
    of: (prefixes: Prefixes) => P | null,
    overlap: (a: P, b: P) => boolean,
    format: (prefix: P) => string,
  ): void {
    const { networks } = this.#config;
    given.forEach((prefixes, index) => {
      const prefix = of(prefixes);
      if (prefix === null) return;
      for (let before = 0; before < index; before++) {
        const other = of(given[before] as Prefixes);
        if (other === null || !overlap(prefix, other)) continue;
        const network = networks[index] as NetworkConfig;
        const all = items(['networks', network.name, 'prefix'], network.prefix);
        const own = all.find(({ item }) => item.includes(':') === format(prefix).includes(':'));
        const message = `${format(prefix)} overlaps ${format(other)} of ${(networks[before] as NetworkConfig).name}`;
        this.#problem(own?.path ?? ['networks', network.name], message);
        return;
      }
    });
  }

  #node(node: NodeConfig, index: number, networks: NetworkPlan[]): NodePlan {
    const path = ['nodes', node.name];
    const cwd = resolve(this.#context.folder, node.cwd ?? '.');
    if (node.cwd !== null && !isFolder(cwd)) this.#problem([...path, 'cwd'], `no folder ${cwd}`);
    const interfaces = this.#networksOf(node).map((network, i) => {
      const { ports } = networks[network] as NetworkPlan;
      ports.push(node.name);
      if (ports.length === PORTS_MAX + 1) {
        this.#problem(
          [...path, 'networks'],
          `more than ${PORTS_MAX} nodes on ${(networks[network] as NetworkPlan).name}`,
        );
      }
      return {
        name: `eth${i}`,
        network,
        port: ports.length - 1,
        mac: macAddress(index, i),
        addresses: [],
      };
    });
    return {
      name: node.name,
      kind: node.kind,
      program: node.run === null ? null : this.#program(node.run, [...path, 'run'], cwd),
      env: node.env,
      memoryBytes: node.memoryBytes,
      interfaces,
      routes: [],
      forwarding: node.forwarding,
      dependsOn: node.dependsOn,
      sysctl: node.sysctl,
    };
  }

  #networksOf(node: NodeConfig): number[] {
    const path = ['nodes', node.name, 'networks'];
    const known = this.#config.networks.map((network) => network.name);
    if (node.networks === null) {
      if (known.length === 1) return [0];
      this.#problem(path.slice(0, 2), `missing "networks": which of ${known.join(', ')}?`, true);
      return [];
    }
    const found: number[] = [];
    node.networks.forEach((name, i) => {
      const index = this.#networkIndex.get(name);
      if (index === undefined) this.#unknown([...path, i], 'network', name, known);
      else if (found.includes(index)) this.#problem([...path, i], `"${name}" twice`);
      else found.push(index);
    });
    return found;
  }

  #program(text: string, path: KeyPath, cwd: string): ProgramPlan | null {
    const command = parseProgramCommand(text) as ProgramCommand;
    const script = findScript(command.script, cwd);
    if (script === null) {
      this.#problem(path, `no program ${resolve(cwd, command.script)}`);
      return null;
    }
    return { text, script, nodeFlags: command.nodeFlags, argv: command.argv, cwd };
  }

  /** Fixed addresses first, so that allocation goes around them; then in file order, IPv4 before IPv6, which follows it. */
  #addresses(nodes: NodePlan[], networks: NetworkPlan[]): void {
    const pools = networks.map(({ prefix, prefix6 }) => ({
      pool4: prefix === null ? null : new AddressPool(prefix),
      pool6: prefix6 === null ? null : new AddressPool6(prefix6),
    }));
    const fixed = new Map<InterfacePlan, FixedAddresses>();
    this.#config.nodes.forEach((config, index) => {
      const node = nodes[index] as NodePlan;
      for (const [network, text] of Object.entries(config.addresses)) {
        const path = ['nodes', node.name, 'addresses', network];
        const entry = node.interfaces.find((candidate) => candidate.network === this.#networkIndex.get(network));
        if (entry === undefined) {
          this.#problem(path, `${node.name} is not on a network "${network}"`, true);
          continue;
        }
        const found: FixedAddresses = { address4: null, address6: null };
        fixed.set(entry, found);
        for (const one of items(path, text)) this.#fixedAddress(node, pools[entry.network] as Pools, one, found);
      }
    });
    const each = nodes.flatMap((node) => node.interfaces.map((entry) => ({ node, entry })));
    const hosts = new Map<InterfacePlan, number>();
    for (const { node, entry } of each) {
      const { pool4 } = pools[entry.network] as Pools;
      if (pool4 === null) continue;
      const address = fixed.get(entry)?.address4 ?? pool4.allocate(node.name, node.kind === 'router');
      if (address === null) this.#full(entry, node, networks, formatPrefix(pool4.prefix));
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
      if (address === null) this.#full(entry, node, networks, formatPrefix6(pool6.prefix));
      else entry.addresses.push({ address: formatAddress6(address), prefixLength: pool6.prefix.length });
    }
  }

  #full(entry: InterfacePlan, node: NodePlan, networks: NetworkPlan[], prefix: string): void {
    const { name } = networks[entry.network] as NetworkPlan;
    this.#problem(['networks', name], `no address of ${prefix} left for ${node.name}`);
  }

  #fixedAddress(node: NodePlan, pools: Pools, one: { path: KeyPath; item: string }, found: FixedAddresses): void {
    const { path, item } = one;
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
      this.#problem(path, `"${item}" is no address of the network; one looks like ${examples.join(' or ')}`);
      return;
    }
    if ((isIpv6 ? found.address6 : found.address4) !== null) {
      this.#problem(path, `a second ${isIpv6 ? 'IPv6' : 'IPv4'} address`);
      return;
    }
    const why =
      typeof address === 'bigint'
        ? (pool6 as AddressPool6).reserve(address, node.name)
        : (pool4 as AddressPool).reserve(address, node.name);
    if (why !== null) this.#problem(path, why);
    if (typeof address === 'bigint') found.address6 = address;
    else found.address4 = address;
  }
}

/** Items of a value that is one text or a list of texts, with the path of each. */
function items(path: KeyPath, value: string | string[] | null): { path: KeyPath; item: string }[] {
  if (value === null) return [];
  if (typeof value === 'string') return [{ path, item: value }];
  return value.map((item, index) => ({ path: [...path, index], item }));
}

function networkPlan(network: NetworkConfig, { prefix, prefix6 }: Prefixes): NetworkPlan {
  const { name, mtuBytes, ringBytes, full, offload, domain } = network;
  return { name, prefix, prefix6, mtuBytes, ringBytes, full, offload, domain, ports: [] };
}

function addressesOf(entry: InterfacePlan): string[] {
  return entry.addresses.map(({ address }) => address);
}

function routingNode(node: NodePlan, family: Family): RoutingNode {
  const ports = node.interfaces.flatMap((entry) => {
    const address = addressesOf(entry).find(family.has);
    return address === undefined ? [] : [{ network: entry.network, address }];
  });
  return { name: node.name, kind: node.kind, forwarding: node.forwarding, ports };
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
