/**
 * Tables of the kernel as records of numbers (control.ts).
 *
 * Thread: the one that runs the kernel. Never on the data path.
 * Cold: control requests.
 */

import { US_PER_S } from '../base/units.ts';
import type { Inet } from '../inet/inet.ts';
import type { TcpSocketInfo } from '../inet/tcp/socket-list.ts';
import { GifLink } from '../net/gif/gif-link.ts';
import type { Address6Origin, AddressState, Interface, InterfaceAddress6 } from '../net/interface.ts';
import type { Neighbor, NeighborState } from '../net/neighbor-cache.ts';
import { type Route, type RouteMetrics, RTF_LOCAL } from '../net/route.ts';
import { VlanLink } from '../net/vlan/vlan-link.ts';
import {
  type AddressRecord,
  IN6_IFF_ANYCAST,
  IN6_IFF_AUTOCONF,
  IN6_IFF_DEPRECATED,
  IN6_IFF_DETACHED,
  IN6_IFF_DUPLICATED,
  IN6_IFF_TEMPORARY,
  IN6_IFF_TENTATIVE,
  type InterfaceGroupRecord,
  type InterfaceRecord,
  type IpAddress,
  type IpFamily,
  LINK_STATE_DOWN,
  LINK_STATE_UNKNOWN,
  LINK_STATE_UP,
  type LinkAddress,
  ND_LLINFO_DELAY,
  ND_LLINFO_INCOMPLETE,
  ND_LLINFO_PROBE,
  ND_LLINFO_REACHABLE,
  ND_LLINFO_STALE,
  type NeighborRecord,
  ORIGIN_AUTOCONF,
  ORIGIN_LINK_LOCAL,
  ORIGIN_MANUAL,
  ORIGIN_TEMPORARY,
  type RouteRecord,
  RTF_ANNOUNCE,
  RTF_STATIC,
  type SocketRecord,
  type TunnelRecord,
} from './control.ts';
import type { RouteMetricsRecord } from './route-requests.ts';

const NO_METRICS: RouteMetrics = {
  locks: 0,
  hopCount: 0,
  expireSec: 0,
  receivePipeBytes: 0,
  sendPipeBytes: 0,
  ssthreshBytes: 0,
  rttUs: 0,
  rttvarUs: 0,
};
/** 224.0.0.1, and ff02::1 of a link. */
const ALL_HOSTS: IpAddress = { family: 4, w0: 0, w1: 0, w2: 0, w3: 0xe0000001 | 0, scopeId: 0 };
const ALL_NODES: IpAddress = { family: 6, w0: 0xff020000 | 0, w1: 0, w2: 0, w3: 1, scopeId: 0 };
const PROTOCOL_TCP = 6;
const PROTOCOL_UDP = 17;

const ORIGINS: Readonly<Record<Address6Origin, readonly [origin: number, flags: number]>> = {
  manual: [ORIGIN_MANUAL, 0],
  'link-local': [ORIGIN_LINK_LOCAL, 0],
  autoconf: [ORIGIN_AUTOCONF, IN6_IFF_AUTOCONF],
  temporary: [ORIGIN_TEMPORARY, IN6_IFF_AUTOCONF | IN6_IFF_TEMPORARY],
};

const STATE_FLAGS: Readonly<Record<AddressState | InterfaceAddress6['state'], number>> = {
  valid: 0,
  preferred: 0,
  tentative: IN6_IFF_TENTATIVE,
  duplicated: IN6_IFF_DUPLICATED,
  deprecated: IN6_IFF_DEPRECATED,
};

const NEIGHBOR_STATES: Readonly<Record<NeighborState, number>> = {
  incomplete: ND_LLINFO_INCOMPLETE,
  reachable: ND_LLINFO_REACHABLE,
  stale: ND_LLINFO_STALE,
  delay: ND_LLINFO_DELAY,
  probe: ND_LLINFO_PROBE,
  permanent: ND_LLINFO_REACHABLE,
};

/** `IN6_IFF_*` of a state. Nobody is asked for the addresses of an interface that is cut off. */
function stateFlags(iface: Interface, state: AddressState | InterfaceAddress6['state']): number {
  const detached = iface.cutOff && !iface.loopback && state !== 'duplicated';
  return detached ? (STATE_FLAGS[state] & ~IN6_IFF_TENTATIVE) | IN6_IFF_DETACHED : STATE_FLAGS[state];
}

/** Whole seconds until then, null for never. */
export function secondsUntil(atUs: number, nowUs: number): number | null {
  return atUs === Infinity ? null : Math.max(0, Math.ceil((atUs - nowUs) / US_PER_S));
}

/** The address that a number of inet/ stands for. `family` 6 makes `::` of 0. */
export function addressRecord(inet: Inet, number: number, family: IpFamily = 4): IpAddress {
  const record = { family, w0: 0, w1: 0, w2: 0, w3: 0, scopeId: 0 };
  inet.addresses.wordsOf(number, number === 0 ? family : 4, record);
  return record;
}

export function linkAddressRecord(hi: number, lo: number): LinkAddress {
  return [(hi >>> 8) & 0xff, hi & 0xff, lo >>> 24, (lo >>> 16) & 0xff, (lo >>> 8) & 0xff, lo & 0xff];
}

export function linkStateOf(iface: Interface): number {
  if (iface.loopback) return LINK_STATE_UNKNOWN;
  return iface.link.linkUp ? LINK_STATE_UP : LINK_STATE_DOWN;
}

function addressRecords(inet: Inet, iface: Interface, nowUs: number): AddressRecord[] {
  const otherEnd = (number: number): IpAddress | null => (number === 0 ? null : addressRecord(inet, number));
  const addresses4 = iface.addresses.map(({ address, prefixLength, broadcast, destination, state }) => ({
    address: addressRecord(inet, address),
    prefixLength,
    broadcast,
    destination: otherEnd(destination),
    flags: stateFlags(iface, state),
    origin: ORIGIN_MANUAL,
    preferredSec: null,
    validSec: null,
  }));
  const addresses6 = iface.addresses6.map((entry) => {
    const [origin, flags] = ORIGINS[entry.origin];
    return {
      address: addressRecord(inet, entry.address),
      prefixLength: entry.prefixLength,
      broadcast: 0,
      destination: otherEnd(entry.destination),
      flags: flags | stateFlags(iface, entry.state) | (entry.anycast ? IN6_IFF_ANYCAST : 0),
      origin,
      preferredSec: secondsUntil(entry.preferredUntilUs, nowUs),
      validSec: secondsUntil(entry.validUntilUs, nowUs),
    };
  });
  return [...addresses4, ...addresses6];
}

export function interfaceRecord(inet: Inet, iface: Interface): InterfaceRecord {
  const { link } = iface;
  return {
    name: iface.name,
    index: iface.index,
    kind: link.kind,
    flags: iface.flags,
    mtuBytes: iface.mtuBytes,
    metric: iface.metric,
    otherLinkAddresses: iface.linkAddresses.map(({ hi, lo }) => linkAddressRecord(hi, lo)),
    linkAddress: iface.loopback || iface.pointToPoint ? null : linkAddressRecord(iface.macHi, iface.macLo),
    linkState: linkStateOf(iface),
    downReason: link.downReason,
    linkString: link.linkString,
    mediaOn: link.mediaOn,
    addresses: addressRecords(inet, iface, inet.cpus[0].context.nowUs()),
    inPackets: iface.inPackets,
    inBytes: iface.inBytes,
    inErrors: iface.inErrors,
    inDrops: iface.inDrops,
    inMulticasts: iface.inMulticasts,
    outPackets: iface.outPackets,
    outBytes: iface.outBytes,
    outErrors: iface.outErrors,
    outDrops: iface.outDrops,
    outMulticasts: iface.outMulticasts,
    ...(link instanceof GifLink ? { tunnel: tunnelRecord(link) } : {}),
    ...(link instanceof VlanLink ? { vlan: { id: link.id, parentIndex: link.parent?.index ?? 0 } } : {}),
  };
}

function tunnelRecord({ tunnel }: GifLink): TunnelRecord | null {
  if (tunnel === null) return null;
  const { source, destination } = tunnel;
  return { source: { ...source, scopeId: 0 }, destination: { ...destination, scopeId: 0 } };
}

/** The interface that has an address, in whatever state; null: none. */
export function holderOf(inet: Inet, address: number): Interface | null {
  const has = (iface: Interface): boolean =>
    iface.addresses.some((one) => one.address === address) || iface.addresses6.some((one) => one.address === address);
  return inet.list().find(has) ?? null;
}

/** Own addresses are routes through lo0 whose link is the interface of the address, as in NetBSD since 2016. */
export function routeRecord(inet: Inet, route: Route): RouteRecord {
  const { destination, gateway, flags, iface } = route;
  const local = (flags & RTF_LOCAL) !== 0;
  return {
    destination: addressRecord(inet, destination),
    prefixLength: route.prefixLength,
    gateway: gateway === 0 || local ? null : addressRecord(inet, gateway),
    linkIndex: local ? (holderOf(inet, destination)?.index ?? iface.index) : iface.index,
    interfaceIndex: iface.index,
    flags,
    mtuBytes: route.mtuBytes !== 0 ? route.mtuBytes : iface.mtuBytes,
    uses: route.uses,
    metrics: route.metrics === null && route.mtuBytes === 0 ? null : metricsRecord(route),
    expiresSec: secondsUntil(route.expiresUs, inet.cpus[0].context.nowUs()),
  };
}

function metricsRecord({ metrics, mtuBytes }: Route): RouteMetricsRecord {
  return { ...(metrics ?? NO_METRICS), mtuBytes };
}

/** Groups of an interface, first all hosts and all nodes, in which it is with its first address of a family (RFC 1112 4, RFC 4291 2.8). */
export function groupRecords(inet: Inet, iface: Interface): InterfaceGroupRecord[] {
  const joined = [...iface.groups.keys()].map((group) => addressRecord(inet, group));
  const common: IpAddress[] = [];
  if (iface.addresses.length > 0) common.push(ALL_HOSTS);
  if (iface.addresses6.length > 0) common.push({ ...ALL_NODES, scopeId: iface.index });
  const others = joined.filter((address) => !common.some((one) => sameAddress(one, address)));
  return [...common, ...others].map((address) => ({ interfaceIndex: iface.index, address }));
}

function sameAddress(a: IpAddress, b: IpAddress): boolean {
  return a.family === b.family && a.w0 === b.w0 && a.w1 === b.w1 && a.w2 === b.w2 && a.w3 === b.w3;
}

export function neighborRecord(inet: Inet, neighbor: Neighbor): NeighborRecord {
  const { state, published, proxyOnly } = neighbor;
  return {
    address: addressRecord(inet, neighbor.address),
    interfaceIndex: neighbor.iface.index,
    linkAddress: state === 'incomplete' ? null : linkAddressRecord(neighbor.macHi, neighbor.macLo),
    state: NEIGHBOR_STATES[state],
    flags: (state === 'permanent' ? RTF_STATIC : 0) | (published ? RTF_ANNOUNCE : 0),
    ...(proxyOnly ? { proxyOnly } : {}),
    router: neighbor.router,
    expiresSec: secondsUntil(neighbor.timer.deadlineUs, inet.cpus[0].context.nowUs()),
  };
}

function tcpRecord(inet: Inet, info: TcpSocketInfo): SocketRecord {
  const local = addressRecord(inet, info.localAddress);
  return {
    protocol: PROTOCOL_TCP,
    receiveQueueBytes: info.receiveQueueBytes,
    sendQueueBytes: info.sendQueueBytes,
    local,
    localPort: info.localPort,
    peer: addressRecord(inet, info.peerAddress, local.family),
    peerPort: info.peerPort,
    state: info.state,
    retransmits: info.retransmits,
    rtoUs: info.rtoUs,
    srttUs: info.srttUs,
    cwndBytes: info.cwndBytes,
  };
}

/** Sockets of all CPUs: TCP first, then UDP. */
export function socketRecords(inet: Inet): SocketRecord[] {
  const endpoints = inet.cpus.flatMap(({ udp }) => udp.list());
  const udp = endpoints.map((endpoint): SocketRecord => {
    const local = addressRecord(inet, endpoint.address);
    return {
      protocol: PROTOCOL_UDP,
      receiveQueueBytes: endpoint.queue.queuedBytes,
      sendQueueBytes: 0,
      local,
      localPort: endpoint.port,
      peer: addressRecord(inet, endpoint.peerAddress, local.family),
      peerPort: endpoint.peerPort,
      state: 0,
      retransmits: 0,
      rtoUs: 0,
      srttUs: 0,
      cwndBytes: 0,
    };
  });
  const tcp = inet.cpus.flatMap((cpu) => cpu.tcp.sockets().map((info) => tcpRecord(inet, info)));
  return [...tcp, ...udp];
}

/** Counters by name: the sum over the blocks of all CPUs. */
export function counterRecords(inet: Inet): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { context } of inet.cpus) {
    for (const [name, value] of Object.entries(context.counters.snapshot())) sums[name] = (sums[name] ?? 0) + value;
  }
  return sums;
}
