/** Routes in text: netstat's letters, route(8)'s names. Thread: any; pure functions. */

import type { RouteMetricsRecord, RouteRecord } from '../sys/control.ts';
import { formatAddress, type InterfaceNames } from './address-text.ts';

/** One row of `netstat -rn`; addresses of either family. */
export interface RouteInfo {
  /** Network or host; "default" is 0.0.0.0 or :: with a prefix of 0 bits. */
  destination: string;
  /** Bits of the destination. */
  prefixLength: number;
  /** An address, or "link#N" for a connected route, the name of a loopback or tunnel for an own address there. */
  gateway: string;
  /** Letters as netstat prints them, e.g. "UGS". */
  flags: string;
  /** Name of the outgoing interface. */
  interface: string;
  /** Largest IP packet on this route. */
  mtuBytes: number;
  /** Packets sent by it. */
  uses: number;
  /** Metrics, where any were given. */
  metrics?: RouteMetricsRecord;
}

/** `RTF_*` with netstat's letters and route(8)'s names, in the order in which both print them. */
export const ROUTE_FLAGS: readonly (readonly [bit: number, letter: string, name: string])[] = [
  [0x1, 'U', 'UP'],
  [0x2, 'G', 'GATEWAY'],
  [0x4, 'H', 'HOST'],
  [0x8, 'R', 'REJECT'],
  [0x1000, 'B', 'BLACKHOLE'],
  [0x10, 'D', 'DYNAMIC'],
  [0x20, 'M', 'MODIFIED'],
  [0x100, 'C', 'CONNECTED'],
  [0x400, 'L', 'LLDATA'],
  [0x800, 'S', 'STATIC'],
  [0x8000, '1', 'PROTO1'],
  [0x4000, '2', 'PROTO2'],
  [0x20000, 'p', 'ANNOUNCE'],
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

/** An interface with link-layer addresses by its number, another by its name, as link_ntoa(3) finds them in the table. */
function linkName(index: number, names: InterfaceNames): string {
  const name = names.name(index);
  return /^(lo|gif|tun)\d/.test(name) ? name : `link#${index}`;
}

export function routeInfo(record: RouteRecord, names: InterfaceNames): RouteInfo {
  const { destination, prefixLength, gateway, linkIndex, flags, interfaceIndex, mtuBytes, uses, metrics } = record;
  return {
    destination: formatAddress(destination, names),
    prefixLength,
    gateway: gateway === null ? linkName(linkIndex, names) : formatAddress(gateway, names),
    flags: routeFlagLetters(flags),
    interface: names.name(interfaceIndex),
    mtuBytes,
    uses,
    ...(metrics === null ? {} : { metrics }),
  };
}

/** `RTV_*`, lowest bit first, as route(8) names them. */
const METRICS: readonly string[] = ['mtu', 'hopcount', 'expire', 'recvpipe', 'sendpipe', 'ssthresh', 'rtt', 'rttvar'];

/** Names of metrics of a word of `RTV_*`. */
export function lockedMetrics(word: number): ReadonlySet<string> {
  return new Set(METRICS.filter((_name, bit) => (word & (1 << bit)) !== 0));
}

/** The same as bprintf of route(8): `<mtu,rtt>`, or `none`. */
export function metricNames(word: number): string {
  const names = [...lockedMetrics(word)];
  return names.length === 0 ? 'none' : `<${names.reverse().join(',')}>`;
}
