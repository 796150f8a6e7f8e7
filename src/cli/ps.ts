/** `mk ps`: the nodes of a lab and the state of each. Thread: the command's. */

import { Command } from 'commander';
import type { Lab, NodeStatus } from '../index.ts';
import { formatPartition } from './break.ts';
import { formatPorts } from './forward.ts';
import { formatDefaultPlacements, formatLab, formatStacked } from './lab-table.ts';
import { output, printJson } from './output.ts';
import { labOption, withLab } from './target.ts';

/** Nodes with the memory of their kernels: used, and the limit; both null where a kernel is down and was never up. */
async function withMemory(lab: Lab, nodes: readonly NodeStatus[]): Promise<object[]> {
  const blocks = new Map((await lab.counters()).map(({ name, values }) => [name, values]));
  return nodes.map((node) => {
    const values = blocks.get(node.name);
    return { ...node, memoryBytes: values?.['memory-used'] ?? null, memoryMaxBytes: values?.['memory-max'] ?? null };
  });
}

export function psCommand(): Command {
  return new Command('ps')
    .summary('list the nodes of a lab and their states')
    .description(
      'List the nodes of a lab: kind, addresses, placement of the program, program, and state with exit code or last error; then VLANs and tunnels with the interfaces on them, the placement of programs whose node names none, with the reason, the ports of the host that lead to nodes, and the partitions between nodes. ' +
        'With --errors, the stack of the error that ended a program. A terminal that is too narrow shows fewer columns; names and states stay.',
    )
    .addOption(labOption())
    .option('--errors', 'show the whole last error of programs that crashed')
    .option('--json', 'print JSON')
    .action((options: { lab?: string; errors?: true; json?: true }) =>
      withLab(options.lab, async (lab) => {
        const { nodes, networks, partitions } = await lab.info();
        if (options.json) {
          printJson(output, await withMemory(lab, nodes));
          return;
        }
        output.write(formatLab(nodes, output.terminal ? output.columns : undefined));
        output.write(formatStacked(nodes, networks));
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
