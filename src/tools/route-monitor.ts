/**
 * `route monitor`: routing messages in NetBSD's text. Thread: the command's.
 *
 * Messages here are no bytes; their sizes are those of NetBSD's structures on a 64-bit machine. Read first: route(8), route(4).
 */

import {
  IFAN_ARRIVAL,
  type NeighborRecord,
  type RouteMessage,
  type RouteMessages,
  RTF_STATIC,
  RTM_ADD,
  RTM_CHANGE,
  RTM_DELADDR,
  RTM_DELETE,
  RTM_IFANNOUNCE,
  RTM_IFINFO,
  RTM_MISS,
  RTM_NEWADDR,
  RTM_REDIRECT,
} from '../sys/control.ts';
import { formatAddress, formatLinkAddress, type InterfaceNames } from './address-text.ts';
import { flagNames } from './interface-text.ts';
import { RTF_DONE, routeFlagNames, routeInfo } from './route-text.ts';
import { StreamIterable } from './stream-iterable.ts';
import type { ToolContext } from './tool.ts';

/** By `RTM_*`. */
const TITLES: Readonly<Record<RouteMessage['type'], string>> = {
  [RTM_ADD]: 'RTM_ADD: Add Route',
  [RTM_DELETE]: 'RTM_DELETE: Delete Route',
  [RTM_CHANGE]: 'RTM_CHANGE: Change Metrics or flags',
  [RTM_REDIRECT]: 'RTM_REDIRECT: Told to use different route',
  [RTM_MISS]: 'RTM_MISS: Lookup failed on this address',
  [RTM_IFANNOUNCE]: 'RTM_IFANNOUNCE: iface arrival/departure',
  [RTM_IFINFO]: 'RTM_IFINFO: iface status change',
  [RTM_NEWADDR]: 'RTM_NEWADDR: address being added to iface',
  [RTM_DELADDR]: 'RTM_DELADDR: address being removed from iface',
};
const HOST_BITS: Readonly<Record<4 | 6, number>> = { 4: 32, 6: 128 };
/** Sizes of rt_msghdr, if_msghdr, ifa_msghdr and if_announcemsghdr, and of socket addresses, each a multiple of 8. */
const ROUTE_BYTES = 120;
const INTERFACE_BYTES = 152;
const ADDRESS_BYTES = 24;
const ANNOUNCE_BYTES = 24;
const SOCKET_ADDRESS_BYTES: Readonly<Record<4 | 6, number>> = { 4: 16, 6: 32 };
const LINK_ADDRESS_BYTES = 24;
const MASK_BYTES: Readonly<Record<4 | 6, number>> = { 4: 8, 6: 32 };

/** Bytes of the message in NetBSD. */
function sizeOf(message: RouteMessage): number {
  switch (message.type) {
    case RTM_IFANNOUNCE:
      return ANNOUNCE_BYTES;
    case RTM_IFINFO:
      return INTERFACE_BYTES;
    case RTM_NEWADDR:
    case RTM_DELADDR: {
      const { family } = message.address;
      return ADDRESS_BYTES + MASK_BYTES[family] + LINK_ADDRESS_BYTES + SOCKET_ADDRESS_BYTES[family];
    }
    case RTM_MISS: {
      const address = SOCKET_ADDRESS_BYTES[message.destination.family];
      const gateway = message.linkIndex === undefined ? 0 : LINK_ADDRESS_BYTES;
      return ROUTE_BYTES + address + gateway + (message.author === undefined ? 0 : address);
    }
    case RTM_REDIRECT:
      return ROUTE_BYTES + 2 * SOCKET_ADDRESS_BYTES[message.destination.family];
    default: {
      if ('neighbor' in message)
        return ROUTE_BYTES + SOCKET_ADDRESS_BYTES[message.neighbor.address.family] + LINK_ADDRESS_BYTES;
      const { destination, prefixLength, gateway } = message.route;
      const { family } = destination;
      const to = gateway === null ? LINK_ADDRESS_BYTES : SOCKET_ADDRESS_BYTES[family];
      const mask = prefixLength === HOST_BITS[family] ? 0 : prefixLength === 0 ? 8 : MASK_BYTES[family];
      return ROUTE_BYTES + SOCKET_ADDRESS_BYTES[family] + to + mask;
    }
  }
}

/** As ctime(3): `Tue Dec  1 02:33:09 2026`. */
function timeText(now: Date): string {
  const [weekday, month] = now.toDateString().split(' ') as [string, string];
  return `${weekday} ${month} ${String(now.getDate()).padStart(2)} ${now.toTimeString().slice(0, 8)} ${now.getFullYear()}`;
}

function lines(message: RouteMessage, names: InterfaceNames): string {
  const size = sizeOf(message);
  const heading = `got message of size ${size} on ${timeText(new Date())}\n`;
  return `${heading}${TITLES[message.type]}: len ${size}, ${body(message, names)}`;
}

/** Flags, then addresses by their names. */
function routeLines(flags: readonly string[], addresses: readonly (readonly [name: string, text: string])[]): string {
  const names = addresses.map(([name]) => name).join(',');
  const texts = addresses.map(([, text]) => ` ${text}`).join('');
  return `pid 0, seq 0, errno 0, flags: <${flags.join(',')}>\nlocks:  inits: \nsockaddrs: <${names}>\n${texts}\n`;
}

/**
 * As NetBSD tells of neighbors, which were routes before 2016: a static one goes by the name of that flag, the others were cloned. It
 * tells of a new IPv6 neighbor before that has answered, by the number of the link.
 */
function neighborLines(neighbor: NeighborRecord, up: boolean, names: InterfaceNames): string {
  const { address, linkAddress, flags, interfaceIndex } = neighbor;
  const isStatic = (flags & RTF_STATIC) !== 0;
  const unanswered = linkAddress === null || (up && address.family === 6 && !isStatic);
  return routeLines(
    [...(up ? ['UP'] : []), 'HOST', 'DONE', 'LLINFO', isStatic ? 'STATIC' : 'CLONED'],
    [
      ['DST', formatAddress(address, names)],
      ['GATEWAY', unanswered ? `link#${interfaceIndex}` : formatLinkAddress(linkAddress)],
    ],
  );
}

function body(message: RouteMessage, names: InterfaceNames): string {
  switch (message.type) {
    case RTM_IFANNOUNCE: {
      const what = message.what === IFAN_ARRIVAL ? 'arrival' : 'departure';
      return `if# ${message.interfaceIndex}, what: ${what}, name: ${message.name}\n`;
    }
    case RTM_IFINFO:
      return `if# ${message.interfaceIndex}, flags: <${flagNames(message.flags).join(',')}>\n`;
    case RTM_NEWADDR:
    case RTM_DELADDR: {
      const { interfaceIndex, address, prefixLength } = message;
      return `if# ${interfaceIndex}, ${formatAddress(address, names)}/${prefixLength}\n`;
    }
    case RTM_MISS: {
      const { destination, linkIndex, author } = message;
      const addresses: [string, string][] = [['DST', formatAddress(destination, names)]];
      if (linkIndex !== undefined) addresses.push(['GATEWAY', `link#${linkIndex}`]);
      if (author !== undefined) addresses.push(['AUTHOR', formatAddress(author, names)]);
      return routeLines(['DONE'], addresses);
    }
    case RTM_REDIRECT: {
      const to = formatAddress(message.destination, names);
      const gateway = formatAddress(message.gateway, names);
      return routeLines(
        ['GATEWAY', 'HOST', 'DONE', 'DYNAMIC'],
        [
          ['DST', to],
          ['GATEWAY', gateway],
        ],
      );
    }
    default: {
      if ('neighbor' in message) return neighborLines(message.neighbor, message.type === RTM_ADD, names);
      const { route } = message;
      const { destination, prefixLength, gateway } = routeInfo(route, names);
      const isDefault = prefixLength === 0;
      const addresses: [string, string][] = [
        ['DST', isDefault ? 'default' : destination],
        ['GATEWAY', gateway],
      ];
      const isHost = prefixLength === HOST_BITS[route.destination.family];
      if (!isHost) addresses.push(['NETMASK', isDefault ? 'default' : `/${prefixLength}`]);
      return routeLines(routeFlagNames(route.flags | RTF_DONE), addresses);
    }
  }
}

/** Prints the next `count` messages, or all until it is interrupted. Returns the exit code. */
export async function monitorRoutes({ kernel, out, json, signal }: ToolContext, count: number): Promise<number> {
  const stream = new StreamIterable<RouteMessages>((sink) => kernel.client.open('routeEvents', {}, sink));
  signal.addEventListener('abort', () => stream.close());
  let left = count;
  for await (const { messages } of stream) {
    const names = await kernel.names();
    for (const message of messages) {
      if (left === 0) break;
      left--;
      out.write(json ? `${JSON.stringify(message)}\n` : lines(message, names));
    }
    if (left === 0) break;
  }
  stream.close();
  return 0;
}
