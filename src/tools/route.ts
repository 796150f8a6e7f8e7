/** `route show`, `get`, `add`, `delete` with NetBSD's arguments and text. Thread: the command's. Missing: `-ifp`, `-ifa`, metrics. */

import { fromBigInt6, toBigInt6 } from './address-bits.ts';
import type { AddressFamily } from './address-text.ts';
import type { RouteChange } from './change-requests.ts';
import { refusalText } from './error-text.ts';
import { getopt, UsageError } from './getopt.ts';
import { isAddress } from './resolver.ts';
import { monitorRoutes } from './route-monitor.ts';
import { routesOf } from './route-tables.ts';
import { ROUTE_FLAGS, type RouteInfo, RTF_DONE, routeFlagNames } from './route-text.ts';
import type { Tool, ToolContext } from './tool.ts';

const USAGE = `usage: route [-nL] show [-inet | -inet6]
       route [-nq] flush [-inet | -inet6]
       route [-n] monitor [-c COUNT]
       route [-n] get [-inet6] DESTINATION
       route [-q] add [-inet6] [-net | -host] DESTINATION[/N] [-prefixlen N] GATEWAY [-reject | -blackhole]
       route [-q] change [-inet6] [-net | -host] DESTINATION[/N] [-prefixlen N] GATEWAY [-reject | -blackhole]
       route [-q] delete [-inet6] [-net | -host] DESTINATION[/N] [-prefixlen N] [GATEWAY]`;
const NET6_BITS = 64;

interface RouteTarget {
  text: string;
  address: string;
  prefixLength: number;
}

async function run(context: ToolContext, args: string[]): Promise<number> {
  const { flags, rest: words } = getopt(args, 'Lnqv');
  const quiet = flags.has('q');
  const [verb, ...rest] = words.filter((word) => word !== '-n');
  switch (verb) {
    case 'show': {
      const family = rest.includes('-inet6') ? 'inet6' : rest.includes('-inet') ? 'inet' : null;
      const [routes, text] = await routesOf(context, family, !flags.has('L'));
      context.out.write(context.json ? `${JSON.stringify(routes)}\n` : text);
      return 0;
    }
    case 'get':
      return get(context, rest);
    case 'flush':
      return flush(context, rest, quiet);
    case 'monitor':
      return monitor(context, rest);
    case 'add':
    case 'change':
    case 'delete':
      return change(context, verb, rest, quiet);
    default:
      throw new UsageError(USAGE);
  }
}

async function destination(
  context: ToolContext,
  text: string,
  host: boolean,
  family: AddressFamily,
  bits: string | undefined,
): Promise<RouteTarget | null> {
  if (family === 'inet6') return destination6(context, text, host, bits);
  if (text === 'default') return { text, address: '0.0.0.0', prefixLength: 0 };
  const [name, length = bits] = text.split('/') as [string, string?];
  const address = expand(name) ?? (await context.hosts()).addressOf(name, 'inet');
  if (address === null || (length !== undefined && !(Number(length) <= 32))) return null;
  const guess = host || !address.endsWith('.0') ? 32 : 24;
  return { text, address, prefixLength: length === undefined ? guess : Number(length) };
}

/** Without a length `::` at the end makes it a network of 64 bits, as route(8) takes it. */
async function destination6(
  context: ToolContext,
  text: string,
  host: boolean,
  bits: string | undefined,
): Promise<RouteTarget | null> {
  if (text === 'default') return { text, address: '::', prefixLength: 0 };
  const [name, length = bits] = text.split('/') as [string, string?];
  const address = (await context.hosts()).addressOf(name, 'inet6');
  if (address === null || (length !== undefined && !(Number(length) <= 128))) return null;
  const guess = host || !name.endsWith('::') ? 128 : NET6_BITS;
  return { text, address, prefixLength: length === undefined ? guess : Number(length) };
}

/** The words without `-prefixlen N`, and its N. */
function takeLength(words: readonly string[]): { words: string[]; bits: string | undefined } {
  const at = words.indexOf('-prefixlen');
  if (at < 0) return { words: [...words], bits: undefined };
  return { words: words.filter((_word, i) => i !== at && i !== at + 1), bits: words[at + 1] };
}

/** `-inet6`, or an IPv6 address among the words. */
function familyOf(words: readonly string[]): AddressFamily {
  return words.includes('-inet6') || words.some((word) => word.includes(':')) ? 'inet6' : 'inet';
}

/** `10.0.1` of netstat's `10.0.1/24`. */
function expand(text: string): string | null {
  if (!/^\d{1,3}(\.\d{1,3}){0,3}$/.test(text)) return null;
  const padded = [...text.split('.'), '0', '0', '0'].slice(0, 4).join('.');
  return isAddress(padded) ? padded : null;
}

async function monitor(context: ToolContext, words: string[]): Promise<number> {
  const { values, rest } = getopt(words, 'c:');
  const count = values.has('c') ? Number(values.get('c')) : Infinity;
  if (rest.length > 0 || !(count >= 1)) throw new UsageError(USAGE);
  return monitorRoutes(context, count);
}

/** Routes over gateways go, as with NetBSD. */
async function flush(context: ToolContext, words: string[], quiet: boolean): Promise<number> {
  const families: AddressFamily[] = words.includes('-inet6')
    ? ['inet6']
    : words.includes('-inet')
      ? ['inet']
      : ['inet', 'inet6'];
  for (const family of families) {
    const routes = await context.kernel.routes(family);
    for (const { destination: to, prefixLength, gateway, flags } of routes) {
      if (!flags.includes('G')) continue;
      await context.kernel.deleteRoute({ destination: to, prefixLength, gateway, kind: 'unicast' });
      const name = prefixLength === 0 ? 'default' : to;
      if (!quiet) context.out.write(`${name.padEnd(20)} ${gateway.padEnd(20)} done\n`);
    }
  }
  return 0;
}

/** The route of that destination gets another gateway; ENOENT when there is none. */
async function replace(context: ToolContext, request: RouteChange, family: AddressFamily): Promise<void> {
  const { destination: to, prefixLength } = request;
  const old = (await context.kernel.routes(family)).find(
    (route) => route.destination === to && route.prefixLength === prefixLength,
  );
  await context.kernel.deleteRoute({ ...request, gateway: '' });
  try {
    await context.kernel.addRoute(request);
  } catch (error) {
    if (old?.flags.includes('G')) await context.kernel.addRoute({ ...request, gateway: old.gateway, kind: 'unicast' });
    throw error;
  }
}

async function change(
  context: ToolContext,
  verb: 'add' | 'change' | 'delete',
  args: string[],
  quiet: boolean,
): Promise<number> {
  const { words, bits } = takeLength(args);
  const family = familyOf(words);
  const options = words.filter((word) => word.startsWith('-'));
  const [to, via] = words.filter((word) => !word.startsWith('-'));
  if (to === undefined || (verb !== 'delete' && via === undefined)) throw new UsageError(USAGE);
  const target = await destination(context, to, options.includes('-host'), family, bits);
  const gateway = via === undefined ? '' : (await context.hosts()).addressOf(via, family);
  if (target === null || gateway === null) {
    context.out.error(`route: ${target === null ? to : via}: bad address\n`);
    return 1;
  }
  const kind = options.includes('-reject') ? 'reject' : options.includes('-blackhole') ? 'blackhole' : 'unicast';
  const request: RouteChange = { destination: target.address, prefixLength: target.prefixLength, gateway, kind };
  const type = target.prefixLength === (family === 'inet6' ? 128 : 32) ? 'host' : 'net';
  const line = `${verb} ${type} ${to}${gateway === '' ? '' : `: gateway ${via}`}`;
  try {
    if (verb === 'add') await context.kernel.addRoute(request);
    else if (verb === 'change') await replace(context, request, family);
    else await context.kernel.deleteRoute(request);
  } catch (error) {
    const why = refusalText(error, { ENOENT: 'not in table', ESRCH: 'not in table' });
    context.out.error(`${line}: ${why}\n`);
    return 1;
  }
  if (!quiet) context.out.write(`${line}\n`);
  return 0;
}

function toNumber(address: string): bigint {
  if (address.includes(':')) return toBigInt6(address);
  return address.split('.').reduce((sum, octet) => sum * 256n + BigInt(octet), 0n);
}

/** The route with the longest prefix that holds the address. */
function lookup(routes: readonly RouteInfo[], address: string): RouteInfo | null {
  const wanted = toNumber(address);
  const zone = address.split('%')[1];
  const bits = address.includes(':') ? 128 : 32;
  let best: RouteInfo | null = null;
  for (const route of routes) {
    const shift = BigInt(bits - route.prefixLength);
    if (wanted >> shift !== toNumber(route.destination) >> shift) continue;
    const routeZone = route.destination.split('%')[1];
    if (routeZone !== undefined && routeZone !== zone) continue;
    if (best === null || route.prefixLength > best.prefixLength) best = route;
  }
  return best;
}

async function get(context: ToolContext, words: string[]): Promise<number> {
  const [to] = words.filter((word) => !word.startsWith('-'));
  if (to === undefined) throw new UsageError(USAGE);
  const family = familyOf(words);
  const target = await destination(context, to, true, family, undefined);
  const [routes, interfaces] = await Promise.all([context.kernel.routes(family), context.kernel.interfaces()]);
  const route = target === null ? null : lookup(routes, target.address);
  if (target === null || route === null) {
    context.out.error(`route: writing to routing socket: not in table\n`);
    return 1;
  }
  if (context.json) {
    context.out.write(`${JSON.stringify(route)}\n`);
    return 0;
  }
  const info = interfaces.find((candidate) => candidate.name === route.interface);
  const scoped = target.address.includes('%');
  const own6 = info?.addresses6.find((entry) => entry.address.includes('%') === scoped) ?? info?.addresses6[0];
  const own = (family === 'inet6' ? own6 : info?.addresses[0])?.address ?? '';
  context.out.write(formatRouteGet(target.address, route, own));
  return 0;
}

function maskText(address: string, prefixLength: number): string {
  if (address.includes(':')) return fromBigInt6(((1n << BigInt(prefixLength)) - 1n) << BigInt(128 - prefixLength));
  const mask = (0xffffffff << (32 - prefixLength)) >>> 0;
  return [24, 16, 8, 0].map((shift) => (mask >>> shift) & 255).join('.');
}

/** Labels right-aligned to column 12, as route(8) prints them. */
function formatRouteGet(address: string, route: RouteInfo, localAddress: string): string {
  const isDefault = route.prefixLength === 0;
  const known = ROUTE_FLAGS.filter(([, letter]) => route.flags.includes(letter));
  const word = known.reduce((sum, [bit]) => sum | bit, RTF_DONE);
  const rows: [string, string][] = [
    ['route to', address],
    ['destination', isDefault ? 'default' : route.destination],
  ];
  if (route.prefixLength < (address.includes(':') ? 128 : 32)) {
    rows.push(['mask', isDefault ? 'default' : maskText(address, route.prefixLength)]);
  }
  if (route.flags.includes('G')) rows.push(['gateway', route.gateway]);
  rows.push(['local addr', localAddress], ['interface', route.interface]);
  rows.push(['flags', `0x${word.toString(16)}<${routeFlagNames(word).join(',')}>`]);
  const labels = rows.map(([label, value]) => `${label.padStart(11)}: ${value}\n`).join('');
  const heading = ' recvpipe  sendpipe  ssthresh  rtt,msec    rttvar  hopcount      mtu     expire\n';
  const values = [0, 0, 0, 0, 0, 0].map((value) => String(value).padStart(9)).join(' ');
  return `${labels}${heading}${values} ${String(route.mtuBytes).padStart(8)} ${'0'.padStart(10)} \n`;
}

export const route: Tool = { name: 'route', about: 'show and change routes', usage: USAGE, run };
