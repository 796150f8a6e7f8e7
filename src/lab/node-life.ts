/**
 * The life of the nodes of a lab: their threads and processes come and go, by request and by themselves.
 *
 * Thread: the supervisor's. Read first: supervised-node.ts (a node and its state), worker-link.ts, program-process.ts.
 */

import { randomUUID } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { MultikernelError } from '../base/errors.ts';
import { inTime } from '../host/node/in-time.ts';
import type { LogBook } from './log-book.ts';
import { machineVariables } from './machine-command.ts';
import { endMarked } from './marked-processes.ts';
import type { LabMemory } from './memory.ts';
import type { NodeStatus, RunOptions } from './operations.ts';
import type { LabPlan, ProgramPlan } from './plan.ts';
import { printedError } from './printed-error.ts';
import { guardMarked, unguardMarked } from './process-guard.ts';
import { findScript } from './program-command.ts';
import {
  canStandBy,
  inspectorUrlIn,
  type ProcessOptions,
  type ProgramChild,
  ProgramProcess,
  type SpawnProgram,
  StandbyProcess,
} from './program-process.ts';
import { areThreadsKept, dropThread, giveThread, wantsThread } from './spare-thread.ts';
import { programError } from './state.ts';
import type { Stopping, SupervisedNode } from './supervised-node.ts';
import { ONLY_PROCESS, threadProblems } from './thread-flags.ts';
import type { WorkerEvents, WorkerLink } from './worker-link.ts';
import { type StartThread, startWorker, threadGroups } from './worker-start.ts';

/** Programs have so long to end when the lab goes down. */
const GRACE_MS = 1000;
/** A thread of kernels that does not answer within this time is ended. */
const RELEASE_MS = 1000;
/** Period of the look for processes that a thread which is to end may wait for. */
const LOOK_MS = 50;
/** Looks after which a thread that has not ended stands in a call of the host that nothing interrupts. */
const LOOKS_MAX = 14;
/** Processes per core that start before their programs may begin: each of them is memory that waits. */
const STANDBY_PER_CORE = 4;

/** Exit code of a program that a SIGKILL ended, as shells say it. */
const KILLED = 137;

/** Lines of output in which the error of a program is looked for. */
const ERROR_LINES = 500;

/** The lab that the nodes are of. */
export interface LivingLab {
  readonly plan: LabPlan;
  readonly memory: LabMemory;
  readonly nodes: ReadonlyMap<string, SupervisedNode>;
  readonly logs: LogBook;
  readonly start: StartThread;
  readonly spawn: SpawnProgram;
  /** Node whose program has the standard input of this process. */
  readonly attached: string | null;
  /** Threads of these nodes do not end. */
  stuck(nodes: string[]): void;
  /** The kernel of a node has come up. */
  booted(node: SupervisedNode): Promise<void>;
}

function beingChanged({ name }: SupervisedNode): MultikernelError {
  return new MultikernelError('EBUSY', `${name} is being started or stopped`);
}

export function notRunning(node: string): MultikernelError {
  return new MultikernelError('EHOSTDOWN', `${node} is not running`);
}

function later(ms: number): Promise<false> {
  return new Promise((resolve) => setTimeout(resolve, ms, false));
}

export class NodeLife {
  readonly #lab: LivingLab;
  readonly #workers: Set<WorkerLink> = new Set();
  /** Mark of all processes of the lab; that of a node follows it. */
  readonly #mark: string = `${randomUUID()}/`;
  #kernelFolder: string | null = null;
  #closing = false;

  /** Processes of programs would outlive this one. */
  readonly #onExit = (): void => {
    endMarked(this.#mark);
    for (const worker of this.#workers) worker.endNow();
  };

  constructor(lab: LivingLab) {
    this.#lab = lab;
  }

  /** Number of threads that run kernels. */
  get workers(): number {
    return this.#workers.size;
  }

  /** Start every kernel. Throws EIO or EINVAL when one does not come up. `kernelFolder`: of their socket files, or null. */
  async boot(kernelFolder: string | null): Promise<void> {
    this.#kernelFolder = kernelFolder;
    process.on('exit', this.#onExit);
    const groups = threadGroups([...this.#lab.nodes.values()]);
    const started = groups.map((group) => this.#startGroup(group));
    dropThread();
    this.#standBy();
    await Promise.all(started);
  }

  /**
   * Start processes for programs, which begin when their kernels are up and their dependencies hold: those on which others wait come
   * first, as many at a time as there are cores.
   */
  #standBy(): void {
    const depths = new Map<SupervisedNode, number>();
    const depth = (node: SupervisedNode): number => {
      const deps = node.plan.dependsOn.map(({ node: name }) => this.#lab.nodes.get(name) as SupervisedNode);
      const known = depths.get(node) ?? 1 + Math.max(0, ...deps.map(depth));
      depths.set(node, known);
      return known;
    };
    const cores = availableParallelism();
    const waiting = [...this.#lab.nodes.values()]
      .filter((node) => node.apart && node.program !== null && canStandBy(this.#processOf(node, node.program)))
      .sort((a, b) => depth(a) - depth(b))
      .slice(0, STANDBY_PER_CORE * cores);
    for (let at = 0; at < cores; at++) void this.#startStandbys(waiting);
  }

  /** Start the processes of programs that have not begun yet, one when the one before waits. */
  async #startStandbys(waiting: SupervisedNode[]): Promise<void> {
    for (let node = waiting.shift(); node !== undefined && !this.#closing; node = waiting.shift()) {
      const { program, phase } = node;
      if (program === null || (phase !== 'booting' && phase !== 'waiting')) continue;
      try {
        node.standby = new StandbyProcess(this.#lab.spawn({ ...this.#processOf(node, program), url: null }));
      } catch {
        // The reason is told when the program is to begin.
        continue;
      }
      await node.standby.waits;
    }
  }

  #processOf(node: SupervisedNode, program: ProgramPlan): Omit<ProcessOptions, 'url'> {
    const { programHeapBytes, inspectPort } = node.plan;
    const attached = node.name === this.#lab.attached;
    return {
      mark: this.#markOf(node),
      program,
      env: { ...process.env, ...node.env },
      programHeapBytes,
      inspectPort,
      attached,
    };
  }

  /** Start a program on a node that runs none. Throws EBUSY, ENOENT, EINVAL for what its placement has not, and what `boot` throws. */
  run(node: SupervisedNode, options: RunOptions): Promise<NodeStatus> {
    return this.#alone(node, async () => {
      if (node.busy && node.program !== null) {
        throw new MultikernelError('EBUSY', `${node.name} already runs ${node.program.text}`);
      }
      const script = findScript(options.script, options.cwd);
      if (script === null) throw new MultikernelError('ENOENT', `no program ${options.script}`);
      const { nodeFlags, argv, cwd, env } = options;
      node.restarts.reset();
      if (node.plan.placement === 'beside') this.#checkThread(node.name, options);
      const stays = node.up && node.plan.placement === 'process';
      if (!stays) await this.#unplug(node);
      const text = ['node', ...nodeFlags, options.script, ...argv].join(' ');
      node.program = { text, executable: null, script, nodeFlags, argv, cwd };
      node.env = { ...node.plan.env, ...env };
      if (stays) this.#startProgram(node);
      else await this.#reboot(node);
    });
  }

  /** Throws EINVAL for what a thread cannot have. Names of files that a program opens start at the working directory of this process. */
  #checkThread(node: string, { cwd, nodeFlags, env }: RunOptions): void {
    const [problem] = threadProblems(nodeFlags, env);
    if (problem !== undefined) {
      const where = problem.key.length === 1 ? '' : `${problem.key.join('.')}: `;
      throw new MultikernelError('EINVAL', `${node}: ${where}${problem.message}`);
    }
    if (cwd === this.#lab.plan.folder || cwd === process.cwd()) return;
    throw new MultikernelError('EINVAL', `${node}: cwd: a folder that is not that of the lab: ${ONLY_PROCESS}`);
  }

  /** Variables of a further process of a machine. Throws EHOSTDOWN, EAGAIN before a program beside its kernel begins, ETIMEDOUT. */
  async environment(node: SupervisedNode): Promise<Record<string, string>> {
    const { worker, name } = node;
    if (!node.up || worker === null) throw notRunning(name);
    if (!node.apart && node.phase !== 'running') {
      const why = `${name}: its program runs beside its kernel, which takes other processes when it has begun`;
      throw new MultikernelError('EAGAIN', why);
    }
    guardMarked(this.#mark);
    const url = await inTime(worker.url(name), name);
    if (url === '') throw notRunning(name);
    return machineVariables(url, this.#markOf(node), node.env);
  }

  /**
   * End the program of a node; a stop that waits for it is over. Throws EOPNOTSUPP when it runs beside its kernel, ESRCH when there
   * is none.
   */
  async kill(node: SupervisedNode): Promise<NodeStatus> {
    if (!node.apart) {
      const why = `${node.name}: its program runs beside its kernel, and ends with its machine only`;
      throw new MultikernelError('EOPNOTSUPP', why);
    }
    if (node.stopping !== null) return this.#sooner(node, node.stopping, async () => node.process?.kill());
    return this.#alone(node, async () => {
      if (node.process === null) throw new MultikernelError('ESRCH', `${node.name} runs no program`);
      node.restarts.held = true;
      await node.process.kill();
    });
  }

  /** Let the program of a node stand still, or go on. Throws as {@link kill}. */
  pause(node: SupervisedNode, still: boolean): Promise<NodeStatus> {
    return this.#alone(node, async () => {
      if (!node.apart) {
        const why = `${node.name}: its program runs beside its kernel; only one with "placement: process" can be paused`;
        throw new MultikernelError('EOPNOTSUPP', why);
      }
      if (node.process === null) throw new MultikernelError('ESRCH', `${node.name} runs no program`);
      node.process.pause(still);
      node.pausedIs(still);
    });
  }

  /** Switch a node off and on again, with the program that it has. Throws what `boot` throws. */
  restart(node: SupervisedNode): Promise<NodeStatus> {
    return this.#alone(node, async () => {
      node.restarts.reset();
      await this.#unplug(node);
      await this.#reboot(node);
    });
  }

  /** Start a program that does not run, on a machine that may be off; it waits for nobody. Throws EBUSY, and what `boot` throws. */
  start(node: SupervisedNode): Promise<NodeStatus> {
    return this.#alone(node, async () => {
      const { name, program, phase } = node;
      if (phase === 'running') throw new MultikernelError('EBUSY', `${name} already runs ${program?.text}`);
      if (phase === 'booting') throw beingChanged(node);
      if (node.up && program === null)
        throw new MultikernelError('EBUSY', `${name} is up, and has no program to start`);
      node.restarts.reset();
      await this.#begin(node);
    });
  }

  async #begin(node: SupervisedNode): Promise<void> {
    if (node.up) {
      this.#startProgram(node);
      return;
    }
    await this.#unplug(node);
    await this.#reboot(node);
  }

  /**
   * Ask a program to end, and end it after `graceMs`; its machine goes on where `kill` leaves it. Without a program the node is
   * switched off. Throws ESRCH when it does not run.
   */
  stop(node: SupervisedNode, graceMs: number): Promise<NodeStatus> {
    return this.#alone(node, async () => {
      const { phase } = node;
      if (node.program === null && node.up) {
        await this.#unplug(node);
        node.enter('stopped');
      } else if (phase === 'waiting') {
        node.standby?.end();
        node.enter('ready');
      } else if (phase === 'restarting') {
        node.restarts.held = true;
        node.staysEnded();
      } else if (phase === 'running') {
        await this.#stopProgram(node, graceMs);
      } else throw new MultikernelError('ESRCH', `${node.name} does not run: ${node.status().state}`);
    });
  }

  /** It gives way to whoever ends the program sooner, and is over when that is. */
  async #stopProgram(node: SupervisedNode, graceMs: number): Promise<void> {
    const stopping: Stopping = { sooner: Promise.resolve() };
    node.restarts.held = true;
    node.stopping = stopping;
    try {
      await this.#endProgram(node, graceMs);
      await stopping.sooner;
    } finally {
      node.stopping = null;
    }
  }

  /** End what a stop waits for. */
  async #sooner(node: SupervisedNode, stopping: Stopping, end: () => Promise<void>): Promise<NodeStatus> {
    const ended = end();
    stopping.sooner = Promise.all([stopping.sooner, ended]).then(
      () => undefined,
      () => undefined,
    );
    await ended;
    return node.status();
  }

  async #endProgram(node: SupervisedNode, graceMs: number): Promise<void> {
    if (node.apart) {
      await node.starting;
      await node.process?.end(graceMs);
      return;
    }
    await node.worker?.end(graceMs);
    // Its end has been told, and there is no machine any more.
    if (node.worker === null) return;
    await this.#unplug(node);
    node.enter('exited', { exitCode: KILLED });
  }

  /** Switch a node off; a stop that waits for its program is over. Throws EHOSTDOWN. */
  powerOff(node: SupervisedNode): Promise<NodeStatus> {
    const off = async (): Promise<void> => {
      if (node.worker === null) throw notRunning(node.name);
      await this.#unplug(node);
      node.enter('stopped');
    };
    return node.stopping === null ? this.#alone(node, off) : this.#sooner(node, node.stopping, off);
  }

  /** Programs are asked to end; then threads, and processes that they started, are ended. */
  async close(): Promise<void> {
    this.#closing = true;
    const nodes = [...this.#lab.nodes.values()];
    for (const node of nodes) {
      node.standby?.end();
      clearTimeout(node.restartTimer);
    }
    const programs = nodes
      .filter((node) => node.phase === 'running')
      .map((node) => (node.apart ? node.process : node.worker));
    await Promise.all(programs.map((program) => program?.end(GRACE_MS)));
    await this.#releaseThread();
    const workers = [...this.#workers];
    if (!(await this.#terminate(workers, this.#mark))) {
      this.#lab.stuck(nodes.filter((node) => node.worker?.alive).map((node) => node.name));
      await Promise.all(workers.map((worker) => worker.terminate()));
    }
    process.off('exit', this.#onExit);
    unguardMarked(this.#mark);
  }

  /** Keep a thread of kernels for the next lab, where one is wanted. */
  async #releaseThread(): Promise<void> {
    if (!wantsThread()) return;
    const besides = new Set([...this.#lab.nodes.values()].filter(({ apart }) => !apart).map(({ worker }) => worker));
    const worker = [...this.#workers].find((candidate) => !besides.has(candidate));
    if (worker !== undefined && (await worker.release(RELEASE_MS))) giveThread(worker.thread);
  }

  /**
   * End threads at once, and the processes with the mark, for which these may wait. False when a thread does not end: it stands in
   * a call of the host that nothing interrupts, and will do nothing after it.
   */
  async #terminate(workers: readonly WorkerLink[], mark: string): Promise<boolean> {
    let looks = 0;
    const ended = workers.map(async (worker) => {
      await worker.terminate();
      looks = 0;
    });
    const all = Promise.all(ended).then(() => true);
    for (let done = false; !done; looks++) {
      if (looks === LOOKS_MAX) return false;
      endMarked(mark);
      done = await Promise.race([all, later(LOOK_MS)]);
    }
    endMarked(mark);
    return true;
  }

  #markOf(node: SupervisedNode): string {
    return `${this.#mark}${node.name}/`;
  }

  /** Programs that wait and need wait no longer. */
  startPrograms(): void {
    for (const node of this.#lab.nodes.values()) {
      if (node.phase !== 'waiting') continue;
      const missing = node.plan.dependsOn.filter(
        ({ node: other, state }) => this.#lab.nodes.get(other)?.holds(state) !== true,
      );
      const waitingFor = missing.map(({ node: other, state }) => `${other} ${state}`);
      if (missing.length === 0) this.#startProgram(node);
      else if (waitingFor.join() !== node.waitingFor.join()) {
        node.enter('waiting', { waitingFor });
      }
    }
  }

  /** One change of a node's life at a time: of two callers the first wins, and the other is told. */
  async #alone(node: SupervisedNode, change: () => Promise<void>): Promise<NodeStatus> {
    // Nobody by hand has begun it.
    if (node.restarting !== null) await node.restarting;
    if (node.changing) throw beingChanged(node);
    node.changing = true;
    try {
      await change();
      return node.status();
    } finally {
      node.changing = false;
    }
  }

  async #reboot(node: SupervisedNode): Promise<void> {
    node.enter('booting');
    try {
      await this.#startGroup([node]);
    } catch (error) {
      if (node.phase === 'booting') node.enter('crashed', { exitCode: 1, lastError: programError(error) });
      throw error;
    }
    // With its dependencies up it has begun by itself; a change by hand does not wait for them.
    if (node.phase === 'waiting') this.#startProgram(node);
  }

  async #startGroup(group: readonly SupervisedNode[]): Promise<void> {
    const events: WorkerEvents = {
      listening: (kernel, tcp, udp) => {
        // The ends of programs are not told when the lab goes down, nor are those of their sockets.
        if (!this.#closing) this.#lab.nodes.get(kernel)?.listens(tcp, udp);
      },
      gone: (exitCode, error) => this.#workerGone(worker, group, exitCode, error),
    };
    const { plan, memory, start, attached } = this.#lab;
    const first = group[0] as SupervisedNode;
    const mark = this.#markOf(first);
    const worker = startWorker(group, plan, memory, events, start, this.#kernelFolder, mark, attached);
    this.#workers.add(worker);
    for (const node of group) node.worker = worker;
    for (const source of ['stdout', 'stderr'] as const) {
      // Output that is read keeps the process of a thread alive that waits for its next lab; kernels write none.
      if (!first.apart || !areThreadsKept()) this.#lab.logs.read(first.name, source, worker.thread[source]);
      if (worker.output !== null) this.#lab.logs.read(first.name, source, worker.output[source]);
    }
    try {
      await worker.ready;
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new MultikernelError('EIO', `${first.name}: the kernel did not come up: ${why}`, { cause });
    }
    for (const node of group) {
      node.enter(node.program === null ? 'ready' : 'waiting', {
        waitingFor: node.program === null ? [] : ['the others'],
      });
      await this.#lab.booted(node);
    }
  }

  #workerGone(worker: WorkerLink, group: readonly SupervisedNode[], exitCode: number, error: unknown): void {
    this.#workers.delete(worker);
    this.#lab.memory.threadGone(worker.owner);
    for (const node of group) {
      if (node.worker !== worker) continue;
      node.worker = null;
      node.standby?.end();
      void node.process?.kill();
      node.process = null;
      this.#lab.memory.markDead(node.plan);
      if (this.#closing) continue;
      // The machine of a program beside its kernel ends with it.
      if (!node.apart) endMarked(this.#markOf(node));
      this.#ended(node, exitCode, error);
    }
  }

  /** A program has ended by itself, or has been ended; or its machine has. */
  #ended(node: SupervisedNode, exitCode: number, error: unknown, errorPrinted = false): void {
    if (node.phase === 'stopped') return;
    const began = node.phase === 'running';
    const failed = exitCode !== 0 || error !== undefined;
    const delayMs = began ? node.restarts.delayMs(failed, performance.now() - node.startedMs) : null;
    node.gone(exitCode, error, errorPrinted, delayMs !== null);
    if (delayMs !== null) node.restartTimer = setTimeout(() => this.#again(node), delayMs);
  }

  #again(node: SupervisedNode): void {
    const begin = async (): Promise<void> => {
      node.restarts.count++;
      await this.#begin(node);
    };
    // A change of the node by hand just then decides; a machine that does not come up has crashed and says why.
    const over = (): void => {
      node.restarting = null;
    };
    node.restarting = this.#alone(node, begin).then(over, over);
  }

  #startProgram(node: SupervisedNode): void {
    guardMarked(this.#mark);
    node.startedMs = performance.now();
    node.enter('running');
    if (node.apart) node.starting = this.#startProcess(node);
    else node.worker?.start();
  }

  /** On the kernel that the node has now; when that goes meanwhile, its end is told by others. */
  async #startProcess(node: SupervisedNode): Promise<void> {
    const { worker, program } = node;
    if (worker === null || program === null) return;
    const url = await worker.url(node.name);
    if (node.worker !== worker || node.phase !== 'running' || this.#closing || url === '') return;
    let child: ProgramChild;
    try {
      const standby = node.standby?.take() ?? null;
      standby?.begin(url);
      child = standby ?? this.#lab.spawn({ ...this.#processOf(node, program), url });
    } catch (error) {
      // An argument that no process can have.
      this.#ended(node, 1, error);
      return;
    }
    const own = new ProgramProcess(child, (exitCode, error) => {
      if (node.process !== own) return;
      node.process = null;
      if (this.#closing) return;
      const printed = exitCode === 0 ? null : printedError(this.#lastErrorLines(node));
      this.#ended(node, exitCode, error ?? printed ?? undefined, printed !== null);
    });
    node.process = own;
    this.#lab.logs.read(node.name, 'stdout', child.stdout);
    this.#lab.logs.read(node.name, 'stderr', child.stderr, (line) => {
      const inspector = node.process === own ? inspectorUrlIn(line) : null;
      if (inspector !== null) node.inspected(inspector);
    });
  }

  /** Standard error of the program that ran last. */
  #lastErrorLines({ name }: SupervisedNode): string[] {
    const lines = this.#lab.logs.last([name], ERROR_LINES);
    const before = lines.map(({ source }) => source).lastIndexOf('state');
    return lines.slice(before + 1).flatMap(({ source, text }) => (source === 'stderr' ? [text] : []));
  }

  /** Take a kernel out of its thread, and the thread down when nobody else lives in it. */
  async #unplug(node: SupervisedNode): Promise<void> {
    const worker = node.worker;
    const program = node.process;
    node.process = null;
    node.worker = null;
    node.standby?.end();
    // The kernel first: a program that ends has its sockets closed, which peers of a machine without power do not hear.
    if (worker !== null) await this.#stopKernel(node, worker);
    await program?.kill();
    endMarked(this.#markOf(node));
  }

  async #stopKernel(node: SupervisedNode, worker: WorkerLink): Promise<void> {
    this.#lab.memory.markDead(node.plan);
    const shared = [...this.#lab.nodes.values()].some((other) => other.worker === worker);
    if (shared) await worker.stopKernel(node.name);
    else await this.#terminate([worker], this.#markOf(node));
  }
}
