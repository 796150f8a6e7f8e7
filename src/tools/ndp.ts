/** `ndp` with NetBSD's arguments and text. Thread: the command's. Missing: `-f`, `-i`, `-p`, `-r`, proxying, repetition. */

import { MultikernelError } from '../base/errors.ts';
import { parseLinkAddress } from './address-text.ts';
import { ERROR_TEXT } from './error-text.ts';
import { getopt, UsageError } from './getopt.ts';
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

async function run(context: ToolContext, args: string[]): Promise<number> {
  const { flags, rest } = getopt(args, 'acdnst');
  if (flags.has('s')) return set(context, rest);
  if (flags.has('d')) return remove(context, rest);
  const entries = await context.kernel.neighbors('inet6');
  if (flags.has('c')) return flush(context, entries);
  const shown = (address: string): string => (flags.has('n') ? null : context.resolver.nameOf(address)) ?? address;
  if (flags.has('a')) {
    context.out.write(context.json ? `${JSON.stringify(entries)}\n` : formatNeighbors6(entries, shown));
    return 0;
  }
  const [host] = rest;
  if (host === undefined || rest.length > 1) throw new UsageError(USAGE);
  const address = resolve(context, host);
  if (address === null) return 1;
  const entry = entries.find((candidate) => candidate.address === address);
  if (entry === undefined) {
    context.out.error(`ndp: ${host} (${address}) -- no entry\n`);
    return 1;
  }
  context.out.write(context.json ? `${JSON.stringify(entry)}\n` : formatNeighbors6([entry], shown));
  return 0;
}

function resolve(context: ToolContext, host: string): string | null {
  const address = context.resolver.addressOf(host, 'inet6');
  if (address === null) context.out.error(`ndp: ${host}: Unknown host\n`);
  return address;
}

async function set(context: ToolContext, words: string[]): Promise<number> {
  const [host, mac, ...options] = words;
  if (host === undefined || mac === undefined) throw new UsageError(USAGE);
  if (parseLinkAddress(mac) === null) throw new UsageError(`invalid link-level address '${mac}'`);
  const address = resolve(context, host);
  if (address === null) return 1;
  const temporary = options.some((option) => option.startsWith('temp'));
  return attempt(context, host, () => context.kernel.addNeighbor({ address, mac, temporary, published: false }));
}

async function remove(context: ToolContext, words: string[]): Promise<number> {
  const [host] = words;
  if (host === undefined || words.length > 1) throw new UsageError(USAGE);
  const address = resolve(context, host);
  if (address === null) return 1;
  const code = await attempt(context, host, () => context.kernel.deleteNeighbor(address));
  if (code === 0) context.out.write(`${host} (${address}) deleted\n`);
  return code;
}

/** Entries set by hand stay. */
async function flush(context: ToolContext, entries: readonly NeighborInfo[]): Promise<number> {
  for (const { address, state } of entries) {
    if (state === 'permanent') continue;
    const code = await attempt(context, address, () => context.kernel.deleteNeighbor(address));
    if (code !== 0) return code;
    context.out.write(`${address} (${address}) deleted\n`);
  }
  return 0;
}

async function attempt(context: ToolContext, host: string, what: () => Promise<void>): Promise<number> {
  try {
    await what();
    return 0;
  } catch (error) {
    if (!(error instanceof MultikernelError)) throw error;
    const text = error.code === 'ENOENT' ? 'no entry' : (ERROR_TEXT[error.code] ?? error.message);
    context.out.error(`ndp: ${host}: ${text}\n`);
    return 1;
  }
}

export const ndp: Tool = { name: 'ndp', about: 'show and change the IPv6 neighbour cache', usage: USAGE, run };
