/**
 * A node of a running lab as the supervisor holds it: its plan, its state, the worker that runs its kernel.
 *
 * Thread: the supervisor's.
 */

import { basename } from 'node:path';
import type { KernelClient } from '../rump/kernel-client.ts';
import type { Cable } from './cable-cuts.ts';
import type { LabMemory } from './memory.ts';
import type { InterfaceBoot, KernelBoot, ProgramBoot } from './messages.ts';
import type { HostPortInfo, NodeAddress, NodeStatus, Phase, ProgramError, ServiceInfo } from './operations.ts';
import type { LinkFilter } from './partitions.ts';
import {
  addressesOf,
  type InterfacePlan,
  isIpv6,
  type LabPlan,
  type NetworkPlan,
  type NodePlan,
  type ProgramPlan,
} from './plan.ts';
import { NODE } from './program-command.ts';
import type { ProgramProcess, StandbyProcess } from './program-process.ts';
import { Restarts } from './restart-policy.ts';
import { programError, stateHolds, stateText } from './state.ts';
import { threadFlags } from './thread-flags.ts';
import type { WorkerLink } from './worker-link.ts';

/** Whether a program is not Node, under which a kernel can be put. */
function isForeign(program: ProgramPlan | null): boolean {
  if (program === null || program.executable === null) return false;
  return program.executable !== process.execPath && basename(program.executable) !== NODE;
}

function servicesOf({ services }: NodePlan): ServiceInfo[] {
  return services.flatMap(({ protocols, ...service }) => protocols.map((protocol) => ({ ...service, protocol })));
}

/** Phases whose state is told once. */
export const ENDED: ReadonlySet<Phase> = new Set(['exited', 'crashed', 'restarting', 'stopped']);

/** A stop that waits for a program to end. */
export interface Stopping {
  /** Settles when those have done who end the program sooner. */
  sooner: Promise<void>;
}

export class SupervisedNode {
  readonly plan: NodePlan;
  readonly addresses: NodeAddress[];
  /** Its kernel, for the supervisor's own requests. */
  readonly client: KernelClient;
  program: ProgramPlan | null;
  env: Record<string, string>;
  worker: WorkerLink | null = null;
  /** Its program, where that is a process of its own. */
  process: ProgramProcess | null = null;
  /** Settles when a start of that process that is under way has come to its end. */
  starting: Promise<void> = Promise.resolve();
  /** The process of Node that waits for its program to begin. */
  standby: StandbyProcess | null = null;
  phase: Phase = 'booting';
  listening: { tcp: number[]; udp: number[] } = { tcp: [], udp: [] };
  /** URL of its program's inspector. */
  inspectorUrl: string | null = null;
  /** Ports of the host that lead here; those of the lab file first. */
  ports: readonly HostPortInfo[] = [];
  exitCode: number | null = null;
  lastError: ProgramError | null = null;
  /** Whether the program has written that error to its standard error. */
  errorPrinted = false;
  waitingFor: string[] = [];
  /** Its program stands still. */
  paused: boolean = false;
  readonly restarts: Restarts;
  /** The next of them is due, as long as the node is restarting. */
  restartTimer: NodeJS.Timeout | undefined;
  /** Settles when the restart that is under way has come to its end; null: none is. */
  restarting: Promise<void> | null = null;
  /** Start of the program that ran last, on a clock that nobody sets. */
  startedMs = 0;
  /** Whether a start or a stop is under way. */
  changing: boolean = false;
  /** The stop that waits for its program; null: none does. */
  stopping: Stopping | null = null;
  sinceMs: number = Date.now();
  readonly #changed: (node: SupervisedNode) => void;

  constructor(lab: LabPlan, plan: NodePlan, client: KernelClient, changed: (node: SupervisedNode) => void) {
    this.plan = plan;
    this.client = client;
    this.program = plan.program;
    this.env = plan.env;
    this.restarts = new Restarts(plan.restart);
    this.#changed = changed;
    this.addresses = plan.interfaces.flatMap((entry) =>
      entry.addresses.map(({ address, prefixLength }) => ({
        interface: entry.name,
        network: (lab.networks[entry.network] as NetworkPlan).name,
        address,
        prefixLength,
        mac: entry.mac,
      })),
    );
  }

  get name(): string {
    return this.plan.name;
  }

  /** Its interfaces, for a partition. */
  get links(): LinkFilter[] {
    const { forwarding, sysctl } = this.plan;
    const router = forwarding || sysctl.some(([name, value]) => name.endsWith('.forwarding') && value !== 0);
    return this.wired.map(({ mac }) => ({ mac, all: !router }));
  }

  /** Its interfaces on wires; others stand on these. */
  get wired(): InterfacePlan[] {
    return this.plan.interfaces.filter(({ parent, tunnel }) => parent === null && tunnel === null);
  }

  /** Cables to another node, on the networks of both. */
  cablesTo(other: SupervisedNode): Cable[] {
    return this.wired.flatMap(({ name, network }) =>
      other.wired.filter((entry) => entry.network === network).map(({ port }) => ({ interface: name, port })),
    );
  }

  /** Whether its kernel answers. */
  get up(): boolean {
    return this.worker !== null && this.phase !== 'booting' && this.phase !== 'stopped';
  }

  /** Whether its program waits, runs or is to run again. */
  get busy(): boolean {
    return this.phase === 'waiting' || this.phase === 'running' || this.phase === 'restarting';
  }

  /** Whether its kernel works in a thread without its program. */
  get apart(): boolean {
    return this.program === null || this.plan.placement === 'process';
  }

  /** A new phase; what belongs to the old one is forgotten. */
  enter(
    phase: Phase,
    details: { exitCode?: number; lastError?: ProgramError; errorPrinted?: boolean; waitingFor?: string[] } = {},
  ): void {
    clearTimeout(this.restartTimer);
    this.phase = phase;
    this.exitCode = details.exitCode ?? null;
    this.lastError = details.lastError ?? null;
    this.errorPrinted = details.errorPrinted ?? false;
    this.waitingFor = details.waitingFor ?? [];
    if (phase !== 'running') this.listening = { tcp: [], udp: [] };
    this.inspectorUrl = null;
    this.paused = false;
    this.sinceMs = Date.now();
    this.#changed(this);
  }

  pausedIs(paused: boolean): void {
    this.paused = paused;
    this.#changed(this);
  }

  listens(tcp: number[], udp: number[]): void {
    const before = this.listening;
    if (tcp.join() === before.tcp.join() && udp.join() === before.udp.join()) return;
    this.listening = { tcp, udp };
    // Sockets of a program that ended are closed one by one.
    this.#tell();
  }

  /** An end has been told. */
  #tell(): void {
    if (!ENDED.has(this.phase)) this.#changed(this);
  }

  /** Ports of the host lead here, or do no more. */
  reachedBy(ports: readonly HostPortInfo[]): void {
    this.ports = ports;
    this.#tell();
  }

  /** The inspector of its program listens. Processes that the program starts have others. */
  inspected(url: string): void {
    if (this.inspectorUrl !== null) return;
    this.inspectorUrl = url;
    this.#changed(this);
  }

  /** The thread or the process that ran it is gone; it may be started again (`restarting`). */
  gone(exitCode: number, error: unknown, errorPrinted: boolean, restarting: boolean): void {
    if (error === undefined) this.enter(restarting ? 'restarting' : 'exited', { exitCode });
    else {
      const details = { exitCode, lastError: programError(error), errorPrinted };
      this.enter(restarting ? 'restarting' : 'crashed', details);
    }
  }

  /** It was restarting, and is no more. */
  staysEnded(): void {
    const { exitCode, lastError } = this;
    if (lastError === null) this.enter('exited', { exitCode: exitCode ?? 0 });
    else this.enter('crashed', { exitCode: exitCode ?? 1, lastError, errorPrinted: true });
  }

  holds(state: string): boolean {
    return stateHolds(this, state);
  }

  status(): NodeStatus {
    const { phase, listening, exitCode, lastError, waitingFor, sinceMs } = this;
    return {
      name: this.name,
      kind: this.plan.kind,
      addresses: this.addresses,
      program: this.program?.text ?? null,
      placement: this.program === null ? null : this.plan.placement,
      placementReason: this.program === null ? null : this.plan.placementReason,
      phase,
      listening,
      hostNetwork: isForeign(this.program),
      ports: [...this.ports],
      services: servicesOf(this.plan),
      inspectorUrl: this.inspectorUrl,
      exitCode,
      lastError,
      restarts: this.restarts.count,
      waitingFor,
      state: stateText({ ...this, restarts: this.restarts.count }),
      sinceMs,
    };
  }

  kernelBoot(lab: LabPlan, memory: LabMemory): KernelBoot {
    const { plan } = this;
    return {
      name: plan.name,
      kind: plan.kind,
      heapAt: memory.heapAt(plan.name),
      sessionsAt: memory.sessionsAt(plan.name),
      sessionsMax: memory.sessionsPerKernel,
      heapBytes: memory.heapBytesOf(plan.name),
      interfaces: plan.interfaces.map((entry) => {
        const { mtuBytes } = lab.networks[entry.network] as NetworkPlan;
        return { name: entry.name, mtuBytes, addresses: entry.addresses, link: linkOf(lab, memory, plan, entry) };
      }),
      routes: plan.routes,
      forwarding: plan.forwarding,
      bridge: plan.bridge,
      ipv6: plan.interfaces.some((entry) => addressesOf(entry).some(isIpv6)),
      sysctl: plan.sysctl,
    };
  }

  programBoot(): ProgramBoot | null {
    if (this.program === null || this.apart) return null;
    const { script, argv, cwd, nodeFlags } = this.program;
    const nodeOptions = this.env.NODE_OPTIONS ?? process.env.NODE_OPTIONS ?? null;
    const { preloads } = threadFlags(nodeFlags, nodeOptions ?? '');
    return { script, argv, cwd, preloads, execArgv: nodeFlags, nodeOptions };
  }
}

function linkOf(lab: LabPlan, memory: LabMemory, node: NodePlan, entry: InterfacePlan): InterfaceBoot['link'] {
  const network = lab.networks[entry.network] as NetworkPlan;
  if (entry.tunnel !== null) return { kind: 'tunnel', ...entry.tunnel };
  if (entry.parent !== null) return { kind: 'vlan', on: entry.parent, id: network.vlan };
  return {
    kind: 'port',
    descriptor: memory.networkAt(entry.network),
    port: entry.port,
    mac: entry.mac,
    full: network.full,
    offload: network.offload,
    storeAt: memory.storeAt(node.name, entry.name),
    storeBytes: memory.storeBytes,
  };
}
