/** `mk break`, `mk heal`: cut nodes from each other, and let them meet again. Thread: the command's. */

import { Command } from 'commander';
import type { PartitionInfo } from '../index.ts';
import { CommandFailure } from './failure.ts';
import { output, printJson } from './output.ts';
import { labOption, withLab } from './target.ts';

interface BreakOptions {
  oneWay?: true;
  reject?: true;
  lab?: string;
  json?: true;
}

const SIDE = 'node, or several joined by commas';

export function breakCommand(): Command {
  return new Command('break')
    .summary('cut nodes from each other')
    .description(
      'Let the packets between two nodes vanish, both ways: connections go half-open and retransmit into the void. ' +
        'Everything else goes on.',
    )
    .argument('<a>', SIDE)
    .argument('<b>', SIDE)
    .option('--one-way', 'cut only what A sends to B')
    .option('--reject', 'answer as a firewall does (RST, ICMP) instead of silence')
    .addOption(labOption())
    .option('--json', 'print JSON')
    .action((a: string, b: string, options: BreakOptions) =>
      withLab(options.lab, async (lab) => {
        const how = options.reject ? 'reject' : 'blackhole';
        const { info } = await lab.partition(a.split(','), b.split(','), { how, oneWay: options.oneWay === true });
        if (options.json) printJson(output, info);
        else output.write(formatPartition(info));
      }),
    );
}

function sides(partition: PartitionInfo): [string, string] {
  return [partition.a.join(','), partition.b.join(',')];
}

export function formatPartition(partition: PartitionInfo): string {
  const [a, b] = sides(partition);
  const arrow = partition.oneWay ? '->' : 'x';
  const ways = partition.oneWay ? `one way, from ${a}` : 'both ways';
  return `${a} ${arrow} ${b}: ${partition.how}, ${ways}; heal with: mk heal ${a} ${b}\n`;
}

export function formatHealed(partition: PartitionInfo): string {
  return `${sides(partition).join(' - ')}: healed\n`;
}

export function healCommand(): Command {
  return new Command('heal')
    .summary('undo mk break')
    .description('Let the packets between two nodes through again.')
    .argument('[a]', SIDE)
    .argument('[b]', SIDE)
    .option('--all', 'undo every partition')
    .addOption(labOption())
    .option('--json', 'print JSON')
    .action((a: string | undefined, b: string | undefined, options: { all?: true; lab?: string; json?: true }) =>
      withLab(options.lab, async (lab) => {
        if (options.all !== true && (a === undefined || b === undefined)) {
          throw new CommandFailure('which nodes? Say A B, or --all');
        }
        const healed = options.all
          ? await lab.heal()
          : await lab.heal((a as string).split(','), (b as string).split(','));
        if (healed.length === 0 && !options.all) throw new CommandFailure(`nothing is cut between ${a} and ${b}`, 1);
        if (options.json) printJson(output, healed);
        else if (healed.length === 0) output.write('nothing was cut\n');
        else for (const partition of healed) output.write(formatHealed(partition));
      }),
    );
}
