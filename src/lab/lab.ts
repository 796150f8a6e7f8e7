/**
 * The façade: bring a lab up, or attach to one that is; ask it, cut it, capture it, take it down.
 *
 * Thread: any with an event loop; kernels run in threads of their own. The command line uses nothing else of the package.
 */

import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fromCaller, locateErrors } from '../base/caller.ts';
import { MultikernelError } from '../base/errors.ts';
import { StreamIterable } from '../tools/stream-iterable.ts';
import type { ImpairmentOptions, LabOptions } from './config.ts';
import { ControlClient, connectAll } from './control-client.ts';
import { ControlServer } from './control-server.ts';
import {
  checkImpairment,
  checkLogs,
  checkMetrics,
  checkPartition,
  checkText,
  type LogsOptions,
  type MetricsOptions,
  type PartitionOptions,
} from './facade-checks.ts';
import { PortRefusal } from './host-ports.ts';
import { checkLab, LabFileError, type Locate, parseLabFile } from './lab-file.ts';
import { LabNode } from './lab-node.ts';
import type { RefusedVariable } from './messages.ts';
import type {
  CheckResult,
  CounterBlock,
  FlowInfo,
  LabBackend,
  LabInfo,
  LinkInfo,
  LogLine,
  MetricsSample,
  NodeStatus,
  PartitionInfo,
} from './operations.ts';
import { pairsOf } from './partitions.ts';
import type { LabPlan } from './plan.ts';
import { planLab } from './planner.ts';
import { attachedNode } from './standard-input.ts';
import { noNode } from './suggest.ts';
import { Supervisor } from './supervisor.ts';

/** A node, or its name; or several. */
export type Nodes = string | LabNode | readonly (string | LabNode)[];

/** Options of `lab()`. */
export interface StartOptions {
  /** Open a control socket, so that `mk` commands and `attach()` find the lab by its name. Default: no. */
  control?: boolean;
  /** Folder at which relative paths start when the lab is given as an object; default: the current folder. */
  folder?: string;
  /** Overrides the seed of the lab. */
  seed?: number;
  /**
   * Node whose program has the standard input of this process; true: the only program of the lab. Default: all have an empty one.
   */
  attach?: string | boolean;
  /** Called with the state of every node, and each change of one, from when the lab begins to come up. */
  onState?: (node: NodeStatus) => void;
  /** End the lab when this is aborted. */
  signal?: AbortSignal;
  /**
   * Called when the lab goes down and programs of these nodes stand in calls of the host that nothing interrupts: their threads end
   * with the process only.
   */
  onStuck?: (nodes: string[]) => void;
}

/** Names of nodes; the lab refuses others. */
function names(nodes: Nodes): string[] {
  const list = Array.isArray(nodes) ? nodes : [nodes];
  return list.map((node: string | LabNode) => (node instanceof LabNode ? node.name : node));
}

function groupsOf(subject: string, groups: readonly Nodes[]): string[][] {
  if (!Array.isArray(groups)) throw new MultikernelError('EINVAL', `${subject}: not a list`);
  return groups.map((group: Nodes) => names(group).map((name) => checkText(subject, name)));
}

/** A partition between two sets of nodes, as long as nobody heals it. */
export class Partition implements AsyncDisposable {
  /** The partition as it was made. */
  readonly info: PartitionInfo;
  readonly #lab: LabBackend;

  /** Made by the lab when it cuts a network in two. */
  constructor(lab: LabBackend, info: PartitionInfo) {
    this.#lab = lab;
    this.info = info;
  }

  /** Let the frames through again. Healing twice does nothing. */
  async heal(): Promise<void> {
    await this.#lab.request('heal', { id: this.info.id, between: null });
  }

  /** As {@link heal}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.heal();
  }
}

/** The path between two nodes, on all networks that both are on, or the attachment of a node to a network. */
export class LabLink {
  readonly #lab: LabBackend;
  readonly #a: string;
  readonly #b: string;

  /** Use {@link Lab.link}. */
  constructor(lab: LabBackend, a: string, b: string) {
    this.#lab = lab;
    this.#a = a;
    this.#b = b;
  }

  /**
   * Make it slow, lossy, narrow: values on top of those it has, both ways unless they say otherwise; null: as it was made. Packets on
   * their way keep their time. Throws EINVAL, ENOENT.
   */
  async impair(values: ImpairmentOptions | null): Promise<LinkInfo[]> {
    return this.#lab.request('impair', { a: this.#a, b: this.#b, ways: checkImpairment(values) });
  }
}

/** A running lab, in this process or in another. */
export class Lab implements AsyncDisposable {
  /** Name of the lab. */
  readonly name: string;
  /** In the order of the lab file. */
  readonly nodes: readonly LabNode[];
  /** Settles when the lab is down, or, for an attached one, when the connection to it ended. */
  readonly ended: Promise<void>;
  readonly #backend: LabBackend;
  readonly #own: boolean;

  /** Use {@link lab} or {@link attach}. */
  constructor(backend: LabBackend, info: LabInfo, ended: Promise<void>, own: boolean) {
    this.#backend = backend;
    this.name = info.name;
    this.nodes = info.nodes.map((node) => new LabNode(backend, node.name));
    this.ended = ended;
    this.#own = own;
  }

  /** Throws ENOENT. */
  node(name: string): LabNode {
    const node = this.nodes.find((candidate) => candidate.name === name);
    if (node !== undefined) return node;
    const known = this.nodes.map((candidate) => candidate.name).join(', ');
    throw new MultikernelError('ENOENT', `no node ${name}; there are ${known}`);
  }

  /** Everything about the lab and the state of its nodes. */
  info(): Promise<LabInfo> {
    return this.#backend.request('info', {});
  }

  /** Cut nodes from each other. Throws ENOENT, EINVAL. */
  async partition(a: Nodes, b: Nodes, options: PartitionOptions = {}): Promise<Partition> {
    const { how = 'blackhole', oneWay = false } = checkPartition(options);
    const partition = await this.#backend.request('partition', {
      a: names(a),
      b: names(b),
      oneWay,
      how,
    });
    return new Partition(this.#backend, partition);
  }

  /** Cut groups of nodes from each other, each from every other. Throws ENOENT, EINVAL; then nothing is cut. */
  async split(groups: readonly Nodes[], options: PartitionOptions = {}): Promise<Partition[]> {
    const { how, oneWay = false } = checkPartition(options);
    const pairs = pairsOf(groupsOf('split', groups), oneWay);
    const known = this.nodes.map(({ name }) => name);
    const stranger = pairs.flatMap(({ a, b }) => [...a, ...b]).find((name) => !known.includes(name));
    if (stranger !== undefined) throw noNode(stranger, known);
    const partitions: Partition[] = [];
    for (const { a, b } of pairs)
      partitions.push(await this.partition(a, b, how === undefined ? { oneWay } : { oneWay, how }));
    return partitions;
  }

  /** Undo the partitions between groups of nodes, or all when none are named. Returns those that were. Throws EINVAL. */
  async heal(...groups: Nodes[]): Promise<PartitionInfo[]> {
    if (groups.length === 0) return this.#backend.request('heal', { id: null, between: null });
    const healed: PartitionInfo[] = [];
    for (const between of pairsOf(groupsOf('heal', groups)))
      healed.push(...(await this.#backend.request('heal', { id: null, between })));
    return healed;
  }

  /** The link between two nodes, or a node and a network. */
  link(a: string | LabNode, b: string | LabNode): LabLink {
    const name = (end: string | LabNode): string => (end instanceof LabNode ? end.name : checkText('link', end));
    return new LabLink(this.#backend, name(a), name(b));
  }

  /** Links that are impaired. */
  async links(): Promise<LinkInfo[]> {
    return (await this.info()).links;
  }

  /** No link is impaired any more. Returns those that were. */
  resetLinks(): Promise<LinkInfo[]> {
    return this.#backend.request('resetLinks', {});
  }

  /** Live metrics of all nodes, once per interval, from shared memory alone. */
  metrics(options: MetricsOptions = {}): StreamIterable<MetricsSample> {
    const { intervalMs = 1000 } = checkMetrics(options);
    return new StreamIterable((sink) => this.#backend.open('metrics', { intervalMs }, sink));
  }

  /** Counters of all nodes, or one, from shared memory alone. */
  counters(node: string | null = null): Promise<CounterBlock[]> {
    return this.#backend.request('counters', { node });
  }

  /** Output of programs: the last `lines` of each node, then later lines if `follow`. */
  logs(options: LogsOptions = {}): StreamIterable<LogLine> {
    const { nodes = [], lines = 1000, follow = false } = checkLogs(options);
    return new StreamIterable((sink) => this.#backend.open('logs', { nodes, lines, follow }, sink));
  }

  /** Flows between the host and the lab (`ports:`, `hosts:`, `forward`), each when it has ended. */
  flows(): StreamIterable<FlowInfo> {
    return new StreamIterable((sink) => this.#backend.open('flows', {}, sink));
  }

  /** The state of every node, then every change of one. */
  states(): StreamIterable<NodeStatus> {
    return new StreamIterable((sink) => this.#backend.open('states', {}, sink));
  }

  /** The lab's `checks:` as they stand. */
  checks(): Promise<CheckResult[]> {
    return this.#backend.request('checks', {});
  }

  /**
   * Wait until `condition` holds; it is looked at again after `everyMs`, default 50. Throws ETIMEDOUT after `timeoutMs`,
   * default 30 s.
   */
  async until(
    condition: () => boolean | Promise<boolean>,
    options: { timeoutMs?: number; everyMs?: number } = {},
  ): Promise<void> {
    const timeoutMs = options.timeoutMs ?? 30_000;
    const deadline = performance.now() + timeoutMs;
    while (!(await condition())) {
      if (performance.now() >= deadline) {
        throw new MultikernelError('ETIMEDOUT', `the condition did not hold within ${timeoutMs} ms`);
      }
      await new Promise((wake) => setTimeout(wake, options.everyMs ?? 50));
    }
  }

  /** Take the lab down. Resolves when every thread and process is gone. */
  async down(): Promise<void> {
    if (this.#own) await this.#backend.close();
    else await this.#backend.request('down', {});
    await this.ended;
  }

  /** Leave a lab of another process running and hang up; one's own is taken down. */
  async detach(): Promise<void> {
    await this.#backend.close();
    await this.ended;
  }

  /** Takes the lab down, or hangs up, as {@link detach}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.detach();
  }
}

locateErrors(Partition.prototype);
locateErrors(LabLink.prototype);
locateErrors(Lab.prototype);

/** Read and plan a lab without starting anything. Throws {@link LabFileError}. */
export function readLab(source: string | URL | LabOptions, folder: string = '.'): LabPlan {
  return fromCaller(readLab, () => planOf(source, folder).plan);
}

interface PlacedPlan {
  plan: LabPlan;
  /** Name of the file as the caller wrote it. */
  shown: string;
  locate: Locate;
}

/** As {@link readLab}, with the way from a key to its place in the file. */
function planOf(source: string | URL | LabOptions, folder: string): PlacedPlan {
  if (typeof source === 'string' || source instanceof URL) {
    const path = resolve(source instanceof URL ? fileURLToPath(source) : source);
    const shown = source instanceof URL ? path : source;
    const { config, locate } = parseLabFile(readText(path, shown), shown);
    return { plan: planLab(config, { file: shown, path, folder: dirname(path), locate }), shown, locate };
  }
  const locate = (): { line: number; column: number } => ({ line: 0, column: 0 });
  const plan = planLab(checkLab(source, 'lab'), { file: 'lab', path: null, folder: resolve(folder), locate });
  return { plan, shown: 'lab', locate };
}

/**
 * A kernel that refused a variable is a wrong lab: names of variables are known to kernels alone; and so is a host that refused a
 * port.
 */
function withPlace(error: unknown, { shown, locate }: PlacedPlan): unknown {
  if (error instanceof PortRefusal) {
    const { path, message } = error;
    return new LabFileError(shown, [{ path, message }], locate, error.code);
  }
  const { node, variable, reason } = ((error as Error).cause ?? {}) as Partial<RefusedVariable>;
  if (node === undefined || variable === undefined || reason === undefined) return error;
  return new LabFileError(shown, [{ path: ['nodes', node, 'sysctl', variable], message: reason }], locate);
}

function readText(path: string, shown: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why =
      code === 'ENOENT' ? 'no such file' : code === 'EISDIR' ? 'a folder, not a file' : `cannot be read (${code})`;
    throw new LabFileError(shown, [{ path: [], message: why }], () => ({ line: 0, column: 0 }));
  }
}

/**
 * Bring a lab up: a file (`multikernel.yml`), or the same as an object. Resolves when every kernel is up and the programs that
 * wait for nobody run. Throws {@link LabFileError} for a wrong lab, EEXIST when `control` is asked for and a lab of that name
 * is up, ENOMEM; ENOENT for `attach`.
 */
export function lab(source: string | URL | LabOptions, options: StartOptions = {}): Promise<Lab> {
  return fromCaller(lab, () => bringUp(source, options));
}

async function bringUp(source: string | URL | LabOptions, options: StartOptions): Promise<Lab> {
  const placed = planOf(source, options.folder ?? '.');
  const { plan } = placed;
  if (options.seed !== undefined) plan.seed = options.seed;
  const supervisor = new Supervisor(plan, {
    stuck: options.onStuck,
    attached: attachedNode(plan, options.attach ?? false),
  });
  const control = options.control === true ? await ControlServer.listen(plan.name, supervisor) : null;
  const ended = supervisor.ended.then(() => control?.close());
  const { onState } = options;
  if (onState !== undefined) supervisor.open('states', {}, { event: onState, end: () => undefined });
  options.signal?.addEventListener('abort', () => supervisor.close(), { once: true });
  try {
    await supervisor.boot(control?.kernelFolder ?? null);
  } catch (error) {
    await ended;
    throw withPlace(error, placed);
  }
  return new Lab(supervisor, supervisor.info, ended, true);
}

/**
 * The lab of that name, or the only one that is up. Throws ENOENT, ETIMEDOUT when its process does not answer, or EINVAL when the
 * name is needed; one that does not answer may be the one that is meant.
 */
export function attach(name?: string): Promise<Lab> {
  return fromCaller(attach, () => connectTo(name));
}

async function connectTo(name: string | undefined): Promise<Lab> {
  const client = name === undefined ? await connectOnly() : await ControlClient.connect(name);
  return new Lab(client, await client.request('info', {}), client.closed, false);
}

async function connectOnly(): Promise<ControlClient> {
  const { clients, silent } = await connectAll();
  const [client, ...others] = clients;
  if (client !== undefined && others.length === 0 && silent.length === 0) return client;
  await Promise.all(clients.map((other) => other.close()));
  const known = [...clients.map((other) => other.lab), ...silent.map((lab) => `${lab} without an answer`)];
  if (known.length === 0) throw new MultikernelError('ENOENT', 'no lab is up; start one with: mk up');
  if (client === undefined && silent.length === 1) {
    throw new MultikernelError('ETIMEDOUT', `lab ${silent[0]} does not answer`);
  }
  throw new MultikernelError('EINVAL', `several labs are up (${known.join(', ')}): say which`, { cause: { silent } });
}

/** Names and processes of the labs of this user that are up; `pid` null: its process does not answer. */
export async function labs(): Promise<{ name: string; pid: number | null }[]> {
  const { clients, silent } = await connectAll();
  await Promise.all(clients.map((client) => client.close()));
  return [
    ...clients.map((client) => ({ name: client.lab, pid: client.pid })),
    ...silent.map((name) => ({ name, pid: null })),
  ];
}
