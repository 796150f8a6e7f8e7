/**
 * Static routes of a lab, for one family of addresses at a time: from every kernel to every network, over the fewest routers, the first in file order among equals.
 *
 * Thread: any. A node gets a default route over the nearest router of its first network that has one, and a route of its own to
 * each network that lies elsewhere; a router gets one route per network it is not on, and no default route.
 */

export interface RoutingNode {
  name: string;
  kind: 'node' | 'router' | 'bridge' | 'host';
  forwarding: boolean;
  /** Indices of its networks and its address on each that has addresses of the family, in the order of its interfaces. */
  ports: { network: number; address: string }[];
}

/** The networks of the family by index, null where there is none; and the destination that is everything. */
export interface RoutedNetworks {
  prefixes: readonly ({ address: string; length: number } | null)[];
  any: '0.0.0.0' | '::';
}

export interface PlannedRoute {
  destination: string;
  prefixLength: number;
  gateway: string;
}

/** Next hop (address) from `from` to each network, null where it is attached or cannot get; breadth first. */
function nextHops(from: RoutingNode, nodes: readonly RoutingNode[], networks: number): (string | null)[] {
  const hop: (string | null | undefined)[] = new Array(networks).fill(undefined);
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
function defaultGateway(node: RoutingNode, nodes: readonly RoutingNode[]): string | null {
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
export function routesOf(node: RoutingNode, nodes: readonly RoutingNode[], networks: RoutedNetworks): PlannedRoute[] {
  const { prefixes, any } = networks;
  const hops = nextHops(node, nodes, prefixes.length);
  const fallback = node.forwarding ? null : defaultGateway(node, nodes);
  const routes: PlannedRoute[] = [];
  if (fallback !== null) routes.push({ destination: any, prefixLength: 0, gateway: fallback });
  hops.forEach((gateway, network) => {
    const prefix = prefixes[network];
    if (gateway === null || gateway === fallback || prefix === null || prefix === undefined) return;
    routes.push({ destination: prefix.address, prefixLength: prefix.length, gateway });
  });
  return routes;
}
