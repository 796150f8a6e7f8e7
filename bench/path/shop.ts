/**
 * Role: the example shop from the start of `mk up` to its first answered request, and the same programs on plain Node: three processes
 * on the loopback, each started when the one that it depends on listens.
 * Thread: the harness's main thread; every repetition starts everything anew.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Placement } from '#src/index';
import type { Subject } from '../harness/measure.ts';
import { undoAtExit, undone } from '../harness/tools.ts';
import { freePort } from './stages.ts';

const LIMIT_MS = 30_000;
/** The line of the client of the shop about its first answer. */
const ANSWERED = /^api: 200/;

const ROOT: string = dirname(createRequire(import.meta.url).resolve('multikernel/package.json'));
const SHOP: string = join(ROOT, 'examples', 'shop');
const LOOPBACK: string = fileURLToPath(new URL('./programs/shop-loopback.mjs', import.meta.url));

const KEY = 'ms';

function metricOf(how: string): string {
  return `shop ${how}, to the first answered request`;
}

/** The row of plain Node. */
export const NODE_SHOP_METRIC: string = metricOf('on plain Node, three processes');

export function shopMetric(placement: Placement): string {
  return metricOf(`by mk up, programs ${placement === 'process' ? 'as processes' : 'beside their kernels'}`);
}

/** The children of one repetition, and how it ends. */
class Repetition {
  readonly children: ChildProcess[] = [];
  readonly signal: AbortSignal;

  constructor(signal: AbortSignal) {
    this.signal = AbortSignal.any([signal, AbortSignal.timeout(LIMIT_MS)]);
  }

  /** Start a process of Node. */
  start(args: readonly string[], env: NodeJS.ProcessEnv = process.env): ChildProcess {
    const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'ignore'] });
    this.children.push(child);
    undoAtExit(this.kill);
    return child;
  }

  /** The first line of output for which `wanted` is not undefined. Throws when there is none within the time, or it is aborted. */
  async find<T>({ stdout }: ChildProcess, wanted: (line: string) => T | undefined): Promise<T> {
    const lines = createInterface({ input: stdout as NodeJS.ReadableStream });
    const stop = (): void => lines.close();
    this.signal.addEventListener('abort', stop, { once: true });
    try {
      for await (const line of lines) {
        const found = wanted(line);
        if (found !== undefined) return found;
      }
    } finally {
      this.signal.removeEventListener('abort', stop);
      stdout?.resume();
    }
    throw new Error(this.signal.aborted ? 'the shop did not answer in time' : 'the shop ended before it answered');
  }

  readonly kill = (): void => {
    for (const child of this.children) child.kill('SIGKILL');
  };

  /** End every process; resolves when they are gone. */
  async end(signal: NodeJS.Signals): Promise<void> {
    for (const child of this.children) child.kill(signal);
    await Promise.all(
      this.children.map((child) =>
        child.exitCode !== null || child.signalCode !== null
          ? null
          : new Promise((resolve) => child.once('exit', resolve)),
      ),
    );
    undone(this.kill);
  }
}

/** One line of `mk up --json`, as far as it matters here. */
interface LabLine {
  type: string;
  node?: string;
  text?: string;
  atMs?: number;
}

/** The shop by `mk up`; the time is that of the line in the lab's log. */
export function shopSubject(placement: Placement): Subject {
  return {
    name: shopMetric(placement),
    system: 'multikernel',
    placementMatters: false,
    metrics: [{ key: KEY, metric: shopMetric(placement), unit: 'ms' }],
    async run(signal) {
      const folder = mkdtempSync(join(tmpdir(), 'mk-bench-shop-'));
      const repetition = new Repetition(signal);
      try {
        cpSync(SHOP, folder, { recursive: true });
        const file = join(folder, 'multikernel.yml');
        const text = readFileSync(file, 'utf8').replace(/^name: .*$/m, `name: bench-shop-${process.pid}`);
        writeFileSync(file, `${text}\ndefaults: { node: { placement: ${placement} } }\n`);
        const startMs = Date.now();
        const lab = repetition.start([join(ROOT, 'dist', 'cli', 'main.js'), 'up', '--json', file]);
        const atMs = await repetition.find(lab, (line) => {
          const { type, node, text: said = '', atMs } = JSON.parse(line) as LabLine;
          return type === 'log' && node === 'client' && ANSWERED.test(said) ? atMs : undefined;
        });
        return { values: { [KEY]: atMs - startMs } };
      } finally {
        await repetition.end('SIGTERM');
        rmSync(folder, { recursive: true, force: true });
      }
    },
  };
}

/** The same programs without a lab. */
export function nodeShopSubject(): Subject {
  return {
    name: NODE_SHOP_METRIC,
    system: 'Node',
    placementMatters: false,
    metrics: [{ key: KEY, metric: NODE_SHOP_METRIC, unit: 'ms' }],
    async run(signal) {
      const repetition = new Repetition(signal);
      const ports = { db: await freePort(), api: await freePort() };
      const start = (name: string, port: number): ChildProcess =>
        repetition.start(['--import', LOOPBACK, join(SHOP, `${name}.js`)], {
          ...process.env,
          SHOP_PORTS: JSON.stringify(ports),
          SHOP_PORT: String(port),
        });
      const anything = (): true => true;
      try {
        const startMs = performance.now();
        await repetition.find(start('db', ports.db), anything);
        await repetition.find(start('api', ports.api), anything);
        await repetition.find(start('client', 0), (line) => ANSWERED.test(line) || undefined);
        return { values: { [KEY]: performance.now() - startMs } };
      } finally {
        await repetition.end('SIGKILL');
      }
    },
  };
}
