/**
 * The tables of layers 2 and 3 as plain rows with text, for whoever shows them; the shapes are those of kernel/control.ts.
 *
 * Thread: the one that runs the kernel. Never on the data path. Conventions are NetBSD's since 2016: own addresses are `UHl`
 * routes through lo0 with gateway `link#N`, subnets are `UC`.
 * Cold: answers to control requests.
 */

import { US_PER_S } from '../base/units.ts';
import { type Address6Origin, type Address6State, flagNames, type Interface } from '../net/interface.ts';
import type { Neighbor, NeighborState } from '../net/neighbor-cache.ts';
import { type Route, RTF_LOCAL, routeFlagLetters } from '../net/route.ts';
import { formatMac } from '../wire/ethernet.ts';
import { formatAddress } from '../wire/ipv4.ts';
import type { AddressText } from './ip/address-text.ts';
import type { Addresses4 } from './ip4/addresses.ts';
import type { Addresses6 } from './ip6/addresses.ts';

export interface InterfaceRow {
  name: string;
  index: number;
  kind: string;
  flags: number;
  flagNames: string[];
  mtuBytes: number;
  mac: string | null;
  linkState: 'up' | 'down' | 'unknown';
  downReason: string;
  addresses: { address: string; prefixLength: number; broadcast: string | null }[];
  addresses6: {
    address: string;
    prefixLength: number;
    state: Address6State;
    origin: Address6Origin;
    anycast: boolean;
    preferredSec: number | null;
    validSec: number | null;
  }[];
  inPackets: number;
  inBytes: number;
  inErrors: number;
  inDrops: number;
  outPackets: number;
  outBytes: number;
  outErrors: number;
  outDrops: number;
}

export interface RouteRow {
  destination: string;
  prefixLength: number;
  gateway: string;
  flags: string;
  interface: string;
  mtuBytes: number;
  uses: number;
}

export interface NeighborRow {
  address: string;
  mac: string | null;
  interface: string;
  state: NeighborState;
  published: boolean;
  router: boolean;
  expiresSec: number | null;
}

/** Whole seconds until then, null for never. */
function secondsUntil(atUs: number, nowUs: number): number | null {
  return atUs === Infinity ? null : Math.max(0, Math.ceil((atUs - nowUs) / US_PER_S));
}

export function interfaceRow(iface: Interface, text: AddressText, nowUs: number): InterfaceRow {
  const { link, flags } = iface;
  return {
    name: iface.name,
    index: iface.index,
    kind: link.kind,
    flags,
    flagNames: flagNames(flags),
    mtuBytes: iface.mtuBytes,
    mac: iface.loopback ? null : formatMac(iface.macHi, iface.macLo),
    linkState: iface.loopback ? 'unknown' : link.linkUp ? 'up' : 'down',
    downReason: link.downReason,
    addresses: iface.addresses.map(({ address, prefixLength, broadcast }) => ({
      address: formatAddress(address),
      prefixLength,
      broadcast: broadcast === 0 ? null : formatAddress(broadcast),
    })),
    addresses6: iface.addresses6.map((entry) => ({
      address: text.format(entry.address),
      prefixLength: entry.prefixLength,
      state: entry.state,
      origin: entry.origin,
      anycast: entry.anycast,
      preferredSec: secondsUntil(entry.preferredUntilUs, nowUs),
      validSec: secondsUntil(entry.validUntilUs, nowUs),
    })),
    inPackets: iface.inPackets,
    inBytes: iface.inBytes,
    inErrors: iface.inErrors,
    inDrops: iface.inDrops,
    outPackets: iface.outPackets,
    outBytes: iface.outBytes,
    outErrors: iface.outErrors,
    outDrops: iface.outDrops,
  };
}

/** `addresses` is the table of the route's family. */
export function routeRow(route: Route, addresses: Addresses4 | Addresses6, text: AddressText): RouteRow {
  const { destination, prefixLength, gateway, flags, iface } = route;
  const linkIndex = (flags & RTF_LOCAL) !== 0 ? (addresses.owner(destination)?.index ?? iface.index) : iface.index;
  const onLink = gateway === 0 || (flags & RTF_LOCAL) !== 0;
  return {
    destination: text.format(destination),
    prefixLength,
    gateway: onLink ? `link#${linkIndex}` : text.format(gateway),
    flags: routeFlagLetters(flags),
    interface: iface.name,
    mtuBytes: route.mtuBytes !== 0 ? route.mtuBytes : iface.mtuBytes,
    uses: route.uses,
  };
}

export function neighborRow(neighbor: Neighbor, text: AddressText, nowUs: number): NeighborRow {
  const { timer, state } = neighbor;
  return {
    address: text.format(neighbor.address),
    mac: state === 'incomplete' ? null : formatMac(neighbor.macHi, neighbor.macLo),
    interface: neighbor.iface.name,
    state,
    published: neighbor.published,
    router: neighbor.router,
    expiresSec: secondsUntil(timer.deadlineUs, nowUs),
  };
}
