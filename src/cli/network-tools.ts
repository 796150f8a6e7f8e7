/** The tools that `mk exec NODE -- TOOL` and `mk TOOL -k NODE` run, and how they are run. Thread: the command's. */

import { arp } from '../tools/arp.ts';
import { brconfig } from '../tools/brconfig.ts';
import { halt } from '../tools/halt.ts';
import { ifconfig } from '../tools/ifconfig.ts';
import { nc } from '../tools/nc.ts';
import { ndp } from '../tools/ndp.ts';
import { netstat } from '../tools/netstat.ts';
import { ping } from '../tools/ping.ts';
import { ping6 } from '../tools/ping6.ts';
import { route } from '../tools/route.ts';
import { runTool } from '../tools/run-tool.ts';
import { sysctl } from '../tools/sysctl.ts';
import type { TextSink, Tool } from '../tools/tool.ts';
import { traceroute } from '../tools/traceroute.ts';
import { traceroute6 } from '../tools/traceroute6.ts';
import { output } from './output.ts';
import { withKernel } from './target.ts';

export const TOOLS: readonly Tool[] = [
  ifconfig,
  brconfig,
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
  halt,
];

/** As shells say "command not found". */
export const EXIT_NOT_FOUND = 127;

const sink: TextSink = {
  write: (text) => output.write(text),
  writeBytes: (bytes) => void process.stdout.write(bytes),
  error: (text) => output.error(text),
};

/** The tool that goes by a name, with or without "rump."; null: none. */
export function toolNamed(name: string): Tool | null {
  return TOOLS.find((candidate) => candidate.name === name.replace(/^rump\./, '')) ?? null;
}

/** Run a tool against a node of a lab; null: its only one. Sets the exit code of the process. */
export async function runOn(lab: string | undefined, node: string | null, tool: Tool, args: string[]): Promise<void> {
  process.exitCode = await withKernel(lab, node, (client) => runTool(tool, client, args, sink));
}
