/** `route show`, `get`, `add`, `delete` with NetBSD's arguments and text. Thread: the command's. Missing: change, flush, monitor. */

import { MultikernelError, type RouteChange, type RouteInfo } from '../../index.ts';
import { UsageError } from './getopt.ts';
import { formatRoutes } from './netstat.ts';
import { addressOf, ERROR_TEXT, isAddress, type Tool, type ToolContext } from './tool.ts';

const USAGE = `usage: route [-n] show
       route [-n] get DESTINATION
       route [-q] add [-net | -host] DESTINATION[/N] GATEWAY [-reject | -blackhole]
       route [-q] delete [-net | -host] DESTINATION[/N] [GATEWAY]`;

/** `RTF_*` of netstat's letters, as `route get` shows them. */
const FLAGS: readonly (readonly [string, number, string])[] = [
  ['U', 0x1, 'UP'],
  ['G', 0x2, 'GATEWAY'],
  ['H', 0x4, 'HOST'],
  ['R', 0x8, 'REJECT'],
  ['D', 0x10, 'DYNAMIC'],
  ['M', 0x20, 'MODIFIED'],
  ['C', 0x100, 'CONNECTED'],
  ['L', 0x400, 'LLDATA'],
  ['S', 0x800, 'STATIC'],
  ['B', 0x1000, 'BLACKHOLE'],
  ['l', 0x40000, 'LOCAL'],
  ['b', 0x80000, 'BROADCAST'],
];
const RTF_DONE = 0x40;

interface Destination {
  text: string;
  address: string;
  prefixLength: number;
}

async function run(context: ToolContext, args: string[]): Promise<number> {
  const words = args.filter((word) => word !== '-n' && word !== '-inet');
  const quiet = words[0] === '-q';
  if (quiet) words.shift();
  const [verb, ...rest] = words;
  switch (verb) {
    case 'show': {
      const routes = await context.kernel.routes();
      context.out.write(context.json ? `${JSON.stringify(routes)}\n` : formatRoutes(routes));
      return 0;
    }
    case 'get':
      return get(context, rest);
    case 'add':
    case 'delete':
      return change(context, verb, rest, quiet);
    default:
      throw new UsageError(USAGE);
  }
}

function destination(context: ToolContext, text: string, host: boolean): Destination | null {
  if (text === 'default') return { text, address: '0.0.0.0', prefixLength: 0 };
  const [name, length] = text.split('/') as [string, string?];
  const address = expand(name) ?? addressOf(context.lab, context.kernel.name, name);
  if (address === null || (length !== undefined && !(Number(length) <= 32))) return null;
  const guess = host || !address.endsWith('.0') ? 32 : 24;
  return { text, address, prefixLength: length === undefined ? guess : Number(length) };
}

/** `10.0.1` of netstat's `10.0.1/24`. */
function expand(text: string): string | null {
  if (!/^\d{1,3}(\.\d{1,3}){0,3}$/.test(text)) return null;
  const padded = [...text.split('.'), '0', '0', '0'].slice(0, 4).join('.');
  return isAddress(padded) ? padded : null;
}

async function change(context: ToolContext, verb: 'add' | 'delete', words: string[], quiet: boolean): Promise<number> {
  const options = words.filter((word) => word.startsWith('-'));
  const [to, via] = words.filter((word) => !word.startsWith('-'));
  if (to === undefined || (verb === 'add' && via === undefined)) throw new UsageError(USAGE);
  const target = destination(context, to, options.includes('-host'));
  const gateway = via === undefined ? '' : addressOf(context.lab, context.kernel.name, via);
  if (target === null || gateway === null) {
    context.out.error(`route: ${target === null ? to : via}: bad address\n`);
    return 1;
  }
  const kind = options.includes('-reject') ? 'reject' : options.includes('-blackhole') ? 'blackhole' : 'unicast';
  const request: RouteChange = { destination: target.address, prefixLength: target.prefixLength, gateway, kind };
  const type = target.prefixLength === 32 ? 'host' : 'net';
  const line = `${verb} ${type} ${to}${gateway === '' ? '' : `: gateway ${via}`}`;
  try {
    if (verb === 'add') await context.kernel.addRoute(request);
    else await context.kernel.deleteRoute(request);
  } catch (error) {
    if (!(error instanceof MultikernelError)) throw error;
    const why = error.code === 'ENOENT' || error.code === 'ESRCH' ? 'not in table' : ERROR_TEXT[error.code];
    context.out.error(`${line}: ${why ?? error.message}\n`);
    return 1;
  }
  if (!quiet) context.out.write(`${line}\n`);
  return 0;
}

function toNumber(address: string): number {
  return address.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0);
}

/** The route with the longest prefix that holds the address. */
export function lookup(routes: readonly RouteInfo[], address: string): RouteInfo | null {
  const wanted = toNumber(address);
  let best: RouteInfo | null = null;
  for (const route of routes) {
    const size = 2 ** (32 - route.prefixLength);
    const start = toNumber(route.destination);
    if (wanted < start || wanted >= start + size) continue;
    if (best === null || route.prefixLength > best.prefixLength) best = route;
  }
  return best;
}

async function get(context: ToolContext, words: string[]): Promise<number> {
  const [to] = words.filter((word) => !word.startsWith('-'));
  if (to === undefined) throw new UsageError(USAGE);
  const target = destination(context, to, true);
  const [routes, interfaces] = await Promise.all([context.kernel.routes(), context.kernel.interfaces()]);
  const route = target === null ? null : lookup(routes, target.address);
  if (target === null || route === null) {
    context.out.error(`route: writing to routing socket: not in table\n`);
    return 1;
  }
  if (context.json) {
    context.out.write(`${JSON.stringify(route)}\n`);
    return 0;
  }
  const own = interfaces.find((info) => info.name === route.interface)?.addresses[0]?.address ?? '';
  context.out.write(formatRouteGet(target.address, route, own));
  return 0;
}

/** Labels right-aligned to column 12, as route(8) prints them. */
export function formatRouteGet(address: string, route: RouteInfo, localAddress: string): string {
  const isDefault = route.prefixLength === 0;
  const mask = route.prefixLength === 0 ? 0 : (0xffffffff << (32 - route.prefixLength)) >>> 0;
  const known = FLAGS.filter(([letter]) => route.flags.includes(letter));
  const word = known.reduce((sum, [, bit]) => sum | bit, RTF_DONE);
  const names = [
    ...known.filter(([, bit]) => bit < RTF_DONE),
    ['', 0, 'DONE'] as const,
    ...known.filter(([, bit]) => bit > RTF_DONE),
  ];
  const rows: [string, string][] = [
    ['route to', address],
    ['destination', isDefault ? 'default' : route.destination],
  ];
  if (route.prefixLength < 32) {
    rows.push(['mask', isDefault ? 'default' : [24, 16, 8, 0].map((shift) => (mask >>> shift) & 255).join('.')]);
  }
  if (route.flags.includes('G')) rows.push(['gateway', route.gateway]);
  rows.push(['local addr', localAddress], ['interface', route.interface]);
  rows.push(['flags', `0x${word.toString(16)}<${names.map(([, , name]) => name).join(',')}>`]);
  const labels = rows.map(([label, value]) => `${label.padStart(11)}: ${value}\n`).join('');
  const heading = ' recvpipe  sendpipe  ssthresh  rtt,msec    rttvar  hopcount      mtu     expire\n';
  const values = [0, 0, 0, 0, 0, 0].map((value) => String(value).padStart(9)).join(' ');
  return `${labels}${heading}${values} ${String(route.mtuBytes).padStart(8)} ${'0'.padStart(10)} \n`;
}

export const route: Tool = { name: 'route', about: 'show and change routes', usage: USAGE, run };
