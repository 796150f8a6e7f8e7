/** `mk ls`: the labs of this user that are up. Thread: the command's. */

import { Command } from 'commander';
import { attach, formatDuration, labs } from '../index.ts';

import { formatTable, output, printJson } from './output.ts';

interface LabLine {
  name: string;
  /** Null: its process does not answer. */
  pid: number | null;
  nodes: number | null;
  file: string | null;
  startedAtMs: number | null;
}

export function lsCommand(): Command {
  return new Command('ls')
    .summary('list the labs that are up')
    .description('List the labs of this user that are up: name, process, nodes, age, and the lab file.')
    .option('--json', 'print JSON')
    .action(async (options: { json?: true }) => {
      const lines = await Promise.all((await labs()).map(({ name, pid }) => describe(name, pid)));
      if (options.json) {
        printJson(output, lines);
        return;
      }
      const rows = lines.map(({ name, pid, nodes, file, startedAtMs }) =>
        pid === null || startedAtMs === null
          ? [name, '-', '-', '-', 'does not answer']
          : [name, String(pid), String(nodes), age(Date.now() - startedAtMs), file ?? '-'],
      );
      output.write(formatTable(['NAME', 'PID', 'NODES', 'AGE', 'FILE'], rows));
    });
}

async function describe(name: string, pid: number | null): Promise<LabLine> {
  const unknown = { name, pid: null, nodes: null, file: null, startedAtMs: null };
  if (pid === null) return unknown;
  try {
    const lab = await attach(name);
    try {
      const { nodes, file, startedAtMs } = await lab.info();
      return { name, pid, nodes: nodes.length, file, startedAtMs };
    } finally {
      await lab.detach();
    }
  } catch {
    // It went down, or stands still, since it was listed.
    return unknown;
  }
}

/** Whole seconds. */
function age(ms: number): string {
  return ms < 1000 ? '0 s' : formatDuration(Math.floor(ms / 1000) * 1000);
}
