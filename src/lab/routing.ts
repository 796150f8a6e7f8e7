/**
 * Static routes of a lab, for one family of addresses at a time: from every kernel to every network, over the fewest routers, the first in file order among equals.
 *
 * Thread: any. A node gets a default route over the nearest router of its first network that has one, and a route of its own to
 * each network that lies elsewhere; a router gets one route per network it is not on, and no default route.
 *
 * An end of a tunnel sends through it what its `routes` say; without them, what it would send through the other end anyway, and what has
 * no other way. Networks with outer addresses are reached without tunnels, by everybody. Each step of a packet, in a tunnel or outside, leads
 * to a machine that is fewer routers away from its destination, so that none goes in a circle.
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
  tunnels: readonly RoutedTunnel[];
}

/** One end of a tunnel. */
export interface TunnelSide {
  node: string;
  /** Inside the tunnel. */
  address: string;
  /** Null: found by itself. */
  destinations: { address: string; length: number }[] | null;
}

export interface RoutedTunnel {
  /** Index of its own network. */
  network: number;
  ends: readonly [TunnelSide, TunnelSide];
  /** Networks with an outer address. */
  outerNetworks: readonly number[];
}

export interface PlannedRoute {
  destination: string;
  prefixLength: number;
  gateway: string;
}

/** The way to a network. */
interface Hops {
  /** Address of the next hop; null: it is attached. */
  gateway: string | null;
  /** Names of the routers on the way, in their order. */
  passed: readonly string[];
}

/** Ways from a node to each network, undefined where it cannot get; breadth first, and not over `without`. */
export function hopsFrom(
  from: RoutingNode,
  nodes: readonly RoutingNode[],
  networks: number,
  without: ReadonlySet<number> = new Set(),
): (Hops | undefined)[] {
  const ways: (Hops | undefined)[] = new Array(networks).fill(undefined);
  const start = from.ports.filter((port) => !without.has(port.network));
  for (const port of start) ways[port.network] = { gateway: null, passed: [] };
  let frontier = [...new Set(start.map((port) => port.network))];
  while (frontier.length > 0) {
    const next: number[] = [];
    for (const network of frontier) {
      const { gateway, passed } = ways[network] as Hops;
      for (const router of nodes) {
        const entry = router.ports.find((port) => port.network === network);
        if (!router.forwarding || router === from || entry === undefined) continue;
        for (const exit of router.ports) {
          if (without.has(exit.network) || ways[exit.network] !== undefined) continue;
          ways[exit.network] = { gateway: gateway ?? entry.address, passed: [...passed, router.name] };
          next.push(exit.network);
        }
      }
    }
    frontier = next;
  }
  return ways;
}

/** The router that a node uses for whatever it knows nothing about. */
function defaultGateway(node: RoutingNode, nodes: readonly RoutingNode[], without: ReadonlySet<number>): string | null {
  for (const port of node.ports) {
    if (without.has(port.network)) continue;
    for (const router of nodes) {
      if (!router.forwarding || router === node) continue;
      const entry = router.ports.find((other) => other.network === port.network);
      if (entry !== undefined) return entry.address;
    }
  }
  return null;
}

/** A tunnel as one of its ends sees it. */
interface OwnTunnel {
  own: TunnelSide;
  other: TunnelSide;
}

/** The routes to put into `node`, its connected ones not counted. */
export function routesOf(node: RoutingNode, nodes: readonly RoutingNode[], networks: RoutedNetworks): PlannedRoute[] {
  const { prefixes, any, tunnels } = networks;
  const inside = new Set(tunnels.map(({ network }) => network));
  const ways = hopsFrom(node, nodes, prefixes.length, inside);
  const everywhere = tunnels.length === 0 ? ways : hopsFrom(node, nodes, prefixes.length);
  const outer = new Set(tunnels.flatMap(({ outerNetworks }) => outerNetworks));
  const own = tunnels.flatMap(({ ends: [a, b] }): OwnTunnel[] =>
    a.node === node.name ? [{ own: a, other: b }] : b.node === node.name ? [{ own: b, other: a }] : [],
  );
  const named = own.flatMap(({ own: { destinations }, other }) =>
    (destinations ?? []).map(({ address, length }) => ({
      destination: address,
      prefixLength: length,
      gateway: other.address,
    })),
  );
  const isNamed = (address: string, length: number): boolean =>
    named.some((route) => route.destination === address && route.prefixLength === length);
  const fallback = node.forwarding || isNamed(any, 0) ? null : defaultGateway(node, nodes, inside);
  const routes: PlannedRoute[] = [];
  if (fallback !== null) routes.push({ destination: any, prefixLength: 0, gateway: fallback });
  prefixes.forEach((prefix, network) => {
    const way = ways[network] ?? everywhere[network];
    if (prefix === null || way === undefined || way.gateway === null) return;
    const tunnel = outer.has(network) || way !== ways[network] ? null : lastPassed(own, way);
    const gateway = tunnel === null ? way.gateway : tunnel.other.address;
    if (gateway === fallback || isNamed(prefix.address, prefix.length)) return;
    routes.push({ destination: prefix.address, prefixLength: prefix.length, gateway });
  });
  return [...routes, ...named];
}

/** The tunnel, among those without `routes`, whose other end comes last on a way. */
function lastPassed(tunnels: readonly OwnTunnel[], { passed }: Hops): OwnTunnel | null {
  let found: OwnTunnel | null = null;
  let last = -1;
  for (const tunnel of tunnels) {
    const place = tunnel.own.destinations === null ? passed.indexOf(tunnel.other.node) : -1;
    if (place <= last) continue;
    found = tunnel;
    last = place;
  }
  return found;
}
