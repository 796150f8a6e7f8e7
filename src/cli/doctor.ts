/** `mk doctor`: the abilities of this machine, and why it lacks others. Thread: the command's. */

import { Command } from 'commander';
import { machineReport } from '../index.ts';
import { formatDefaultPlacement } from './lab-table.ts';
import { output, printJson } from './output.ts';

const MIB = 1024 * 1024;

export function doctorCommand(): Command {
  return new Command('doctor')
    .summary('what this machine can do')
    .description(
      'Say what this machine can do for labs, what not and why, and the placement of programs whose node names none.',
    )
    .option('--json', 'print JSON')
    .action((options: { json?: true }) => {
      const report = machineReport();
      if (options.json) {
        printJson(output, report);
        return;
      }
      const { node, system, cores, freeBytes, abilities, placement, placementReason } = report;
      const lines = [
        `Node ${node}, ${system}, ${cores} ${cores === 1 ? 'core' : 'cores'}, ${Math.floor(freeBytes / MIB)} MiB free`,
        ...abilities.map(({ name, works, note }) => `${works ? 'yes' : 'no '}  ${name}: ${note}`),
        formatDefaultPlacement(placement, placementReason),
      ];
      output.write(`${lines.join('\n')}\n`);
    });
}
