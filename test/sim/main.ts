/**
 * `npm run sim`: random worlds by the thousand, or one world told in full.
 *
 * Thread: the process's, and one worker for each further job. Built to dist/sim by tsconfig.sim.json.
 */

import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { outlineOf } from './world/outline.ts';
import { checkSeed, replayCommand, type SeedReport } from './world/seeds.ts';
import { runWorld } from './world/world.ts';

const USAGE = `npm run sim -- [options]
  --seeds N        how many worlds (default 1000)
  --from S         the first seed (default 1)
  --jobs N         threads (default: one for each core)
  --seed X         only this world
  --pcapng FILE    with --seed: all its frames
  --verbose        with --seed: what it consists of; otherwise a line for each world
  --once           do not run every eighth world twice to compare its packets
`;

interface Options {
  seeds: number;
  from: number;
  jobs: number;
  seed: number | null;
  pcapng: string | undefined;
  verbose: boolean;
  once: boolean;
}

function fail(why: string): never {
  process.stderr.write(`sim: ${why}\n${USAGE}`);
  process.exit(2);
}

function readOptions(): Options {
  try {
    const { values } = parseArgs({
      options: {
        seeds: { type: 'string', default: '1000' },
        from: { type: 'string', default: '1' },
        jobs: { type: 'string', default: `${availableParallelism()}` },
        seed: { type: 'string' },
        pcapng: { type: 'string' },
        verbose: { type: 'boolean', default: false },
        once: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    if (values.help) {
      process.stdout.write(USAGE);
      process.exit(0);
    }
    const number = (text: string, what: string): number => {
      if (!/^\d{1,15}$/.test(text)) fail(`--${what} ${text}: not a number`);
      return Number(text);
    };
    return {
      seeds: number(values.seeds, 'seeds'),
      from: number(values.from, 'from'),
      jobs: Math.max(1, number(values.jobs, 'jobs')),
      seed: values.seed === undefined ? null : number(values.seed, 'seed'),
      pcapng: values.pcapng,
      verbose: values.verbose,
      once: values.once,
    };
  } catch (cause) {
    fail((cause as Error).message);
  }
}

function runOne(seed: number, { pcapng, verbose }: Options): void {
  const startMs = performance.now();
  const result = runWorld(seed, pcapng);
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  if (verbose) process.stdout.write(outlineOf(result.plan));
  process.stdout.write(
    `seed ${seed}: ${result.frames} frames, ${result.bytes} bytes, ${(result.endedUs / 1e6).toFixed(3)} s of virtual time in ${seconds} s, digest ${result.digest}\n`,
  );
  for (const problem of result.problems) process.stdout.write(`  ${problem}\n`);
  if (pcapng !== undefined) process.stdout.write(`frames: ${pcapng}\n`);
  process.exitCode = result.problems.length === 0 ? 0 : 1;
}

class Summary {
  done = 0;
  failed = 0;
  frames = 0;
  virtualUs = 0;
  slowest: SeedReport | null = null;
  readonly #total: number;
  readonly #startMs: number = performance.now();
  #shownMs = 0;

  constructor(total: number) {
    this.#total = total;
  }

  add(report: SeedReport, verbose: boolean): void {
    this.done++;
    this.frames += report.frames;
    this.virtualUs += report.endedUs;
    if (report.elapsedMs > (this.slowest?.elapsedMs ?? 0)) this.slowest = report;
    if (report.problems.length > 0) {
      this.failed++;
      this.#clear();
      process.stdout.write(
        `seed ${report.seed}:\n  ${report.problems.join('\n  ')}\n  ${replayCommand(report.seed)}\n`,
      );
    } else if (verbose) {
      process.stdout.write(
        `seed ${report.seed}: ${report.frames} frames, ${report.digest}, ${report.elapsedMs.toFixed(0)} ms\n`,
      );
    }
    this.#show();
  }

  #clear(): void {
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  }

  #show(): void {
    const nowMs = performance.now();
    if (!process.stderr.isTTY || nowMs - this.#shownMs < 200) return;
    this.#shownMs = nowMs;
    const leftS = Math.ceil(((nowMs - this.#startMs) / this.done / 1000) * (this.#total - this.done));
    process.stderr.write(`\r\x1b[K${this.done} of ${this.#total} worlds, ${this.failed} failed, ${leftS} s to go`);
  }

  print(): void {
    this.#clear();
    const seconds = (performance.now() - this.#startMs) / 1000;
    const slowest =
      this.slowest === null ? '' : `, slowest ${this.slowest.seed} (${this.slowest.elapsedMs.toFixed(0)} ms)`;
    process.stdout.write(
      `${this.done} worlds in ${seconds.toFixed(1)} s: ${this.failed} failed, ${this.frames} frames, ${(this.virtualUs / 3.6e9).toFixed(1)} h of virtual time${slowest}\n`,
    );
  }
}

async function runMany(options: Options): Promise<void> {
  const { seeds, from, jobs, once, verbose } = options;
  const summary = new Summary(seeds);
  let next = from;
  const threads = Array.from({ length: Math.min(jobs, seeds) }, async () => {
    const worker = new Worker(new URL(import.meta.url), { workerData: { once } });
    try {
      await new Promise<void>((resolve, reject) => {
        const give = (): void => {
          if (next < from + seeds) worker.postMessage(next++);
          else resolve();
        };
        worker.on('message', (report: SeedReport) => {
          summary.add(report, verbose);
          give();
        });
        worker.on('error', reject);
        worker.on('exit', (code) => reject(new Error(`a thread ended with code ${code}`)));
        give();
      });
    } finally {
      await worker.terminate();
    }
  });
  await Promise.all(threads);
  summary.print();
  process.exitCode = summary.failed === 0 ? 0 : 1;
}

if (isMainThread) {
  const options = readOptions();
  if (options.seed !== null) runOne(options.seed, options);
  else if (options.pcapng !== undefined) fail('--pcapng needs --seed');
  else await runMany(options);
} else {
  const { once } = workerData as { once: boolean };
  parentPort?.on('message', (seed: number) => parentPort?.postMessage(checkSeed(seed, once)));
}
