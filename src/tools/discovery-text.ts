/** Prefixes, default routers and links of neighbor discovery in text, for ndp(8). Thread: any; pure functions. */

import {
  type DiscoveryRecord,
  ND6_IFF_ACCEPT_RTADV,
  ND6_IFF_AUTO_LINKLOCAL,
  ND6_IFF_IFDISABLED,
  ND6_IFF_OVERRIDE_RTADV,
  ND6_IFF_PERFORMNUD,
  type PrefixRecord,
  type RouterRecord,
} from '../sys/control.ts';
import { formatAddress, type InterfaceNames } from './address-text.ts';
import type { NeighborInfo } from './neighbor-text.ts';
import { formatSeconds } from './quantity-text.ts';

const MS_PER_S = 1000;

/** One row of `ndp -p`. */
export interface PrefixInfo extends Omit<PrefixRecord, 'prefix' | 'interfaceIndex' | 'routers'> {
  /** With its length: `2001:db8::/64`. */
  prefix: string;
  interface: string;
  /** Default routers that advertised it. */
  routers: string[];
}

/** One row of `ndp -r`. */
export interface RouterInfo {
  address: string;
  interface: string;
  /** Whether hosts are to ask DHCPv6 for addresses, and for the rest. */
  managed: boolean;
  otherConfig: boolean;
  preference: 'low' | 'medium' | 'high';
  expiresSec: number | null;
}

/** `ND6_IFF_*` by the words of `ndp -i`, in their order. */
export const DISCOVERY_FLAGS: ReadonlyMap<string, number> = new Map([
  ['nud', ND6_IFF_PERFORMNUD],
  ['disabled', ND6_IFF_IFDISABLED],
  ['accept_rtadv', ND6_IFF_ACCEPT_RTADV],
  ['override_rtadv', ND6_IFF_OVERRIDE_RTADV],
  ['auto_linklocal', ND6_IFF_AUTO_LINKLOCAL],
]);

export function prefixInfo(record: PrefixRecord, names: InterfaceNames): PrefixInfo {
  const { prefix, interfaceIndex, routers, ...rest } = record;
  return {
    ...rest,
    prefix: `${formatAddress(prefix, names)}/${record.prefixLength}`,
    interface: names.name(interfaceIndex),
    routers: routers.map((router) => formatAddress(router, names)),
  };
}

export function routerInfo(record: RouterRecord, names: InterfaceNames): RouterInfo {
  const { address, interfaceIndex, managed, otherConfig, preference, expiresSec } = record;
  return {
    address: formatAddress(address, names),
    interface: names.name(interfaceIndex),
    managed,
    otherConfig,
    preference: preference > 0 ? 'high' : preference < 0 ? 'low' : 'medium',
    expiresSec,
  };
}

/** A router answers as long as its entry is not being made. */
function routerState(router: string, neighbors: readonly NeighborInfo[]): string {
  const neighbor = neighbors.find(({ address }) => address === router);
  if (neighbor === undefined) return '(no neighbor state)';
  return neighbor.state === 'incomplete' ? '(unreachable)' : '(reachable)';
}

export function formatPrefix(
  info: PrefixInfo,
  neighbors: readonly NeighborInfo[],
  shown: (address: string) => string,
): string {
  const { onLink, autonomous, routed, validSec, preferredSec, expiresSec } = info;
  const flags = `${onLink ? 'L' : ''}${autonomous ? 'A' : ''}${routed ? 'O' : ''}`;
  const expire = expiresSec === null ? 'Never' : formatSeconds(expiresSec);
  const lines = [
    `${info.prefix} if=${info.interface}`,
    `flags=${flags} vltime=${validSec ?? 'infinity'}, pltime=${preferredSec ?? 'infinity'}, expire=${expire}, ref=${info.addressCount}`,
  ];
  if (info.routers.length === 0) lines.push('  No advertising router');
  else lines.push('  advertised by');
  for (const router of info.routers) lines.push(`    ${shown(router)} ${routerState(router, neighbors)}`);
  return lines.map((line) => `${line}\n`).join('');
}

export function formatRouter(info: RouterInfo, shown: (address: string) => string): string {
  const flags = `${info.managed ? 'M' : ''}${info.otherConfig ? 'O' : ''}`;
  const expire = info.expiresSec === null ? 'Never' : formatSeconds(info.expiresSec);
  return `${shown(info.address)} if=${info.interface}, flags=${flags}, pref=${info.preference}, expire=${expire}\n`;
}

function secondsAndMs(ms: number): string {
  return `${Math.floor(ms / MS_PER_S)}s${ms % MS_PER_S}ms`;
}

export function formatDiscovery(record: DiscoveryRecord): string {
  const { linkMtuBytes, maxMtuBytes, hopLimit, reachableMs, retransMs, flags } = record;
  const values = [
    `linkmtu=${linkMtuBytes}`,
    `maxmtu=${maxMtuBytes}`,
    `curhlim=${hopLimit}`,
    `basereachable=${secondsAndMs(reachableMs)}`,
    `reachable=${Math.floor(reachableMs / MS_PER_S)}s`,
    `retrans=${secondsAndMs(retransMs)}`,
  ];
  const words = [...DISCOVERY_FLAGS].filter(([, flag]) => (flags & flag) !== 0).map(([word]) => `${word} `);
  return `${values.join(', ')}\n${words.length > 0 ? `Flags: ${words.join('')}\n` : ''}`;
}
