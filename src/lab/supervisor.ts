/**
 * The supervisor: brings a planned lab up, keeps track of its nodes, answers questions about it, takes it down.
 *
 * Thread: the one that called `lab()`; the kernels run in workers (worker-start.ts). A node that dies takes its ports down and
 * nothing else. Read first: plan.ts, operations.ts, messages.ts.
 */

import type { MessagePort } from 'node:worker_threads';
import type { MultikernelError } from '../base/errors.ts';
import { SystemRng } from '../host/node/clock.ts';
import { PortCarrier } from '../host/node/port-carrier.ts';
import type { KernelClient } from '../rump/kernel-client.ts';
import { remoteKernel } from '../rump/remote-kernel.ts';
import { NO_INTERFACES } from '../tools/address-text.ts';
import { filterRequest } from '../tools/change-requests.ts';
import { KernelText } from '../tools/kernel-text.ts';
import { AddressWatch } from './address-watch.ts';
import type { Cable } from './cable-cuts.ts';
import { CheckRunner } from './checks.ts';
import { FlowLog } from './flows.ts';
import type { HostPort } from './host-port.ts';
import { HostPorts } from './host-ports.ts';
import { HostServices } from './host-service.ts';
import { labKernel } from './lab-kernel.ts';
import { LinkTable } from './link-table.ts';
import { LogBook } from './log-book.ts';
import { LabMemory } from './memory.ts';
import { MetricMeter } from './metrics.ts';
import { NodeLife, notRunning } from './node-life.ts';
import { checkRequest, checkStream } from './operation-checks.ts';
import type {
  HostPortInfo,
  LabBackend,
  LabInfo,
  LabOperation,
  LabRequests,
  LabStreamOperation,
  LabStreams,
  NodeStatus,
  StreamHandle,
  StreamSink,
} from './operations.ts';
import { type NodeFilter, PartitionTable } from './partitions.ts';
import { addressesOf, type InterfacePlan, type LabPlan, type NetworkPlan, type NodePlan, prefixTexts } from './plan.ts';
import { type SpawnProgram, spawnProgram } from './program-process.ts';
import { noNode } from './suggest.ts';
import { ENDED, SupervisedNode } from './supervised-node.ts';
import { Timeline } from './timeline.ts';
import { type StartThread, startThread } from './worker-start.ts';

const METRICS_MS_MIN = 100;
const NOTHING: StreamHandle<never> = { send: () => {}, close: () => {} };

type Handlers = {
  [Op in LabOperation]: (params: LabRequests[Op]['params']) => Promise<LabRequests[Op]['reply']>;
};
type Openers = {
  [Op in LabStreamOperation]: (
    params: LabStreams[Op]['params'],
    sink: StreamSink<LabStreams[Op]['event']>,
  ) => StreamHandle<LabStreams[Op]['input']>;
};

export interface SupervisorOptions {
  start?: StartThread;
  spawn?: SpawnProgram;
  /** Node whose program has the standard input of this process. */
  attached?: string | null;
  /** Threads of these nodes do not end with the lab. */
  stuck?: ((nodes: string[]) => void) | undefined;
}

/** Addresses of a filter have no zones. */
function filterOver(client: KernelClient): NodeFilter {
  return {
    add: async (rule) => {
      const { operation, request } = filterRequest(rule, NO_INTERFACES);
      await client.control(operation, request as never);
    },
    remove: async (id) => {
      await client.control('filter.delete', { id });
    },
  };
}

/** The whole list of each interface. */
async function cutCables(
  client: KernelClient,
  wired: readonly InterfacePlan[],
  cables: readonly Cable[],
): Promise<void> {
  const names = await client.control('interface.names', {});
  for (const { name } of wired) {
    const index = names.find((entry) => entry.name === name)?.index;
    if (index === undefined) continue;
    const ports = cables.filter((cable) => cable.interface === name).map(({ port }) => port);
    await client.control('interface.cut', { index, ports });
  }
}

/** Name of the node that the lab file gives an address; null: none. */
function nodeWith(address: string, { nodes }: LabPlan): string | null {
  const has = ({ interfaces }: NodePlan): boolean => interfaces.some((entry) => addressesOf(entry).includes(address));
  return nodes.find(has)?.name ?? null;
}

export class Supervisor implements LabBackend {
  readonly plan: LabPlan;
  readonly logs: LogBook = new LogBook();
  /** Settles once the lab is down, whoever took it down. */
  readonly ended: Promise<void>;
  readonly #memory: LabMemory;
  readonly #nodes: Map<string, SupervisedNode>;
  readonly #life: NodeLife;
  readonly #partitions: PartitionTable;
  readonly #watch: AddressWatch;
  readonly #flows: FlowLog = new FlowLog();
  readonly #ports: HostPorts;
  readonly #services: HostServices;
  readonly #links: LinkTable;
  readonly #stateSinks: Set<StreamSink<NodeStatus>> = new Set();
  /** Ends of the streams that live here and not in a worker. */
  readonly #openStreams: Set<() => void> = new Set();
  readonly #checks: CheckRunner;
  readonly #timeline: Timeline;
  readonly #startedAtMs: number = Date.now();
  /** The same on a clock that nobody sets. */
  readonly #startedMs: number = performance.now();
  #bootMs = 0;
  /** Every kernel has come up: from now on a change may start a program. */
  #booted = false;
  #closing: Promise<void> | null = null;
  #resolveEnded: () => void = () => {};

  /** Lays out the shared memory; throws ENOMEM. `boot` starts the kernels. */
  constructor(
    plan: LabPlan,
    { start = startThread, spawn = spawnProgram, attached = null, stuck = () => undefined }: SupervisorOptions = {},
  ) {
    this.plan = plan;
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    this.#memory = new LabMemory(plan);
    this.#nodes = new Map(
      plan.nodes.map((node) => [
        node.name,
        new SupervisedNode(plan, node, this.kernel(node.name), (n) => this.#changed(n)),
      ]),
    );
    this.#partitions = new PartitionTable(
      {
        exists: (name) => this.#node(name) !== null,
        addressesOf: (name) => this.#node(name).addresses.map((entry) => entry.address),
        interfacesOf: (name) => {
          const { client, up } = this.#node(name);
          // It may go down before it answers.
          return up ? new KernelText(client).interfaces().catch(() => []) : Promise.resolve([]);
        },
        linksOf: (name) => this.#node(name).links,
        filterOf: (name) => {
          const { client, up, plan } = this.#node(name);
          return up && plan.kind !== 'bridge' ? filterOver(client) : null;
        },
      },
      {
        isBridge: (name) => this.#node(name).plan.kind === 'bridge',
        between: (from, to) => this.#node(from).cablesTo(this.#node(to)),
        networksOf: (name) => this.#node(name).plan.interfaces.map(({ network }) => plan.networks[network]?.name ?? ''),
        cut: async (name, cables) => {
          const { client, up, wired } = this.#node(name);
          if (up) await cutCables(client, wired, cables);
        },
      },
    );
    this.#links = new LinkTable(plan, plan.seed ?? new SystemRng().next32() >>> 0, {
      up: (name) => this.#node(name).up,
      client: (name) => this.#client(name),
    });
    this.#life = new NodeLife({
      plan,
      memory: this.#memory,
      nodes: this.#nodes,
      logs: this.logs,
      start,
      spawn,
      attached,
      stuck,
      booted: async ({ name }) => {
        await Promise.all([this.#partitions.applyTo(name), this.#links.applyTo(name)]);
        if (this.#partitions.names(name)) this.#watch.watch([name]);
        await this.#services.start(this.#node(name));
      },
    });
    this.#ports = new HostPorts(this.#flows, (node, ports) => this.#node(node).reachedBy(ports));
    this.#services = new HostServices(this.#flows, (address) => nodeWith(address, plan));
    this.#watch = new AddressWatch(
      (name) => this.#client(name),
      (name) => {
        // A node that goes down meanwhile filters when it comes up again.
        this.#partitions.addressesChanged(name).catch(() => {});
      },
    );
    this.#timeline = new Timeline(
      plan.timeline,
      ({ operation, params }) => this.request(operation, params as never),
      (name, text) => this.logs.add(name, 'state', text),
    );
    this.#checks = new CheckRunner(plan.checks, {
      request: (operation, params) => this.request(operation, params),
      open: (operation, params, sink) => this.open(operation, params, sink),
      kernel: (name) => this.#client(name),
    });
  }

  /**
   * Start every kernel, then the programs whose dependencies hold. Throws, with nothing left behind, when a kernel does not come
   * up. `kernelFolder`: where they put their socket files, or null.
   */
  async boot(kernelFolder: string | null = null): Promise<void> {
    try {
      await this.#ports.openAll([...this.#nodes.values()]);
      await this.#life.boot(kernelFolder);
    } catch (error) {
      await this.close();
      throw error;
    }
    this.#bootMs = Math.round(performance.now() - this.#startedMs);
    this.#booted = true;
    this.#life.startPrograms();
    this.#checks.start();
    this.#timeline.start();
  }

  async request<Op extends LabOperation>(
    operation: Op,
    params: LabRequests[Op]['params'],
  ): Promise<LabRequests[Op]['reply']> {
    const checked = checkRequest(operation, params);
    return this.#handlers[operation](checked);
  }

  open<Op extends LabStreamOperation>(
    operation: Op,
    params: LabStreams[Op]['params'],
    sink: StreamSink<LabStreams[Op]['event']>,
  ): StreamHandle<LabStreams[Op]['input']> {
    try {
      const checked = checkStream(operation, params);
      return this.#openers[operation](checked, sink);
    } catch (error) {
      queueMicrotask(() => sink.end(error as Error));
      return NOTHING;
    }
  }

  kernel(name: string): KernelClient {
    const gone = (): MultikernelError => notRunning(name);
    const connect = async (): Promise<KernelClient> =>
      remoteKernel(new PortCarrier(this.connect(name)), null, new SystemRng(), gone);
    return labKernel(name, connect, this.ended);
  }

  /** A connection for remote calls to the kernel that the node has now. Throws ENOENT, EHOSTDOWN. */
  connect(name: string): MessagePort {
    const { up, worker } = this.#node(name);
    if (!up || worker === null) throw notRunning(name);
    return worker.connect(name);
  }

  /** Take the lab down: processes are asked to end, then every thread ends. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  get info(): LabInfo {
    const { plan } = this;
    return {
      name: plan.name,
      domain: plan.domain,
      file: plan.file,
      seed: plan.seed,
      pid: process.pid,
      startedAtMs: this.#startedAtMs,
      bootMs: this.#bootMs,
      workers: this.#life.workers,
      nodes: [...this.#nodes.values()].map((node) => node.status()),
      networks: plan.networks.map((network: NetworkPlan) => ({
        name: network.name,
        kind: network.kind,
        vlan: network.vlan === 0 ? null : network.vlan,
        on: network.on === null ? null : (plan.networks[network.on] as NetworkPlan).name,
        prefix: prefixTexts(network)[0] ?? '',
        prefixes: prefixTexts(network),
        mtuBytes: network.mtuBytes,
        full: network.full,
        offload: network.offload,
        domain: network.domain,
        nodes: network.ports,
      })),
      partitions: this.#partitions.list(),
      links: this.#links.list(),
    };
  }

  readonly #handlers: Handlers = {
    info: async () => this.info,
    counters: async ({ node }) => this.#memory.counters(node === null ? null : this.#node(node).name),
    partition: async ({ a, b, oneWay, how }) => {
      const partition = this.#partitions.add({ a, b, oneWay, how });
      this.#watch.watch([...a, ...b]);
      return partition;
    },
    heal: async ({ id, between }) => {
      for (const name of [...(between?.a ?? []), ...(between?.b ?? [])]) this.#node(name);
      const healed = await this.#partitions.heal(id, between);
      if (this.#partitions.list().length === 0) this.#watch.stop();
      return healed;
    },
    impair: ({ a, b, ways }) => this.#links.impair(a, b, ways),
    resetLinks: () => this.#links.reset(),
    run: async (options) => this.#life.run(this.#node(options.node), options),
    environment: async ({ node }) => ({ variables: await this.#life.environment(this.#node(node)) }),
    kill: async ({ node }) => this.#life.kill(this.#node(node)),
    pause: async ({ node }) => this.#life.pause(this.#node(node), true),
    resume: async ({ node }) => this.#life.pause(this.#node(node), false),
    restart: async ({ node }) => this.#life.restart(this.#node(node)),
    start: async ({ node }) => this.#life.start(this.#node(node)),
    stop: async ({ node, graceMs }) => this.#life.stop(this.#node(node), graceMs),
    powerOff: async ({ node }) => this.#life.powerOff(this.#node(node)),
    checks: async () => this.#checks.results(),
    down: async () => {
      // Answered first: the asker sits on a socket that goes away with the lab.
      setImmediate(() => this.close());
      return null;
    },
  };

  readonly #openers: Openers = {
    metrics: ({ intervalMs }, sink) => this.#openMetrics(intervalMs, sink),
    states: (_params, sink) => this.#openStates(sink),
    flows: (_params, sink) => this.#closable(sink, this.#flows.follow(sink)),
    forward: ({ node, port }, sink) => this.#openForward(this.#node(node), port, sink),
    logs: ({ nodes, lines, follow }, sink) => {
      for (const name of nodes) this.#node(name);
      for (const line of this.logs.last(nodes, lines)) sink.event(line);
      if (!follow) {
        sink.end(null);
        return NOTHING;
      }
      const stop = this.logs.follow(nodes, (line) => sink.event(line));
      return this.#closable(sink, stop);
    },
  };

  #node(name: string): SupervisedNode {
    const node = this.#nodes.get(name);
    if (node !== undefined) return node;
    throw noNode(name, [...this.#nodes.keys()]);
  }

  /** For our own requests. */
  #client(name: string): KernelClient {
    return this.#nodes.get(name)?.client ?? this.kernel(name);
  }

  #changed(node: SupervisedNode): void {
    const status = node.status();
    if (ENDED.has(node.phase)) {
      // As Node writes it of a process.
      const stack = node.errorPrinted ? '' : (node.lastError?.stack ?? '');
      for (const line of stack === '' ? [] : stack.split('\n')) this.logs.add(node.name, 'stderr', line);
      this.logs.add(node.name, 'state', status.state);
    }
    for (const sink of this.#stateSinks) sink.event(status);
    if (this.#booted) queueMicrotask(() => this.#life.startPrograms());
  }

  async #close(): Promise<void> {
    this.#checks.stop();
    this.#timeline.stop();
    this.#ports.close();
    this.#services.close();
    await this.#life.close();
    for (const close of [...this.#openStreams]) close();
    this.#resolveEnded();
  }

  // ---- streams -----------------------------------------------------------------------------------------------------

  #openStates(sink: StreamSink<NodeStatus>): StreamHandle<never> {
    for (const node of this.#nodes.values()) sink.event(node.status());
    this.#stateSinks.add(sink);
    return this.#closable(sink, () => this.#stateSinks.delete(sink));
  }

  #openForward(node: SupervisedNode, port: string, sink: StreamSink<HostPortInfo>): StreamHandle<never> {
    const opening = this.#ports.forward(node, port);
    let failure: Error | null = null;
    let closed = false;
    const handle = this.#closable({ event: () => undefined, end: () => sink.end(failure) }, () => {
      closed = true;
      opening.then(
        (opened) => opened.close(),
        () => undefined,
      );
    });
    const opened = ({ info }: HostPort): void => {
      if (!closed) sink.event(info);
    };
    opening.then(opened, (error: Error) => {
      failure = error;
      handle.close();
    });
    return handle;
  }

  #openMetrics(intervalMs: number, sink: StreamSink<LabStreams['metrics']['event']>): StreamHandle<never> {
    const meter = new MetricMeter([...this.#nodes.keys()], (name) => this.#node(name).up);
    const upMs = this.#startedMs + this.#bootMs;
    meter.sample(this.#memory.counters(null), performance.now());
    const timer = setInterval(
      () => {
        const nodes = meter.sample(this.#memory.counters(null), performance.now());
        sink.event({ atMs: Math.round(performance.now() - upMs), nodes });
      },
      Math.max(METRICS_MS_MIN, intervalMs),
    );
    timer.unref();
    return this.#closable(sink, () => clearInterval(timer));
  }

  /** A handle whose `close` releases what the stream holds and ends it, once; the lab's end closes it too. */
  #closable(sink: StreamSink<never>, release: () => void): StreamHandle<never> {
    const close = (): void => {
      if (!this.#openStreams.delete(close)) return;
      release();
      sink.end(null);
    };
    this.#openStreams.add(close);
    return { send: () => {}, close };
  }
}
