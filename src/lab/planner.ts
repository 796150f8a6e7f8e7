/**
 * Plans a lab: everything that can be wrong with a lab file beyond its shape is found here, before anything is started.
 *
 * Thread: the supervisor's. Read first: config.ts, plan.ts, address-planner.ts, routing.ts.
 */

import { statSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { isScriptless } from '../base/node-flags.ts';
import { type Prefixes, planAddresses, planPrefixes, type ReportProblem } from './address-planner.ts';
import { formatAddress, macAddress } from './addressing.ts';
import { formatAddress6 } from './addressing6.ts';
import { attachmentsOf } from './attachments.ts';
import { planBridge } from './bridge-plan.ts';
import { withCables } from './cables.ts';
import type { LabConfig, NodeConfig } from './config.ts';
import { choosePlacement, NEEDS_PROCESS, type PlacementChoice } from './default-placement.ts';
import { KERNEL_BYTES_MIN, KERNELS_BYTES_MAX } from './kernel-bytes.ts';
import { type KeyPath, LabFileError, type Locate, type Problem } from './lab-file.ts';
import { placesOf } from './link-places.ts';
import {
  addressesOf,
  type InterfacePlan,
  isIpv6,
  type LabPlan,
  type LinkPlan,
  type NetworkPlan,
  type NodePlan,
  type ProgramPlan,
} from './plan.ts';
import { portProblems } from './port-text.ts';
import { findExecutable, findScript, NODE, type ProgramCommand, parseProgramCommand } from './program-command.ts';
import { referenceProblems, unknownName } from './references.ts';
import { type RoutedNetworks, type RoutedTunnel, type RoutingNode, routesOf } from './routing.ts';
import { type NetworkSegment, reportDifferences, segmentsOf } from './segments.ts';
import { ONLY_PROCESS, threadProblems } from './thread-flags.ts';
import { planTimeline } from './timeline.ts';
import { routedTunnels } from './tunnel-routes.ts';
import { planTunnels, withTunnels } from './tunnels.ts';
import { type CarriedNetwork, carriedNetworks, isCarrierOnly } from './vlans.ts';

const NODES_MAX = 65_000;
const PORTS_MAX = 256;

interface PlanContext {
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

/** Parts of an address family that routing needs. */
interface RoutedFamily {
  any: RoutedNetworks['any'];
  has(address: string): boolean;
  prefixOf(network: NetworkPlan): { address: string; length: number } | null;
}

const IPV4: RoutedFamily = {
  any: '0.0.0.0',
  has: (address) => !isIpv6(address),
  prefixOf: ({ prefix }) => prefix && { address: formatAddress(prefix.network), length: prefix.length },
};
const IPV6: RoutedFamily = {
  any: '::',
  has: isIpv6,
  prefixOf: ({ prefix6 }) => prefix6 && { address: formatAddress6(prefix6.network), length: prefix6.length },
};

class Planner {
  readonly #config: LabConfig;
  readonly #context: PlanContext;
  readonly #problems: Problem[] = [];
  #networks: readonly CarriedNetwork[] = [];
  /** For programs that name none. */
  readonly #placement: PlacementChoice;

  constructor(config: LabConfig, context: PlanContext) {
    this.#config = config;
    this.#context = context;
    const processes = config.nodes.filter(({ run, placement }) => run !== null && placement !== 'beside');
    this.#placement = choosePlacement(processes.length, config.nodes.length);
  }

  plan(): LabPlan {
    const problem: ReportProblem = (path, message, atKey) => this.#problem(path, message, atKey);
    const { config, names: tunnels } = withTunnels(withCables(this.#config, problem), problem);
    const carried = carriedNetworks(config, problem);
    this.#networks = carried;
    this.#problems.push(...portProblems(config.nodes));
    this.#memory(config.nodes);
    const name = config.name ?? this.#nameFromFolder();
    const domain = config.domain ?? `${name}.lan`;
    if (!config.nodes.some(({ kind }) => kind !== 'host')) this.#problem(['nodes'], 'a lab needs at least one node');
    if (config.nodes.length > NODES_MAX) this.#problem(['nodes'], `more than ${NODES_MAX} nodes`);
    const segments = segmentsOf(carried, config.nodes, problem);
    reportDifferences(carried, segments, problem);
    const prefixes = planPrefixes(carried, segments, emptySegments(config, segments), problem);
    const networks = carried.map((network, index) =>
      networkPlan(network, prefixes[index] as Prefixes, segments[index] as NetworkSegment, carried),
    );
    const nodes = config.nodes.map((node, index) => this.#node(node, index, networks));
    planAddresses(config, nodes, networks, problem);
    this.#problems.push(...referenceProblems(config, domain));
    config.nodes.forEach((node, index) => {
      (nodes[index] as NodePlan).bridge = planBridge(node, nodes, index, networks, problem);
    });
    if (this.#problems.length > 0) throw this.#error();
    this.#routes(nodes, networks, tunnels);
    const links = this.#links(nodes, networks);
    const { path, folder } = this.#context;
    const timeline = planTimeline(config.timeline, { nodes, networks, folder }, problem);
    if (this.#problems.length > 0) throw this.#error();
    return {
      name,
      domain,
      seed: config.seed,
      file: path,
      folder,
      networks,
      nodes,
      links,
      timeline,
      checks: config.checks,
    };
  }

  /** All kernels have a part of the memory of the lab, those that name none too. */
  #memory(nodes: readonly NodeConfig[]): void {
    const given = nodes.filter(({ memoryBytes }) => memoryBytes !== null);
    const leastBytes = (nodes.length - given.length) * KERNEL_BYTES_MIN;
    let leftBytes = KERNELS_BYTES_MAX - leastBytes;
    for (const node of given) {
      const bytes = node.memoryBytes as number;
      if (bytes > leftBytes) {
        const message = `${mibText(Math.max(0, leftBytes))} of the ${mibText(KERNELS_BYTES_MAX)} that all kernels share are left`;
        this.#problem([...keyOf(node), 'memory'], message);
        return;
      }
      leftBytes -= bytes;
    }
  }

  #routes(nodes: NodePlan[], networks: NetworkPlan[], tunnelNames: readonly string[]): void {
    const problem: ReportProblem = (path, message) => this.#problem(path, message);
    const { tunnels: configs } = this.#config;
    const outside = networks.map(({ kind }) => kind !== 'tunnel');
    const routing = (family: 4 | 6): RoutingNode[] =>
      nodes.map((node) => routingNode(node, networks, family === 4 ? IPV4 : IPV6, outside));
    const tunnels = planTunnels(configs, tunnelNames, { nodes, networks, routing }, problem);
    const routed = routedTunnels(tunnels, configs, { nodes, networks }, problem);
    this.#routesOf(IPV4, nodes, networks, routed.four);
    this.#routesOf(IPV6, nodes, networks, routed.six);
  }

  #routesOf(family: RoutedFamily, nodes: NodePlan[], networks: NetworkPlan[], tunnels: readonly RoutedTunnel[]): void {
    const routing = nodes.map((node) => routingNode(node, networks, family));
    if (routing.some((node) => node.ports.length > 0)) {
      const prefixes = networks.map((network, i) => (network.segment === i ? family.prefixOf(network) : null));
      const routed: RoutedNetworks = { prefixes, any: family.any, tunnels };
      nodes.forEach((node, index) => {
        node.routes.push(...routesOf(routing[index] as RoutingNode, routing, routed));
      });
    }
  }

  #links(nodes: NodePlan[], networks: NetworkPlan[]): LinkPlan[] {
    return this.#config.links.flatMap(({ endpoints, up, down }, index) => {
      try {
        return placesOf({ nodes, networks }, ...endpoints).map(({ reversed, ...place }) =>
          reversed ? { ...place, up: down, down: up } : { ...place, up, down },
        );
      } catch (error) {
        this.#problem(['links', index, 'endpoints'], (error as Error).message);
        return [];
      }
    });
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

  #node(node: NodeConfig, index: number, networks: NetworkPlan[]): NodePlan {
    const path = keyOf(node);
    const cwd = resolve(this.#context.folder, node.cwd ?? '.');
    if (node.cwd !== null && !isFolder(cwd)) this.#problem([...path, 'cwd'], `no folder ${cwd}`);
    const program = node.run === null ? null : this.#program(node, node.run, cwd);
    const problems = this.#threadProblems(node, program);
    if (node.placement === 'beside') this.#problems.push(...problems);
    else if (node.inspectPort !== null && program?.executable) this.#problem([...path, 'inspect'], 'only Node has one');
    const { placement, reason } = problems.length > 0 ? NEEDS_PROCESS : this.#placement;
    const interfaces = this.#interfaces(node, index, networks);
    return {
      name: node.name,
      kind: node.kind,
      program,
      placement: node.placement ?? placement,
      placementReason: node.placement === null ? reason : null,
      inspectPort: node.inspectPort,
      env: node.env,
      memoryBytes: node.memoryBytes,
      programHeapBytes: node.programHeapBytes,
      interfaces,
      routes: [],
      forwarding: node.forwarding,
      bridge: null,
      dependsOn: node.dependsOn,
      restart: node.restart,
      ports: node.ports,
      services: node.services,
      sysctl: node.sysctl,
    };
  }

  #interfaces(node: NodeConfig, index: number, networks: readonly NetworkPlan[]): InterfacePlan[] {
    const interfaces: InterfacePlan[] = [];
    attachmentsOf(this.#networksOf(node), this.#networks).forEach(({ name, network, listed, parent }, i) => {
      const { ports, kind } = networks[network] as NetworkPlan;
      ports.push(node.name);
      if (ports.length === PORTS_MAX + 1 && kind === 'ethernet') {
        this.#problem(
          [...keyOf(node), 'networks'],
          `more than ${PORTS_MAX} nodes on ${(networks[network] as NetworkPlan).name}`,
        );
      }
      const below = interfaces.find((entry) => entry.name === parent);
      const mac = below?.mac ?? (kind === 'tunnel' ? '' : macAddress(index, i));
      interfaces.push({ name, network, port: ports.length - 1, mac, listed, parent, tunnel: null, addresses: [] });
    });
    return interfaces;
  }

  /**
   * Settings of a node that a program beside its kernel cannot have: it is a thread, and a process has one working directory, one
   * environment, one set of flags; at a breakpoint its machine would stand still with it.
   */
  #threadProblems(node: NodeConfig, program: ProgramPlan | null): Problem[] {
    const path = ['nodes', node.name];
    const problems: Problem[] = [];
    if (node.inspectPort !== null) problems.push({ path: [...path, 'inspect'], message: ONLY_PROCESS });
    if (program === null) return problems;
    if (program.executable !== null) {
      const { executable, argv } = parseProgramCommand(program.text) as ProgramCommand;
      const what =
        executable === NODE ? `node ${argv.find(isScriptless)}` : `'${executable}': a program that is not Node`;
      problems.push({ path: [...path, 'run'], message: `${what} runs ${ONLY_PROCESS}` });
    }
    if (program.cwd !== resolve(this.#context.folder)) {
      const message = `a folder that is not that of the lab file: ${ONLY_PROCESS}`;
      problems.push({ path: [...path, 'cwd'], message });
    }
    for (const { key, message } of threadProblems(program.nodeFlags, node.env))
      problems.push({ path: [...path, ...key], message });
    return problems;
  }

  #networksOf(node: NodeConfig): number[] {
    const path = [...keyOf(node), 'networks'];
    const known = this.#networks.map((network) => network.name);
    if (node.networks === null) {
      if (known.length === 1) return [0];
      this.#problem(path.slice(0, 2), `missing "networks": which of ${known.join(', ')}?`, true);
      return [];
    }
    const found: number[] = [];
    node.networks.forEach((name, i) => {
      const index = known.indexOf(name);
      if (index < 0) this.#unknown([...path, i], 'network', name, known);
      else if (found.includes(index) && this.#networks[index]?.kind === 'vlan')
        this.#problem([...path, i], `"${name}" twice: a node has one interface on a VLAN`);
      else found.push(index);
    });
    return found;
  }

  #program(node: NodeConfig, text: string, cwd: string): ProgramPlan | null {
    const path = ['nodes', node.name, 'run'];
    const { executable, script, nodeFlags, argv } = parseProgramCommand(text) as ProgramCommand;
    const found =
      executable === null
        ? findScript(script, cwd)
        : executable === NODE
          ? process.execPath
          : findExecutable(executable, cwd, node.env.PATH ?? process.env.PATH ?? '');
    if (found === null) {
      this.#problem(path, `no program ${executable ?? resolve(cwd, script)}`);
      return null;
    }
    if (executable === null) return { text, executable, script: found, nodeFlags, argv, cwd };
    return { text, executable: found, script, nodeFlags, argv, cwd };
  }
}

/** Section and name. */
function keyOf({ kind, name }: Pick<NodeConfig, 'kind' | 'name'>): string[] {
  return [kind === 'host' ? 'hosts' : 'nodes', name];
}

function mibText(bytes: number): string {
  return `${Math.floor(bytes / (1024 * 1024))}MiB`;
}

function networkPlan(
  network: CarriedNetwork,
  { prefix, prefix6 }: Prefixes,
  segment: NetworkSegment,
  all: readonly CarriedNetwork[],
): NetworkPlan {
  const { name, kind, vlan, mtuBytes, ringBytes, full, offload, domain } = network;
  const below = all.findIndex((one) => one.name === network.on);
  const on = below < 0 ? null : below;
  return { name, kind, vlan, on, prefix, prefix6, mtuBytes, ringBytes, full, offload, domain, ports: [], ...segment };
}

/** Segments on which nobody has an address. */
function emptySegments(config: LabConfig, segments: readonly NetworkSegment[]): Set<number> {
  const carriers = config.networks.map((network) => isCarrierOnly(network, config));
  const used = new Set(segments.flatMap(({ segment }, index) => (carriers[index] ? [] : [segment])));
  return new Set(segments.flatMap(({ segment }) => (used.has(segment) ? [] : [segment])));
}

/** To routes, a segment is one network. `among`: whether each network counts. */
function routingNode(
  node: NodePlan,
  networks: readonly NetworkPlan[],
  family: RoutedFamily,
  among: readonly boolean[] = [],
): RoutingNode {
  const ports = node.interfaces.flatMap((entry) => {
    if (among[entry.network] === false) return [];
    const address = addressesOf(entry).find(family.has);
    const network = networks[entry.network]?.segment ?? entry.network;
    return address === undefined ? [] : [{ network, address }];
  });
  return { name: node.name, kind: node.kind, forwarding: node.forwarding, ports };
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
