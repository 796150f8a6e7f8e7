/** Neighbors in text, for arp(8) and ndp(8). Thread: any; pure functions. */

import { type NeighborRecord, RTF_ANNOUNCE, RTF_STATIC } from '../sys/control.ts';
import { formatAddress, formatLinkAddress, type InterfaceNames } from './address-text.ts';

/** One row of `arp -an`, or of `ndp -an`. */
export interface NeighborInfo {
  address: string;
  mac: string | null;
  interface: string;
  state: 'incomplete' | 'reachable' | 'stale' | 'delay' | 'probe' | 'permanent';
  published: boolean;
  /** It is an IPv6 router (RFC 4861). */
  router: boolean;
  expiresSec: number | null;
}

/** By `ND_LLINFO_*`. */
const STATES: readonly NeighborInfo['state'][] = ['incomplete', 'reachable', 'stale', 'delay', 'probe'];

export function neighborInfo(record: NeighborRecord, names: InterfaceNames): NeighborInfo {
  const { address, interfaceIndex, linkAddress, state, flags, router, expiresSec } = record;
  return {
    address: formatAddress(address, names),
    mac: linkAddress === null ? null : formatLinkAddress(linkAddress),
    interface: names.name(interfaceIndex),
    state: (flags & RTF_STATIC) !== 0 ? 'permanent' : (STATES[state] ?? 'incomplete'),
    published: (flags & RTF_ANNOUNCE) !== 0,
    router,
    expiresSec,
  };
}
