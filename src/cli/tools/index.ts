/** The tools that `mk exec NODE -- TOOL` and `mk TOOL -k NODE` run, and how they are run. Thread: the command's. */

import type { Lab } from '../../index.ts';
import { CommandFailure } from '../failure.ts';
import { output } from '../output.ts';
import { arp } from './arp.ts';
import { UsageError } from './getopt.ts';
import { ifconfig } from './ifconfig.ts';
import { nc } from './nc.ts';
import { ndp } from './ndp.ts';
import { netstat } from './netstat.ts';
import { ping, ping6 } from './ping.ts';
import { route } from './route.ts';
import { sysctl } from './sysctl.ts';
import type { Tool } from './tool.ts';
import { traceroute, traceroute6 } from './traceroute.ts';

export const TOOLS: readonly Tool[] = [
  ifconfig,
  netstat,
  arp,
  ndp,
  ping,
  ping6,
  traceroute,
  traceroute6,
  route,
  sysctl,
  nc,
];

/** As shells say "command not found". */
export const EXIT_NOT_FOUND = 127;

/** Run a tool against a node of a lab. Returns its exit code; Ctrl-C ends it as it would end NetBSD's. */
export async function runTool(lab: Lab, node: string, name: string, args: string[]): Promise<number> {
  const tool = TOOLS.find((candidate) => candidate.name === name.replace(/^rump\./, ''));
  if (tool === undefined) {
    const known = TOOLS.map((candidate) => candidate.name).join(', ');
    throw new CommandFailure(`${name}: no such command here; there are ${known}`, EXIT_NOT_FOUND);
  }
  const words = args.filter((word) => word !== '--json');
  const interrupt = new AbortController();
  const onSignal = (): void => interrupt.abort();
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  try {
    return await tool.run(
      {
        kernel: lab.node(node),
        lab: await lab.info(),
        out: output,
        json: words.length < args.length,
        signal: interrupt.signal,
        stdin: process.stdin,
      },
      words,
    );
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const usage = error.message.startsWith('usage:') ? error.message : `${name}: ${error.message}\n${tool.usage}`;
    output.error(`${usage}\n`);
    return 1;
  } finally {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  }
}
