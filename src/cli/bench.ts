/**
 * `mk bench NAME`: measures, beside what it is held against, in the same run. The benches are loaded only here.
 *
 * Thread: the command's.
 */

import { existsSync } from 'node:fs';
import { Command } from 'commander';
import { CommandFailure } from './failure.ts';
import { output, printJson } from './output.ts';

interface BenchOptions {
  json?: true;
  quick?: true;
  out?: string;
}

/** What bench/main exports. */
interface Benches {
  listBenches(): { name: string; about: string }[];
  runBench(name: string, options: BenchOptions & { signal: AbortSignal }): Promise<unknown>;
}

const BENCHES: URL = new URL(`../bench/main${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);

export function benchCommand(): Command {
  return new Command('bench')
    .summary('measure')
    .description('Run a bench and its peers in the same run. Without a name: list them.')
    .argument('[name]', 'bench')
    .option('--json', 'the rows as a JSON array')
    .option('--quick', 'less of everything: done within a minute')
    .option('--out <folder>', 'where results and figures go')
    .action(async (name: string | undefined, options: BenchOptions) => {
      if (!existsSync(BENCHES)) throw new CommandFailure('the benches are not built; run: npm run build');
      const benches = (await import(BENCHES.href)) as Benches;
      if (name === undefined) {
        const list = benches.listBenches();
        if (options.json) printJson(output, list);
        else for (const bench of list) output.write(`${bench.name.padEnd(10)} ${bench.about}\n`);
        return;
      }
      const interrupted = new AbortController();
      const interrupt = (): void => interrupted.abort();
      process.on('SIGINT', interrupt);
      process.on('SIGTERM', interrupt);
      try {
        await benches.runBench(name, { ...options, signal: interrupted.signal });
      } finally {
        process.off('SIGINT', interrupt);
        process.off('SIGTERM', interrupt);
      }
    });
}
