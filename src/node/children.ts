/**
 * Processes and threads that the program starts: Node programs among them share its kernel, so that a program made of
 * several processes (cluster, test runners, servers with workers) runs as on one machine and never reaches the host's network.
 *
 * Thread: the program's. A child finds this thread's kernel by its environment, a worker by its environment data; both load
 * the same preload, and connect when they first need the kernel (late-kernel.ts). Children of `spawnSync` and its kin get a kernel of their own where their parent's works on its thread, and
 * stands still with it until they end. Missing: programs that are not Node use the host's network as ever.
 */

import { createRequire, syncBuiltinESMExports } from 'node:module';
import {
  getEnvironmentData,
  isMainThread,
  MessagePort,
  type Worker as NodeWorker,
  setEnvironmentData,
  type WorkerOptions,
} from 'node:worker_threads';
import { Errno } from '../base/errors.ts';
import {
  MACHINE_VARIABLE,
  nodeOptions,
  OUTPUT_VARIABLE,
  preloadFlag,
  SHARE_VARIABLE,
} from '../rump/process-environment.ts';
import { ownerOf, replaceSpawn, type SpawnOptions, spawnSyncBinding } from './bindings.ts';
import { face } from './face.ts';
import { passHandles, receiveHandles } from './handle-passing.ts';
import { awaitOutput, outputRedirected, pipeOutput, redirectOutput, spawnSyncWithOutput } from './output.ts';
import { TcpHandle } from './tcp-handle.ts';
import { UdpHandle } from './udp-handle.ts';
import { uvResult } from './uv-error.ts';

const HIDDEN_PREFIX = 'MULTIKERNEL_';
/**
 * The variable that makes Node load `node:net` for the channel before any preload: hidden from a child, which opens
 * its channel itself once the kernel is in place.
 */
const HIDDEN_VARIABLES = ['NODE_CHANNEL_FD', 'NODE_CHANNEL_SERIALIZATION_MODE', 'NODE_UNIQUE_ID'];

/** Flags of Node whose value, or next word, is a module to load before the program. */
const PRELOAD_FLAG = /^(-r|--require|--import)(?:=(.*))?$/;
/** Flags of NODE_OPTIONS by which a user names worker/hijack.ts; a child in another folder would not find it by that name. */
const NAMED_PRELOAD = /(?:^|\s)(?:-r|--require|--import)[ =]multikernel\/hijack(?=\s|$)/g;

/** Mark of the processes of this machine; '': it is none of a lab. */
let mark = '';

/** Key of the environment data by which a thread finds its gate (worker/thread-gate.ts). */
const GATE = 'MULTIKERNEL_GATE';

/** The gate of this thread, null: it has none. Once. */
export function inheritedGate(): MessagePort | null {
  const gate = getEnvironmentData(GATE);
  // Threads of this one have their own.
  setEnvironmentData(GATE, undefined);
  return gate instanceof MessagePort ? gate : null;
}

/** Key of the environment data that says that output goes by streams, and not by descriptors. */
const OUTPUT = 'MULTIKERNEL_OUTPUT';

/** Descriptors 1 and 2 of this thread are its streams, where those of the thread that started it are. */
export function inheritOutput(): void {
  if (getEnvironmentData(OUTPUT) !== true) return;
  Object.assign(process.stdout, { fd: 1 });
  Object.assign(process.stderr, { fd: 2 });
  redirectOutput((fd, bytes) => {
    (fd === 1 ? process.stdout : process.stderr).write(bytes);
  });
}

/** Name of the machine of a lab that this process or thread is on; '': it is on none. */
export function machineName(): string {
  return mark.split('/')[1] ?? '';
}

/** Text that this process or thread was told under `name` by the one that started it. */
function told(name: string): string {
  const said = process.env[name] ?? getEnvironmentData(name);
  return typeof said === 'string' ? said : '';
}

/** URL of the kernel that a process or thread was told to use; null: it has its own. */
export function inheritedKernelUrl(): string | null {
  return told(SHARE_VARIABLE) || null;
}

/** For a child: the kernel of this thread, or the one that it uses itself. Null: it gets one of its own. */
function kernelUrl(): string | null {
  return face().serverUrl?.() ?? null;
}

/** The environment of a child, with what makes it share the kernel at `url`, or with null only load one of its own. */
function childEnvironment(pairs: readonly string[], preload: string, url: string | null): string[] {
  let own = '';
  const kept: string[] = [];
  for (const pair of pairs) {
    const name = pair.slice(0, pair.indexOf('='));
    if (name === 'NODE_OPTIONS') own = pair.slice(name.length + 1).replace(NAMED_PRELOAD, ' ');
    else if (name !== SHARE_VARIABLE && name !== MACHINE_VARIABLE)
      kept.push(HIDDEN_VARIABLES.includes(name) ? `${HIDDEN_PREFIX}${pair}` : pair);
  }
  kept.push(`NODE_OPTIONS=${nodeOptions(preload, own)}`);
  if (url !== null) kept.push(`${SHARE_VARIABLE}=${url}`);
  if (mark !== '') kept.push(`${MACHINE_VARIABLE}=${mark}`);
  return kept;
}

/**
 * The program must not see what `childEnvironment` and the command line put in: not in its environment, nor in
 * `process.execArgv`. `names`: by which a command line may name the preload. Call before the program loads.
 */
export function hidePreload(preload: string, names: readonly string[] = [preload]): void {
  const flag = preloadFlag(preload);
  const { NODE_OPTIONS } = process.env;
  if (NODE_OPTIONS?.startsWith(flag)) {
    inherited = true;
    const rest = NODE_OPTIONS.slice(flag.length).trim();
    if (rest === '') delete process.env.NODE_OPTIONS;
    else process.env.NODE_OPTIONS = rest;
  }
  mark = told(MACHINE_VARIABLE);
  if (process.env[OUTPUT_VARIABLE] !== undefined && isMainThread) awaitOutput();
  delete process.env[OUTPUT_VARIABLE];
  delete process.env[SHARE_VARIABLE];
  delete process.env[MACHINE_VARIABLE];
  const { execArgv } = process;
  for (let at = execArgv.length - 1; at >= 0; at--) {
    const [, loads, joined] = PRELOAD_FLAG.exec(execArgv[at] as string) ?? [];
    if (loads === undefined || !names.includes(joined ?? execArgv[at + 1] ?? '')) continue;
    execArgv.splice(at, joined === undefined ? 2 : 1);
    // Threads inherit --import too, but Node 20 runs their code before it.
    if (loads !== '--import') inherited = true;
  }
}

/** Open the IPC channel that the parent hid from Node, now that the kernel is in place. */
export function openHiddenChannel(): void {
  const hidden = HIDDEN_VARIABLES.map((name) => [name, process.env[HIDDEN_PREFIX + name]] as const);
  for (const [name] of hidden) delete process.env[HIDDEN_PREFIX + name];
  const [fd, mode, unique] = hidden.map(([, value]) => value);
  const require = createRequire(import.meta.url);
  if (fd !== undefined) {
    const { _forkChild } = require('node:child_process') as { _forkChild(fd: number, mode: string): void };
    _forkChild(Number.parseInt(fd, 10), mode ?? 'json');
    receiveHandles(process);
  }
  if (unique !== undefined) {
    // cluster decides by this variable, when it is loaded, on which side it is.
    process.env.NODE_UNIQUE_ID = unique;
    (require('node:cluster') as { _setupWorker?: () => void })._setupWorker?.();
    delete process.env.NODE_UNIQUE_ID;
  }
}

function carriesHandle(options: SpawnOptions): boolean {
  return (options.stdio ?? []).some(({ handle }) => handle instanceof TcpHandle || handle instanceof UdpHandle);
}

export interface ShareOptions {
  /** Directory that children start in when the program names none; the process's own when absent. */
  cwd?: string;
  /** The kernel works elsewhere, and goes on while this thread waits. */
  kernelElsewhere?: boolean;
  /** Mark of the processes of this machine; default: that of this process. */
  mark?: string;
}

/** From now on, what this thread's program starts shares its kernel. `preload` is the file that gives a process one. */
export function shareWithChildren(preload: string, options: ShareOptions = {}): void {
  const { cwd, kernelElsewhere = false } = options;
  mark = options.mark ?? mark;
  const inPlace = (options: SpawnOptions): SpawnOptions => ({ ...options, cwd: options.cwd ?? cwd });
  let readOutput = (): void => undefined;
  replaceSpawn(
    (given) => {
      // A socket of ours is no descriptor that a child could inherit.
      if (carriesHandle(given)) return uvResult(-Errno.EOPNOTSUPP);
      const { options, started } = pipeOutput(given);
      readOutput = started;
      return { ...inPlace(options), envPairs: childEnvironment(options.envPairs ?? [], preload, kernelUrl()) };
    },
    (handle) => {
      readOutput();
      const child = ownerOf(handle);
      if (child !== handle && typeof child === 'object' && child !== null) receiveHandles(child);
    },
  );
  const spawnSync = spawnSyncBinding.spawn;
  spawnSyncBinding.spawn = (options) =>
    spawnSyncWithOutput(spawnSync, {
      ...inPlace(options),
      envPairs: childEnvironment(options.envPairs ?? [], preload, kernelElsewhere ? kernelUrl() : null),
    });
  passHandles();
  shareWithWorkers(preload);
}

/** Whether workers inherit the preload from the command line or NODE_OPTIONS, as long as they get no options of their own. */
let inherited = false;

function workerOptions(options: WorkerOptions, preload: string, own: readonly string[]): WorkerOptions {
  const { execArgv, env } = options;
  const given = execArgv !== undefined || (typeof env === 'object' && env !== null);
  if ((inherited && !given) || (execArgv !== undefined && !Array.isArray(execArgv))) return options;
  return { ...options, execArgv: ['--require', preload, ...(execArgv ?? own)] };
}

/** Have a thread made that finds a gate in its environment data; `make` is told what to transfer. */
function throughGate(make: (gates: MessagePort[]) => NodeWorker): NodeWorker {
  const gate = face().openGate?.() ?? null;
  if (gate === null) return make([]);
  setEnvironmentData(GATE, gate as never);
  try {
    return make([gate]);
  } finally {
    setEnvironmentData(GATE, undefined);
  }
}

function shareWithWorkers(preload: string): void {
  const threads = createRequire(import.meta.url)('node:worker_threads') as { Worker: typeof NodeWorker };
  // Not the import: it follows the replacement below.
  const Original = threads.Worker;
  const make = (filename: string | URL, options: WorkerOptions, target: unknown): NodeWorker => {
    setEnvironmentData(SHARE_VARIABLE, kernelUrl() ?? '');
    setEnvironmentData(MACHINE_VARIABLE, mark);
    setEnvironmentData(OUTPUT, outputRedirected());
    const wanted = workerOptions(options, preload, process.execArgv);
    const construct = (given: WorkerOptions): NodeWorker =>
      throughGate((gates) => {
        const transferList = [...(given.transferList ?? []), ...gates];
        return Reflect.construct(Original, [filename, { ...given, transferList }], target as typeof NodeWorker);
      });
    try {
      return construct(wanted);
    } catch (error) {
      // Flags of the process that are not for workers: they are inherited as a whole, but not by name.
      if ((error as { code?: string }).code !== 'ERR_WORKER_INVALID_EXEC_ARGV' || options.execArgv) throw error;
      return construct(workerOptions(options, preload, []));
    }
  };
  function Worker(filename: string | URL, options: WorkerOptions = {}): NodeWorker {
    if (new.target === undefined) throw new TypeError("Class constructor Worker cannot be invoked without 'new'");
    return make(filename, options, new.target);
  }
  Object.setPrototypeOf(Worker, Original);
  Worker.prototype = Original.prototype;
  threads.Worker = Worker as never;
  syncBuiltinESMExports();
}
