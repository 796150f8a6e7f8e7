/** `arp` with NetBSD's arguments and text. Thread: the command's. Missing: `-f`, proxying. */

import { MultikernelError } from '../base/errors.ts';
import { parseLinkAddress } from './address-text.ts';
import { ERROR_TEXT } from './error-text.ts';
import { getopt, UsageError } from './getopt.ts';
import type { NeighborInfo } from './neighbor-text.ts';
import type { Tool, ToolContext } from './tool.ts';

const USAGE = `usage: arp [-n] hostname
       arp [-n] -a
       arp [-v] -d [-a | hostname]
       arp -s hostname ether_addr [temp] [pub]`;

/** `HOST (IP) at MAC on IF [permanent] [published]`. */
function formatNeighbor(entry: NeighborInfo, host: string | null): string {
  const parts = [`${host ?? '?'} (${entry.address}) at ${entry.mac ?? '(incomplete)'} on ${entry.interface}`];
  if (entry.state === 'permanent') parts.push('permanent');
  if (entry.published) parts.push('published');
  return `${parts.join(' ')}\n`;
}

async function run(context: ToolContext, args: string[]): Promise<number> {
  const { flags, rest } = getopt(args, 'andsv');
  if (flags.has('s')) return set(context, rest);
  if (flags.has('d')) return remove(context, rest, flags.has('a'), flags.has('v'));
  const shown = (address: string): string | null => (flags.has('n') ? null : context.resolver.nameOf(address));
  const entries = await context.kernel.neighbors('inet');
  if (flags.has('a')) {
    if (context.json) context.out.write(`${JSON.stringify(entries)}\n`);
    else for (const entry of entries) context.out.write(formatNeighbor(entry, shown(entry.address)));
    return 0;
  }
  const [host] = rest;
  if (host === undefined || rest.length > 1) throw new UsageError(USAGE);
  const address = resolve(context, host);
  if (address === null) return 1;
  const entry = entries.find((candidate) => candidate.address === address);
  if (entry === undefined) {
    context.out.error(`arp: ${host} (${address}) -- no entry\n`);
    return 1;
  }
  context.out.write(context.json ? `${JSON.stringify(entry)}\n` : formatNeighbor(entry, shown(address)));
  return 0;
}

function resolve(context: ToolContext, host: string): string | null {
  const address = context.resolver.addressOf(host, 'inet');
  if (address === null) context.out.error(`arp: ${host}: Unknown host\n`);
  return address;
}

async function set(context: ToolContext, words: string[]): Promise<number> {
  const [host, mac, ...options] = words;
  if (host === undefined || mac === undefined) throw new UsageError(USAGE);
  if (parseLinkAddress(mac) === null) throw new UsageError(`invalid link-level address '${mac}'`);
  const address = resolve(context, host);
  if (address === null) return 1;
  const temporary = options.some((option) => option.startsWith('temp'));
  const published = options.some((option) => option.startsWith('pub'));
  return attempt(context, host, () => context.kernel.addNeighbor({ address, mac, temporary, published }));
}

async function remove(context: ToolContext, words: string[], all: boolean, verbose: boolean): Promise<number> {
  const [host] = words;
  if (all === (host !== undefined)) throw new UsageError(USAGE);
  const addresses = all
    ? (await context.kernel.neighbors('inet')).map((entry) => entry.address)
    : [resolve(context, host as string)];
  for (const address of addresses) {
    if (address === null) return 1;
    const code = await attempt(context, host ?? address, () => context.kernel.deleteNeighbor(address));
    if (code !== 0) return code;
    if (verbose) context.out.write(`${host ?? address} (${address}) deleted\n`);
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
    context.out.error(`arp: ${host}: ${text}\n`);
    return 1;
  }
}

export const arp: Tool = { name: 'arp', about: 'show and change the neighbour cache', usage: USAGE, run };
