/**
 * `netstat -rn`, `-an`, `-s`, `-i`, `-m` with NetBSD's arguments and text. Thread: the command's.
 *
 * Missing: -g, repetition by interval.
 */

import { fromBigInt6, toBigInt6 } from './address-bits.ts';
import type { AddressFamily } from './address-text.ts';
import { getopt, UsageError } from './getopt.ts';
import type { InterfaceInfo } from './interface-text.ts';
import { formatStatistics } from './netstat-statistics.ts';
import { networkName, routesOf } from './route-tables.ts';
import type { SocketInfo } from './socket-text.ts';
import type { Tool, ToolContext } from './tool.ts';

const USAGE = `usage: netstat [-anv] [-f inet | inet6] [-p protocol]
       netstat -r [-Ln] [-f inet | inet6]
       netstat -i [-bdn] [-I interface]
       netstat -s [-s] [-f inet | inet6] [-p protocol]
       netstat -m`;

const PROTOCOLS6: readonly string[] = ['ip6', 'icmp6', 'nd6', 'mld', 'tcp', 'udp'];

function endpoint(address: string, port: number): string {
  return `${address === '0.0.0.0' || address === '::' ? '*' : address}.${port === 0 ? '*' : port}`;
}

export interface SocketsView {
  /** Listening ones too. */
  all: boolean;
  /** Columns of our own: retransmissions, timers and window of TCP. */
  verbose: boolean;
  /** null: both. */
  family: AddressFamily | null;
  name(address: string): string;
}

function formatSockets(sockets: readonly SocketInfo[], view: SocketsView): string {
  const { all } = view;
  const shown = sockets.filter((socket) => all || (socket.peerPort !== 0 && socket.state !== 'LISTEN'));
  const families: AddressFamily[] = view.family === null ? ['inet', 'inet6'] : [view.family];
  const tables = families.map((family) => {
    const rows = shown.filter((socket) => socket.family === family);
    return view.family === null && family === 'inet6' && rows.length === 0 ? '' : formatFamily(rows, view, family);
  });
  return tables.join('');
}

function formatFamily(sockets: readonly SocketInfo[], view: SocketsView, family: AddressFamily): string {
  const { all, verbose, name } = view;
  const version = family === 'inet6' ? '6' : '';
  const ends = sockets.map((socket) => ({
    local: endpoint(name(socket.localAddress), socket.localPort),
    peer: endpoint(name(socket.peerAddress), socket.peerPort),
  }));
  const width = Math.max(22, ...ends.flatMap(({ local, peer }) => [local.length, peer.length]));
  const title = `Active Internet${version} connections${all ? ' (including servers)' : ''}\n`;
  const heading = `Proto Recv-Q Send-Q  ${'Local Address'.padEnd(width)} ${'Foreign Address'.padEnd(width)} State${verbose ? '        Rexmt   RTO,ms  SRTT,ms     Cwnd' : ''}\n`;
  const lines = sockets.map((socket, i) => {
    const { local, peer } = ends[i] as { local: string; peer: string };
    const queues = `${String(socket.receiveQueueBytes).padStart(6)} ${String(socket.sendQueueBytes).padStart(6)}`;
    const connected = verbose && socket.protocol === 'tcp' && socket.state !== 'LISTEN';
    const timers = [socket.retransmits, Math.round(socket.rtoMs), socket.srttMs.toFixed(3), socket.cwndBytes];
    const tail = connected ? timers.map((cell, i) => String(cell).padStart(i === 0 ? 6 : 9)).join('') : '';
    const state = socket.protocol === 'tcp' ? ` ${socket.state.padEnd(12)}${tail}` : '';
    const protocol = `${socket.protocol}${version}`;
    return `${protocol.padEnd(5)} ${queues}  ${local.padEnd(width)} ${peer.padEnd(width)}${state}`.trimEnd();
  });
  return title + heading + lines.map((line) => `${line}\n`).join('');
}

function formatInterfaces(interfaces: readonly InterfaceInfo[], bytes: boolean, drops: boolean): string {
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
    const counts = bytes
      ? [info.inBytes, info.outBytes]
      : [info.inPackets, info.inErrors, info.outPackets, info.outErrors, 0];
    const tail = right(counts, widths) + (drops ? ` ${String(info.inDrops + info.outDrops).padStart(5)}` : '');
    const rows: [string, string][] = [
      ['<Link>', info.mac ?? ''],
      ...info.addresses.map((entry): [string, string] => [
        networkName(networkOf(entry.address, entry.prefixLength), entry.prefixLength),
        entry.address,
      ]),
      ...info.addresses6.map((entry): [string, string] => [
        networkName(networkOf6(entry.address, entry.prefixLength), entry.prefixLength),
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

function networkOf6(address: string, prefixLength: number): string {
  const keep = BigInt(128 - prefixLength);
  return fromBigInt6((toBigInt6(address) >> keep) << keep);
}

interface Memory {
  usedBytes: number;
  maxBytes: number;
  refused: number;
}

function memoryOf(counters: Readonly<Record<string, number>>): Memory {
  const { 'memory-used': usedBytes = 0, 'memory-max': maxBytes = 0, 'memory-refused': refused = 0 } = counters;
  return { usedBytes, maxBytes, refused };
}

/** Memory of buffers and waiting packets, which is ours instead of mbufs. */
function formatMemory({ usedBytes, maxBytes, refused }: Memory): string {
  const kbytes = (bytes: number): number => Math.ceil(bytes / 1024);
  const part = maxBytes === 0 ? 0 : Math.floor((usedBytes * 100) / maxBytes);
  const requests = `${refused} ${refused === 1 ? 'request' : 'requests'}`;
  return `${kbytes(usedBytes)} Kbytes in use by buffers and waiting packets
${kbytes(maxBytes)} Kbytes allocated to network (${part}% in use)
${requests} for memory denied
`;
}

async function run(context: ToolContext, args: string[]): Promise<number> {
  const double = args.some((word) => /^-[a-z]*s[a-z]*s/.test(word)) || args.filter((word) => word === '-s').length > 1;
  const { flags, values, rest } = getopt(args, 'abdf:iI:Lmnp:rsTv');
  if (rest.length > 0) throw new UsageError(USAGE);
  const family = familyOf(values.get('f'));
  const { kernel, out, json } = context;
  const print = (value: unknown, text: () => string): number => {
    out.write(json ? `${JSON.stringify(value)}\n` : text());
    return 0;
  };
  if (flags.has('r')) {
    const [routes, text] = await routesOf(context, family, { links: !flags.has('L'), tags: flags.has('T') });
    return print(routes, () => text);
  }
  if (flags.has('i') || values.has('I')) {
    const infos = await kernel.interfaces();
    const shown = infos.filter((info) => !values.has('I') || info.name === values.get('I'));
    return print(shown, () => formatInterfaces(shown, flags.has('b'), flags.has('d')));
  }
  if (flags.has('s') || values.has('p')) {
    const counters = await kernel.counters();
    const protocols = family === 'inet6' ? PROTOCOLS6 : null;
    return print(counters, () => formatStatistics(counters, values.get('p') ?? null, !double, protocols));
  }
  if (flags.has('m')) {
    const memory = memoryOf(await kernel.counters());
    return print(memory, () => formatMemory(memory));
  }
  const sockets = await kernel.sockets();
  const hosts = flags.has('n') ? null : await context.hosts();
  const name = (address: string): string => hosts?.nameOf(address) ?? address;
  return print(sockets, () => formatSockets(sockets, { all: flags.has('a'), verbose: flags.has('v'), family, name }));
}

function familyOf(text: string | undefined): AddressFamily | null {
  if (text !== undefined && text !== 'inet' && text !== 'inet6')
    throw new UsageError(`${text}: unknown address family`);
  return text ?? null;
}

export const netstat: Tool = {
  name: 'netstat',
  about: 'show sockets, routes, interfaces, statistics',
  usage: USAGE,
  run,
};
