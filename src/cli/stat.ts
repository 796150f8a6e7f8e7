/** `mk stat`, `mk top`: counters and metrics of a running lab, read from its shared memory only. Thread: the command's. */

import { Command } from 'commander';
import type { CounterBlock } from '../index.ts';
import { untilInterrupted } from '../tools/interrupt.ts';
import { CommandFailure } from './failure.ts';
import { formatLive, formatMetricsLine } from './lab-table.ts';
import { LiveRegion } from './live.ts';
import { formatTable, output, printJson } from './output.ts';
import { labOption, withLab } from './target.ts';

interface StatOptions {
  all?: true;
  lab?: string;
  json?: true;
}

export function statCommand(): Command {
  return new Command('stat')
    .summary('show the counters of a lab')
    .description(
      'Show every counter that is not 0, as the shared memory holds them: no kernel is asked, so a busy or hung program ' +
        'does not matter. Blocks: NODE (its stack), NODE/eth0 (a device), NODE/program (HTTP metrics).',
    )
    .argument('[node]', 'only this node')
    .argument('[word]', 'only counters whose name contains this; also zeros when all of them are')
    .option('-a, --all', 'also those that are 0')
    .addOption(labOption())
    .option('--json', 'print JSON, zeros included')
    .action((node: string | undefined, word: string | undefined, options: StatOptions) =>
      withLab(options.lab, async (lab) => {
        const blocks = await lab.counters(node ?? null);
        const shown = word === undefined ? blocks : countersNamed(blocks, word);
        if (options.json) return printJson(output, shown);
        if (word !== undefined && shown.length === 0)
          throw new CommandFailure(`${node ?? 'the lab'}: no counter whose name contains ${word}`);
        output.write(formatCounters(shown, word ?? '', options.all === true));
      }),
    );
}

/** The counters whose name contains `word`, and the blocks that have such. */
export function countersNamed(blocks: readonly CounterBlock[], word: string): CounterBlock[] {
  return blocks
    .map(({ name, values }) => ({
      name,
      values: Object.fromEntries(Object.entries(values).filter(([counter]) => counter.includes(word))),
    }))
    .filter(({ values }) => Object.keys(values).length > 0);
}

export function formatCounters(blocks: readonly CounterBlock[], word: string, zeros: boolean): string {
  const rows: [block: string, counter: string, value: number][] = [];
  for (const { name, values } of blocks) {
    for (const [counter, value] of Object.entries(values)) {
      // The buckets of histograms are for programs; people read p50 in mk top.
      if (counter.includes(word) && (word !== '' || !/\.us\.\d+$/.test(counter))) rows.push([name, counter, value]);
    }
  }
  const moved = rows.filter(([, , value]) => value !== 0);
  // Counters asked for by name are shown even when they are 0.
  const shown = zeros || (word !== '' && moved.length === 0) ? rows : moved;
  return formatTable(
    ['BLOCK', 'COUNTER', 'VALUE'],
    shown.map(([block, counter, value]) => [block, counter, String(value)]),
  );
}

interface TopOptions {
  count?: string;
  interval: string;
  lab?: string;
  json?: true;
}

export function topCommand(): Command {
  return new Command('top')
    .summary('watch the metrics of a lab')
    .description(
      'Watch requests per second, median latency, open connections, memory of buffers (used and limit) and retransmissions of ' +
        'every node, from shared memory: no kernel is asked. Redrawn on a terminal; one line an interval in a pipe, where a node without connections shows ' +
        'its frames per second.',
    )
    .option('-n, --count <n>', 'end after so many')
    .option('-i, --interval <seconds>', 'seconds between two looks', '1')
    .addOption(labOption())
    .option('--json', 'one JSON value a line')
    .action((options: TopOptions) =>
      withLab(options.lab, async (lab) => {
        const interval = Number(options.interval);
        let left = options.count === undefined ? Number.POSITIVE_INFINITY : Number(options.count);
        if (!(interval > 0)) throw new CommandFailure(`--interval ${options.interval}: not a number of seconds`);
        if (!(left > 0)) throw new CommandFailure(`--count ${options.count}: not a number`);
        const stream = lab.metrics({ intervalMs: interval * 1000 });
        const region = new LiveRegion(output);
        await untilInterrupted(
          async (signal) => {
            signal.addEventListener('abort', () => stream.close());
            for await (const sample of stream) {
              if (options.json) output.write(`${JSON.stringify(sample)}\n`);
              else if (output.terminal) {
                const { nodes, partitions } = await lab.info();
                region.show(formatLive(nodes, sample, partitions, region.columns));
              } else output.write(formatMetricsLine(sample));
              if (--left <= 0) break;
            }
          },
          ['SIGINT'],
        );
      }),
    );
}
