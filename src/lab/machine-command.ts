/**
 * Commands as further processes of a machine: the environment that makes them so, and which of them have its network.
 *
 * Thread: any that holds a lab. Node programs are put on the kernel by a preload (worker/preload.ts), as the node's own program is;
 * network tools find it by RUMP_SERVER; others have the host's network, and pass the environment on to Node programs that they start.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import { MultikernelError } from '../base/errors.ts';
import { commandUrl, moduleUrl } from '../base/module-url.ts';
import { MACHINE_VARIABLE, nodeOptions, SHARE_VARIABLE } from '../rump/process-environment.ts';
import { findExecutable, NODE } from './program-command.ts';

const PRELOAD: string = fileURLToPath(moduleUrl('../worker/preload', import.meta.url));

/** Commands of the package (tools/bin) that show a machine's network and change it. */
const NETWORK_TOOLS: ReadonlySet<string> = new Set([
  'ifconfig',
  'brconfig',
  'netstat',
  'arp',
  'ndp',
  'ping',
  'ping6',
  'traceroute',
  'traceroute6',
  'route',
  'sysctl',
  'nc',
  'halt',
]);

/** Variables of a process of a machine, but NODE_OPTIONS. */
export function machineVariables(url: string, mark: string, own: Record<string, string>): Record<string, string> {
  return { ...own, RUMP_SERVER: url, [SHARE_VARIABLE]: url, [MACHINE_VARIABLE]: mark };
}

/** The whole environment of a process of a machine. */
export function machineEnvironment(
  variables: Readonly<Record<string, string>>,
  given: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  // A key of another kernel that the user has in the environment.
  const { RUMP_KEY: _, ...all } = { ...given, ...variables };
  const set = Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return { ...Object.fromEntries(set), NODE_OPTIONS: nodeOptions(PRELOAD, all.NODE_OPTIONS ?? '') };
}

/** A command that runs as one more process of a machine. */
export interface MachineCommand {
  /** Path of the program. */
  file: string;
  /** Arguments of `file`. */
  args: string[];
  /** Whether it is a Node program or a network tool; others have the host's network. */
  onMachine: boolean;
  /** Whether Node runs it with the preload. */
  hijacked: boolean;
}

/** The program that the words of a command line run: `node ...`, `script.js ...`, a network tool, or any program of the host. Throws ENOENT, EINVAL. */
export function machineCommand(words: readonly string[], cwd: string, path: string): MachineCommand {
  const [first, ...args] = words;
  if (first === undefined || first === '') throw new MultikernelError('EINVAL', 'nothing to run');
  const tool = first.replace(/^rump\./, '');
  const file = process.execPath;
  if (NETWORK_TOOLS.has(tool)) {
    const entry = fileURLToPath(commandUrl(`../tools/bin/${tool}`, import.meta.url));
    return { file, args: [entry, ...args], onMachine: true, hijacked: false };
  }
  if (first === NODE) return { file, args, onMachine: true, hijacked: true };
  if (/\.[cm]?[jt]s$/.test(first)) return { file, args: [first, ...args], onMachine: true, hijacked: true };
  const found = findExecutable(first, cwd, path);
  if (found === null) throw new MultikernelError('ENOENT', `no program ${first}`);
  return { file: found, args, onMachine: false, hijacked: true };
}

/** Options of `LabNode.exec`. */
export interface ExecOptions {
  /** Folder in which it starts; default: the current folder. */
  cwd?: string;
  /** Environment, on top of that of this process and of the node. */
  env?: Record<string, string>;
  /** Standard input; default: none. */
  input?: string | Uint8Array;
  /** Ends it (SIGTERM). */
  signal?: AbortSignal;
}

/** A command that has ended. */
export interface ExecResult {
  /** As shells say it: 128 and the number of the signal that ended it. */
  exitCode: number;
  /** Standard output, as UTF-8. */
  stdout: string;
  /** Standard error, as UTF-8. */
  stderr: string;
}

/** Run a command to its end. Throws what its start is refused with (ENOENT, EACCES). */
export async function runCommand(
  { file, args, hijacked }: MachineCommand,
  environment: Record<string, string>,
  { cwd, input, signal }: ExecOptions,
): Promise<ExecResult> {
  const { NODE_OPTIONS: _, [SHARE_VARIABLE]: __, ...plain } = environment;
  const env = hijacked ? environment : plain;
  const child: ChildProcess = spawn(file, args, { cwd, env, stdio: ['pipe', 'pipe', 'pipe'] });
  const end = (): void => void child.kill('SIGTERM');
  signal?.addEventListener('abort', end, { once: true });
  const text = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (part: string) => {
      text[name] += part;
    });
  }
  // It may end without reading.
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(input ?? '');
  if (signal?.aborted === true) end();
  try {
    return await new Promise((done, reject) => {
      child.on('error', reject);
      child.on('close', (code, by) => {
        done({ exitCode: code ?? 128 + (by === null ? 0 : constants.signals[by]), ...text });
      });
    });
  } finally {
    signal?.removeEventListener('abort', end);
  }
}
