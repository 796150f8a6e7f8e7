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

interface HealOptions {
  all?: true;
  lab?: string;
  json?: true;
}

const SIDE = 'node, or several joined by commas';

export function breakCommand(): Command {
  return new Command('break')
    .summary('cut nodes from each other')
    .description(
      'Let the packets between two nodes vanish, both ways: connections go half-open and retransmit into the void. ' +
        'Everything else goes on. Of more than two sides each is cut from every other. At a bridge the cables to the other side are cut, with all that it passes on.',
    )
    .argument('<a>', SIDE)
    .argument('<b>', SIDE)
    .argument('[more...]', 'more sides')
    .option('--one-way', 'cut only what A sends to B')
    .option('--reject', 'answer as a firewall does (RST, ICMP) instead of silence')
    .addOption(labOption())
    .option('--json', 'print JSON')
    .action((a: string, b: string, more: string[], options: BreakOptions) =>
      withLab(options.lab, async (lab) => {
        const how = options.reject ? 'reject' : 'blackhole';
        const groups = [a, b, ...more].map((side) => side.split(','));
        const partitions = await lab.split(groups, { how, oneWay: options.oneWay === true });
        const infos = partitions.map(({ info }) => info);
        if (options.json) printJson(output, more.length === 0 ? infos[0] : infos);
        else for (const info of infos) output.write(formatPartition(info));
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
    .argument('[more...]', 'more sides')
    .option('--all', 'undo every partition')
    .addOption(labOption())
    .option('--json', 'print JSON')
    .action((a: string | undefined, b: string | undefined, more: string[], options: HealOptions) =>
      withLab(options.lab, async (lab) => {
        const sides = [a, b, ...more].filter((side) => side !== undefined);
        if (options.all !== true && sides.length < 2) throw new CommandFailure('which nodes? Say A B, or --all');
        const healed = options.all ? await lab.heal() : await lab.heal(...sides.map((side) => side.split(',')));
        if (healed.length === 0 && !options.all)
          throw new CommandFailure(`nothing is cut between ${sides.join(' and ')}`, 1);
        if (options.json) printJson(output, healed);
        else if (healed.length === 0) output.write('nothing was cut\n');
        else for (const partition of healed) output.write(formatHealed(partition));
      }),
    );
}
