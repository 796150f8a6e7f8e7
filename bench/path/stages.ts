/**
 * Role: where a pair of ordinary programs (programs/*.mjs) is run: as two workers or two processes on the machine's own
 * loopback. A stage of kernels has the same shape, so that the same programs are measured on it.
 * Thread: the harness's main thread.
 */

import { createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { System } from '../harness/row.ts';
import { jsonLine, runTool } from '../harness/tools.ts';

/** The one line of JSON that a program printed. */
export type ProgramResult = Record<string, unknown>;

export interface ProgramCall {
  /** Name of a file in programs/, without extension. */
  program: string;
  args: readonly string[];
}

export interface Stage {
  /** As it stands in metrics: `two workers`. */
  readonly name: string;
  readonly system: System;
  /** Why nothing can run on it here. */
  readonly missing?: string;
  /** Address and port at which a server started next is reached from the client. */
  endpoint(): Promise<{ host: string; port: number }>;
  /** Runs a program until it has reported, or to its end. Rejects with one line when it fails, takes longer than `limitMs`, or is aborted. */
  run(role: 'server' | 'client', call: ProgramCall, limitMs: number, signal: AbortSignal): Promise<ProgramResult>;
  /** Both programs of a pair have reported, or failed: ends what is left of them. */
  clear?(): Promise<void>;
  close(): Promise<void>;
}

export interface PairResult {
  server: ProgramResult;
  client: ProgramResult;
}

/** Grace over the measured time for start, connecting and parting, in ms. */
const GRACE_MS = 60_000;

/**
 * Runs server and client of a pair at the same time; both get `--host` and `--port`, unless `socketPath` is given (`--path`).
 * When one fails the other is stopped, and its reason is the error.
 */
export async function runPair(
  stage: Stage,
  server: ProgramCall,
  client: ProgramCall,
  options: { seconds: number; signal: AbortSignal; socketPath?: string },
): Promise<PairResult> {
  const where = options.socketPath === undefined ? await addressArgs(stage) : ['--path', options.socketPath];
  const either = new AbortController();
  const signal = AbortSignal.any([options.signal, either.signal]);
  const limitMs = options.seconds * 1000 + GRACE_MS;
  const start = (role: 'server' | 'client', { program, args }: ProgramCall): Promise<ProgramResult> =>
    stage.run(role, { program, args: [...where, ...args] }, limitMs, signal);
  const both = [start('server', server), start('client', client)] as const;
  try {
    const [served, asked] = await Promise.all(both);
    return { server: served, client: asked };
  } catch (error) {
    either.abort();
    await Promise.allSettled(both);
    throw error;
  } finally {
    await stage.clear?.();
  }
}

async function addressArgs(stage: Stage): Promise<string[]> {
  const { host, port } = await stage.endpoint();
  return ['--host', host, '--port', String(port)];
}

/** URL of a load. */
export function programUrl(program: string): URL {
  return new URL(`./programs/${program}.mjs`, import.meta.url);
}

/** A port of the loopback that nobody uses now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        typeof address === 'object' && address !== null ? resolve(address.port) : reject(new Error('no port')),
      );
    });
  });
}

const loopback = async (): Promise<{ host: string; port: number }> => ({ host: '127.0.0.1', port: await freePort() });

/** Two processes of Node. */
export const processes: Stage = {
  name: 'two processes',
  system: 'Node',
  endpoint: loopback,
  async run(_role, { program, args }, limitMs, signal) {
    const output = await runTool(process.execPath, [fileURLToPath(programUrl(program)), ...args], { limitMs, signal });
    return jsonLine(output);
  },
  close: async () => {},
};

/** Two workers of this process: the shape that our kernels have. */
export const workers: Stage = {
  name: 'two workers',
  system: 'Node',
  endpoint: loopback,
  run: (_role, call, limitMs, signal) => runInWorker(call, limitMs, signal),
  close: async () => {},
};

async function runInWorker(
  { program, args }: ProgramCall,
  limitMs: number,
  signal: AbortSignal,
): Promise<ProgramResult> {
  signal.throwIfAborted();
  const worker = new Worker(programUrl(program), { argv: [...args], stdout: true, stderr: true });
  const stdout = text(worker.stdout);
  let timer: NodeJS.Timeout | undefined;
  let onAbort = (): void => {};
  try {
    await new Promise<void>((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`${program}: no result within ${limitMs / 1000} s`)), limitMs);
      onAbort = () => reject(new Error(`${program}: interrupted`));
      signal.addEventListener('abort', onAbort, { once: true });
      worker.once('error', (error) => reject(new Error(`${program}: ${error.message}`)));
      worker.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`${program}: exit code ${code}`))));
    });
    return jsonLine(await stdout);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
    await worker.terminate();
  }
}

/** Node's own stack, in both shapes. */
export const NODE_STAGES: readonly Stage[] = [workers, processes];
