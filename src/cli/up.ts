/**
 * `mk up`: bring a lab up, show it live, take it down again.
 *
 * Thread: the main thread of the command, which is the lab's supervisor. Read first: up-views.ts (what is shown).
 */

import { existsSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { Command, Option } from 'commander';
import {
  durationMs,
  formatProblem,
  type Lab,
  LabFileError,
  type LabInfo,
  type NodeStatus,
  readLab,
  lab as startLab,
} from '../index.ts';
import { startDetached } from './detached.ts';
import { allChecked, concluded, hasFailed } from './endings.ts';
import { CommandFailure, EXIT_INTERRUPTED } from './failure.ts';
import { endWhenUnread, output, waitInMemory } from './output.ts';
import { labFileOf, parseSeed } from './target.ts';
import { JsonView, PipeView, TerminalView, type View } from './up-views.ts';

/** States that have not changed for so long are shown, or what there is after the second. */
const SETTLED_MS = 150;
const SETTLE_MS_MAX = 1000;

interface UpOptions {
  for?: string;
  json?: true;
  quiet?: true;
  seed?: number;
  all?: true;
  attach?: string;
  detach?: true;
  untilChecked?: true;
  exitOnFailure?: true;
  flows?: true;
  quietFigures?: true;
}

export function upCommand(): Command {
  return new Command('up')
    .summary('bring a lab up')
    .description(
      'Bring up the lab of a file (default: multikernel.yml here), show its kernels and their live metrics, and take it ' +
        'down on Ctrl-C, `mk down`, or after --for. The exit code is 0, or 1 when one of its checks did not hold.',
    )
    .argument('[file]', 'lab file')
    .addOption(new Option('--for <time>', 'end by itself after this long, e.g. 5s').env('MK_FOR'))
    .addOption(new Option('--seed <number>', "override the lab's seed").argParser(parseSeed).env('MK_SEED'))
    .option('-d, --detach', 'return when the lab is up; it goes on until `mk down`')
    .option('--until-checked', 'end when every check has passed or failed')
    .option(
      '--exit-on-failure',
      'end, with code 1, when a check fails, or a program crashes or ends with another code than 0 and is not restarted',
    )
    .option('--attach <node>', "standard input is that node's program's (default: that of the only program)")
    .option('--flows', 'a line for each connection between the host and the lab, when it has ended')
    .option('-q, --quiet', 'do not show what the programs write')
    .option('--quiet-figures', 'do not show figures again and again: the table, then changes alone')
    .option('--json', 'one JSON value a line')
    .option('--all', 'report every problem of the lab file, one a line')
    .action(up);
}

async function up(given: string | undefined, options: UpOptions): Promise<void> {
  const file = labFileOf(given);
  const forMs = options.for === undefined ? null : durationMs(options.for);
  if (forMs !== null && !(forMs > 0))
    throw new CommandFailure(`--for ${options.for}: a time with its unit, such as 5s`);
  if (options.untilChecked && readLab(file).checks.length === 0)
    throw new CommandFailure(`--until-checked: ${file} has no checks`);
  if (options.detach) {
    await detach(file, options);
    return;
  }
  const view = viewOf(options);
  waitInMemory();
  const interrupted = new AbortController();
  const interrupt = onInterrupt(() => interrupted.abort());
  let net: Lab | null = null;
  try {
    const seed = options.seed === undefined ? {} : { seed: options.seed };
    const folder = dirname(resolve(file));
    const { attach = !inBackground() } = options;
    const starting = startLab(file, {
      control: true,
      attach,
      signal: interrupted.signal,
      onStuck: dieStuck,
      onState: (node) => view.coming?.(node),
      ...seed,
    });
    starting.catch(() => view.fallen?.());
    // The file is read by now. Threads have no working directory of their own: relative paths of programs start here.
    if (existsSync(folder)) process.chdir(folder);
    net = await starting;
    process.exitCode = await watch(net, view, { ...options, forMs, signal: interrupted.signal });
  } catch (error) {
    // Ctrl-C while the lab was coming up: it is gone again.
    if (net === null && interrupted.signal.aborted) throw new CommandFailure('', EXIT_INTERRUPTED);
    if (error instanceof LabFileError && options.all) {
      throw new CommandFailure(error.problems.map((problem) => formatProblem(error.file, problem)).join('\nmk up: '));
    }
    throw error;
  } finally {
    interrupt();
    endWhenUnread();
  }
}

function viewOf({ json, quietFigures }: UpOptions): View {
  if (json) return new JsonView(output);
  return output.terminal ? new TerminalView(output, quietFigures !== true) : new PipeView(output);
}

/** Whether the shell runs this as a job in the background: a program of it must not read what is typed for others. */
function inBackground(): boolean {
  if (!process.stdin.isTTY) return false;
  try {
    // proc(5): state, parent, group, session, terminal, group in front of that.
    const [, , group, , , front] = readFileSync('/proc/self/stat', 'utf8').split(') ').at(-1)?.split(' ') ?? [];
    return group !== front;
  } catch {
    return false;
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Ctrl-C and kill end the lab; a second one ends the process. Returns how to stop listening. */
export function onInterrupt(what: () => void): () => void {
  let count = 0;
  const handler = (signal: NodeJS.Signals): void => {
    if (count++ > 0) die(signal);
    else what();
  };
  for (const signal of SIGNALS) process.on(signal, handler);
  return () => {
    for (const signal of SIGNALS) process.off(signal, handler);
  };
}

/** End the process by a signal: `process.exit` would wait for the threads. */
function die(signal: NodeJS.Signals): void {
  process.emit('exit', EXIT_INTERRUPTED);
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}

function dieStuck(nodes: string[]): void {
  const whose = nodes.length === 1 ? 'its program stands' : 'their programs stand';
  output.error(`mk up: ${nodes.join(', ')}: ${whose} in a call that nothing interrupts; killed\n`);
  die('SIGTERM');
}

/** `mk up -d`: the arguments of the process are those given here. */
async function detach(file: string, options: UpOptions): Promise<void> {
  if (options.attach !== undefined) throw new CommandFailure('--attach: nobody writes to a lab that is detached');
  if (options.flows) throw new CommandFailure('--flows: nobody reads what a lab writes that is detached');
  const args = [
    ...(options.for === undefined ? [] : ['--for', options.for]),
    ...(options.seed === undefined ? [] : ['--seed', String(options.seed)]),
    ...(options.untilChecked ? ['--until-checked'] : []),
    ...(options.exitOnFailure ? ['--exit-on-failure'] : []),
    ...(options.all ? ['--all'] : []),
  ];
  const net = await startDetached([...args, '--', file]);
  const info = await settledInfo(net);
  (options.json ? new JsonView(output) : new PipeView(output)).up(titleOf(info), info.nodes, info);
  await net.detach();
}

function titleOf({ name, nodes, workers, bootMs }: LabInfo): string {
  const threads = `${workers} ${workers === 1 ? 'thread' : 'threads'}`;
  return `${name}: ${nodes.length} kernels in ${threads}, up in ${Math.round(bootMs)} ms`;
}

async function settledInfo(net: Lab): Promise<LabInfo> {
  await settle(net);
  return net.info();
}

interface WatchOptions extends UpOptions {
  forMs: number | null;
  signal: AbortSignal;
}

/** Show the lab until it ends; the exit code. */
async function watch(net: Lab, view: View, options: WatchOptions): Promise<number> {
  const { forMs, signal, quiet, flows } = options;
  const info = await net.info();
  const ending = new AbortController();
  const timer = forMs === null ? null : setTimeout(() => ending.abort(), forMs);
  signal.addEventListener('abort', () => ending.abort());
  // The checks are asked for while the lab still stands; what became of them decides.
  const ended = Promise.race([
    net.ended,
    new Promise<void>((done) => ending.signal.addEventListener('abort', () => done())),
  ]);
  // From the first line on: a lab keeps only the last ones.
  const logs = net.logs({ follow: true });
  const crossing = flows === true ? net.flows() : null;
  await Promise.race([settle(net), ended]);
  view.up(titleOf(info), (await net.info()).nodes, info);
  let broken = false;
  if (options.untilChecked)
    void allChecked(net, ending.signal).then(
      () => ending.abort(),
      () => undefined,
    );
  const look = async (nodes: readonly NodeStatus[]): Promise<void> => {
    if (!options.exitOnFailure || ending.signal.aborted) return;
    const failed = nodes.some(hasFailed) || (await net.checks()).some(({ state }) => state === 'failed');
    if (!failed) return;
    broken = true;
    ending.abort();
  };
  const states = net.states();
  const metrics = net.metrics();
  const streams = [
    forEach(states, async (node) => {
      view.state(node);
      await look([node]);
    }),
    forEach(metrics, async (sample) => {
      const { partitions, nodes } = await net.info();
      view.metrics(options.quietFigures ? null : sample, partitions);
      await look(nodes);
    }),
    forEach(logs, (line) => {
      if (quiet !== true || line.source === 'state') view.log(line);
    }),
  ];
  if (crossing !== null) streams.push(forEach(crossing, (flow) => view.flow(flow)));
  await ended;
  if (timer !== null) clearTimeout(timer);
  const results = (await net.checks()).map(concluded);
  await net.down();
  for (const stream of [states, metrics, logs, crossing]) stream?.close();
  await Promise.all(streams);
  const unsettled = forMs !== null && results.some(({ state }) => state === 'pending');
  const failed = broken || unsettled || results.some(({ state }) => state === 'failed');
  view.down(results, failed ? 1 : 0);
  return failed ? 1 : 0;
}

/** Give programs a moment to begin to listen, so that the first table shows more than their start. */
async function settle(net: Lab): Promise<void> {
  let before = '';
  let sinceMs = performance.now();
  const quiet = async (): Promise<boolean> => {
    const now = (await net.info()).nodes.map((node) => node.state).join('\n');
    if (now !== before) sinceMs = performance.now();
    before = now;
    return performance.now() - sinceMs > SETTLED_MS;
  };
  await net.until(quiet, { timeoutMs: SETTLE_MS_MAX, everyMs: 20 }).catch(() => {});
}

async function forEach<T>(stream: AsyncIterable<T>, what: (value: T) => void | Promise<void>): Promise<void> {
  try {
    for await (const value of stream) await what(value);
  } catch {
    // The lab went down under the stream.
  }
}
