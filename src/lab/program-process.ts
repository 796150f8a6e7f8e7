/**
 * The program of a node as a process of its own, on the kernel of its machine, which lives in a thread of the lab.
 *
 * Thread: the supervisor's. Node runs the program; the preload (worker/preload.ts) connects it to the kernel by its URL and ends
 * it with the machine. A process may be started before its program may begin: the preload then waits. The process leads a group,
 * so that what it starts ends with it. Its standard input is empty, or that of the supervisor's process, which it has beyond a
 * session of its own: a terminal does not stop it for reading. A program that is not Node has the host's network; Node programs
 * that it starts have the machine's.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { Duplex, Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { moduleUrl } from '../base/module-url.ts';
import { isInspectFlag } from '../base/node-flags.ts';
import {
  MACHINE_VARIABLE,
  nodeOptions,
  OUTPUT_VARIABLE,
  SHARE_VARIABLE,
  URL_DESCRIPTOR,
  URL_LATER,
} from '../rump/process-environment.ts';
import type { ProgramPlan } from './plan.ts';
import { guardGroup } from './process-guard.ts';

const PRELOAD: string = fileURLToPath(moduleUrl('../worker/preload', import.meta.url));
const MIB = 1024 * 1024;
/** As shells say it: 128 and the number of the signal. */
const SIGNALED = 128;
/** Output is read on for so long after the end of the process: somebody who left its group may hold its pipes. */
const OUTPUT_MS = 500;

export interface ProcessOptions {
  /** URL of the kernel, with its key; null: the program waits for {@link ProgramChild.begin}. */
  url: string | null;
  /** For the environment of the process and of those that it starts. */
  mark: string;
  program: ProgramPlan;
  env: Readonly<Record<string, string | undefined>>;
  /** Limit of the program's heap; null: Node's own. */
  programHeapBytes: number | null;
  /** Port of the inspector on the host's loopback; 0: a free one; null: none but by flags of the program. */
  inspectPort: number | null;
  /** Whether its standard input is that of this process. */
  attached: boolean;
}

/** The part of a child process that a supervisor uses; tests have their own. */
export interface ProgramChild {
  readonly pid?: number | undefined;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Let a program that was started without the URL of its kernel begin. */
  begin(url: string): void;
  /** Settles when such a process waits for `begin`, or will not. */
  readonly waits: Promise<void>;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'exit', listener: (code: number | null, signal: NodeJS.Signals | null) => void): unknown;
  on(event: 'close', listener: () => void): unknown;
}

export type SpawnProgram = (options: ProcessOptions) => ProgramChild;

/** Flags for what the lab file says beside the command. */
function ownFlags({ program, programHeapBytes, inspectPort }: ProcessOptions): string[] {
  const flags = programHeapBytes === null ? [] : [`--max-old-space-size=${Math.ceil(programHeapBytes / MIB)}`];
  if (inspectPort !== null && !program.nodeFlags.some(isInspectFlag)) flags.push(`--inspect=127.0.0.1:${inspectPort}`);
  return flags;
}

/** Node's own line about its inspector. */
const INSPECTOR_LINE = /^Debugger listening on (ws:\/\/[\w.:[\]-]+:\d+\/[\w-]+)$/;

/** URL of the inspector, from the line in which Node tells it; null: another line. */
export function inspectorUrlIn(line: string): string | null {
  return INSPECTOR_LINE.exec(line)?.[1] ?? null;
}

/** Command, arguments and NODE_OPTIONS: those of a program that is not Node are for Node programs that it starts. */
function commandOf(options: ProcessOptions): { command: string; args: string[]; nodeOptions: string } {
  const { executable, nodeFlags, script, argv } = options.program;
  const flags = ownFlags(options);
  const nodeOptions = options.env.NODE_OPTIONS ?? '';
  if (executable === null)
    return { command: process.execPath, args: [...flags, ...nodeFlags, script, ...argv], nodeOptions };
  return { command: executable, args: argv, nodeOptions: [...flags, nodeOptions].join(' ') };
}

export const spawnProgram: SpawnProgram = (options) => {
  const { url, mark, program, env } = options;
  const { command, args, nodeOptions: own } = commandOf(options);
  const child: ChildProcess = spawn(command, args, {
    cwd: program.cwd,
    env: {
      ...env,
      NODE_OPTIONS: nodeOptions(PRELOAD, own),
      [SHARE_VARIABLE]: url ?? URL_LATER,
      [MACHINE_VARIABLE]: mark,
      [OUTPUT_VARIABLE]: '1',
    },
    stdio: [options.attached ? 'inherit' : 'ignore', 'pipe', 'pipe', ...(url === null ? (['pipe'] as const) : [])],
    detached: true,
  });
  if (url !== null) guardGroup(child);
  const gate = url === null ? (child.stdio[URL_DESCRIPTOR] as Duplex | null | undefined) : null;
  // A process that ended before it began is started again, and then says why.
  gate?.on('error', () => undefined);
  return Object.assign(child as ChildProcess & Omit<ProgramChild, 'begin' | 'waits'>, {
    waits: new Promise<void>((resolve) => {
      gate?.once('data', resolve);
      gate?.once('close', resolve);
    }),
    begin: (kernel: string): void => {
      gate?.end(kernel);
      // Until now it would have ended with its gate.
      guardGroup(child);
    },
  });
};

/** A process of Node that waits for its program to begin: its start takes most of the time of a short program. */
export class StandbyProcess {
  /** Settles when the process waits, or will not. */
  readonly waits: Promise<void>;
  #child: ProgramChild | null;

  constructor(child: ProgramChild) {
    this.waits = child.waits;
    this.#child = child;
    const gone = (): void => {
      this.#child = null;
      child.stdout.resume();
      child.stderr.resume();
    };
    child.on('error', gone);
    child.on('exit', gone);
  }

  /** The process, for a program that begins; null: it is gone. Once. */
  take(): ProgramChild | null {
    const child = this.#child;
    this.#child = null;
    return child;
  }

  /** End it, when nobody took it. */
  end(): void {
    const { pid } = this.take() ?? {};
    if (pid !== undefined) signalGroup(pid, 'SIGKILL');
  }
}

function signalGroup(leader: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-leader, signal);
  } catch {
    // Nobody of the group is left.
  }
}

/**
 * Whether a process for the program can be started before the program may begin: the preload, which waits, must be the first thing
 * that the process runs.
 */
export function canStandBy({ program, env, inspectPort }: Omit<ProcessOptions, 'url' | 'mark'>): boolean {
  const { executable, nodeFlags } = program;
  const plain = executable === null && nodeFlags.length === 0 && inspectPort === null;
  return plain && (env.NODE_OPTIONS ?? '') === '' && process.platform !== 'win32';
}

export class ProgramProcess {
  readonly child: ProgramChild;
  /** Settles when the process is gone, and what it wrote was read. */
  readonly ended: Promise<void>;
  #alive = true;

  /** `gone`: the exit code, and why the process did not begin. */
  constructor(child: ProgramChild, gone: (exitCode: number, error: Error | undefined) => void) {
    this.child = child;
    this.ended = new Promise((resolve) => {
      let exitCode = 1;
      let timer: NodeJS.Timeout | null = null;
      const end = (error?: Error): void => {
        if (!this.#alive) return;
        this.#alive = false;
        if (timer !== null) clearTimeout(timer);
        gone(exitCode, error);
        resolve();
      };
      child.on('error', end);
      child.on('exit', (code, signal) => {
        exitCode = code ?? (signal === null ? 1 : SIGNALED + (constants.signals[signal] ?? 0));
        // Its children go with it.
        this.#signal('SIGKILL');
        timer = setTimeout(end, OUTPUT_MS);
      });
      child.on('close', () => end());
    });
  }

  /** Ask it to end, and end it when it has not after `graceMs`. Resolves when it is gone. */
  async end(graceMs: number): Promise<void> {
    if (!this.#alive) return;
    this.#signal('SIGTERM');
    // One that stands still hears of it when it goes on.
    this.#signal('SIGCONT');
    const timer = setTimeout(() => this.#signal('SIGKILL'), graceMs);
    await this.ended;
    clearTimeout(timer);
  }

  /** Let it and its children stand still, or go on. */
  pause(still: boolean): void {
    if (this.#alive) this.#signal(still ? 'SIGSTOP' : 'SIGCONT');
  }

  /** End it at once. Resolves when it is gone. */
  async kill(): Promise<void> {
    if (this.#alive) this.#signal('SIGKILL');
    await this.ended;
  }

  #signal(signal: NodeJS.Signals): void {
    const { pid } = this.child;
    if (pid !== undefined) signalGroup(pid, signal);
  }
}
