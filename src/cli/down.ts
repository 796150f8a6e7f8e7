/** `mk down`: take a lab down from another terminal. Thread: the command's. */

import { Command } from 'commander';
import { output, printJson } from './output.ts';
import { attachTo, labOption } from './target.ts';

export function downCommand(): Command {
  return new Command('down')
    .summary('take a lab down')
    .description('Take a running lab down. Returns when all of its threads are gone.')
    .argument('[name]', 'name of the lab')
    .addOption(labOption())
    .option('--json', 'print JSON')
    .action(async (name: string | undefined, options: { lab?: string; json?: true }) => {
      const lab = await attachTo(name ?? options.lab);
      await lab.down();
      if (options.json) printJson(output, { lab: lab.name, state: 'down' });
      else output.write(`${lab.name} is down\n`);
    });
}
