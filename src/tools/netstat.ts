/**
 * `netstat` with NetBSD's arguments and text. Thread: the command's.
 *
 * Missing: memory images (-M, -N), control blocks (-P), human-readable bytes (-h), statistics of interfaces (-s -i).
 */

import { setTimeout } from 'node:timers/promises';
import { MS_PER_S } from '../base/units.ts';
import type { AddressFamily } from './address-text.ts';
import { ArgumentError, eachOption, getopt, numberOption, UsageError } from './getopt.ts';
import { formatBpfCounts, formatBpfDevices } from './netstat-bpf.ts';
import { formatInterfaces } from './netstat-interfaces.ts';
import { formatRoutingStatistics, formatStatistics } from './netstat-statistics.ts';
import { watchTraffic } from './netstat-traffic.ts';
import { routesOf } from './route-tables.ts';
import type { SocketInfo } from './socket-text.ts';
import type { Tool, ToolContext } from './tool.ts';

const USAGE = `usage: netstat [-Aan] [-f address_family[,family ...]] [-M core] [-N system]
       netstat [-bdgiLmnqrsSv] [-f address_family[,family ...]] [-M core] [-N system]
       netstat [-dn] [-I interface] [-M core] [-N system] [-w wait]
       netstat [-p protocol] [-M core] [-N system]
       netstat [-p protocol] [-M core] [-N system] -P pcbaddr
       netstat [-p protocol] [-i] [-I Interface]
       netstat [-s] [-f address_family[,family ...]] [-i] [-I Interface]
       netstat [-s] [-B] [-I interface]`;

/** The protocols whose statistics a family has. */
const PROTOCOLS: Readonly<Record<AddressFamily, readonly string[]>> = {
  inet: ['ip', 'icmp', 'igmp', 'tcp', 'udp'],
  inet6: ['ip6', 'icmp6', 'nd6', 'mld', 'tcp', 'udp'],
};
/** Protocols that -p takes, whether anything of them is counted or not. */
const NETBSD_PROTOCOLS: readonly string[] = ['ip', 'icmp', 'igmp', 'tcp', 'udp', 'arp', 'ip6', 'icmp6'];
/** Families that NetBSD knows beside inet and inet6; a kernel has nothing of them. */
const OTHER_FAMILIES: readonly string[] = ['arp', 'unix', 'local', 'atalk', 'mpls', 'pfkey'];
const OPTIONS = 'AaBbdf:ghI:iLlM:mN:nP:p:qrSsTtuvw:X';
const NO_MULTICAST_ROUTING: Readonly<Record<AddressFamily, string>> = {
  inet: 'no multicast routing compiled into this system\n',
  inet6: 'no IPv6 multicast routing compiled into this system\n',
};

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
    return rows.length === 0 ? '' : formatFamily(rows, view, family);
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

function print({ out, json }: ToolContext, value: unknown, text: () => string): void {
  out.write(json ? `${JSON.stringify(value)}\n` : text());
}

async function run(context: ToolContext, args: string[]): Promise<number> {
  const options = getopt(args, OPTIONS);
  let statistics = 0;
  eachOption(args, OPTIONS, (letter) => {
    if (letter === 's') statistics++;
  });
  const double = statistics > 1;
  const { flags, values, rest } = options;
  if (rest.length > 0) throw new UsageError(USAGE);
  const missing = ['M', 'N', 'P'].find((letter) => values.has(letter)) ?? (flags.has('h') ? 'h' : undefined);
  if (missing !== undefined) throw new ArgumentError(`-${missing} is not supported`);
  const { kernel } = context;
  const name = values.get('I') ?? null;
  if (flags.has('B')) {
    const table = await kernel.bpfDevices();
    const devices = table.devices.filter((device) => name === null || device.interface === name);
    const shown = flags.has('s') ? table.total : devices;
    print(context, shown, () => (flags.has('s') ? formatBpfCounts(table.total) : formatBpfDevices(devices)));
    return 0;
  }
  if (flags.has('m')) {
    const memory = memoryOf(await kernel.counters());
    print(context, memory, () => formatMemory(memory));
    return 0;
  }
  const intervalSec = numberOption(options, 'w', 0, 1);
  if (intervalSec > 0) {
    const pause = (): Promise<unknown> => setTimeout(intervalSec * MS_PER_S, undefined, { signal: context.signal });
    return watchTraffic(context, name, flags, () => pause().catch(() => undefined));
  }
  // Queues of soft interrupts have no counterpart.
  if (flags.has('q') && !flags.has('i') && name === null) return 0;
  const protocol = values.get('p') ?? null;
  if (protocol !== null) {
    const counters = await kernel.counters();
    if (!isCounted(protocol, counters)) throw new ArgumentError(`${protocol}: unknown or uninstrumented protocol`);
    print(context, counters, () => formatStatistics(counters, protocol, !double));
  } else if (flags.has('i') || name !== null) {
    const infos = await kernel.interfaces();
    const groups = flags.has('a') ? await kernel.groups() : [];
    const shown = infos.filter((info) => name === null || info.name === name);
    print(context, shown, () => formatInterfaces(shown, groups, flags));
  } else if (flags.has('r') && flags.has('s')) {
    const counters = await kernel.counters();
    print(context, counters, () => formatRoutingStatistics(counters, !double));
  } else {
    for (const family of familiesOf(context, values.get('f'))) await show(context, flags, double, family);
  }
  return 0;
}

/** Tables and statistics of one family of -f; null: of both. `double`: -s twice. */
async function show(
  context: ToolContext,
  flags: ReadonlySet<string>,
  double: boolean,
  family: AddressFamily | null,
): Promise<void> {
  const { kernel } = context;
  if (flags.has('s')) {
    const counters = await kernel.counters();
    print(context, counters, () =>
      formatStatistics(counters, null, !double, family === null ? null : PROTOCOLS[family]),
    );
    return;
  }
  if (flags.has('r')) {
    const [routes, text] = await routesOf(context, family, { links: !flags.has('L'), tags: flags.has('T') });
    print(context, routes, () => text);
    return;
  }
  if (flags.has('g')) {
    print(
      context,
      [],
      () => NO_MULTICAST_ROUTING[family ?? 'inet'] + (family === null ? NO_MULTICAST_ROUTING.inet6 : ''),
    );
    return;
  }
  const sockets = await kernel.sockets();
  const hosts = flags.has('n') ? null : await context.hosts();
  const name = (address: string): string => hosts?.nameOf(address) ?? address;
  print(context, sockets, () => formatSockets(sockets, { all: flags.has('a'), verbose: flags.has('v'), family, name }));
}

function isCounted(protocol: string, counters: Readonly<Record<string, number>>): boolean {
  return NETBSD_PROTOCOLS.includes(protocol) || Object.keys(counters).some((name) => name.startsWith(`${protocol}-`));
}

/** Families of a list; unknown ones are said, and left out. */
function familiesOf({ out }: ToolContext, text: string | undefined): (AddressFamily | null)[] {
  if (text === undefined) return [null];
  return text.split(',').flatMap((family) => {
    if (family === 'inet' || family === 'inet6') return [family];
    if (!OTHER_FAMILIES.includes(family)) out.error(`netstat: ${family}: unknown address family\n`);
    return [];
  });
}

export const netstat: Tool = {
  name: 'netstat',
  about: 'show sockets, routes, interfaces, statistics',
  usage: USAGE,
  run,
};
