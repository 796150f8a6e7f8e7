/**
 * `ifconfig` with NetBSD's arguments and text (8 and later: `inet A/N broadcast B flags 0x0`). Thread: the command's.
 *
 * Missing: point-to-point addresses and changes of link-layer addresses, which the kernels do not have.
 */

import { setTimeout } from 'node:timers/promises';
import { MS_PER_S } from '../base/units.ts';
import {
  IN6_IFF_ANYCAST,
  IN6_IFF_AUTOCONF,
  IN6_IFF_DEPRECATED,
  IN6_IFF_DUPLICATED,
  IN6_IFF_TEMPORARY,
  IN6_IFF_TENTATIVE,
} from '../sys/control.ts';
import type { InterfaceChange, NewAddress } from './change-requests.ts';
import { refusalText } from './error-text.ts';
import { getopt, UsageError } from './getopt.ts';
import type { Address6Info, AddressInfo, InterfaceInfo } from './interface-text.ts';
import { counted, formatSeconds } from './quantity-text.ts';
import { canonical6, isAddress } from './resolver.ts';
import type { Tool, ToolContext } from './tool.ts';

const USAGE = `usage: ifconfig [-Lv] [-a] [-bdsu] [interface [inet | inet6 | link]]
       ifconfig -l [-bdsu]
       ifconfig -s interface
       ifconfig -z [-a | interface]
       ifconfig -w seconds
       ifconfig -C
       ifconfig interface create | destroy
       ifconfig interface [linkstr PATH | -linkstr | media auto | media none] ...
       ifconfig interface [up | down | mtu N | [inet] ADDRESS/N [alias | -alias | delete] | ADDRESS netmask MASK] ...
       ifconfig interface [-]arp | [-]debug | [-]link0 | [-]link1 | [-]link2
       ifconfig interface tunnel SOURCE DESTINATION | deletetunnel
       ifconfig interface vlan N vlanif PARENT | -vlanif [PARENT]
       ifconfig interface inet6 ADDRESS[/N | prefixlen N] [anycast] [pltime S] [vltime S] [alias | -alias | delete] ...`;
const PREFIX6_BITS = 64;
/** Between two looks at addresses that are being probed. */
const LOOK_MS = 100;
/** `IFF_*` by the words that set them; `arp` clears what it names. */
const FLAG_WORDS: Readonly<Record<string, number>> = { debug: 0x4, link0: 0x1000, link1: 0x2000, link2: 0x4000 };
const IFF_NOARP = 0x80;
const MEDIA: ReadonlySet<string> = new Set(['auto', 'autoselect', 'none']);
const FAMILIES: ReadonlySet<string> = new Set(['inet', 'inet6', 'link']);
/** `IN_IFF_*`. */
const STATES4: Readonly<Record<AddressInfo['state'], string>> = {
  valid: '0x0',
  tentative: '0x1<TENTATIVE>',
  duplicated: '0x2<DUPLICATED>',
};
/** `IN6_IFF_*`. */
const STATES: Readonly<Record<string, readonly [bit: number, name: string]>> = {
  anycast: [IN6_IFF_ANYCAST, 'ANYCAST'],
  tentative: [IN6_IFF_TENTATIVE, 'TENTATIVE'],
  duplicated: [IN6_IFF_DUPLICATED, 'DUPLICATED'],
  deprecated: [IN6_IFF_DEPRECATED, 'DEPRECATED'],
  autoconf: [IN6_IFF_AUTOCONF, 'AUTOCONF'],
  temporary: [IN6_IFF_TEMPORARY, 'TEMPORARY'],
};

const NETMASKS: ReadonlyMap<string, number> = new Map(
  Array.from({ length: 33 }, (_, length) => {
    const mask = length === 0 ? 0 : (0xffffffff << (32 - length)) >>> 0;
    return [[24, 16, 8, 0].map((shift) => (mask >>> shift) & 255).join('.'), length];
  }),
);

export interface InterfaceView {
  /** Traffic and the state of the link, -v. */
  verbose?: boolean;
  /** Lifetimes of IPv6 addresses, -L. */
  lifetimes?: boolean;
  /** `inet`, `inet6` or `link` alone. */
  family?: string | null;
}

function formatInterface(info: InterfaceInfo, view: InterfaceView = {}): string {
  const { verbose = false, lifetimes = false, family = null } = view;
  const flags = `flags=0x${info.flags.toString(16)}<${info.flagNames.join(',')}>`;
  const lines = [`${info.name}: ${flags} mtu ${info.mtuBytes}`];
  if (info.vlan !== undefined && (info.vlan.id !== 0 || info.vlan.parent !== '')) {
    lines.push(`\tvlan: ${info.vlan.id} parent: ${info.vlan.parent}`);
  }
  if (info.tunnel !== undefined) {
    const { source, destination } = info.tunnel;
    lines.push(`\ttunnel inet${source.includes(':') ? '6' : ''} ${source} --> ${destination}`);
  }
  if (info.mac !== null && (family === null || family === 'link')) lines.push(`\taddress: ${info.mac}`);
  if (info.linkString !== null) lines.push(`\tlinkstr: ${info.linkString}`);
  if (info.mediaOn !== null) lines.push(`\tmedia: Ethernet ${info.mediaOn ? 'autoselect' : 'none'}`);
  if (verbose) {
    lines.push(`\tlinkstate: ${info.linkState}${info.downReason === '' ? '' : ` (${info.downReason})`}`);
    lines.push(`\tinput: ${traffic(info.inPackets, info.inBytes, info.inErrors, info.inDrops)}`);
    lines.push(`\toutput: ${traffic(info.outPackets, info.outBytes, info.outErrors, info.outDrops)}`);
  }
  if (family === null || family === 'inet') {
    for (const { address, prefixLength, broadcast, state } of info.addresses) {
      const flags = STATES4[state];
      lines.push(
        `\tinet ${address}/${prefixLength}${broadcast === null ? '' : ` broadcast ${broadcast}`} flags ${flags}`,
      );
    }
  }
  if (family === null || family === 'inet6') {
    for (const entry of info.addresses6) lines.push(formatAddress6(entry, info.index, lifetimes));
  }
  return `${lines.join('\n')}\n`;
}

function formatAddress6(entry: Address6Info, index: number, lifetimes: boolean): string {
  const { address, prefixLength, state, origin, anycast, preferredSec, validSec } = entry;
  const words = [anycast ? 'anycast' : '', state, ...(origin === 'temporary' ? ['autoconf', origin] : [origin])];
  const known = words.map((word) => STATES[word]).filter((known) => known !== undefined);
  const bits = known.reduce((sum, [bit]) => sum | bit, 0);
  const names = known.length === 0 ? '' : `<${known.map(([, name]) => name).join(',')}>`;
  const scope = address.includes('%') ? ` scopeid 0x${index.toString(16)}` : '';
  const time = (seconds: number | null): string => (seconds === null ? 'infty' : formatSeconds(seconds));
  const times = lifetimes ? ` pltime ${time(preferredSec)} vltime ${time(validSec)}` : '';
  return `\tinet6 ${address}/${prefixLength} flags 0x${bits.toString(16)}${names}${scope}${times}`;
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
  const { flags, values, rest } = getopt(args, 'abClLmNhdsuvw:z');
  const zero = flags.has('z');
  const view: InterfaceView = { verbose: flags.has('v') || zero, lifetimes: flags.has('L') };
  const [name, ...words] = rest;
  if (flags.has('C')) return listCloners(context);
  const wait = values.get('w');
  if (wait !== undefined) return settled(context, wait);
  if (name !== undefined && (words[0] === 'create' || words[0] === 'destroy')) {
    if (words.length > 1) throw new UsageError(`${words[1]}: not understood`);
    return clone(context, name, words[0]);
  }
  const infos = await context.kernel.interfaces();
  if (name === undefined || flags.has('a')) {
    const shown = chosen(infos, flags);
    if (context.json) context.out.write(`${JSON.stringify(shown)}\n`);
    else if (flags.has('l')) context.out.write(`${shown.map((info) => info.name).join(' ')}\n`);
    else for (const info of shown) context.out.write(formatInterface(info, { ...view, family: name ?? null }));
    if (zero) for (const info of shown) await context.kernel.setInterface({ name: info.name, zeroTraffic: true });
    return 0;
  }
  const info = infos.find((candidate) => candidate.name === name);
  if (info === undefined) {
    context.out.error(`ifconfig: ${name}: no such interface\n`);
    return 1;
  }
  const family = words[0];
  if (flags.has('s') && family === undefined) return info.linkState === 'down' ? 1 : 0;
  if (words.length === 0 || (words.length === 1 && FAMILIES.has(family as string))) {
    if (context.json) context.out.write(`${JSON.stringify(info)}\n`);
    else context.out.write(formatInterface(info, { ...view, family: family ?? null }));
    if (zero) await context.kernel.setInterface({ name, zeroTraffic: true });
    return 0;
  }
  return change(context, name, words);
}

/** Waits until no address is tentative, for so many seconds at most: then 1. */
async function settled(context: ToolContext, text: string): Promise<number> {
  if (!/^\d+$/.test(text)) throw new UsageError(`-w ${text}: not a number of seconds`);
  for (let leftMs = Number(text) * MS_PER_S; ; leftMs -= LOOK_MS) {
    const infos = await context.kernel.interfaces();
    const probed = infos.some(({ addresses, addresses6 }) =>
      [...addresses, ...addresses6].some(({ state }) => state === 'tentative'),
    );
    if (!probed || leftMs <= 0 || context.signal.aborted) return probed ? 1 : 0;
    await setTimeout(LOOK_MS);
  }
}

async function listCloners(context: ToolContext): Promise<number> {
  const prefixes = await context.kernel.cloners();
  context.out.write(context.json ? `${JSON.stringify(prefixes)}\n` : `${prefixes.join(' ')}\n`);
  return 0;
}

/** A name without a unit gets one, which is printed, as FreeBSD's does; NetBSD wants the unit. */
async function clone(context: ToolContext, name: string, word: 'create' | 'destroy'): Promise<number> {
  try {
    if (word === 'destroy') await context.kernel.destroyInterface(name);
    else {
      const made = await context.kernel.createInterface(name);
      if (made !== name) context.out.write(`${made}\n`);
    }
  } catch (error) {
    context.out.error(`ifconfig: clone_command: ${refusalText(error)}\n`);
    return 1;
  }
  return 0;
}

async function change(context: ToolContext, name: string, words: string[]): Promise<number> {
  for (const request of changes(name, words)) {
    try {
      await context.kernel.setInterface(request);
    } catch (error) {
      const { addAddress, removeAddress } = request;
      const what = callOf(request);
      const suffix = (addAddress ?? removeAddress)?.address.includes(':') ? '_IN6' : '';
      context.out.error(`ifconfig: ${what}${suffix}: ${refusalText(error)}\n`);
      return 1;
    }
  }
  return 0;
}

/** The ioctl(2) that NetBSD's tool makes for a change, and names in errors. */
function callOf(change: InterfaceChange): string {
  if (change.vlan !== undefined) return 'SIOCSETVLAN';
  if (change.tunnel !== undefined) return change.tunnel === null ? 'SIOCDIFPHYADDR' : 'SIOCSLIFPHYADDR';
  if (change.linkString !== undefined) return 'SIOCSLINKSTR';
  if (change.mediaOn !== undefined) return 'SIOCSIFMEDIA';
  if (change.up !== undefined) return 'SIOCSIFFLAGS';
  if (change.mtuBytes !== undefined) return 'SIOCSIFMTU';
  return change.removeAddress === undefined ? 'SIOCAIFADDR' : 'SIOCDIFADDR';
}

/** The words behind the interface, as changes in their order. */
export function changes(name: string, words: readonly string[]): InterfaceChange[] {
  const found: InterfaceChange[] = [];
  let alias: 'add' | 'remove' = 'add';
  let address: NewAddress | null = null;
  const vlan: { id?: number; parent?: string } = {};
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as string;
    const value = words[i + 1];
    if (word === 'inet' || word === 'inet6') continue;
    else if (word === 'up' || word === 'down') found.push({ name, up: word === 'up' });
    else if (word === 'arp') found.push({ name, clearFlags: IFF_NOARP });
    else if (word === '-arp') found.push({ name, setFlags: IFF_NOARP });
    else if (FLAG_WORDS[word.replace(/^-/, '')] !== undefined) {
      const flag = FLAG_WORDS[word.replace(/^-/, '')] as number;
      found.push(word.startsWith('-') ? { name, clearFlags: flag } : { name, setFlags: flag });
    } else if (word === 'alias') alias = 'add';
    else if (word === '-alias' || word === 'delete') alias = 'remove';
    else if (word === 'linkstr' && value !== undefined) found.push({ name, linkString: words[++i] as string });
    else if (word === '-linkstr') found.push({ name, linkString: null });
    else if (word === 'media' && MEDIA.has(value ?? '')) found.push({ name, mediaOn: words[++i] !== 'none' });
    else if (word === 'mtu' && /^\d+$/.test(value ?? '')) found.push({ name, mtuBytes: Number(words[++i]) });
    else if (word === 'vlan' && /^\d+$/.test(value ?? '')) vlan.id = Number(words[++i]);
    else if (word === 'vlanif' && value !== undefined) vlan.parent = words[++i] as string;
    else if (word === '-vlanif') {
      found.push({ name, vlan: null });
      // The name of the parent may follow.
      if (/^[a-z]+\d+$/.test(value ?? '')) i++;
    } else if (word === 'deletetunnel') found.push({ name, tunnel: null });
    else if (word === 'tunnel' && value !== undefined && words[i + 2] !== undefined) {
      found.push({ name, tunnel: { source: value, destination: words[i + 2] as string } });
      i += 2;
    } else if (word === 'netmask' && value !== undefined && address !== null) {
      address.prefixLength = netmask(value);
      i++;
    } else if (word === 'prefixlen' && isPrefixLength(value, '::') && address !== null) {
      address.prefixLength = Number(value);
      i++;
    } else if (word === 'anycast' && address !== null) address.anycast = true;
    else if (word === 'pltime' && isSeconds(value) && address !== null) {
      address.preferredSec = seconds(words[++i] as string);
    } else if (word === 'vltime' && isSeconds(value) && address !== null) {
      address.validSec = seconds(words[++i] as string);
    } else if (word === 'broadcast' && value !== undefined) i++;
    else if (addressIn(word) !== null) {
      const length = word.split('/')[1];
      const host = addressIn(word) as string;
      if (length !== undefined && !isPrefixLength(length, host)) throw new UsageError(`${word}: bad prefix length`);
      address = { address: host, prefixLength: length === undefined ? classLength(host) : Number(length) };
    } else throw new UsageError(`${word}: not understood`);
  }
  if (vlan.id !== undefined || vlan.parent !== undefined) {
    const { id, parent } = vlan;
    if (id === undefined || parent === undefined) throw new UsageError('vlan and vlanif belong together');
    found.unshift({ name, vlan: { id, parent } });
  }
  if (address !== null) {
    found.push(alias === 'add' ? { name, addAddress: address } : { name, removeAddress: { address: address.address } });
  }
  return found;
}

/** The address of `ADDRESS[/N]`, or null. */
function addressIn(word: string): string | null {
  const host = word.split('/')[0] as string;
  if (host.includes(':')) return canonical6(host);
  return isAddress(host) ? host : null;
}

function isPrefixLength(text: string | undefined, host: string): boolean {
  return /^\d{1,3}$/.test(text ?? '') && Number(text) <= (host.includes(':') ? 128 : 32);
}

function isSeconds(text: string | undefined): boolean {
  return /^(\d{1,10}|infty)$/.test(text ?? '');
}

/** The largest number is for ever, as in the messages of routers. */
function seconds(text: string): number | null {
  return text === 'infty' || Number(text) >= 0xffffffff ? null : Number(text);
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
  if (address.includes(':')) return PREFIX6_BITS;
  const first = Number(address.split('.')[0]);
  return first < 128 ? 8 : first < 192 ? 16 : 24;
}

export const ifconfig: Tool = { name: 'ifconfig', about: 'show and change interfaces', usage: USAGE, run };
