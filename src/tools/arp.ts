/** `arp` with NetBSD's arguments and text. Thread: the command's. */

import { getopt, UsageError } from './getopt.ts';
import { NeighborCommand, type NeighborOptions } from './neighbor-command.ts';
import type { NeighborInfo } from './neighbor-text.ts';
import type { Tool, ToolContext } from './tool.ts';

const USAGE = `usage: arp [-n] hostname
       arp [-nv] -a
       arp [-v] -d [-a | hostname [proxy]]
       arp [-v] -s hostname ether_addr [temp] [pub [proxy]]
       arp -f filename`;

/** `HOST (IP) at MAC on IF [permanent] [published (proxy only)]`: NetBSD calls each published entry so since April 2016. */
function formatNeighbor(entry: NeighborInfo, host: string | null): string {
  const parts = [`${host ?? '?'} (${entry.address}) at ${entry.mac ?? '(incomplete)'} on ${entry.interface}`];
  if (entry.state === 'permanent') parts.push('permanent');
  if (entry.published) parts.push('published (proxy only)');
  return `${parts.join(' ')}\n`;
}

/** `[temp] [pub [proxy]]`; other words mean nothing, as in NetBSD. */
function optionsOf(words: readonly string[]): NeighborOptions {
  const pub = words.findIndex((word) => word.startsWith('pub'));
  const proxyOnly = pub >= 0 && words[pub + 1]?.startsWith('pro') === true;
  return {
    temporary: words.some((word) => word.startsWith('temp')),
    published: pub >= 0,
    ...(proxyOnly ? { proxyOnly } : {}),
  };
}

async function run(context: ToolContext, args: string[]): Promise<number> {
  const { flags, rest } = getopt(args, 'adfnsv');
  if ('dfs'.split('').filter((letter) => flags.has(letter)).length > 1) throw new UsageError(USAGE);
  const command = new NeighborCommand(context, 'arp', 'inet', USAGE);
  if (flags.has('s')) return set(command, rest, flags.has('v'));
  if (flags.has('f')) return command.setFrom(rest, optionsOf);
  if (flags.has('d')) return remove(command, rest, flags.has('a'), flags.has('v'));
  const hosts = flags.has('n') ? null : await context.hosts();
  const format = (found: readonly NeighborInfo[]): string =>
    found.map((entry) => formatNeighbor(entry, hosts?.nameOf(entry.address) ?? null)).join('');
  if (!flags.has('a')) return command.show(rest, format);
  const entries = await command.entries();
  context.out.write(context.json ? `${JSON.stringify(entries)}\n` : format(entries));
  return 0;
}

async function set(command: NeighborCommand, words: string[], verbose: boolean): Promise<number> {
  const code = await command.set(words, optionsOf);
  if (verbose && code === 0) command.context.out.write(`${words[0]} (${words[1]}) added\n`);
  return code;
}

async function remove(command: NeighborCommand, words: string[], all: boolean, verbose: boolean): Promise<number> {
  const [host] = words;
  if (all === (host !== undefined) || words.length > 2) throw new UsageError(USAGE);
  const addresses = all
    ? new Set((await command.entries()).map((entry) => entry.address))
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
