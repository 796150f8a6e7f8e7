/** `arp` with NetBSD's arguments and text. Thread: the command's. Missing: `-s ... proxy`, which is `pub`. */

import { readFileSync } from 'node:fs';
import { parseLinkAddress } from './address-text.ts';
import { getopt, UsageError } from './getopt.ts';
import { NeighborCommand } from './neighbor-command.ts';
import type { NeighborInfo } from './neighbor-text.ts';
import type { Tool, ToolContext } from './tool.ts';

const USAGE = `usage: arp [-n] hostname
       arp [-n] -a
       arp [-v] -d [-a | hostname]
       arp -s hostname ether_addr [temp] [pub]
       arp -f filename`;

/** `HOST (IP) at MAC on IF [permanent] [published]`. */
function formatNeighbor(entry: NeighborInfo, host: string | null): string {
  const parts = [`${host ?? '?'} (${entry.address}) at ${entry.mac ?? '(incomplete)'} on ${entry.interface}`];
  if (entry.state === 'permanent') parts.push('permanent');
  if (entry.published) parts.push('published');
  return `${parts.join(' ')}\n`;
}

async function run(context: ToolContext, args: string[]): Promise<number> {
  const { flags, rest } = getopt(args, 'adfnsv');
  const command = new NeighborCommand(context, 'arp', 'inet', USAGE);
  if (flags.has('s')) return command.set(rest, true);
  if (flags.has('f')) return setFrom(command, rest);
  if (flags.has('d')) return remove(command, rest, flags.has('a'), flags.has('v'));
  const hosts = flags.has('n') ? null : await context.hosts();
  const format = (entry: NeighborInfo): string => formatNeighbor(entry, hosts?.nameOf(entry.address) ?? null);
  if (!flags.has('a')) return command.show(rest, format);
  const entries = await command.entries();
  if (context.json) context.out.write(`${JSON.stringify(entries)}\n`);
  else for (const entry of entries) context.out.write(format(entry));
  return 0;
}

/** One entry a line, as the words behind `-s`; `#` begins a comment. The others are set when one is refused. */
async function setFrom(command: NeighborCommand, words: readonly string[]): Promise<number> {
  const [file] = words;
  if (file === undefined || words.length > 1) throw new UsageError(USAGE);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    command.context.out.error(`arp: cannot open ${file}\n`);
    return 1;
  }
  let code = 0;
  for (const line of text.split('\n')) {
    const entry = line.replace(/#.*/, '').trim();
    if (entry === '') continue;
    const parts = entry.split(/\s+/);
    if (parts.length < 2 || parseLinkAddress(parts[1] as string) === null) {
      command.context.out.error(`arp: bad line: ${line}\n`);
      code = 1;
    } else if ((await command.set(parts, true)) !== 0) code = 1;
  }
  return code;
}

async function remove(command: NeighborCommand, words: string[], all: boolean, verbose: boolean): Promise<number> {
  const [host] = words;
  if (all === (host !== undefined)) throw new UsageError(USAGE);
  const addresses = all
    ? (await command.entries()).map((entry) => entry.address)
    : [await command.resolve(host as string)];
  for (const address of addresses) {
    if (address === null) return 1;
    const code = await command.delete(host ?? address, address);
    if (code !== 0) return code;
    if (verbose) command.context.out.write(`${host ?? address} (${address}) deleted\n`);
  }
  return 0;
}

export const arp: Tool = { name: 'arp', about: 'show and change the neighbor cache', usage: USAGE, run };
