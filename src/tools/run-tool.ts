/** Runs one tool against one kernel: `--json`, signals, usage errors. Thread: the command's. */

import type { KernelClient } from '../rump/kernel-client.ts';
import { ArgumentError, UsageError } from './getopt.ts';
import { untilInterrupted } from './interrupt.ts';
import { KernelText } from './kernel-text.ts';
import { HostTable, type Resolver } from './resolver.ts';
import type { TextSink, Tool } from './tool.ts';

/** The kernel's own table of hosts, asked for once, by the first that needs a name. */
function hostsOf(client: KernelClient): () => Promise<Resolver> {
  let table: Promise<Resolver> | null = null;
  return () => {
    table ??= client.control('host.list', {}).then(({ hosts }) => new HostTable(hosts));
    return table;
  };
}

/** Exit code of the tool; Ctrl-C ends it as it ends NetBSD's. `command` is what the usage calls it. */
export async function runTool(
  tool: Tool,
  client: KernelClient,
  args: readonly string[],
  out: TextSink,
  command: string = tool.name,
): Promise<number> {
  const words = args.filter((word) => word !== '--json');
  const json = words.length < args.length;
  const { stdin } = process;
  try {
    return await untilInterrupted((signal) =>
      tool.run({ kernel: new KernelText(client), hosts: hostsOf(client), out, json, signal, stdin }, words),
    );
  } catch (error) {
    if (error instanceof ArgumentError) {
      out.error(`${tool.name}: ${error.message}\n`);
      return 1;
    }
    if (!(error instanceof UsageError)) throw error;
    const usage = error.message.startsWith('usage:') ? error.message : `${tool.name}: ${error.message}\n${tool.usage}`;
    out.error(`${usageOf(usage, tool.name, command)}\n`);
    return 1;
  }
}

/** The usage of a tool, by the name of its command. */
function usageOf(text: string, name: string, command: string): string {
  return text.replace(/^(usage: | {7})(\S+)/gm, (line, before, word) => (word === name ? before + command : line));
}
