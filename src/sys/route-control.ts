/**
 * The answers to control requests about routes. Thread: the one that runs the kernel. Read first: control-table.ts, route(4).
 * Cold: control requests.
 */

import { Errno, errnoName, MultikernelError } from '../base/errors.ts';
import type { Inet } from '../inet/inet.ts';
import type { Interface, InterfaceAddress6 } from '../net/interface.ts';
import {
  type Route,
  type RouteMetrics,
  RTF_ANNOUNCE,
  RTF_BLACKHOLE,
  RTF_CONNECTED,
  RTF_GATEWAY,
  RTF_HOST,
  RTF_LOCAL,
  RTF_PROTO1,
  RTF_PROTO2,
  RTF_REJECT,
  RTF_STATIC,
} from '../net/route.ts';
import { type IpAddress, ROUTE_BLACKHOLE, ROUTE_REJECT } from './control.ts';
import { interfaceOf, numberOf } from './control-address.ts';
import * as input from './control-input.ts';
import { addressRecord, holderOf, routeRecord } from './records.ts';
import {
  type RouteGetReply,
  type RouteMetricsRecord,
  RTV_EXPIRE,
  RTV_HOPCOUNT,
  RTV_MTU,
  RTV_RPIPE,
  RTV_RTT,
  RTV_RTTVAR,
  RTV_SPIPE,
  RTV_SSTHRESH,
} from './route-requests.ts';

const INDEX_MAX = 0x7fffffff;
/** All `RTV_*`. */
const METRICS_ALL = 0xff;
const MTU_BYTES_MAX = 0xffffffff;
/** Flags of an administrator's. */
const GIVEN: number =
  RTF_STATIC | RTF_REJECT | RTF_BLACKHOLE | RTF_CONNECTED | RTF_ANNOUNCE | RTF_PROTO1 | RTF_PROTO2 | RTF_GATEWAY;
/** Flags that a change sets and clears. */
const CHANGED: number = GIVEN & ~(RTF_CONNECTED | RTF_GATEWAY);

type Fields = ReturnType<typeof input.fieldsOf>;
type Target = { readonly inet: Inet };

function must(result: number): void {
  if (result < 0) throw new MultikernelError(errnoName(result), errnoName(result));
}

/** Fields of requests to add and to change. */
interface Given {
  readonly iface: Interface | null;
  readonly flags: number | null;
  /** 0: none. */
  readonly source: number;
  readonly metrics: RouteMetricsRecord | null;
}

function given(target: Target, fields: Fields): Given {
  const index = input.optionalInteger(fields, 'interfaceIndex', 0, INDEX_MAX) ?? 0;
  const flags = fields.flags === undefined ? null : input.optionalWord(fields, 'flags');
  const iface = index === 0 ? null : interfaceOf(target, index);
  const named = fields.source === undefined ? 0 : numberOf(target, input.address(fields, 'source'));
  const metrics = fields.metrics === undefined ? null : metricsOf(input.fieldsOf(fields.metrics, 'metrics'));
  if (flags !== null && (flags & ~GIVEN) !== 0) throw new MultikernelError('EINVAL', 'flags: not of an administrator');
  const isOurs = named !== 0 && holderOf(target.inet, named) !== null;
  // With an interface, an address that is not ours stands for ours there, as in NetBSD.
  if (named !== 0 && !isOurs && iface === null) must(-Errno.ENETUNREACH);
  return { iface, flags, source: isOurs ? named : 0, metrics };
}

function metricsOf(fields: Fields): RouteMetricsRecord {
  const value = (name: string): number => input.integer(fields, name, 0, Number.MAX_SAFE_INTEGER);
  return {
    locks: input.integer(fields, 'locks', 0, 0xffff),
    mtuBytes: input.integer(fields, 'mtuBytes', 0, MTU_BYTES_MAX),
    hopCount: value('hopCount'),
    expireSec: value('expireSec'),
    receivePipeBytes: value('receivePipeBytes'),
    sendPipeBytes: value('sendPipeBytes'),
    ssthreshBytes: value('ssthreshBytes'),
    rttUs: value('rttUs'),
    rttvarUs: value('rttvarUs'),
  };
}

function detailsOf({ source, metrics }: Given): { source: number; mtuBytes: number; metrics: RouteMetrics | null } {
  if (metrics === null) return { source, mtuBytes: 0, metrics: null };
  const { mtuBytes, ...others } = metrics;
  return { source, mtuBytes, metrics: others };
}

/** Flags of a static route whose packets meet with the fate `action`. */
function actionFlags(action: number, hasGateway: boolean): number {
  const fate = action === ROUTE_REJECT ? RTF_REJECT : action === ROUTE_BLACKHOLE ? RTF_BLACKHOLE : 0;
  return RTF_STATIC | fate | (hasGateway ? RTF_GATEWAY : 0);
}

export function add(target: Target, fields: Fields): null {
  const to = input.address(fields, 'destination');
  const prefixLength = input.prefixLength(fields, to.family);
  const via = input.optionalAddress(fields, 'gateway');
  const action = input.integer(fields, 'action', 0, ROUTE_BLACKHOLE);
  const wanted = given(target, fields);
  if (via !== null && via.family !== to.family) must(-Errno.EAFNOSUPPORT);
  const flags = (wanted.flags ?? actionFlags(action, via !== null)) | hostFlag(to, prefixLength);
  const { inet } = target;
  const destination = numberOf(target, to);
  const gateway = via === null ? 0 : numberOf(target, via, wanted.iface);
  const { iface, source } = wanted;
  if (via === null && iface === null && source === 0 && (flags & RTF_REJECT) === 0) {
    throw new MultikernelError('EINVAL', 'gateway: neither that nor an interface');
  }
  if (via === null && (flags & RTF_GATEWAY) !== 0) must(-Errno.EINVAL);
  const link = iface ?? (source === 0 ? null : holderOf(inet, source));
  must(inet.addRoute(destination, prefixLength, gateway, flags, link, detailsOf(wanted)));
  return null;
}

function hostFlag({ family }: IpAddress, prefixLength: number): number {
  return prefixLength === input.PREFIX_BITS[family] ? RTF_HOST : 0;
}

export function change(target: Target, fields: Fields): null {
  const to = input.address(fields, 'destination');
  const prefixLength = input.prefixLength(fields, to.family);
  const via = input.optionalAddress(fields, 'gateway');
  const inits = input.integer(fields, 'inits', 0, METRICS_ALL);
  const wanted = given(target, fields);
  if (via !== null && via.family !== to.family) must(-Errno.EAFNOSUPPORT);
  const { inet } = target;
  const destination = numberOf(target, to);
  const route = inet.families.of(destination).routes.find(destination, prefixLength);
  if (route === null) throw new MultikernelError('ENOENT', 'not in table');
  const { iface, source, flags } = wanted;
  const gateway = via === null ? 0 : numberOf(target, via, iface);
  const link =
    iface ?? holderOf(inet, source) ?? (via === null ? route.iface : inet.families.nextHopInterface(gateway));
  if (link === null) throw new MultikernelError('ENETUNREACH', 'gateway: on no link of ours');
  const before = route.iface;
  route.iface = link;
  if (via !== null) {
    route.gateway = gateway;
    route.flags = ((flags ?? RTF_GATEWAY) & RTF_GATEWAY) | (route.flags & ~(RTF_GATEWAY | RTF_CONNECTED));
  }
  if (flags !== null) route.flags = (route.flags & ~CHANGED) | (flags & CHANGED);
  if (source !== 0) route.source = source;
  else if (via !== null || iface !== null) route.source = 0;
  if (wanted.metrics !== null) changeMetrics(route, wanted.metrics, inits);
  inet.routeChanged(route);
  if (link !== before) forgetNeighbors(inet, route, before);
  return null;
}

/** Neighbors that were learned on the link which a route led to go, unless other routes lead to them there. */
function forgetNeighbors(inet: Inet, { destination }: Route, link: Interface): void {
  const { neighbors, routes } = inet.families.of(destination);
  for (const neighbor of neighbors.list()) {
    const isThere = neighbor.iface === link && neighbor.state !== 'permanent' && !neighbor.proxyOnly;
    if (isThere && routes.lookup(neighbor.address)?.iface !== link) neighbors.remove(neighbor);
  }
}

const METRIC_BITS: readonly (readonly [bit: number, name: Exclude<keyof RouteMetrics, 'locks'>])[] = [
  [RTV_HOPCOUNT, 'hopCount'],
  [RTV_EXPIRE, 'expireSec'],
  [RTV_RPIPE, 'receivePipeBytes'],
  [RTV_SPIPE, 'sendPipeBytes'],
  [RTV_SSTHRESH, 'ssthreshBytes'],
  [RTV_RTT, 'rttUs'],
  [RTV_RTTVAR, 'rttvarUs'],
];

/** Metrics of `inits` get new values, and their locks. */
function changeMetrics(route: Route, wanted: RouteMetricsRecord, inits: number): void {
  const { mtuBytes, ...others } = wanted;
  if ((inits & RTV_MTU) !== 0) route.mtuBytes = mtuBytes;
  if (route.metrics === null) {
    route.metrics = others;
    return;
  }
  for (const [bit, name] of METRIC_BITS) if ((inits & bit) !== 0) route.metrics[name] = wanted[name];
  route.metrics.locks = (route.metrics.locks & ~inits) | (wanted.locks & inits);
}

export function remove(target: Target, fields: Fields): null {
  const to = input.address(fields, 'destination');
  const prefixLength = input.prefixLength(fields, to.family);
  const via = input.optionalAddress(fields, 'gateway');
  const gateway = via === null ? 0 : numberOf(target, via);
  const destination = numberOf(target, to);
  const route = target.inet.removeRoute(destination, prefixLength, gateway);
  if (route === null) throw new MultikernelError('ENOENT', 'not in table');
  return null;
}

/** The route of an address, or with a prefix length the route of exactly that prefix. */
export function get(target: Target, fields: Fields): RouteGetReply {
  const to = input.address(fields, 'destination');
  const bits = input.optionalInteger(fields, 'prefixLength', 0, input.PREFIX_BITS[to.family]);
  const { inet } = target;
  const destination = numberOf(target, to);
  const { routes } = inet.families.of(destination);
  const route = bits === undefined ? routes.lookup(destination) : routes.find(destination, bits);
  if (route === null) throw new MultikernelError('ESRCH', 'not in table');
  const source = sourceOf(inet, route, destination);
  return { route: routeRecord(inet, route), source: source === 0 ? null : addressRecord(inet, source) };
}

/** The own address that a route is bound to, as `rt_ifa` of NetBSD; 0: none. */
function sourceOf(inet: Inet, route: Route, destination: number): number {
  const { iface, flags, gateway, source } = route;
  if ((flags & RTF_LOCAL) !== 0) return route.destination;
  if (source !== 0) return source;
  const nextHop = (flags & RTF_GATEWAY) !== 0 ? gateway : (flags & RTF_HOST) !== 0 ? route.destination : destination;
  if (inet.addresses.familyOf(route.destination) === 4) {
    const own = inet.ip4.addresses.sourceFor(iface, nextHop);
    // An address that is being probed counts.
    return own !== 0 ? own : (iface.addresses[0]?.address ?? 0);
  }
  const { ip6 } = inet;
  const reaches = ({ address, prefixLength, destination: other, state }: InterfaceAddress6): boolean =>
    (state === 'preferred' || state === 'deprecated') &&
    (other === 0 ? ip6.addresses.samePrefix(address, nextHop, prefixLength) : other === nextHop);
  return iface.addresses6.find(reaches)?.address ?? ip6.sources.select(nextHop, iface);
}
