/** `ndp` with NetBSD's arguments and text. Thread: the command's. Missing: `-H`, `-I`. */

import { setTimeout } from 'node:timers/promises';
import { MS_PER_S } from '../base/units.ts';
import { DISCOVERY_FLAGS, formatDiscovery, formatPrefix, formatRouter } from './discovery-text.ts';
import { refusalText } from './error-text.ts';
import { ArgumentError, getopt, numberOption, UsageError } from './getopt.ts';
import type { KernelText } from './kernel-text.ts';
import { NeighborCommand, type NeighborOptions } from './neighbor-command.ts';
import type { NeighborInfo } from './neighbor-text.ts';
import { formatSeconds } from './quantity-text.ts';
import type { Tool, ToolContext } from './tool.ts';

const USAGE = `usage: ndp [-nt] hostname
       ndp [-nt] -a | -c | -p | -r | -P | -R
       ndp [-nt] -A wait
       ndp [-nt] -d hostname
       ndp [-nt] -f filename
       ndp [-nt] -i interface [flags...]
       ndp [-nt] -s nodename etheraddr [temp] [proxy]`;
const ADDRESS_COLUMNS = 39;
const MAC_COLUMNS = 17;
const INTERFACE_COLUMNS = 6;
/** Values of `-i`, in milliseconds and hops. */
const LINK_VALUES: Readonly<Record<string, 'hopLimit' | 'reachableMs' | 'retransMs'>> = {
  basereachable: 'reachableMs',
  retrans: 'retransMs',
  curhlim: 'hopLimit',
};
const STATE_LETTERS: Readonly<Record<NeighborInfo['state'], string>> = {
  incomplete: 'I',
  reachable: 'R',
  stale: 'S',
  delay: 'D',
  probe: 'P',
  permanent: 'R',
};

/** With `stamped`, each line begins with the time, and there is no heading. */
function formatNeighbors6(
  entries: readonly NeighborInfo[],
  shown: (address: string) => string,
  stamped: boolean,
): string {
  const line = (address: string, mac: string, name: string, rest: string): string =>
    `${address.padEnd(ADDRESS_COLUMNS)} ${mac.padEnd(MAC_COLUMNS)} ${name.padStart(INTERFACE_COLUMNS)} ${rest}`.trimEnd();
  const lines = entries.map((entry) => {
    const { expiresSec, state } = entry;
    const seconds = expiresSec === null ? 'permanent' : expiresSec > 0 ? formatSeconds(expiresSec) : 'expired';
    const expire = state === 'permanent' ? 'permanent' : seconds;
    const flags = `${entry.router ? 'R' : ''}${entry.published ? 'p' : ''}`;
    const rest = `${expire.padEnd(9)} ${STATE_LETTERS[state]} ${flags}`;
    const text = line(shown(entry.address), entry.mac ?? '(incomplete)', entry.interface, rest);
    return stamped ? `${new Date().toTimeString().slice(0, 8)}.000000 ${text}` : text;
  });
  if (stamped) return lines.map((text) => `${text}\n`).join('');
  const heading = line('Neighbor', 'Linklayer Address', 'Netif', `${'Expire'.padEnd(9)} S Flags`);
  return [heading, ...lines].map((text) => `${text}\n`).join('');
}

function optionsOf(words: readonly string[]): NeighborOptions {
  return {
    temporary: words.some((word) => word.startsWith('temp')),
    published: words.some((word) => word.startsWith('proxy')),
  };
}

async function run(context: ToolContext, args: string[]): Promise<number> {
  const options = getopt(beforeFlags(args), 'acd:f:i:nprstA:PR');
  const { flags, values, rest } = options;
  const modes = [...flags, ...values.keys()].filter((letter) => letter !== 'n' && letter !== 't');
  if (modes.length > 1) throw new UsageError(USAGE);
  const [mode] = modes;
  const command = new NeighborCommand(context, 'ndp', 'inet6', USAGE);
  if (mode === 's') return command.set(rest, optionsOf);
  if (mode === 'i') return showLink(context, values.get('i') as string, rest);
  if (mode !== undefined && rest.length > 0) throw new UsageError(USAGE);
  if (mode === 'f') return command.setFrom([values.get('f') as string], optionsOf);
  if (mode === 'd') return remove(command, values.get('d') as string);
  if (mode === 'c') return flush(command);
  if (mode === 'P' || mode === 'R') {
    await (mode === 'P' ? context.kernel.flushPrefixes() : context.kernel.flushRouters());
    return 0;
  }
  const hosts = flags.has('n') ? null : await context.hosts();
  const shown = (address: string): string => hosts?.nameOf(address) ?? address;
  if (mode === 'p' || mode === 'r') return showRouters(command, mode, shown);
  const format = (found: readonly NeighborInfo[]): string => formatNeighbors6(found, shown, flags.has('t'));
  if (mode === undefined) return command.show(rest, format);
  const repeatSec = mode === 'A' ? numberOption(options, 'A', 1, 1) : 0;
  for (;;) {
    const entries = await command.entries();
    context.out.write(context.json ? `${JSON.stringify(entries)}\n` : format(entries));
    if (repeatSec === 0 || context.signal.aborted) return 0;
    context.out.write('\n');
    await setTimeout(repeatSec * MS_PER_S, undefined, { signal: context.signal }).catch(() => undefined);
    if (context.signal.aborted) return 0;
  }
}

/** A flag of `-i` that is cleared (`-nud`) ends the options, as `--` does. */
function beforeFlags(args: readonly string[]): readonly string[] {
  const at = args.findIndex((word) => word === '--' || (word.startsWith('-') && DISCOVERY_FLAGS.has(word.slice(1))));
  return at < 0 || args[at] === '--' ? args : [...args.slice(0, at), '--', ...args.slice(at)];
}

/** `-p`, prefixes, or `-r`, default routers. */
async function showRouters(
  { context }: NeighborCommand,
  mode: 'p' | 'r',
  shown: (address: string) => string,
): Promise<number> {
  const { kernel, out, json } = context;
  if (mode === 'r') {
    const routers = await kernel.routers();
    out.write(json ? `${JSON.stringify(routers)}\n` : routers.map((one) => formatRouter(one, shown)).join(''));
    return 0;
  }
  const [prefixes, neighbors] = await Promise.all([kernel.prefixes(), kernel.neighbors('inet6')]);
  const text = (): string => prefixes.map((one) => formatPrefix(one, neighbors, shown)).join('');
  out.write(json ? `${JSON.stringify(prefixes)}\n` : text());
  return 0;
}

/** Words of `-i`: flags, with `-` in front to clear them, and `NAME=VALUE`. */
function linkChange(words: readonly string[]): Parameters<KernelText['changeDiscovery']>[1] {
  const change: Parameters<KernelText['changeDiscovery']>[1] = {};
  for (const word of words.filter((word) => word !== '--')) {
    const clears = word.startsWith('-');
    const flag = DISCOVERY_FLAGS.get(clears ? word.slice(1) : word);
    const [name, text] = word.split('=', 2) as [string, string?];
    const field = LINK_VALUES[name];
    if (flag !== undefined && clears) change.clearFlags = (change.clearFlags ?? 0) | flag;
    else if (flag !== undefined) change.setFlags = (change.setFlags ?? 0) | flag;
    else if (field === undefined) throw new ArgumentError(`${word}: neither a flag nor a value of an interface`);
    else if (text === undefined) throw new ArgumentError(`syntax error in ${name} field`);
    else if (!/^\d+$/.test(text)) throw new ArgumentError(`syntax error in ${name}'s value`);
    else change[field] = Number(text);
  }
  return change;
}

async function showLink({ kernel, out, json }: ToolContext, name: string, words: readonly string[]): Promise<number> {
  const change = linkChange(words);
  let asked = 'SIOCGIFINFO_IN6';
  try {
    if (words.length > 0) {
      asked = 'SIOCSIFINFO_IN6';
      await kernel.changeDiscovery(name, change);
    }
    const record = await kernel.discovery(name);
    out.write(json ? `${JSON.stringify(record)}\n` : formatDiscovery(record));
    return 0;
  } catch (error) {
    throw new ArgumentError(`ioctl(${asked}): ${refusalText(error)}`);
  }
}

async function remove(command: NeighborCommand, host: string): Promise<number> {
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
