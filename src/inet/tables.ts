/**
 * The tables of layers 2 and 3 as plain rows with text, for whoever shows them; the shapes are those of kernel/control.ts.
 *
 * Thread: the one that runs the kernel. Never on the data path. Conventions are NetBSD's since 2016: own addresses are `UHl`
 * routes through lo0 with gateway `link#N`, subnets are `UC`.
 */

import { flagNames, type Interface } from '../net/interface.ts';
import { formatMac } from '../wire/ethernet.ts';
import { formatAddress } from '../wire/ipv4.ts';
import type { AddressTable } from './addresses.ts';
import type { Neighbor, NeighborState } from './neighbor-cache.ts';
import { type Route, RTF_LOCAL, routeFlagLetters } from './route-table.ts';

const US_PER_S = 1_000_000;

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
  expiresSec: number | null;
}

export function interfaceRow(iface: Interface): InterfaceRow {
  const { device, flags } = iface;
  return {
    name: iface.name,
    index: iface.index,
    kind: device.kind,
    flags,
    flagNames: flagNames(flags),
    mtuBytes: iface.mtuBytes,
    mac: iface.loopback ? null : formatMac(iface.macHi, iface.macLo),
    linkState: iface.loopback ? 'unknown' : device.linkUp ? 'up' : 'down',
    downReason: device.downReason,
    addresses: iface.addresses.map(({ address, prefixLength, broadcast }) => ({
      address: formatAddress(address),
      prefixLength,
      broadcast: broadcast === 0 ? null : formatAddress(broadcast),
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

export function routeRow(route: Route, addresses: AddressTable): RouteRow {
  const { destination, prefixLength, gateway, flags, iface } = route;
  const linkIndex = (flags & RTF_LOCAL) !== 0 ? (addresses.owner(destination)?.index ?? iface.index) : iface.index;
  const onLink = gateway === 0 || (flags & RTF_LOCAL) !== 0;
  return {
    destination: formatAddress(destination),
    prefixLength,
    gateway: onLink ? `link#${linkIndex}` : formatAddress(gateway),
    flags: routeFlagLetters(flags),
    interface: iface.name,
    mtuBytes: route.mtuBytes !== 0 ? route.mtuBytes : iface.mtuBytes,
    uses: route.uses,
  };
}

export function neighborRow(neighbor: Neighbor, nowUs: number): NeighborRow {
  const { timer, state } = neighbor;
  return {
    address: formatAddress(neighbor.address),
    mac: state === 'incomplete' ? null : formatMac(neighbor.macHi, neighbor.macLo),
    interface: neighbor.iface.name,
    state,
    published: neighbor.published,
    expiresSec: timer.pending ? Math.max(0, Math.ceil((timer.deadlineUs - nowUs) / US_PER_S)) : null,
  };
}
