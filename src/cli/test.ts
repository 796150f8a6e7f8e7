/**
 * `mk test`: brings a lab up once per seed until all of its checks have settled, and says what became of them.
 *
 * Thread: the main thread of the command, which is the supervisor of one lab after the other.
 */

import { dirname, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { type CheckResult, formatDuration, readLab, lab as startLab } from '../index.ts';
import { allChecked, concluded } from './endings.ts';
import { CommandFailure, EXIT_INTERRUPTED } from './failure.ts';
import { output, printJson } from './output.ts';
import { labFileOf, parseSeed } from './target.ts';
import { onInterrupt } from './up.ts';

const SEEDS_MAX = 1_000_000;

interface TestOptions {
  seed?: number;
  seeds: number;
  json?: true;
}

interface Verdict {
  seed: number;
  passed: boolean;
  ms: number;
  checks: CheckResult[];
}

export function testCommand(): Command {
  return new Command('test')
    .summary('run the checks of a lab, once per seed')
    .description(
      'Bring the lab of a file (default: multikernel.yml here) up, without a view, until all of its checks have passed or failed; ' +
        'with --seeds so many times, each with the next seed. The exit code is 0 when all of them passed, else 1.',
    )
    .argument('[file]', 'lab file')
    .addOption(
      new Option('--seed <number>', 'the first seed (default: that of the lab file, or 1)').argParser(parseSeed),
    )
    .addOption(new Option('--seeds <count>', 'how many seeds').default(1).argParser(parseSeeds))
    .option('--json', 'one JSON value a seed, a line each')
    .action(test);
}

function parseSeeds(text: string): number {
  const count = Number(text);
  if (Number.isSafeInteger(count) && count > 0 && count <= SEEDS_MAX) return count;
  throw new CommandFailure(`--seeds ${text}: a whole number from 1 to ${SEEDS_MAX}`);
}

async function test(given: string | undefined, options: TestOptions): Promise<void> {
  const file = labFileOf(given);
  const plan = readLab(file);
  if (plan.checks.length === 0) throw new CommandFailure(`${file} has no checks`);
  const path = resolve(file);
  process.chdir(dirname(path));
  const first = options.seed ?? plan.seed ?? 1;
  const interrupted = new AbortController();
  const interrupt = onInterrupt(() => interrupted.abort());
  const failed: number[] = [];
  try {
    for (let seed = first; seed < first + options.seeds; seed++) {
      const verdict = await run(path, seed, interrupted.signal);
      if (interrupted.signal.aborted) throw new CommandFailure('', EXIT_INTERRUPTED);
      if (!verdict.passed) failed.push(seed);
      if (options.json) printJson(output, verdict);
      else output.write(formatVerdict(verdict));
    }
  } finally {
    interrupt();
  }
  if (!options.json && options.seeds > 1)
    output.write(`${options.seeds - failed.length} passed, ${failed.length} failed\n`);
  process.exitCode = failed.length === 0 ? 0 : 1;
}

async function run(path: string, seed: number, signal: AbortSignal): Promise<Verdict> {
  const beganMs = performance.now();
  const net = await startLab(path, { seed, signal });
  try {
    await allChecked(net, signal);
    const checks = (await net.checks()).map(concluded);
    const passed = checks.every(({ state }) => state === 'passed');
    return { seed, passed, ms: Math.round(performance.now() - beganMs), checks };
  } finally {
    await net.down();
  }
}

/** A line; a failed check has one of its own. */
function formatVerdict({ seed, passed, ms, checks }: Verdict): string {
  const what = `${checks.length} ${checks.length === 1 ? 'check' : 'checks'}`;
  const failures = checks
    .filter(({ state }) => state !== 'passed')
    .map(({ title, reason }) => `  ${title}${reason === '' ? '' : `: ${reason}`}\n`);
  return `seed ${seed}: ${passed ? 'ok' : 'FAILED'} (${what}, ${formatDuration(ms)})\n${failures.join('')}`;
}
