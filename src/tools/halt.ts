/**
 * `halt` with NetBSD's arguments: the kernel ends, and its server with it. Thread: the command's. Read first: halt(8).
 *
 * The flags say what a machine writes to its disks on the way; there is nothing to write here.
 */

import { refusalText } from './error-text.ts';
import { getopt, UsageError } from './getopt.ts';
import type { Tool, ToolContext } from './tool.ts';

const USAGE = 'usage: halt [-dlnpqvxz] [-b bootstr]';

async function run(context: ToolContext, args: string[]): Promise<number> {
  const { rest } = getopt(args, 'b:dlnpqvxz');
  if (rest.length > 0) throw new UsageError(USAGE);
  try {
    await context.kernel.halt();
    return 0;
  } catch (error) {
    context.out.error(`halt: reboot: ${refusalText(error)}\n`);
    return 1;
  }
}

export const halt: Tool = { name: 'halt', about: 'end a kernel that rump_server started', usage: USAGE, run };
