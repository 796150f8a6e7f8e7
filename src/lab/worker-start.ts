/**
 * Starts worker threads: which kernels share one, and with what options Node starts them.
 *
 * Thread: the supervisor's. A program beside its kernel has a thread of its own with it; the other kernels share threads.
 * Node's own limits (heap) are set here, so that a program that outgrows them dies alone.
 */

import { availableParallelism } from 'node:os';
import { MessageChannel, Worker, type WorkerOptions } from 'node:worker_threads';
import { MultikernelError } from '../base/errors.ts';
import { NativeLoad } from '../mem/native-load.ts';
import type { LabMemory } from './memory.ts';
import type { WorkerBoot } from './messages.ts';
import { hostsFor, type LabPlan } from './plan.ts';
import { kernelPath } from './runtime-folder.ts';
import { ENTRY, KERNEL_THREAD, takeThread } from './spare-thread.ts';
import type { SupervisedNode } from './supervised-node.ts';
import { threadFlags } from './thread-flags.ts';
import { ThreadOutput } from './thread-output.ts';
import { type WorkerEvents, WorkerLink, type WorkerThread } from './worker-link.ts';

const MIB = 1024 * 1024;
/** Kernels without a program beside them share threads: a second one for so many, and no more than there are cores. */
const KERNELS_PER_WORKER = 64;

export type StartThread = (boot: WorkerBoot, options: WorkerOptions) => WorkerThread;

export const startThread: StartThread = (boot, options) => {
  const transferList = [boot.port, ...(boot.output === null ? [] : [boot.output.port])];
  const spare = options === KERNEL_THREAD ? takeThread() : null;
  if (spare === null) return new Worker(ENTRY, { ...options, workerData: boot, transferList });
  spare.postMessage(boot, transferList);
  return spare;
};

/** Groups of nodes, one per thread. */
export function threadGroups(nodes: readonly SupervisedNode[]): SupervisedNode[][] {
  const alone = nodes.filter((node) => !node.apart).map((node) => [node]);
  const shared = nodes.filter((node) => node.apart);
  const threads = Math.min(availableParallelism(), Math.ceil(shared.length / KERNELS_PER_WORKER));
  const groups = Array.from({ length: threads }, (_, thread) => shared.filter((_node, i) => i % threads === thread));
  return [...alone, ...groups];
}

/** Options of the thread that runs one program, or kernels alone (`node` null). */
function workerOptions(node: SupervisedNode | null, attached: boolean): WorkerOptions {
  if (node === null || node.program === null) return KERNEL_THREAD;
  const options: WorkerOptions = { ...KERNEL_THREAD, name: node.name };
  const { NODE_OPTIONS = '', ...env } = { ...process.env, ...node.env };
  const { execArgv, limits } = threadFlags(node.program.nodeFlags, NODE_OPTIONS);
  if (node.plan.programHeapBytes !== null) limits.maxOldGenerationSizeMb = Math.ceil(node.plan.programHeapBytes / MIB);
  options.execArgv = execArgv;
  options.argv = node.program.argv;
  options.env = env;
  options.resourceLimits = limits;
  // Without it the thread has an empty one.
  options.stdin = attached;
  return options;
}

function socketFiles(group: readonly SupervisedNode[], folder: string | null): Record<string, string> {
  const files: Record<string, string> = {};
  for (const { name } of group) {
    const path = folder === null ? null : kernelPath(folder, name);
    if (path !== null) files[name] = path;
  }
  return files;
}

/** Start the thread of one group; `attached`: the node whose program has the standard input of this process. Throws EINVAL when Node refuses the program's flags. */
export function startWorker(
  group: readonly SupervisedNode[],
  plan: LabPlan,
  memory: LabMemory,
  events: WorkerEvents,
  start: StartThread,
  kernelFolder: string | null,
  mark: string,
  attached: string | null,
): WorkerLink {
  const { port1, port2 } = new MessageChannel();
  const first = group[0] as SupervisedNode;
  const program = first.programBoot();
  const name = group.length === 1 ? first.name : `${first.name} and others`;
  const output = program === null ? null : new ThreadOutput();
  const nativeLoad = new NativeLoad();
  const boot: WorkerBoot = {
    memory: memory.arena.memory,
    port: port2,
    doorbellAt: memory.doorbellAt(name),
    owner: memory.claimOwner(),
    scratchAt: memory.scratchAt(name),
    spinBudgetAt: memory.spinBudgetAt,
    spinLimit: memory.spinLimit,
    seed: plan.seed,
    kernels: group.map((node) => node.kernelBoot(plan, memory)),
    hosts: hostsFor(plan, group.length === 1 ? first.plan : null),
    program,
    mark,
    output: output?.boot ?? null,
    nativeLoad: nativeLoad.words,
    socketFiles: socketFiles(group, kernelFolder),
  };
  try {
    const thread = start(boot, workerOptions(program === null ? null : first, first.name === attached));
    return new WorkerLink(thread, port1, boot.owner, events, output, nativeLoad);
  } catch (error) {
    port1.close();
    output?.end();
    memory.threadGone(boot.owner);
    const message = error instanceof Error ? error.message : String(error);
    throw new MultikernelError('EINVAL', `${first.name}: ${message}`, { cause: error });
  }
}
