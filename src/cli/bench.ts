/**
 * `mk bench NAME`: measures, beside what it is held against, in the same run. The benches are loaded only here.
 *
 * Thread: the command's.
 */

import { existsSync } from 'node:fs';
import { Command } from 'commander';
import { moduleUrl } from '../base/module-url.ts';
import { untilInterrupted } from '../tools/interrupt.ts';
import { CommandFailure } from './failure.ts';
import { output, printJson } from './output.ts';

interface BenchOptions {
  json?: true;
  quick?: true;
  check?: true;
  out?: string;
}

/** Exports of bench/main. */
interface Benches {
  listBenches(): { name: string; about: string }[];
  runBench(name: string, options: BenchOptions & { signal: AbortSignal }): Promise<{ missed: string[] }>;
}

/** Names of the benches of bench/main, repeated here: loading it costs more than a help text is worth. */
export const BENCH_NAMES: readonly string[] = [
  'mint',
  'stream',
  'dgram',
  'http',
  'connect',
  'call',
  'bus',
  'netem',
  'boot',
  'peers',
];

const HELP = `
The table: VALUE is the median of N repetitions, LOW-HIGH their range, RTT the spin round trips of two threads just before and
after them, in ns. PLACEMENT is near when all of those say that the cores share a cache, far when none does. A repetition on
far cores or beside other busy programs is repeated, and left out when there is a better one; NOTE says so, and why a row
has no value. VERSUS: the value divided by that of the row named there (above 1 a rate is higher, a time longer), and the
figure of the paper. NOTE begins with the figure that a row must reach (of times, memory and shares the most that they may be) and
the one that is aimed at, and says when it was missed. With --check that is an exit code, too; a row that could not be measured
misses nothing.

  mk bench                         what there is
  mk bench mint --quick            a first impression
  mk bench http --json > rows.json
  mk bench stream --check          exits with 1 when a figure is missed
`;

const EXIT_MISSED = 1;

/** Built beside this package, from bench/ (tsconfig.bench.json). */
const BENCHES: URL = moduleUrl('../bench/main', import.meta.url);

export function benchCommand(): Command {
  return new Command('bench')
    .summary('measure, beside what it is held against')
    .description(
      'Run a bench, and in the same run what it is held against: C, Linux, Node as it is. Prints a table; writes the rows as ' +
        'JSON and draws them as SVG. Without a name: say what each bench measures.',
    )
    .argument('[name]', `one of: ${BENCH_NAMES.join(', ')}`)
    .option('--json', 'print the rows as a JSON array')
    .option('--quick', 'fewer and shorter repetitions: done within a minute')
    .option('--check', 'exit with 1, and print a line for each, when rows miss what they must reach')
    .option('--out <folder>', 'where NAME.json and the figures go, made when missing', 'bench-results')
    .addHelpText('after', HELP)
    .action(async (name: string | undefined, options: BenchOptions) => {
      if (!existsSync(BENCHES)) throw new CommandFailure('the benches are not built; run: npm run build');
      const benches = (await import(BENCHES.href)) as Benches;
      if (name === undefined) {
        const list = benches.listBenches();
        if (options.json) printJson(output, list);
        else for (const bench of list) output.write(`${bench.name.padEnd(10)} ${bench.about}\n`);
        return;
      }
      await untilInterrupted(async (signal) => {
        const { missed } = await benches.runBench(name, { ...options, signal });
        if (options.check && missed.length > 0) throw new CommandFailure('', EXIT_MISSED);
      });
    });
}
