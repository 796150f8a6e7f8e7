/** `sysctl` with NetBSD's arguments and text. Thread: the command's. */

import { refusalText } from './error-text.ts';
import { getopt, UsageError } from './getopt.ts';
import type { Tool, ToolContext } from './tool.ts';

const USAGE = `usage: sysctl [-n] -a
       sysctl [-nq] name ...
       sysctl [-nq] -w name=value ...`;

async function run(context: ToolContext, args: string[]): Promise<number> {
  const { flags, rest } = getopt(args, 'anqw');
  if (!flags.has('a') && rest.length === 0) throw new UsageError(USAGE);
  let code = 0;
  for (const word of flags.has('a') ? [''] : rest) {
    const done = flags.has('w') ? await set(context, word, flags) : await get(context, word, flags);
    if (!done) code = 1;
  }
  return code;
}

async function get(context: ToolContext, name: string, flags: ReadonlySet<string>): Promise<boolean> {
  try {
    const values = await context.kernel.sysctl(name);
    if (context.json) context.out.write(`${JSON.stringify(values)}\n`);
    else
      for (const entry of values)
        context.out.write(flags.has('n') ? `${entry.value}\n` : `${entry.name} = ${entry.value}\n`);
    return true;
  } catch (error) {
    return refused(context, name, error, flags);
  }
}

async function set(context: ToolContext, word: string, flags: ReadonlySet<string>): Promise<boolean> {
  const [name, text, ...more] = word.split('=');
  if (name === undefined || name === '' || text === undefined || more.length > 0) throw new UsageError(USAGE);
  if (!/^-?(0x[0-9a-fA-F]+|\d+)$/.test(text)) {
    context.out.error(`sysctl: ${name}: ${text}: not an integer\n`);
    return false;
  }
  try {
    const { before, after } = await context.kernel.setSysctl(name, Number(text));
    if (context.json) context.out.write(`${JSON.stringify({ name, before, after })}\n`);
    else if (flags.has('n')) context.out.write(`${before} -> ${after}\n`);
    else if (!flags.has('q')) context.out.write(`${name}: ${before} -> ${after}\n`);
    return true;
  } catch (error) {
    return refused(context, name, error, flags);
  }
}

function refused(context: ToolContext, name: string, error: unknown, flags: ReadonlySet<string>): boolean {
  const level = name.split('.').pop() ?? name;
  const unknown = `second level name '${level}' in '${name}' is invalid`;
  const why = refusalText(error, { ENOENT: unknown });
  const text = why === unknown ? unknown : `${name}: ${why}`;
  if (!flags.has('q')) context.out.error(`sysctl: ${text}\n`);
  return false;
}

export const sysctl: Tool = { name: 'sysctl', about: 'show and set kernel variables', usage: USAGE, run };
