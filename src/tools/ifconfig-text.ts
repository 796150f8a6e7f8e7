/** Interfaces as `ifconfig` prints them. Thread: any; pure functions. Read first: ifconfig(8), interface-text.ts. */

import {
  IN6_IFF_ANYCAST,
  IN6_IFF_AUTOCONF,
  IN6_IFF_DEPRECATED,
  IN6_IFF_DETACHED,
  IN6_IFF_DUPLICATED,
  IN6_IFF_TEMPORARY,
  IN6_IFF_TENTATIVE,
} from '../sys/control.ts';
import type { Address6Info, AddressInfo, InterfaceInfo } from './interface-text.ts';
import { counted, humanNumber } from './quantity-text.ts';

/** `IN_IFF_*`. */
const STATES4: Readonly<Record<AddressInfo['state'], string>> = {
  valid: '0x0',
  tentative: '0x1<TENTATIVE>',
  duplicated: '0x2<DUPLICATED>',
  detached: '0x4<DETACHED>',
};
/** `IN6_IFF_*`. */
const STATES: Readonly<Record<string, readonly [bit: number, name: string]>> = {
  anycast: [IN6_IFF_ANYCAST, 'ANYCAST'],
  tentative: [IN6_IFF_TENTATIVE, 'TENTATIVE'],
  duplicated: [IN6_IFF_DUPLICATED, 'DUPLICATED'],
  detached: [IN6_IFF_DETACHED, 'DETACHED'],
  deprecated: [IN6_IFF_DEPRECATED, 'DEPRECATED'],
  autoconf: [IN6_IFF_AUTOCONF, 'AUTOCONF'],
  temporary: [IN6_IFF_TEMPORARY, 'TEMPORARY'],
};

export interface InterfaceView {
  /** Traffic and the state of the link, -v. */
  verbose?: boolean;
  /** Bytes in powers of 1024, -h. */
  human?: boolean;
  /** Lifetimes of IPv6 addresses, -L. */
  lifetimes?: boolean;
  /** Media that there are, -m. */
  media?: boolean;
  /** `inet`, `inet6` or `link` alone. */
  family?: string | null;
  /** Names in place of addresses, -N. */
  name?: (address: string) => string;
}

/** The word of flags and its names: `0x2<TENTATIVE>`. */
function flagText(words: readonly string[]): string {
  const known = words.map((word) => STATES[word]).filter((known) => known !== undefined);
  const bits = known.reduce((sum, [bit]) => sum | bit, 0);
  const names = known.map(([, name]) => name).join(',');
  return `0x${bits.toString(16)}${names === '' ? '' : `<${names}>`}`;
}

function addressLine(entry: AddressInfo, name: (address: string) => string): string {
  const { address, prefixLength, broadcast, destination, state } = entry;
  const other = destination === undefined ? '' : ` -> ${name(destination)}`;
  const all = broadcast === null ? '' : ` broadcast ${name(broadcast)}`;
  return `\tinet ${name(address)}/${prefixLength}${other}${all} flags ${STATES4[state]}`;
}

function address6Line(entry: Address6Info, index: number, view: Required<Pick<InterfaceView, 'name'>>, long: boolean) {
  const { address, prefixLength, destination, state, origin, anycast, preferredSec, validSec } = entry;
  const words = [anycast ? 'anycast' : '', state, ...(origin === 'temporary' ? ['autoconf', origin] : [origin])];
  const other = destination === undefined ? '' : ` -> ${view.name(destination)}`;
  const scope = address.includes('%') ? ` scopeid 0x${index.toString(16)}` : '';
  const ends = preferredSec !== null || validSec !== null;
  const times = long && ends ? ` pltime ${preferredSec ?? 'infty'} vltime ${validSec ?? 'infty'}` : '';
  return `\tinet6 ${view.name(address)}/${prefixLength}${other} flags ${flagText(words)}${scope}${times}`;
}

function trafficLines(info: InterfaceInfo, human: boolean): string[] {
  const line = (packets: number, bytes: number, multicasts: number, errors: number, drops: number): string => {
    const size = human ? humanNumber(bytes) : String(bytes);
    const parts = [counted(packets, 'packet'), `${size} byte${size === '1' ? '' : 's'}`];
    if (multicasts > 0) parts.push(counted(multicasts, 'multicast'));
    if (errors > 0) parts.push(counted(errors, 'error'));
    if (drops > 0) parts.push(counted(drops, 'queue drop'));
    return parts.join(', ');
  };
  return [
    `\tlinkstate: ${info.linkState}${info.downReason === '' ? '' : ` (${info.downReason})`}`,
    `\tinput: ${line(info.inPackets, info.inBytes, info.inMulticasts, info.inErrors, info.inDrops)}`,
    `\toutput: ${line(info.outPackets, info.outBytes, info.outMulticasts, info.outErrors, info.outDrops)}`,
  ];
}

/** One interface, as lines with their ends. */
export function formatInterface(info: InterfaceInfo, view: InterfaceView = {}): string {
  const { family = null, name = (address: string) => address } = view;
  const flags = `flags=0x${info.flags.toString(16)}<${info.flagNames.join(',')}>`;
  const metric = info.metric === undefined ? '' : ` metric ${info.metric}`;
  const lines = [`${info.name}: ${flags}${metric} mtu ${info.mtuBytes}`];
  if (info.vlan !== undefined && (info.vlan.id !== 0 || info.vlan.parent !== '')) {
    lines.push(`\tvlan: ${info.vlan.id} parent: ${info.vlan.parent}`);
  }
  if (info.tunnel !== undefined) {
    const { source, destination } = info.tunnel;
    lines.push(`\ttunnel inet${source.includes(':') ? '6' : ''} ${source} --> ${destination}`);
  }
  if (info.mac !== null) lines.push(`\taddress: ${info.mac}`);
  if (info.linkString !== null) lines.push(`\tlinkstr: ${info.linkString}`);
  if (info.mediaOn !== null) {
    lines.push(`\tmedia: Ethernet ${info.mediaOn ? 'autoselect' : 'none'}`);
    if (view.media === true) lines.push('\tsupported Ethernet media:', '\t\tmedia none', '\t\tmedia autoselect');
  }
  if (view.verbose === true) lines.push(...trafficLines(info, view.human === true));
  if (family === null || family === 'link') for (const mac of info.otherMacs ?? []) lines.push(`\tlink ${mac}`);
  if (family === null || family === 'inet') for (const entry of info.addresses) lines.push(addressLine(entry, name));
  if (family === null || family === 'inet6') {
    for (const entry of info.addresses6) {
      lines.push(address6Line(entry, info.index, { name }, view.lifetimes === true));
    }
  }
  return `${lines.join('\n')}\n`;
}
