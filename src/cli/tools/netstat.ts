/**
 * `netstat -rn`, `-an`, `-s`, `-i` with NetBSD's arguments and text. Thread: the command's.
 *
 * Missing: -m, -g, inet6, repetition by interval.
 */

import type { InterfaceInfo, RouteInfo, SocketInfo } from '../../index.ts';
import { getopt, UsageError } from './getopt.ts';
import { formatStatistics } from './netstat-statistics.ts';
import { nameOf, type Tool, type ToolContext } from './tool.ts';

const USAGE = `usage: netstat [-anv] [-f inet] [-p protocol]
       netstat -r [-n]
       netstat -i [-bdn] [-I interface]
       netstat -s [-s] [-p protocol]`;

/** Networks lose the octets that their length makes superfluous: `10.0.1/24`, `127/8`. */
export function networkName(destination: string, prefixLength: number): string {
  if (prefixLength === 0) return 'default';
  const octets = prefixLength < 9 ? 1 : prefixLength < 17 ? 2 : prefixLength < 25 ? 3 : 4;
  return `${destination.split('.').slice(0, octets).join('.')}/${prefixLength}`;
}

export function formatRoutes(routes: readonly RouteInfo[]): string {
  const heading = `${'Destination'.padEnd(18)} ${'Gateway'.padEnd(18)} ${'Flags'.padEnd(6)} ${'Refs'.padStart(6)} ${'Use'.padStart(8)} ${'Mtu'.padStart(6)} Interface`;
  const lines = routes.map((route) => {
    const host = route.prefixLength === 32;
    const destination = host ? route.destination : networkName(route.destination, route.prefixLength);
    const mtu = route.mtuBytes > 0 ? String(route.mtuBytes) : '-';
    return `${destination.padEnd(18)} ${route.gateway.padEnd(18)} ${route.flags.padEnd(6)} ${'-'.padStart(6)} ${'-'.padStart(8)} ${mtu.padStart(6)}  ${route.interface}`;
  });
  return `Routing tables\n\nInternet:\n${[heading, ...lines].join('\n')}\n`;
}

function endpoint(address: string, port: number): string {
  return `${address === '0.0.0.0' ? '*' : address}.${port === 0 ? '*' : port}`;
}

/** NetBSD writes the states with underscores. */
function stateName(state: string): string {
  return state.replaceAll('-', '_');
}

export interface SocketsView {
  /** Listening ones too. */
  all: boolean;
  /** Columns of our own: retransmissions, timers and window of TCP. */
  verbose: boolean;
  name(address: string): string;
}

export function formatSockets(sockets: readonly SocketInfo[], view: SocketsView): string {
  const { all, verbose, name } = view;
  const shown = sockets.filter((socket) => all || (socket.peerPort !== 0 && socket.state !== 'LISTEN'));
  const title = `Active Internet connections${all ? ' (including servers)' : ''}\n`;
  const heading = `Proto Recv-Q Send-Q  ${'Local Address'.padEnd(22)} ${'Foreign Address'.padEnd(22)} State${verbose ? '        Rexmt   RTO,ms  SRTT,ms     Cwnd' : ''}\n`;
  const lines = shown.map((socket) => {
    const local = endpoint(name(socket.localAddress), socket.localPort).padEnd(22);
    const peer = endpoint(name(socket.peerAddress), socket.peerPort).padEnd(22);
    const queues = `${String(socket.receiveQueueBytes).padStart(6)} ${String(socket.sendQueueBytes).padStart(6)}`;
    const connected = verbose && socket.protocol === 'tcp' && socket.state !== 'LISTEN';
    const timers = [socket.retransmits, Math.round(socket.rtoMs), socket.srttMs.toFixed(3), socket.cwndBytes];
    const tail = connected ? timers.map((cell, i) => String(cell).padStart(i === 0 ? 6 : 9)).join('') : '';
    const state = socket.protocol === 'tcp' ? ` ${stateName(socket.state).padEnd(12)}${tail}` : '';
    return `${socket.protocol.padEnd(5)} ${queues}  ${local} ${peer}${state}`.trimEnd();
  });
  return title + heading + lines.map((line) => `${line}\n`).join('');
}

export function formatInterfaces(interfaces: readonly InterfaceInfo[], bytes: boolean, drops: boolean): string {
  const left = (cells: string[]): string => {
    const [name, mtu, network, address] = cells as [string, string, string, string];
    return `${name.padEnd(5)} ${mtu.padEnd(5)} ${network.padEnd(13)} ${address.padEnd(17)} `;
  };
  const right = (cells: readonly (string | number)[], widths: readonly number[]): string =>
    cells.map((cell, i) => String(cell).padStart(widths[i] as number)).join(' ');
  const widths = bytes ? [10, 10] : [8, 5, 8, 5, 5];
  const titles = bytes ? ['Ibytes', 'Obytes'] : ['Ipkts', 'Ierrs', 'Opkts', 'Oerrs', 'Colls'];
  const lines = [left(['Name', 'Mtu', 'Network', 'Address']) + right(titles, widths) + (drops ? ' Drops' : '')];
  for (const info of interfaces) {
    const name = info.flagNames.includes('UP') ? info.name : `${info.name}*`;
    const figures = bytes
      ? [info.inBytes, info.outBytes]
      : [info.inPackets, info.inErrors, info.outPackets, info.outErrors, 0];
    const tail = right(figures, widths) + (drops ? ` ${String(info.inDrops + info.outDrops).padStart(5)}` : '');
    const rows: [string, string][] = [
      ['<Link>', info.mac ?? ''],
      ...info.addresses.map((entry): [string, string] => [
        networkName(networkOf(entry.address, entry.prefixLength), entry.prefixLength),
        entry.address,
      ]),
    ];
    for (const [network, address] of rows) lines.push(left([name, String(info.mtuBytes), network, address]) + tail);
  }
  return `${lines.join('\n')}\n`;
}

function networkOf(address: string, prefixLength: number): string {
  const value = address.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0);
  const start = value - (value % 2 ** (32 - prefixLength));
  return [24, 16, 8, 0].map((shift) => (start >>> shift) & 255).join('.');
}

async function run(context: ToolContext, args: string[]): Promise<number> {
  const double = args.some((word) => /^-[a-z]*s[a-z]*s/.test(word)) || args.filter((word) => word === '-s').length > 1;
  const { flags, values, rest } = getopt(args, 'abdf:iI:np:rsTv');
  if (rest.length > 0) throw new UsageError(USAGE);
  if ((values.get('f') ?? 'inet') !== 'inet') throw new UsageError(`${values.get('f')}: unknown address family`);
  const { kernel, out, json } = context;
  const print = (value: unknown, text: () => string): number => {
    out.write(json ? `${JSON.stringify(value)}\n` : text());
    return 0;
  };
  if (flags.has('r')) {
    const routes = await kernel.routes();
    return print(routes, () => formatRoutes(routes));
  }
  if (flags.has('i') || values.has('I')) {
    const infos = await kernel.interfaces();
    const shown = infos.filter((info) => !values.has('I') || info.name === values.get('I'));
    return print(shown, () => formatInterfaces(shown, flags.has('b'), flags.has('d')));
  }
  if (flags.has('s') || values.has('p')) {
    const counters = await kernel.counters();
    return print(counters, () => formatStatistics(counters, values.get('p') ?? null, !double));
  }
  const sockets = await kernel.sockets();
  const name = (address: string): string => (flags.has('n') ? address : (nameOf(context.lab, address) ?? address));
  return print(sockets, () => formatSockets(sockets, { all: flags.has('a'), verbose: flags.has('v'), name }));
}

export const netstat: Tool = {
  name: 'netstat',
  about: 'show sockets, routes, interfaces, statistics',
  usage: USAGE,
  run,
};
