/**
 * `route` with NetBSD's arguments and text. Thread: the command's. Read first: route-words.ts (changes), route-tables.ts (show),
 * route-monitor.ts. Missing: MPLS (`-mpls`, `-tag`).
 */

import { MultikernelError } from '../base/errors.ts';
import type { RouteGetReply } from '../sys/control.ts';
import { fromBigInt6 } from './address-bits.ts';
import { type AddressFamily, formatAddress, type InterfaceNames } from './address-text.ts';
import type { RouteChange } from './change-requests.ts';
import { refusalText } from './error-text.ts';
import { getopt, UsageError } from './getopt.ts';
import { monitorRoutes } from './route-monitor.ts';
import { routesOf } from './route-tables.ts';
import { lockedMetrics, metricNames, RTF_DONE, routeFlagNames, routeInfo } from './route-text.ts';
import { BadValue, type RouteWords, readRouteWords } from './route-words.ts';
import type { Tool, ToolContext } from './tool.ts';

const USAGE = `usage: route [-nLT] show [-inet | -inet6] [-host | -net | -gateway | -reject | -blackhole | -static]
       route [-nq] flush [-inet | -inet6] | flushall
       route [-n] monitor [-c COUNT]
       route [-nsv] get [-inet6] DESTINATION[/N]
       route [-q] add [-inet6] [-net | -host] DESTINATION[/N] [-netmask MASK | -prefixlen N] GATEWAY [FLAGS]
       route [-q] change [-inet6] [-net | -host] DESTINATION[/N] [-netmask MASK | -prefixlen N] [GATEWAY] [FLAGS]
       route [-q] delete [-inet6] [-net | -host] DESTINATION[/N] [-netmask MASK | -prefixlen N] [GATEWAY]
FLAGS: [-no]reject, [-no]blackhole, [-no]static, [-no]connected, -proxy, -proto1, -proto2, -iface (the gateway is an own address),
       -link -iface INTERFACE (it is on that link), -ifa ADDRESS, -ifp INTERFACE, [-lock | -lockrest] -mtu, -hopcount, -expire,
       -recvpipe, -sendpipe, -ssthresh, -rtt, -rttvar N`;
const MASK_BITS: Readonly<Record<AddressFamily, number>> = { inet: 32, inet6: 128 };
/** Letters of flags by the words of `show`. */
const SHOWN_FLAGS: Readonly<Record<string, string>> = {
  '-host': 'H',
  '-gateway': 'G',
  '-reject': 'R',
  '-blackhole': 'B',
  '-static': 'S',
  '-connected': 'C',
  '-cloning': 'C',
  '-proxy': 'p',
  '-proto1': '1',
  '-proto2': '2',
  '-llinfo': 'L',
};
const US_PER_MS = 1000;

async function run(context: ToolContext, args: string[]): Promise<number> {
  const { flags, rest } = getopt(args, 'dfLnqSsTtv');
  const [verb, ...words] = rest;
  if (flags.has('f')) await flush(context, [], true, false);
  switch (verb) {
    case 'show':
      return show(context, words, flags);
    case 'get':
      return get(context, words, flags);
    case 'flush':
    case 'flushall':
      return flush(context, words, flags.has('q'), verb === 'flushall');
    case 'monitor':
      return monitor(context, words);
    case 'add':
    case 'change':
    case 'delete':
      return change(context, verb, words, flags);
    default:
      if (verb === undefined && flags.has('f')) return 0;
      throw new UsageError(verb === undefined ? USAGE : `botched keyword: ${verb}`);
  }
}

async function show(context: ToolContext, words: readonly string[], flags: ReadonlySet<string>): Promise<number> {
  const family = words.includes('-inet6') ? 'inet6' : words.includes('-inet') ? 'inet' : null;
  const others = words.filter((word) => word !== '-inet' && word !== '-inet6' && word !== '-n' && word !== '-net');
  const wanted = others.map((word) => SHOWN_FLAGS[word]);
  const unknown = others.find((word) => SHOWN_FLAGS[word] === undefined);
  if (unknown !== undefined) throw new UsageError(`botched keyword: ${unknown.replace(/^-/, '')}`);
  const network = words.includes('-net');
  const [routes, text] = await routesOf(context, family, {
    links: !flags.has('L'),
    tags: flags.has('T'),
    keeps: (route) =>
      wanted.every((letter) => route.flags.includes(letter as string)) && !(network && route.flags.includes('H')),
  });
  context.out.write(context.json ? `${JSON.stringify(routes)}\n` : text);
  return 0;
}

async function monitor(context: ToolContext, words: string[]): Promise<number> {
  const { values, rest } = getopt(words, 'c:');
  const count = values.has('c') ? Number(values.get('c')) : Infinity;
  if (rest.length > 0 || !(count >= 1)) throw new UsageError(USAGE);
  return monitorRoutes(context, count);
}

/** Routes over gateways and static ones go, as with NetBSD; all routes with `all`. */
async function flush(context: ToolContext, words: readonly string[], quiet: boolean, all: boolean): Promise<number> {
  const families: AddressFamily[] = words.includes('-inet6')
    ? ['inet6']
    : words.includes('-inet')
      ? ['inet']
      : ['inet', 'inet6'];
  for (const family of families) {
    const routes = await context.kernel.routes(family);
    for (const { destination: to, prefixLength, gateway, flags } of routes) {
      if (!all && !/[GS]/.test(flags)) continue;
      await context.kernel.deleteRoute({ destination: to, prefixLength, gateway: '', kind: 'unicast' });
      const name = prefixLength === 0 ? 'default' : to;
      if (!quiet) context.out.write(`${name.padEnd(20)} ${gateway.padEnd(20)} done\n`);
    }
  }
  return 0;
}

/** The words, or null once it was told what is wrong with them. */
async function wordsOf(context: ToolContext, words: readonly string[]): Promise<RouteWords | null> {
  try {
    return readRouteWords(words, await context.hosts());
  } catch (error) {
    if (!(error instanceof BadValue)) throw error;
    return complain(context, error.message);
  }
}

function complain({ out }: ToolContext, what: string): null {
  out.error(`route: ${what}\n`);
  return null;
}

async function change(
  context: ToolContext,
  verb: 'add' | 'change' | 'delete',
  args: readonly string[],
  flags: ReadonlySet<string>,
): Promise<number> {
  const found = await wordsOf(context, args);
  if (found === null) return 1;
  const { text, gatewayText, gateway, destination, prefixLength } = found;
  if (text === '') complain(context, 'missing destination specification');
  else if (verb === 'add' && gatewayText === '') complain(context, 'missing gateway specification');
  if (text === '' || (verb === 'add' && gatewayText === '')) return 1;
  // As in NetBSD the gateway of a route that goes does not matter.
  const request: RouteChange = { destination, prefixLength, gateway: '', kind: 'unicast' };
  if (verb !== 'delete') {
    request.gateway = gateway;
    request.flags = found.flags;
    if (found.interface !== '') request.interface = found.interface;
    if (found.source !== '') request.source = found.source;
    if (found.inits !== 0) request.metrics = found.metrics;
  }
  const line = `${verb} ${found.host ? 'host' : 'net'} ${text}${gatewayText === '' ? '' : `: gateway ${gatewayText}`}`;
  const quiet = flags.has('q');
  try {
    if (flags.has('d') || flags.has('t')) return 0;
    if (verb === 'add') await context.kernel.addRoute(request);
    else if (verb === 'change') await context.kernel.changeRoute(request, found.inits);
    else await context.kernel.deleteRoute(request);
  } catch (error) {
    const why = routeError(error);
    complain(context, `writing to routing socket: ${why}`);
    if (!quiet) context.out.write(`${line}: ${why}\n`);
    return 1;
  }
  if (!quiet) context.out.write(`${line}\n`);
  return 0;
}

function routeError(error: unknown): string {
  const absent = 'not in table';
  return refusalText(error, {
    ENOENT: absent,
    ESRCH: absent,
    EBUSY: 'entry in use',
    ENOBUFS: 'routing table overflow',
  });
}

async function get(context: ToolContext, words: readonly string[], flags: ReadonlySet<string>): Promise<number> {
  const found = await wordsOf(context, words);
  if (found === null) return 1;
  const { text, family, destination, prefixLength, hasLength, host } = found;
  if (text === '') {
    complain(context, 'missing destination specification');
    return 1;
  }
  // A length in the words asks for that very route; a network by its class alone for the way there.
  const exact =
    hasLength && !host && (prefixLength === 0 || words.some((word) => /\/|^-prefixlen$|^-netmask$/.test(word)));
  let reply: RouteGetReply;
  let names: InterfaceNames;
  try {
    [reply, names] = await context.kernel.routeTo(destination, exact ? prefixLength : null);
  } catch (error) {
    if (!(error instanceof MultikernelError)) throw error;
    complain(context, `writing to routing socket: ${routeError(error)}`);
    return 1;
  }
  if (context.json) {
    context.out.write(`${JSON.stringify(routeInfo(reply.route, names))}\n`);
    return 0;
  }
  const hosts = flags.has('n') ? null : await context.hosts();
  const name = (address: string): string => hosts?.nameOf(address) ?? address;
  if (flags.has('s')) {
    const { gateway } = reply.route;
    if (gateway === null) return 1;
    context.out.write(`${name(formatAddress(gateway, names))}\n`);
    return 0;
  }
  context.out.write(formatRouteGet(destination, family, reply, { names, name }, flags.has('v')));
  return 0;
}

function maskText(family: AddressFamily, prefixLength: number): string {
  if (prefixLength === 0) return 'default';
  if (family === 'inet6') return fromBigInt6(((1n << BigInt(prefixLength)) - 1n) << BigInt(128 - prefixLength));
  const mask = (0xffffffff << (32 - prefixLength)) >>> 0;
  return [24, 16, 8, 0].map((shift) => (mask >>> shift) & 255).join('.');
}

/** Labels right-aligned to column 12, as route(8) prints them. */
function formatRouteGet(
  address: string,
  family: AddressFamily,
  { route: record, source }: RouteGetReply,
  { names, name }: { names: InterfaceNames; name(address: string): string },
  verbose: boolean,
): string {
  const route = routeInfo(record, names);
  const any = (text: string): string => (text === '0.0.0.0' ? 'default' : name(text));
  const isHost = route.prefixLength === MASK_BITS[family];
  const rows: [string, string][] = [
    ['route to', any(address)],
    ['destination', any(route.destination)],
  ];
  if (!isHost) rows.push(['mask', maskText(family, route.prefixLength)]);
  if (route.flags.includes('G')) rows.push(['gateway', any(route.gateway)]);
  if (source !== null) rows.push(['local addr', any(formatAddress(source, names))]);
  rows.push(['interface', route.interface]);
  const word = record.flags | RTF_DONE;
  rows.push(['flags', `0x${word.toString(16)}<${routeFlagNames(word).join(',')}>`]);
  const labels = rows.map(([label, value]) => `${label.padStart(11)}: ${value}\n`).join('');
  const heading = ' recvpipe  sendpipe  ssthresh  rtt,msec    rttvar  hopcount      mtu     expire\n';
  const more = verbose ? `\nlocks: ${metricNames(record.metrics?.locks ?? 0)} inits: none\n` : '';
  return labels + heading + metricsLine(record) + more;
}

/** Eight columns, each with an L behind it when the metric is locked. */
function metricsLine({ metrics, expiresSec }: RouteGetReply['route']): string {
  const locks = lockedMetrics(metrics?.locks ?? 0);
  const toMs = (us: number): number => Math.floor((us + US_PER_MS / 2) / US_PER_MS);
  const cells: [number, string][] = [
    [metrics?.receivePipeBytes ?? 0, 'recvpipe'],
    [metrics?.sendPipeBytes ?? 0, 'sendpipe'],
    [metrics?.ssthreshBytes ?? 0, 'ssthresh'],
    [toMs(metrics?.rttUs ?? 0), 'rtt'],
    [toMs(metrics?.rttvarUs ?? 0), 'rttvar'],
    [metrics?.hopCount ?? 0, 'hopcount'],
    [metrics?.mtuBytes ?? 0, 'mtu'],
    [expiresSec ?? metrics?.expireSec ?? 0, 'expire'],
  ];
  return `${cells.map(([value, name]) => `${String(value).padStart(8)}${locks.has(name) ? 'L' : ' '}`).join(' ')}\n`;
}

export const route: Tool = { name: 'route', about: 'show and change routes', usage: USAGE, run };
