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
import type { CheckConfig, Dependency, LabConfig, NetworkConfig, NodeConfig } from './config.ts';
import { type KeyPath, LabFileError, type Locate, type Problem } from './lab-file.ts';
import { type ProgramCommand, parseProgramCommand } from './program-command.ts';
import { referenceProblems, unknownName } from './references.ts';
import { type Route, type RoutingNode, routesOf } from './routing.ts';

const NODES_MAX = 65_000;
const PORTS_MAX = 256;

export interface NetworkPlan {
  name: string;
  prefix: Prefix;
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
  address: string;
  prefixLength: number;
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
  routes: Route[];
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
  /** Where relative paths of the lab start. */
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
    const addresses = sorted.map((entry) => entry.address);
    hosts[other.name] = addresses;
    hosts[`${other.name}.${plan.domain}`] = addresses;
    for (const entry of sorted) {
      const { domain } = plan.networks[entry.network] as NetworkPlan;
      if (domain === null || domain === plan.domain) continue;
      const name = `${other.name}.${domain}`;
      hosts[name] = [...(hosts[name] ?? []), entry.address];
    }
  }
  return hosts;
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
    const networks = config.networks.map((network, index) => networkPlan(network, prefixes[index] as Prefix));
    const nodes = config.nodes.map((node, index) => this.#node(node, index, networks));
    this.#addresses(nodes, networks);
    this.#problems.push(...referenceProblems(config, domain));
    if (this.#problems.length > 0) throw this.#error();
    const routing = nodes.map(routingNode);
    nodes.forEach((node, index) => {
      node.routes = routesOf(routing[index] as RoutingNode, routing, prefixes);
    });
    const { path, folder } = this.#context;
    return { name, domain, seed: config.seed, file: path, folder, networks, nodes, checks: config.checks };
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

  #prefixes(): Prefix[] {
    const { networks } = this.#config;
    const given: (Prefix | null)[] = networks.map((network) => {
      if (network.prefix === null) return null;
      const prefix = parsePrefix(network.prefix);
      if (typeof prefix !== 'string') return prefix;
      this.#problem(['networks', network.name, 'prefix'], prefix);
      return null;
    });
    given.forEach((prefix, index) => {
      const before = given.findIndex((other, i) => i < index && prefix && other && overlaps(prefix, other));
      if (before < 0) return;
      const other = networks[before] as NetworkConfig;
      const message = `${formatPrefix(prefix as Prefix)} overlaps ${formatPrefix(given[before] as Prefix)} of ${other.name}`;
      this.#problem(['networks', (networks[index] as NetworkConfig).name, 'prefix'], message);
    });
    const taken = given.filter((prefix) => prefix !== null);
    return given.map((prefix) => {
      if (prefix !== null) return prefix;
      const allocated = allocatePrefix(taken);
      taken.push(allocated);
      return allocated;
    });
  }

  #node(node: NodeConfig, index: number, networks: NetworkPlan[]): NodePlan {
    const path = ['nodes', node.name];
    const cwd = resolve(this.#context.folder, node.cwd ?? '.');
    if (node.cwd !== null && !isFolder(cwd)) this.#problem([...path, 'cwd'], `no folder ${cwd}`);
    const interfaces = this.#networksOf(node).map((network, i) => {
      const { ports, prefix } = networks[network] as NetworkPlan;
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
        address: '',
        prefixLength: prefix.length,
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

  /** Fixed addresses first, so that allocation goes around them; then in file order. */
  #addresses(nodes: NodePlan[], networks: NetworkPlan[]): void {
    const pools = networks.map((network) => new AddressPool(network.prefix));
    this.#config.nodes.forEach((config, index) => {
      const node = nodes[index] as NodePlan;
      for (const [network, text] of Object.entries(config.addresses)) this.#fixedAddress(node, network, text, pools);
    });
    for (const node of nodes) {
      for (const entry of node.interfaces) {
        if (entry.address !== '') continue;
        const address = (pools[entry.network] as AddressPool).allocate(node.name, node.kind === 'router');
        const network = networks[entry.network] as NetworkPlan;
        if (address !== null) entry.address = formatAddress(address);
        else
          this.#problem(
            ['networks', network.name],
            `no address of ${formatPrefix(network.prefix)} left for ${node.name}`,
          );
      }
    }
  }

  #fixedAddress(node: NodePlan, network: string, text: string, pools: AddressPool[]): void {
    const path = ['nodes', node.name, 'addresses', network];
    const entry = node.interfaces.find((candidate) => candidate.network === this.#networkIndex.get(network));
    if (entry === undefined) {
      this.#problem(path, `${node.name} is not on a network "${network}"`, true);
      return;
    }
    const [addressText, lengthText] = text.split('/');
    const address = parseAddress(addressText as string);
    if (address === null || (lengthText !== undefined && Number(lengthText) !== entry.prefixLength)) {
      this.#problem(
        path,
        `"${text}" is no address of the network; one looks like ${formatAddress((pools[entry.network] as AddressPool).prefix.network + 10)}`,
      );
      return;
    }
    const why = (pools[entry.network] as AddressPool).reserve(address, node.name);
    if (why !== null) this.#problem(path, why);
    entry.address = formatAddress(address);
  }
}

function networkPlan(network: NetworkConfig, prefix: Prefix): NetworkPlan {
  const { name, mtuBytes, ringBytes, full, offload, domain } = network;
  return { name, prefix, mtuBytes, ringBytes, full, offload, domain, ports: [] };
}

function routingNode(node: NodePlan): RoutingNode {
  const ports = node.interfaces.map((entry) => ({
    network: entry.network,
    address: parseAddress(entry.address) as number,
  }));
  return { name: node.name, kind: node.kind, forwarding: node.forwarding, ports };
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
