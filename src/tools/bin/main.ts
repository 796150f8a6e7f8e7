/**
 * A network tool as a command of its own: `RUMP_SERVER` names the kernel (rump/url.ts). Exit codes are the tool's; 1 without a
 * kernel.
 *
 * Thread: the command's.
 */

import { MultikernelError } from '../../base/errors.ts';
import { serverOfEnvironment } from '../../rump/url.ts';
import { failureText } from '../error-text.ts';
import { runTool } from '../run-tool.ts';
import type { TextSink, Tool } from '../tool.ts';
import { kernelAt } from './kernel-at.ts';

const EXIT_FAILURE = 1;

const out: TextSink = {
  write: (text) => void process.stdout.write(text),
  writeBytes: (bytes) => void process.stdout.write(bytes),
  error: (text) => void process.stderr.write(text),
};

/** Runs the tool with the arguments of the process; `command` is the name that its usage gives. */
export async function main(tool: Tool, command: string = `rump.${tool.name}`): Promise<void> {
  // A reader that goes away (`| head`) ends the tool without a word.
  process.stdout.on('error', () => process.exit(process.exitCode ?? 0));
  try {
    const url = serverOfEnvironment(process.env);
    if (url === null)
      throw new MultikernelError('EINVAL', 'RUMP_SERVER names no kernel, e.g. unix:///run/lab/api.sock');
    const client = await kernelAt(url);
    try {
      process.exitCode = await runTool(tool, client, process.argv.slice(2), out, command);
    } finally {
      await client.close();
    }
  } catch (error) {
    out.error(`${tool.name}: ${failureText(error)}\n`);
    process.exitCode = EXIT_FAILURE;
  }
}
