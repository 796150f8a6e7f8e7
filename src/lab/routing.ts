/**
 * Static routes of a lab: from every kernel to every network, over the fewest routers, the first in file order among equals.
 *
 * Thread: any. A node gets a default route over the nearest router of its first network that has one, and a route of its own to
 * each network that lies elsewhere; a router gets one route per network it is not on, and no default route.
 */

import { formatAddress, type Prefix } from './addressing.ts';

export interface RoutingNode {
  name: string;
  kind: 'node' | 'router';
  forwarding: boolean;
  /** Indices of its networks and its address on each, in the order of its interfaces. */
  ports: { network: number; address: number }[];
}

export interface Route {
  destination: string;
  prefixLength: number;
  gateway: string;
}

/** Next hop (address) from `from` to each network, null where it is attached or cannot get; breadth first. */
function nextHops(from: RoutingNode, nodes: readonly RoutingNode[], networks: number): (number | null)[] {
  const hop: (number | null | undefined)[] = new Array(networks).fill(undefined);
  for (const port of from.ports) hop[port.network] = null;
  let frontier = from.ports.map((port) => port.network);
  while (frontier.length > 0) {
    const next: number[] = [];
    for (const network of frontier) {
      for (const router of nodes) {
        const entry = router.ports.find((port) => port.network === network);
        if (!router.forwarding || router === from || entry === undefined) continue;
        for (const exit of router.ports) {
          if (hop[exit.network] !== undefined) continue;
          hop[exit.network] = hop[network] ?? entry.address;
          next.push(exit.network);
        }
      }
    }
    frontier = next;
  }
  return hop.map((address) => address ?? null);
}

/** The router that a node uses for whatever it knows nothing about. */
function defaultGateway(node: RoutingNode, nodes: readonly RoutingNode[]): number | null {
  for (const port of node.ports) {
    for (const router of nodes) {
      if (!router.forwarding || router === node) continue;
      const entry = router.ports.find((other) => other.network === port.network);
      if (entry !== undefined) return entry.address;
    }
  }
  return null;
}

/** The routes to put into `node`, its connected ones not counted. */
export function routesOf(node: RoutingNode, nodes: readonly RoutingNode[], prefixes: readonly Prefix[]): Route[] {
  const hops = nextHops(node, nodes, prefixes.length);
  const fallback = node.forwarding ? null : defaultGateway(node, nodes);
  const routes: Route[] = [];
  if (fallback !== null) routes.push({ destination: '0.0.0.0', prefixLength: 0, gateway: formatAddress(fallback) });
  hops.forEach((gateway, network) => {
    if (gateway === null || gateway === fallback) return;
    const prefix = prefixes[network] as Prefix;
    routes.push({
      destination: formatAddress(prefix.network),
      prefixLength: prefix.length,
      gateway: formatAddress(gateway),
    });
  });
  return routes;
}
