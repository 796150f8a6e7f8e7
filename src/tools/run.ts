/** Runs one tool against one kernel: `--json`, signals, usage errors. Thread: the command's. */

import type { KernelClient } from '../rump/kernel-client.ts';
import { UsageError } from './getopt.ts';
import { KernelText } from './kernel-text.ts';
import { HostTable } from './resolver.ts';
import type { TextSink, Tool } from './tool.ts';

/** Exit code of the tool; Ctrl-C ends it as it ends NetBSD's. Names are those of the kernel's own table. */
export async function runTool(
  tool: Tool,
  client: KernelClient,
  args: readonly string[],
  out: TextSink,
): Promise<number> {
  const words = args.filter((word) => word !== '--json');
  const interrupt = new AbortController();
  const onSignal = (): void => interrupt.abort();
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  try {
    const { hosts } = await client.control('host.list', {});
    const json = words.length < args.length;
    const context = {
      kernel: new KernelText(client),
      resolver: new HostTable(hosts),
      out,
      json,
      signal: interrupt.signal,
      stdin: process.stdin,
    };
    return await tool.run(context, words);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const usage = error.message.startsWith('usage:') ? error.message : `${tool.name}: ${error.message}\n${tool.usage}`;
    out.error(`${usage}\n`);
    return 1;
  } finally {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  }
}
