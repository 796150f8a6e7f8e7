/**
 * A live lab, asked anything by anybody: each wrong question must be one error with a code for whoever asked, and the lab and its
 * other nodes go on.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type * as Client from '../../src/lab/control-client.ts';
import type * as Facade from '../../src/lab/lab.ts';
import { builtFacade, builtModule } from '../fixtures/built.ts';
import { ask, type Target } from './asks.ts';
import { Chance } from './chance.ts';

/** Of one lab; then another one comes up. */
const QUESTIONS_PER_LAB = 500;
const LOOK_EVERY = 50;
/** It passes in pieces: a process that was stopped, or a machine that slept, loses one of them and not all. */
const ANSWER_PIECES = 20;
const PIECE_MS = 1000;
const GROWN_BYTES_MAX = 500 * 2 ** 20;
/** Words of an error that was not written for people. */
const RAW =
  /Cannot |is not a function|is not iterable|undefined|\[object Object\]|Invalid array length|Maximum call stack/;
const IDLE = 'setInterval(() => {}, 1000); require("node:net").createServer((s) => s.resume()).listen(80);';

export interface RequestFuzz {
  questions: number;
  /** The first seed. */
  from: number;
}

interface Built {
  lab: typeof Facade.lab;
  ControlClient: typeof Client.ControlClient;
}

async function built(): Promise<Built> {
  const { lab } = await builtFacade();
  const { ControlClient } = await builtModule<typeof Client>('lab/control-client.js');
  return { lab, ControlClient };
}

/** Run in the folder of the package, built. Returns what was wrong, with the seed that shows it again; null when nothing was. */
export async function fuzzRequests({ questions, from }: RequestFuzz): Promise<string | null> {
  const modules = await built();
  const before = process.env.XDG_RUNTIME_DIR;
  const folder = mkdtempSync(join(tmpdir(), 'mk-fuzz-'));
  process.env.XDG_RUNTIME_DIR = folder;
  writeFileSync(join(folder, 'idle.js'), IDLE);
  let uncaught: string | null = null;
  const onUncaught = (error: unknown): void => {
    uncaught ??= `uncaught: ${(error as Error)?.stack ?? error}`;
  };
  process.on('uncaughtException', onUncaught);
  try {
    for (let seed = from, done = 0; done < questions; seed++, done += QUESTIONS_PER_LAB) {
      const fault = (await oneLab(modules, seed, Math.min(QUESTIONS_PER_LAB, questions - done), folder)) ?? uncaught;
      if (fault !== null) return `seed ${seed}: ${fault}`;
    }
    return null;
  } finally {
    process.off('uncaughtException', onUncaught);
    if (before === undefined) delete process.env.XDG_RUNTIME_DIR;
    else process.env.XDG_RUNTIME_DIR = before;
    rmSync(folder, { recursive: true, force: true });
  }
}

async function oneLab(modules: Built, seed: number, questions: number, folder: string): Promise<string | null> {
  const { ControlClient, lab } = modules;
  const chance = new Chance(seed);
  const name = `fuzz-${seed}`;
  const started = await lab({ name, nodes: { a: {}, b: {}, r: { kind: 'router' } } }, { control: true, folder });
  const client = await ControlClient.connect(name);
  const target: Target = { name, lab: started, client, kernels: [client.kernel('a'), client.kernel('r')], asked: '' };
  const rssBytes = process.memoryUsage.rss();
  try {
    for (let n = 1; n <= questions; n++) {
      const fault = await faultOf(() => ask(chance, target));
      if (fault !== null) return `question ${n}: ${target.asked}\n  ${fault}`;
      if (n % LOOK_EVERY !== 0 && n !== questions) continue;
      const lost = await inTime(lookAgain(modules, target)).catch((error) => `${error}`);
      if (lost !== null) return `after question ${n}: ${lost}`;
      const grown = process.memoryUsage.rss() - rssBytes;
      if (grown > GROWN_BYTES_MAX) return `after question ${n}: ${grown} bytes more of memory`;
    }
    return null;
  } finally {
    await client.close();
    await started.down();
  }
}

/** Fault of the answer to a question; null for an answer, and for an error as it should be. */
async function faultOf(question: () => Promise<unknown>): Promise<string | null> {
  try {
    await inTime(question());
    return null;
  } catch (error) {
    if (!(error instanceof Error)) return `not an error: ${String(error)}`;
    const { code } = error as { code?: unknown };
    // Node says of its own arguments what it means.
    const meant = typeof code === 'string' && (code.startsWith('ERR_') || !RAW.test(error.message));
    const good = meant && code !== 'ETIMEDOUT';
    return good ? null : `${code}: ${error.stack}`;
  }
}

/** Whether the lab and its two nodes are well. */
async function look({ ControlClient }: Built, { name, lab: asked }: Target): Promise<string | null> {
  const other = await ControlClient.connect(name);
  try {
    const { nodes } = await other.request('info', {});
    for (const one of ['a', 'r']) {
      const phase = nodes.find((node) => node.name === one)?.phase;
      if (phase !== 'ready') return `${one} is ${phase}`;
      if ((await other.kernel(one).control('interface.list', {})).length < 2) return `${one} lost an interface`;
    }
    await asked.info();
    return null;
  } finally {
    await other.close();
  }
}

/** As {@link look}; once more where the greeting took too long, as it does when this process was stopped. */
async function lookAgain(modules: Built, target: Target): Promise<string | null> {
  try {
    return await look(modules, target);
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (code !== 'ECONNRESET' && code !== 'ETIMEDOUT') throw error;
    return look(modules, target);
  }
}

function inTime<T>(promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    let left = ANSWER_PIECES;
    const timer = setInterval(() => {
      if (--left === 0) reject(new Error(`no answer within ${(ANSWER_PIECES * PIECE_MS) / 1000} s`));
    }, PIECE_MS);
    promise.finally(() => clearInterval(timer)).then(resolve, reject);
  });
}
