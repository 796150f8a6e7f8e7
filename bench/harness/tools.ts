/**
 * Role: finds the programs that peers need, compiles the C peers, runs children under a time limit.
 * Thread: the harness's main thread. Nothing here outlives the harness: children are killed and undo steps taken at exit.
 */

import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Full path of an executable, or null when no folder of `path` has it. */
export function findTool(name: string, path: string = process.env.PATH ?? ''): string | null {
  for (const folder of path.split(delimiter)) {
    if (folder === '') continue;
    const file = join(folder, name);
    try {
      accessSync(file, constants.X_OK);
      if (statSync(file).isFile()) return file;
    } catch {
      // not in this folder
    }
  }
  return null;
}

/** The first missing one of the tools as a reason (`iperf3: not installed`), or undefined when all are there. */
export function lacking(tools: readonly string[], path?: string): string | undefined {
  const missing = tools.find((tool) => findTool(tool, path) === null);
  return missing === undefined ? undefined : `${missing}: not installed`;
}

const COMPILERS = ['cc', 'gcc', 'clang'];

/** A folder of compiled C peers, made on first use and removed at the end. */
export class CompiledPeers {
  private readonly path: string | undefined;
  private folder: string | undefined;
  private readonly built = new Map<string, string>();

  constructor(path?: string) {
    this.path = path;
  }

  /** The C compiler's full path, or null. */
  compiler(): string | null {
    for (const name of COMPILERS) {
      const file = findTool(name, this.path);
      if (file !== null) return file;
    }
    return null;
  }

  /** Why there are no C peers, or undefined. */
  missing(): string | undefined {
    return this.compiler() === null ? 'cc: no C compiler installed' : undefined;
  }

  /** Full path of the executable built from c/NAME.c. Throws with the compiler's first line when it does not build. */
  build(name: string): string {
    const done = this.built.get(name);
    if (done !== undefined) return done;
    const compiler = this.compiler();
    if (compiler === null) throw new Error(this.missing());
    if (this.folder === undefined) {
      this.folder = mkdtempSync(join(tmpdir(), 'mk-bench-'));
      undoAtExit(this.remove);
    }
    const source = fileURLToPath(new URL(`../peers/c/${name}.c`, import.meta.url));
    const output = join(this.folder, name);
    const result = spawnSync(compiler, ['-O2', '-pthread', '-o', output, source], {
      encoding: 'utf8',
      timeout: 60_000,
    });
    if (result.status !== 0) {
      const line =
        (result.stderr ?? '').split('\n').find((text) => text.includes('error')) ?? `exit code ${result.status}`;
      throw new Error(`cc: ${name}.c: ${line}`);
    }
    this.built.set(name, output);
    return output;
  }

  readonly remove = (): void => {
    if (this.folder !== undefined) rmSync(this.folder, { recursive: true, force: true });
    this.folder = undefined;
    this.built.clear();
    undone(this.remove);
  };
}

const undoSteps = new Set<() => void>();
let listening = false;

/** Has `step` run when the process exits, if it was not {@link undone} before. Steps are synchronous and do not throw. */
export function undoAtExit(step: () => void): void {
  undoSteps.add(step);
  if (listening) return;
  listening = true;
  process.on('exit', () => {
    for (const each of [...undoSteps].reverse()) each();
  });
}

export function undone(step: () => void): void {
  undoSteps.delete(step);
}

export interface ToolOptions {
  limitMs: number;
  signal: AbortSignal;
  env?: NodeJS.ProcessEnv;
  /** Called with the output so far, each time there is more. */
  onOutput?: (stdout: string) => void;
}

/**
 * Runs a program and returns its standard output. Rejects with one line when it cannot start, exits with another code than 0
 * (its own last words), runs longer than `limitMs`, or is aborted; it is then killed.
 */
export function runTool(file: string, args: readonly string[], options: ToolOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const name = file.slice(file.lastIndexOf('/') + 1);
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], ...(options.env && { env: options.env }) });
    const kill = (): void => {
      child.kill('SIGKILL');
    };
    const timer = setTimeout(() => stop(`${name}: no result within ${options.limitMs / 1000} s`), options.limitMs);
    let why: string | undefined;
    let stdout = '';
    let stderr = '';
    const stop = (reason: string): void => {
      why = reason;
      kill();
    };
    const onAbort = (): void => stop(`${name}: interrupted`);
    undoAtExit(kill);
    options.signal.addEventListener('abort', onAbort, { once: true });
    const settle = (error: string | undefined): void => {
      clearTimeout(timer);
      undone(kill);
      options.signal.removeEventListener('abort', onAbort);
      if (error === undefined) resolve(stdout);
      else reject(new Error(error));
    };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      options.onOutput?.(stdout);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', (error) => settle(`${name}: ${error.message}`));
    child.on('close', (code, signalName) => {
      if (why !== undefined) settle(why);
      else
        settle(
          code === 0
            ? undefined
            : `${name}: ${lastLine(stderr) || lastLine(stdout) || `ended by ${signalName ?? code}`}`,
        );
    });
    if (options.signal.aborted) onAbort();
  });
}

/** Parses the last line of a program's output that is a JSON object. Throws when there is none. */
export function jsonLine(output: string): Record<string, unknown> {
  const line = output
    .split('\n')
    .reverse()
    .find((text) => text.startsWith('{'));
  if (line === undefined) throw new Error('the program printed no result');
  return JSON.parse(line) as Record<string, unknown>;
}

/** A number out of a parsed result. Throws, naming it, when it is not one. */
export function numberOf(result: Record<string, unknown>, key: string): number {
  const value = result[key];
  if (typeof value !== 'number' || !Number.isFinite(value)) throw new Error(`the result has no ${key}`);
  return value;
}

function lastLine(text: string): string {
  return text.trim().split('\n').pop() ?? '';
}
