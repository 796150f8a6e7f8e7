/**
 * The life of the nodes of a lab: their threads and processes come and go, by request and by themselves.
 *
 * Thread: the supervisor's. Read first: supervised-node.ts (a node and its state), worker-link.ts, program-process.ts.
 */

import { MultikernelError } from '../base/errors.ts';
import type { LogBook } from './log-book.ts';
import type { LabMemory } from './memory.ts';
import type { NodeStatus, RunOptions } from './operations.ts';
import type { LabPlan } from './plan.ts';
import { findScript, isInspectFlag } from './program-command.ts';
import { inspectorUrlIn, type ProgramChild, ProgramProcess, type SpawnProgram } from './program-process.ts';
import { programError } from './state.ts';
import type { SupervisedNode } from './supervised-node.ts';
import type { WorkerEvents, WorkerLink } from './worker-link.ts';
import { type StartThread, startWorker, threadGroups } from './worker-start.ts';

/** Programs that are processes have so long to end when the lab goes down. */
const GRACE_MS = 1500;

/** The lab that the nodes are of. */
export interface LivingLab {
  readonly plan: LabPlan;
  readonly memory: LabMemory;
  readonly nodes: ReadonlyMap<string, SupervisedNode>;
  readonly logs: LogBook;
  readonly start: StartThread;
  readonly spawn: SpawnProgram;
  /** The kernel of a node has come up. */
  booted(node: SupervisedNode): Promise<void>;
}

export function notRunning(node: string): MultikernelError {
  return new MultikernelError('EHOSTDOWN', `${node} is not running`);
}

export class NodeLife {
  readonly #lab: LivingLab;
  readonly #workers: Set<WorkerLink> = new Set();
  #kernelFolder: string | null = null;
  #closing = false;

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
    const groups = threadGroups([...this.#lab.nodes.values()]);
    await Promise.all(groups.map((group) => this.#startGroup(group)));
  }

  /** Start a program on a node that runs none. Throws EBUSY, ENOENT, and what `boot` throws. */
  run(node: SupervisedNode, options: RunOptions): Promise<NodeStatus> {
    return this.#alone(node, async () => {
      if (node.busy && node.program !== null) {
        throw new MultikernelError('EBUSY', `${node.name} already runs ${node.program.text}`);
      }
      const script = findScript(options.script, options.cwd);
      if (script === null) throw new MultikernelError('ENOENT', `no program ${options.script}`);
      const { nodeFlags, argv, cwd, env } = options;
      const flag = node.plan.placement === 'beside' ? nodeFlags.find(isInspectFlag) : undefined;
      if (flag !== undefined)
        throw new MultikernelError('EINVAL', `${node.name}: ${flag} only with "placement: process"`);
      const stays = node.up && node.plan.placement === 'process';
      if (!stays) await this.#unplug(node);
      const text = ['node', ...nodeFlags, options.script, ...argv].join(' ');
      node.program = { text, executable: null, script, nodeFlags, argv, cwd };
      node.env = { ...node.plan.env, ...env };
      if (stays) this.#startProgram(node);
      else await this.#reboot(node);
    });
  }

  /** End the program of a node. Throws EOPNOTSUPP when it runs beside its kernel, ESRCH when there is none. */
  kill(node: SupervisedNode): Promise<NodeStatus> {
    return this.#alone(node, async () => {
      if (!node.apart) {
        const why = `${node.name}: its program runs beside its kernel, and ends with its machine only`;
        throw new MultikernelError('EOPNOTSUPP', why);
      }
      if (node.process === null) throw new MultikernelError('ESRCH', `${node.name} runs no program`);
      await node.process.kill();
    });
  }

  /** Switch a node off and on again, with the program that it has. Throws what `boot` throws. */
  restart(node: SupervisedNode): Promise<NodeStatus> {
    return this.#alone(node, async () => {
      await this.#unplug(node);
      await this.#reboot(node);
    });
  }

  /** Switch a node off. Throws EHOSTDOWN. */
  stop(node: SupervisedNode): Promise<NodeStatus> {
    return this.#alone(node, async () => {
      if (node.worker === null) throw notRunning(node.name);
      await this.#unplug(node);
      node.enter('stopped');
    });
  }

  /** Processes are asked to end, threads end at once. */
  async close(): Promise<void> {
    this.#closing = true;
    const processes = [...this.#lab.nodes.values()].map((node) => node.process);
    await Promise.all(processes.map((one) => one?.end(GRACE_MS)));
    await Promise.all([...this.#workers].map((worker) => worker.terminate()));
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
    if (node.changing) throw new MultikernelError('EBUSY', `${node.name} is being started or stopped`);
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
      listening: (kernel, tcp, udp) => this.#lab.nodes.get(kernel)?.listens(tcp, udp),
      gone: (exitCode, error) => this.#workerGone(worker, group, exitCode, error),
    };
    const worker = startWorker(group, this.#lab.plan, this.#lab.memory, events, this.#lab.start, this.#kernelFolder);
    this.#workers.add(worker);
    const first = group[0] as SupervisedNode;
    for (const node of group) node.worker = worker;
    this.#lab.logs.read(first.name, 'stdout', worker.thread.stdout);
    this.#lab.logs.read(first.name, 'stderr', worker.thread.stderr);
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
      void node.process?.kill();
      node.process = null;
      this.#lab.memory.markDead(node.plan);
      if (!this.#closing) node.gone(exitCode, error);
    }
  }

  #startProgram(node: SupervisedNode): void {
    node.enter('running');
    if (node.apart) void this.#startProcess(node);
    else node.worker?.start();
  }

  /** On the kernel that the node has now; when that goes meanwhile, its end is told by others. */
  async #startProcess(node: SupervisedNode): Promise<void> {
    const { worker, program, env, plan } = node;
    if (worker === null || program === null) return;
    const url = await worker.url(node.name);
    if (node.worker !== worker || node.phase !== 'running' || this.#closing || url === '') return;
    const { memoryBytes, inspectPort } = plan;
    let child: ProgramChild;
    try {
      child = this.#lab.spawn({ url, program, env: { ...process.env, ...env }, memoryBytes, inspectPort });
    } catch (error) {
      // An argument that no process can have.
      node.gone(1, error);
      return;
    }
    const own = new ProgramProcess(child, (exitCode, error) => {
      if (node.process !== own) return;
      node.process = null;
      if (!this.#closing) node.gone(exitCode, error);
    });
    node.process = own;
    this.#lab.logs.read(node.name, 'stdout', child.stdout);
    this.#lab.logs.read(node.name, 'stderr', child.stderr, (line) => {
      const inspector = node.process === own ? inspectorUrlIn(line) : null;
      if (inspector !== null) node.inspected(inspector);
    });
  }

  /** Take a kernel out of its thread, and the thread down when nobody else lives in it. */
  async #unplug(node: SupervisedNode): Promise<void> {
    const worker = node.worker;
    const program = node.process;
    node.process = null;
    node.worker = null;
    // The kernel first: a program that ends has its sockets closed, which peers of a machine without power do not hear.
    if (worker !== null) await this.#stopKernel(node, worker);
    await program?.kill();
  }

  async #stopKernel(node: SupervisedNode, worker: WorkerLink): Promise<void> {
    this.#lab.memory.markDead(node.plan);
    const shared = [...this.#lab.nodes.values()].some((other) => other.worker === worker);
    if (shared) await worker.stopKernel(node.name);
    else await worker.terminate();
  }
}
