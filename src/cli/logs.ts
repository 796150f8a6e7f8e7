/** `mk logs`: what the programs of a lab wrote. Thread: the command's. */

import { Command } from 'commander';
import type { LogLine } from '../index.ts';
import { untilInterrupted } from '../tools/interrupt.ts';
import { CommandFailure } from './failure.ts';
import { type Output, output } from './output.ts';
import { labOption, withLab } from './target.ts';

interface LogsOptions {
  follow?: true;
  lines: string;
  timestamps?: true;
  lab?: string;
  json?: true;
}

export function logsCommand(): Command {
  return new Command('logs')
    .summary('show what programs wrote')
    .description('Show what the programs of a lab wrote to standard output and standard error, and how they ended.')
    .argument('[nodes...]', 'only these nodes')
    .option('-f, --follow', 'go on with what they write from now on')
    .option('-n, --lines <n>', 'this many lines of each node', '100')
    .option('-t, --timestamps', 'show when')
    .addOption(labOption())
    .option('--json', 'one JSON value a line')
    .action((nodes: string[], options: LogsOptions) =>
      withLab(options.lab, async (lab) => {
        const lines = Number(options.lines);
        if (!(lines >= 0)) throw new CommandFailure(`--lines ${options.lines}: not a number`);
        const stream = lab.logs({ nodes, lines, follow: options.follow === true });
        await untilInterrupted(
          async (signal) => {
            signal.addEventListener('abort', () => stream.close());
            for await (const line of stream) print(output, line, options);
          },
          ['SIGINT'],
        );
      }),
    );
}

function print(out: Output, line: LogLine, options: LogsOptions): void {
  if (options.json) {
    out.write(`${JSON.stringify(line)}\n`);
    return;
  }
  const time = options.timestamps ? `${new Date(line.atMs).toISOString()} ` : '';
  out.write(`${time}${line.node} | ${line.source === 'state' ? `[${line.text}]` : line.text}\n`);
}
