/** Neighbors in text, for arp(8) and ndp(8). Thread: any; pure functions. */

import { type NeighborRecord, RTF_ANNOUNCE, RTF_STATIC } from '../sys/control.ts';
import { formatAddress, formatLinkAddress, type InterfaceNames } from './address-text.ts';

/** One row of `arp -an`, or of `ndp -an`. */
export interface NeighborInfo {
  /** IPv4 or IPv6 address. */
  address: string;
  /** Ethernet address; null: not resolved. */
  mac: string | null;
  /** Name of the interface. */
  interface: string;
  /** State of RFC 4861, for ARP too; permanent: entered by hand. */
  state: 'incomplete' | 'reachable' | 'stale' | 'delay' | 'probe' | 'permanent';
  /** Whether the node answers for the address (proxy ARP). */
  published: boolean;
  /** Set where the node itself does not use the entry. */
  proxyOnly?: true;
  /** It is an IPv6 router (RFC 4861). */
  router: boolean;
  /** Seconds until the state changes; null: never. */
  expiresSec: number | null;
}

/** By `ND_LLINFO_*`. */
const STATES: readonly NeighborInfo['state'][] = ['incomplete', 'reachable', 'stale', 'delay', 'probe'];

export function neighborInfo(record: NeighborRecord, names: InterfaceNames): NeighborInfo {
  const { address, interfaceIndex, linkAddress, state, flags, proxyOnly, router, expiresSec } = record;
  return {
    address: formatAddress(address, names),
    mac: linkAddress === null ? null : formatLinkAddress(linkAddress),
    interface: names.name(interfaceIndex),
    state: (flags & RTF_STATIC) !== 0 ? 'permanent' : (STATES[state] ?? 'incomplete'),
    published: (flags & RTF_ANNOUNCE) !== 0,
    ...(proxyOnly ? { proxyOnly } : {}),
    router,
    expiresSec,
  };
}
