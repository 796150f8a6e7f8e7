/** Routing tables as `netstat -r` and `route show` print them. Thread: any. */

import { RTV_MTU } from '../sys/control.ts';
import type { AddressFamily } from './address-text.ts';
import type { NeighborInfo } from './neighbor-text.ts';
import type { RouteInfo } from './route-text.ts';
import type { ToolContext } from './tool.ts';

/** Networks lose the octets that their length makes superfluous: `10.0.1/24`, `127/8`. */
export function networkName(destination: string, prefixLength: number): string {
  if (prefixLength === 0) return 'default';
  if (destination.includes(':')) return `${destination}/${prefixLength}`;
  const octets = prefixLength < 9 ? 1 : prefixLength < 17 ? 2 : prefixLength < 25 ? 3 : 4;
  return `${destination.split('.').slice(0, octets).join('.')}/${prefixLength}`;
}

/** `routes` of one family. */
function formatRoutes(routes: readonly RouteInfo[], family: AddressFamily, tags: boolean): string {
  const [wide, narrow, bits, title] = family === 'inet6' ? [39, 30, 128, 'Internet6'] : [18, 18, 32, 'Internet'];
  const heading = `${'Destination'.padEnd(wide)} ${'Gateway'.padEnd(narrow)} ${'Flags'.padEnd(6)} ${'Refs'.padStart(6)} ${'Use'.padStart(8)} ${'Mtu'.padStart(6)}${tags ? `${'Tag'.padStart(8)}` : ''} Interface`;
  const lines = routes.map((route) => {
    const host = route.prefixLength === bits;
    const destination = host ? route.destination : networkName(route.destination, route.prefixLength);
    const locked = ((route.metrics?.locks ?? 0) & RTV_MTU) !== 0 ? 'L' : ' ';
    const mtu = route.mtuBytes > 0 ? String(route.mtuBytes) : '-';
    return `${destination.padEnd(wide)} ${route.gateway.padEnd(narrow)} ${route.flags.padEnd(6)} ${'-'.padStart(6)} ${'-'.padStart(8)} ${mtu.padStart(6)}${locked}${tags ? '      -' : ''} ${route.interface}`;
  });
  return `\n${title}:\n${[heading, ...lines].join('\n')}\n`;
}

/** Neighbors that have a link-layer address, as rows behind the routes of their family. */
function neighborRows(neighbors: readonly NeighborInfo[], bits: number): RouteInfo[] {
  return neighbors.flatMap(({ address, mac, interface: name, state, published }) => {
    if (mac === null) return [];
    const flags = `UHL${state === 'permanent' ? 'S' : ''}${published ? 'p' : ''}`;
    return [{ destination: address, prefixLength: bits, gateway: mac, flags, interface: name, mtuBytes: 0, uses: 0 }];
  });
}

export interface RouteTableView {
  /** The neighbor cache stands behind the routes, as in NetBSD since both are apart; not with `-L`. */
  links: boolean;
  /** A column for MPLS tags, `-T`. */
  tags: boolean;
  /** Rows that are shown; absent: all. */
  keeps?(route: RouteInfo): boolean;
}

/** The tables of one family, or of both: null; as rows and as text. */
export async function routesOf(
  context: ToolContext,
  family: AddressFamily | null,
  { links, tags, keeps = () => true }: RouteTableView,
): Promise<[RouteInfo[], string]> {
  const families: AddressFamily[] = family === null ? ['inet', 'inet6'] : [family];
  const { kernel } = context;
  const tables = (await Promise.all(families.map((one) => kernel.routes(one)))).map((rows) => rows.filter(keeps));
  const caches = await Promise.all(families.map((one) => (links && !context.json ? kernel.neighbors(one) : [])));
  const shown = families.flatMap((one, i) => {
    const neighbors = neighborRows(caches[i] as NeighborInfo[], one === 'inet6' ? 128 : 32);
    const routes = [...(tables[i] as RouteInfo[]), ...neighbors.filter(keeps)];
    return one === 'inet6' && family === null && routes.length === 0 ? [] : [formatRoutes(routes, one, tags)];
  });
  return [tables.flat(), `Routing tables\n${shown.join('')}`];
}
