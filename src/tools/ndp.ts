/** `ndp` with NetBSD's arguments and text. Thread: the command's. Missing: `-i`, `-p`, `-r`, proxying. */

import { setTimeout } from 'node:timers/promises';
import { MS_PER_S } from '../base/units.ts';
import { getopt, numberOption, UsageError } from './getopt.ts';
import { NeighborCommand, type NeighborOptions } from './neighbor-command.ts';
import type { NeighborInfo } from './neighbor-text.ts';
import { formatSeconds } from './quantity-text.ts';
import type { Tool, ToolContext } from './tool.ts';

const USAGE = `usage: ndp [-nt] hostname
       ndp [-nt] -a | -c
       ndp [-nt] -A wait
       ndp [-nt] -d hostname
       ndp [-nt] -f filename
       ndp [-nt] -s nodename etheraddr [temp] [proxy]`;
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
  return { temporary: words.some((word) => word.startsWith('temp')), published: false };
}

async function run(context: ToolContext, args: string[]): Promise<number> {
  const options = getopt(args, 'acd:f:nstA:');
  const { flags, values, rest } = options;
  const modes = [...flags, ...values.keys()].filter((letter) => letter !== 'n' && letter !== 't');
  if (modes.length > 1) throw new UsageError(USAGE);
  const [mode] = modes;
  const command = new NeighborCommand(context, 'ndp', 'inet6', USAGE);
  if (mode === 's') return command.set(rest, optionsOf);
  if (mode !== undefined && rest.length > 0) throw new UsageError(USAGE);
  if (mode === 'f') return command.setFrom([values.get('f') as string], optionsOf);
  if (mode === 'd') return remove(command, values.get('d') as string);
  if (mode === 'c') return flush(command);
  const hosts = flags.has('n') ? null : await context.hosts();
  const shown = (address: string): string => hosts?.nameOf(address) ?? address;
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
