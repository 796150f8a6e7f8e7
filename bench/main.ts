/**
 * Role: the table of benches, and `runBench`, which `mk bench` calls: measures, prints, writes the results and figures.
 * Thread: the main thread of the process that asks. Built to dist/bench/main.js; nothing imports it statically, so that the
 * product does not load it.
 */

import { accessSync, constants, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { arch, cpus, loadavg, platform, release } from 'node:os';
import { dirname, join } from 'node:path';
import { type Bench, BenchContext, type Figure, FULL_EFFORT, QUICK_EFFORT } from './context.ts';
import { barsOf, drawSvg, NoFigure } from './harness/figure.ts';
import { openInstruments } from './harness/measure.ts';
import { Progress, type ProgressStream } from './harness/progress.ts';
import { checkRow, type Row } from './harness/row.ts';
import { table } from './harness/table.ts';
import { CompiledPeers } from './harness/tools.ts';
import { missed } from './harness/want.ts';

/** While a bench runs these interrupt it, so that children are ended and namespaces removed. */
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

interface Entry {
  about: string;
  load(): Promise<{ bench: Bench }>;
}

/** One line per bench; its module is loaded when it is run. */
const BENCHES: Record<string, Entry> = {
  mint: {
    about: 'frames, UDP and TCP through shared memory, beside the paper on Mint VNI, a ring in C and Linux',
    load: () => import('./paper/mint.ts'),
  },
  stream: {
    about: "Gbit/s of one node:net connection between two kernels, against Node's own stack",
    load: async () => ({ bench: (await import('./path/face.ts')).stream }),
  },
  dgram: {
    about: "datagrams/s of node:dgram between two kernels, against Node's own stack",
    load: async () => ({ bench: (await import('./path/face.ts')).dgram }),
  },
  http: {
    about: "requests/s of node:http between two kernels, keep-alive, against Node's own stack",
    load: async () => ({ bench: (await import('./path/face.ts')).http }),
  },
  connect: {
    about: "new connections/s of node:net between two kernels, against Node's own stack",
    load: async () => ({ bench: (await import('./path/face.ts')).connect }),
  },
  call: {
    about:
      'time of a call that does nothing, from a program that is a process to its kernel, against a spin round trip',
    load: () => import('./path/call.ts'),
  },
  bus: {
    about:
      'frames and round trips between processes over vni and over a bus of shmif interfaces, and the time of a tool',
    load: () => import('./path/bus.ts'),
  },
  netem: {
    about: 'how exactly impaired links keep delay and rate, beside tc netem on veth',
    load: () => import('./path/netem.ts'),
  },
  boot: {
    about: 'time and memory to bring 4, 32 and 128 kernels up, and what they cost idle',
    load: () => import('./path/boot.ts'),
  },
  peers: {
    about: "what ours is held against, alone: memcpy and a ring in C, Node's own stack, iperf3 over loopback and veth",
    load: () => import('./peers/peers.ts'),
  },
};

export interface BenchDescription {
  name: string;
  about: string;
}

/** Names and descriptions, as `mk bench` without a name lists them. */
export function listBenches(): BenchDescription[] {
  return Object.entries(BENCHES).map(([name, { about }]) => ({ name, about }));
}

/** A request that cannot be carried out; the message is one line for the person who asked. */
export class BenchError extends Error {}

export interface BenchOptions {
  /** Prints the rows as one JSON array instead of a table. */
  json?: boolean;
  /** Less of everything: done within a minute. */
  quick?: boolean;
  /** Prints a line on stderr for each row that misses what it must reach. */
  check?: boolean;
  /** Folder for the results and figures, made when missing. Default `bench-results`. */
  out?: string;
  /** Interrupts, as SIGINT and SIGTERM do: children are ended, namespaces removed, and the promise rejects. */
  signal?: AbortSignal;
  stdout?: { write(text: string): unknown };
  /** For progress and remarks. */
  stderr?: ProgressStream;
}

/** Machine and software that it was measured with. */
export interface Environment {
  date: string;
  node: string;
  v8: string;
  os: string;
  cpu: string;
  cores: number;
  loadAverage: number;
  quick: boolean;
}

export interface BenchReport {
  bench: string;
  environment: Environment;
  rows: Row[];
  /** Files written. */
  files: string[];
  /** A line for each row that misses what it must reach. */
  missed: string[];
}

/**
 * Runs a bench and prints its rows. Throws {@link BenchError}, whose message is one line, for a name that is not in the table,
 * an `out` that cannot be written, or SIGINT and SIGTERM.
 */
export async function runBench(name: string, options: BenchOptions = {}): Promise<BenchReport> {
  const entry = Object.hasOwn(BENCHES, name) ? BENCHES[name] : undefined;
  if (entry === undefined) {
    throw new BenchError(`${name}: no such bench (there are: ${Object.keys(BENCHES).join(', ')})`);
  }
  const { bench } = await entry.load();
  return runModule(name, bench, options);
}

/** As {@link runBench}, for a bench that is not in the table. */
export async function runModule(name: string, bench: Bench, options: BenchOptions): Promise<BenchReport> {
  const out = options.out ?? 'bench-results';
  makeFolder(out);
  const stderr = options.stderr ?? process.stderr;
  const stdout = options.stdout ?? process.stdout;
  const environment = environmentOf(options.quick === true);
  const rows = await measureAll(name, bench, options, new Progress(stderr));
  // Printed first: what was measured is not lost when it cannot be written.
  if (options.json === true) stdout.write(`${JSON.stringify(rows, null, 2)}\n`);
  else stdout.write(`${headline(name, environment)}\n${table(rows)}`);
  const files = await writeResults(out, name, bench, environment, rows, (line) => stderr.write(`${line}\n`));
  if (options.json !== true) stderr.write(`written: ${files.join(' ')}\n`);
  const misses = missed(rows);
  if (options.check === true) for (const line of misses) stderr.write(`${line}\n`);
  return { bench: name, environment, rows, files, missed: misses };
}

async function measureAll(name: string, bench: Bench, options: BenchOptions, progress: Progress): Promise<Row[]> {
  const instruments = openInstruments();
  const peers = new CompiledPeers();
  const effort = options.quick === true ? QUICK_EFFORT : FULL_EFFORT;
  const interrupt = new AbortController();
  const signal = AbortSignal.any([interrupt.signal, ...(options.signal === undefined ? [] : [options.signal])]);
  const onSignal = (): void => interrupt.abort();
  for (const each of SIGNALS) process.on(each, onSignal);
  // Node reads this file when it starts: 38 ms for the certificates of a distribution, of which no bench speaks.
  const { NODE_EXTRA_CA_CERTS: certificates } = process.env;
  delete process.env.NODE_EXTRA_CA_CERTS;
  const context = new BenchContext(name, effort, {
    signal,
    peers,
    instruments,
    onProgress: (text) => progress.show(text),
  });
  try {
    return (await bench.run(context)).map(checkRow);
  } catch (error) {
    throw signal.aborted ? new BenchError('interrupted') : error;
  } finally {
    for (const each of SIGNALS) process.off(each, onSignal);
    if (certificates !== undefined) process.env.NODE_EXTRA_CA_CERTS = certificates;
    progress.clear();
    peers.remove();
    await instruments.close();
  }
}

function write(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (error) {
    throw new BenchError(error instanceof Error ? error.message : String(error));
  }
}

function makeFolder(folder: string): void {
  try {
    // Not `recursive`: where the system refuses a folder as if its parent were missing (/proc), Node 20 tries for ever.
    if (!existsSync(folder)) {
      makeFolder(dirname(folder));
      mkdirSync(folder);
    }
    accessSync(folder, constants.W_OK);
  } catch (error) {
    if (error instanceof BenchError) throw error;
    throw new BenchError(`${folder}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

async function writeResults(
  out: string,
  name: string,
  bench: Bench,
  environment: Environment,
  rows: Row[],
  remark: (line: string) => void,
): Promise<string[]> {
  const files = [join(out, `${name}.json`)];
  write(files[0] as string, `${JSON.stringify({ bench: name, environment, rows }, null, 2)}\n`);
  const where = headline(name, environment);
  const figures = bench.figures?.(rows, where) ?? [{ spec: barsOf(`mk bench ${name}`, where, rows) }];
  try {
    for (const figure of figures) files.push(await writeFigure(out, name, figure));
  } catch (error) {
    if (!(error instanceof NoFigure)) throw error;
    remark(error.message);
  }
  return files;
}

async function writeFigure(out: string, bench: string, { name, spec }: Figure): Promise<string> {
  const file = join(out, `${name === undefined ? bench : `${bench}-${name}`}.svg`);
  write(file, await drawSvg(spec));
  return file;
}

function environmentOf(quick: boolean): Environment {
  const all = cpus();
  return {
    date: new Date().toISOString(),
    node: process.version,
    v8: process.versions.v8,
    os: `${platform()} ${release()} ${arch()}`,
    cpu: all[0]?.model.trim() ?? 'unknown',
    cores: all.length,
    loadAverage: loadavg()[0] ?? 0,
    quick,
  };
}

function headline(name: string, environment: Environment): string {
  const { node, os, cpu, cores, loadAverage, quick } = environment;
  const effort = quick ? ', quick' : '';
  return `bench ${name}${effort}: Node ${node}, ${os}, ${cores} × ${cpu}, load ${loadAverage.toFixed(1)}`;
}
