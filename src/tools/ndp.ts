/** `ndp` with NetBSD's arguments and text. Thread: the command's. Missing: `-f`, `-i`, `-p`, `-r`, proxying, repetition. */

import { getopt, UsageError } from './getopt.ts';
import { NeighborCommand, type NeighborOptions } from './neighbor-command.ts';
import type { NeighborInfo } from './neighbor-text.ts';
import { formatSeconds } from './quantity-text.ts';
import type { Tool, ToolContext } from './tool.ts';

const USAGE = `usage: ndp [-n] hostname
       ndp [-n] -a | -c
       ndp [-n] -d hostname
       ndp [-n] -s hostname ether_addr [temp]`;
const ADDRESS_COLUMNS = 39;
const MAC_COLUMNS = 17;
const INTERFACE_COLUMNS = 6;
const STATE_LETTERS: Readonly<Record<NeighborInfo['state'], string>> = {
  incomplete: 'I',
  reachable: 'R',
  stale: 'S',
  delay: 'D',
  probe: 'P',
  permanent: 'R',
};

function formatNeighbors6(entries: readonly NeighborInfo[], shown: (address: string) => string): string {
  const line = (address: string, mac: string, name: string, rest: string): string =>
    `${address.padEnd(ADDRESS_COLUMNS)} ${mac.padEnd(MAC_COLUMNS)} ${name.padStart(INTERFACE_COLUMNS)} ${rest}`.trimEnd();
  const lines = entries.map((entry) => {
    const { expiresSec, state } = entry;
    const seconds = expiresSec === null ? 'permanent' : expiresSec > 0 ? formatSeconds(expiresSec) : 'expired';
    const expire = state === 'permanent' ? 'permanent' : seconds;
    const flags = `${entry.router ? 'R' : ''}${entry.published ? 'p' : ''}`;
    const rest = `${expire.padEnd(9)} ${STATE_LETTERS[state]} ${flags}`;
    return line(shown(entry.address), entry.mac ?? '(incomplete)', entry.interface, rest);
  });
  const heading = line('Neighbor', 'Linklayer Address', 'Netif', `${'Expire'.padEnd(9)} S Flags`);
  return [heading, ...lines].map((text) => `${text}\n`).join('');
}

function optionsOf(words: readonly string[]): NeighborOptions {
  return { temporary: words.some((word) => word.startsWith('temp')), published: false };
}

async function run(context: ToolContext, args: string[]): Promise<number> {
  const { flags, rest } = getopt(args, 'acdnst');
  const command = new NeighborCommand(context, 'ndp', 'inet6', USAGE);
  if (flags.has('s')) return command.set(rest, optionsOf);
  if (flags.has('d')) return remove(command, rest);
  if (flags.has('c')) return flush(command);
  const hosts = flags.has('n') ? null : await context.hosts();
  const shown = (address: string): string => hosts?.nameOf(address) ?? address;
  if (!flags.has('a')) return command.show(rest, (found) => formatNeighbors6(found, shown));
  const entries = await command.entries();
  context.out.write(context.json ? `${JSON.stringify(entries)}\n` : formatNeighbors6(entries, shown));
  return 0;
}

async function remove(command: NeighborCommand, words: string[]): Promise<number> {
  const [host] = words;
  if (host === undefined || words.length > 1) throw new UsageError(USAGE);
  const address = await command.resolve(host);
  if (address === null) return 1;
  const code = await command.delete(host, address);
  if (code === 0) command.context.out.write(`${host} (${address}) deleted\n`);
  return code;
}

/** Entries set by hand stay. */
async function flush(command: NeighborCommand): Promise<number> {
  for (const { address, state } of await command.entries()) {
    if (state === 'permanent') continue;
    const code = await command.delete(address, address);
    if (code !== 0) return code;
    command.context.out.write(`${address} (${address}) deleted\n`);
  }
  return 0;
}

export const ndp: Tool = { name: 'ndp', about: 'show and change the IPv6 neighbor cache', usage: USAGE, run };
