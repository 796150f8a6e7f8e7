/** `mk ps`: the nodes of a lab and the state of each. Thread: the command's. */

import { Command } from 'commander';
import { formatPartition } from './break.ts';
import { formatPorts } from './forward.ts';
import { formatDefaultPlacements, formatLab } from './lab-table.ts';
import { output, printJson } from './output.ts';
import { labOption, withLab } from './target.ts';

export function psCommand(): Command {
  return new Command('ps')
    .summary('list the nodes of a lab and their states')
    .description(
      'List the nodes of a lab: kind, addresses, placement of the program, program, and state with exit code or last error; then the placement of programs whose node names none, with the reason, the ports of the host that lead to nodes, and the partitions between nodes. ' +
        'With --errors, the stack of the error that ended a program. A terminal that is too narrow shows fewer columns; names and states stay.',
    )
    .addOption(labOption())
    .option('--errors', 'show the whole last error of programs that crashed')
    .option('--json', 'print JSON')
    .action((options: { lab?: string; errors?: true; json?: true }) =>
      withLab(options.lab, async (lab) => {
        const { nodes, partitions } = await lab.info();
        if (options.json) {
          printJson(output, nodes);
          return;
        }
        output.write(formatLab(nodes, output.terminal ? output.columns : undefined));
        output.write(formatPorts(nodes));
        output.write(formatDefaultPlacements(nodes));
        for (const partition of partitions) output.write(formatPartition(partition));
        for (const { name, lastError } of options.errors ? nodes : []) {
          if (lastError === null) continue;
          const text = lastError.stack === '' ? `${lastError.name}: ${lastError.message}` : lastError.stack;
          output.write(`\n${name}:\n${text.replace(/^/gm, '  ')}\n`);
        }
      }),
    );
}
