/**
 * `ifconfig` with NetBSD's arguments and text (8 and later: `inet A/N broadcast B flags 0x0`). Thread: the command's.
 *
 * Missing: what the kernels have not: media, tunnels, vlans, cloning, link-layer addresses, inet6.
 */

import { type InterfaceChange, type InterfaceInfo, MultikernelError } from '../../index.ts';
import { getopt, UsageError } from './getopt.ts';
import { counted, ERROR_TEXT, isAddress, type Tool, type ToolContext } from './tool.ts';

const USAGE = `usage: ifconfig [-v] [-a] [-bdsu] [interface [inet]]
       ifconfig -l [-bdsu]
       ifconfig interface [up | down | mtu N | [inet] ADDRESS/N [alias | -alias | delete] | ADDRESS netmask MASK] ...`;

const NETMASKS: ReadonlyMap<string, number> = new Map(
  Array.from({ length: 33 }, (_, length) => {
    const mask = length === 0 ? 0 : (0xffffffff << (32 - length)) >>> 0;
    return [[24, 16, 8, 0].map((shift) => (mask >>> shift) & 255).join('.'), length];
  }),
);

export function formatInterface(info: InterfaceInfo, verbose: boolean, family: string | null = null): string {
  const flags = `flags=0x${info.flags.toString(16)}<${info.flagNames.join(',')}>`;
  const lines = [`${info.name}: ${flags} mtu ${info.mtuBytes}`];
  if (info.mac !== null && family !== 'inet') lines.push(`\taddress: ${info.mac}`);
  if (verbose) {
    lines.push(`\tlinkstate: ${info.linkState}${info.downReason === '' ? '' : ` (${info.downReason})`}`);
    lines.push(`\tinput: ${traffic(info.inPackets, info.inBytes, info.inErrors, info.inDrops)}`);
    lines.push(`\toutput: ${traffic(info.outPackets, info.outBytes, info.outErrors, info.outDrops)}`);
  }
  if (family !== 'link') {
    for (const { address, prefixLength, broadcast } of info.addresses) {
      lines.push(`\tinet ${address}/${prefixLength}${broadcast === null ? '' : ` broadcast ${broadcast}`} flags 0x0`);
    }
  }
  return `${lines.join('\n')}\n`;
}

function traffic(packets: number, bytes: number, errors: number, drops: number): string {
  const parts = [counted(packets, 'packet'), counted(bytes, 'byte')];
  if (errors > 0) parts.push(counted(errors, 'error'));
  if (drops > 0) parts.push(counted(drops, 'queue drop'));
  return parts.join(', ');
}

function chosen(infos: InterfaceInfo[], flags: ReadonlySet<string>): InterfaceInfo[] {
  const up = (info: InterfaceInfo): boolean => info.flagNames.includes('UP');
  return infos.filter(
    (info) =>
      (!flags.has('b') || info.flagNames.includes('BROADCAST')) &&
      (!flags.has('d') || !up(info)) &&
      (!flags.has('u') || up(info)) &&
      (!flags.has('s') || info.linkState === 'up'),
  );
}

async function run(context: ToolContext, args: string[]): Promise<number> {
  const { flags, rest } = getopt(args, 'ablLmNhdsuvz');
  const [name, ...words] = rest;
  const infos = await context.kernel.interfaces();
  if (name === undefined || flags.has('a')) {
    const shown = chosen(infos, flags);
    if (context.json) context.out.write(`${JSON.stringify(shown)}\n`);
    else if (flags.has('l')) context.out.write(`${shown.map((info) => info.name).join(' ')}\n`);
    else for (const info of shown) context.out.write(formatInterface(info, flags.has('v'), name ?? null));
    return 0;
  }
  const info = infos.find((candidate) => candidate.name === name);
  if (info === undefined) {
    context.out.error(`ifconfig: ${name}: no such interface\n`);
    return 1;
  }
  const family = words[0];
  if (words.length === 0 || (words.length === 1 && (family === 'inet' || family === 'link'))) {
    if (context.json) context.out.write(`${JSON.stringify(info)}\n`);
    else context.out.write(formatInterface(info, flags.has('v'), family ?? null));
    return 0;
  }
  return change(context, name, words);
}

async function change(context: ToolContext, name: string, words: string[]): Promise<number> {
  for (const request of changes(name, words)) {
    try {
      await context.kernel.setInterface(request);
    } catch (error) {
      if (!(error instanceof MultikernelError)) throw error;
      const what = request.removeAddress === undefined ? 'SIOCAIFADDR' : 'SIOCDIFADDR';
      context.out.error(`ifconfig: ${what}: ${ERROR_TEXT[error.code] ?? error.message}\n`);
      return 1;
    }
  }
  return 0;
}

/** The words behind the interface, as changes in their order. */
export function changes(name: string, words: readonly string[]): InterfaceChange[] {
  const found: InterfaceChange[] = [];
  let alias: 'add' | 'remove' = 'add';
  let address: { address: string; prefixLength: number } | null = null;
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as string;
    const value = words[i + 1];
    if (word === 'inet') continue;
    else if (word === 'up' || word === 'down') found.push({ name, up: word === 'up' });
    else if (word === 'alias') alias = 'add';
    else if (word === '-alias' || word === 'delete') alias = 'remove';
    else if (word === 'mtu' && /^\d+$/.test(value ?? '')) found.push({ name, mtuBytes: Number(words[++i]) });
    else if (word === 'netmask' && value !== undefined && address !== null) {
      address.prefixLength = netmask(value);
      i++;
    } else if (word === 'broadcast' && value !== undefined) i++;
    else if (isAddress(word.split('/')[0] as string)) {
      const [host, length] = word.split('/') as [string, string?];
      if (length !== undefined && !(Number(length) <= 32)) throw new UsageError(`${word}: bad prefix length`);
      address = { address: host, prefixLength: length === undefined ? classLength(host) : Number(length) };
    } else throw new UsageError(`${word}: not understood`);
  }
  if (address !== null) {
    found.push(alias === 'add' ? { name, addAddress: address } : { name, removeAddress: { address: address.address } });
  }
  return found;
}

function netmask(text: string): number {
  const hex = /^0x([0-9a-fA-F]{8})$/.exec(text);
  const value = hex === null ? 0 : Number.parseInt(hex[1] as string, 16);
  const dotted = hex === null ? text : [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.');
  const length = NETMASKS.get(dotted);
  if (length === undefined) throw new UsageError(`${text}: bad netmask`);
  return length;
}

/** Without a length an address has that of its class, as ever. */
function classLength(address: string): number {
  const first = Number(address.split('.')[0]);
  return first < 128 ? 8 : first < 192 ? 16 : 24;
}

export const ifconfig: Tool = { name: 'ifconfig', about: 'show and change interfaces', usage: USAGE, run };
