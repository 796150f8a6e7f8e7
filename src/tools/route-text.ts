/** Routes in text: netstat's letters, route(8)'s names. Thread: any; pure functions. */

import type { RouteRecord } from '../sys/control.ts';
import { formatAddress, type InterfaceNames } from './address-text.ts';

/** One row of `netstat -rn`; addresses of either family. */
export interface RouteInfo {
  /** Network or host; "default" is 0.0.0.0 or :: with a prefix of 0 bits. */
  destination: string;
  /** Bits of the destination. */
  prefixLength: number;
  /** An address, or "link#N" for a connected route, or an interface's own address. */
  gateway: string;
  /** Letters as netstat prints them, e.g. "UGS". */
  flags: string;
  /** Name of the outgoing interface. */
  interface: string;
  /** Largest IP packet on this route. */
  mtuBytes: number;
  /** Packets sent by it. */
  uses: number;
}

/** `RTF_*` with netstat's letters and route(8)'s names, in the order in which both print them. */
export const ROUTE_FLAGS: readonly (readonly [bit: number, letter: string, name: string])[] = [
  [0x1, 'U', 'UP'],
  [0x2, 'G', 'GATEWAY'],
  [0x4, 'H', 'HOST'],
  [0x8, 'R', 'REJECT'],
  [0x10, 'D', 'DYNAMIC'],
  [0x20, 'M', 'MODIFIED'],
  [0x100, 'C', 'CONNECTED'],
  [0x400, 'L', 'LLDATA'],
  [0x800, 'S', 'STATIC'],
  [0x1000, 'B', 'BLACKHOLE'],
  [0x40000, 'l', 'LOCAL'],
  [0x80000, 'b', 'BROADCAST'],
];

export function routeFlagLetters(flags: number): string {
  return ROUTE_FLAGS.filter(([bit]) => (flags & bit) !== 0)
    .map(([, letter]) => letter)
    .join('');
}

/** The request of a routing message is done. */
export const RTF_DONE = 0x40;

/** route(8)'s names of flags, RTF_DONE among them, lowest bit first. */
export function routeFlagNames(flags: number): string[] {
  const names = ROUTE_FLAGS.filter(([bit]) => (flags & bit) !== 0).map(([bit, , name]) => [bit, name] as const);
  if ((flags & RTF_DONE) !== 0) names.push([RTF_DONE, 'DONE']);
  return names.sort(([a], [b]) => a - b).map(([, name]) => name);
}

export function routeInfo(record: RouteRecord, names: InterfaceNames): RouteInfo {
  const { destination, prefixLength, gateway, linkIndex, flags, interfaceIndex, mtuBytes, uses } = record;
  return {
    destination: formatAddress(destination, names),
    prefixLength,
    gateway: gateway === null ? `link#${linkIndex}` : formatAddress(gateway, names),
    flags: routeFlagLetters(flags),
    interface: names.name(interfaceIndex),
    mtuBytes,
    uses,
  };
}
