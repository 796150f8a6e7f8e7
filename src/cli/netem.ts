/** `mk netem`: make links slow, lossy and narrow, live. Named as tc-netem(8). Thread: the command's. */

import { Command, Option } from 'commander';
import { formatImpairment, type ImpairmentOptions, type Lab, type LinkInfo } from '../index.ts';
import { CommandFailure } from './failure.ts';
import { formatTable, output, printJson } from './output.ts';
import { labOption, withLab } from './target.ts';

const TARGET = 'A:B (two nodes, or a node and its network or interface), or NODE: all that it is attached to';

/** Values as they stand on the command line. */
export interface LineArguments {
  delay?: string;
  jitter?: string;
  distribution?: string;
  loss?: string;
  burst?: string;
  duplicate?: string;
  corrupt?: string;
  reorder?: string;
  rate?: string;
  queue?: string;
}

interface CommonOptions {
  lab?: string;
  json?: true;
}

const LINE_OPTIONS: readonly (readonly [flags: string, description: string])[] = [
  ['--delay <time>', 'time that each packet takes, each way, e.g. 40ms'],
  ['--jitter <time>', 'the delay varies by so much, e.g. 5ms'],
  ['--distribution <name>', 'of the jitter: uniform (default), normal, pareto, paretonormal'],
  ['--loss <share>', 'packets that are lost, e.g. 2%'],
  [
    '--burst <shares>',
    'losses in bursts (Gilbert-Elliott): chance to enter, to leave[, lost inside[, outside]], e.g. 1%,10%',
  ],
  ['--duplicate <share>', 'packets that come twice'],
  ['--corrupt <share>', 'packets in which one bit is turned over'],
  ['--reorder <share>', 'packets that skip the delay and overtake others'],
  ['--rate <rate>', 'bits per second, e.g. 1mbit; 0bit: as fast as it goes'],
  ['--queue <size>', 'what waits for the rate at most: packets, e.g. 64, or bytes, e.g. 64KiB'],
];

/** The options of one line, for every command that takes them. */
export function lineOptions(): Option[] {
  return LINE_OPTIONS.map(([flags, description]) => new Option(flags, description));
}

/** Values for the façade, which checks them. */
export function lineValues(given: LineArguments): ImpairmentOptions {
  const values: Record<string, unknown> = {};
  for (const [flags] of LINE_OPTIONS) {
    const name = (/^--(\w+)/.exec(flags) as RegExpExecArray)[1] as keyof LineArguments;
    if (given[name] !== undefined && name !== 'burst') values[name] = given[name];
  }
  if (given.burst !== undefined) {
    const [enter, leave, inside, outside, ...more] = given.burst.split(',');
    if (leave === undefined || more.length > 0)
      throw new CommandFailure(`--burst ${given.burst}: two to four shares, such as 1%,10%`);
    values.burst = {
      enter,
      leave,
      ...(inside === undefined ? {} : { inside }),
      ...(outside === undefined ? {} : { outside }),
    };
  }
  return values as ImpairmentOptions;
}

/** `A:B`, or a node. */
function impair(lab: Lab, target: string, values: ImpairmentOptions | null): Promise<LinkInfo[]> {
  const [a, b, ...more] = target.split(':');
  if (a === undefined || a === '' || b === '' || more.length > 0) throw new CommandFailure(`${target}: not ${TARGET}`);
  return b === undefined ? lab.node(a).impair(values) : lab.link(a, b).impair(values);
}

/** The two ends; with their interfaces where two nodes have several links on one network. */
function endsOf({ a, b, aInterface, bInterface, network }: LinkInfo, links: readonly LinkInfo[]): [string, string] {
  const alike = links.filter((other) => other.a === a && other.b === b && other.network === network);
  if (alike.length < 2) return [a, b ?? network];
  return [`${a}:${aInterface}`, b === null ? network : `${b}:${bInterface}`];
}

/** Each way on a line, both on one when they are alike. */
function formatLinks(links: readonly LinkInfo[]): string {
  const rows = links.flatMap((link) => {
    const { network, up, down } = link;
    const ways = [up, down].map(formatImpairment) as [string, string];
    const [from, to] = endsOf(link, links);
    const row = (arrow: string, text: string): string[] => [`${from} ${arrow} ${to}`, network, text];
    if (ways[0] === ways[1]) return [row('<->', ways[0] === '' ? 'nothing' : ways[0])];
    return [row('->', ways[0]), row('<-', ways[1])].filter(([, , text]) => text !== '');
  });
  return formatTable(['LINK', 'NETWORK', 'IMPAIRED'], rows);
}

function print(links: LinkInfo[], options: CommonOptions, none: string): void {
  if (options.json) printJson(output, links);
  else output.write(links.length === 0 ? `${none}\n` : formatLinks(links));
}

function setCommand(): Command {
  const command = new Command('set')
    .summary('impair a link')
    .description(
      'Impair a link while it is in use. Values that are not given stay as they are. Both ways have them, each for itself: a delay of 40ms ' +
        'adds 80 ms to a round trip. --up is from A to B, or what NODE sends; --down is the other way.',
    )
    .argument('<target>', TARGET);
  for (const option of lineOptions()) command.addOption(option);
  return command
    .option('--up', 'this way only')
    .option('--down', 'the other way only')
    .addOption(labOption())
    .option('--json', 'print JSON')
    .action((target: string, options: LineArguments & CommonOptions & { up?: true; down?: true }) =>
      withLab(options.lab, async (lab) => {
        const values = lineValues(options);
        if (Object.keys(values).length === 0) throw new CommandFailure('which values? For example --delay 40ms');
        const ways = { ...(options.up ? { up: true as const } : {}), ...(options.down ? { down: true as const } : {}) };
        print(await impair(lab, target, { ...values, ...ways }), options, '');
      }),
    );
}

function showCommand(): Command {
  return new Command('show')
    .summary('show impaired links')
    .addOption(labOption())
    .option('--json', 'print JSON')
    .action((options: CommonOptions) =>
      withLab(options.lab, async (lab) => print(await lab.links(), options, 'no link is impaired')),
    );
}

function resetCommand(): Command {
  return new Command('reset')
    .summary('take the impairments of a link away')
    .description(
      'Take the impairments of a link away, also those of the lab file. Packets on their way keep their time.',
    )
    .argument('[target]', TARGET)
    .option('--all', 'of every link')
    .addOption(labOption())
    .option('--json', 'print JSON')
    .action((target: string | undefined, options: CommonOptions & { all?: true }) =>
      withLab(options.lab, async (lab) => {
        if ((target === undefined) !== (options.all === true))
          throw new CommandFailure('which link? Say A:B, NODE, or --all');
        const links = target === undefined ? await lab.resetLinks() : await impair(lab, target, null);
        if (options.json) printJson(output, links);
        else if (links.length === 0) output.write('no link was impaired\n');
        else for (const { a, b, network } of links) output.write(`${a}:${b ?? network}: reset\n`);
      }),
    );
}

export function netemCommand(): Command {
  return new Command('netem')
    .summary('make links slow, lossy, narrow')
    .description(
      'Delay, lose, double, damage and slow down the packets of a link, as tc-netem(8) does. Values have the units of tc. `links:` in the lab file does the same.',
    )
    .addCommand(setCommand())
    .addCommand(showCommand())
    .addCommand(resetCommand());
}
