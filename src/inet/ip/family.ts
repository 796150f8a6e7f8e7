/**
 * An address family as the rest of IP sees it: the contract that inet/ip4 and inet/ip6 implement, and the two families that a
 * kernel has. {@link ProtocolFamily} is the half that CPUs share: tables, configuration. A CPU's half is family-cpu.ts.
 * Nothing in inet/ip imports a family; the assembly registers both (inet/inet.ts).
 *
 * Thread: the one that runs the kernel. An address tells its family by itself: a handle of the interner is IPv6.
 */

import { Errno } from '../../base/errors.ts';
import type { Interface } from '../../net/interface.ts';
import type { Neighbor, NeighborCache } from '../../net/neighbor-cache.ts';
import { makeRoute, type Route, type Routes, RTF_GATEWAY, RTF_REJECT, RTF_UP } from '../../net/route.ts';
import { isIp6 } from './address-interner.ts';
import type { MulticastGroups } from './multicast.ts';

/** The addresses of this kernel in one family. */
export interface LocalAddresses {
  /** The loopback interface, null before one has a loopback address of this family. */
  readonly loopback: Interface | null;
  isLocal(address: number): boolean;
  /** The interface that has `address`, or null. */
  owner(address: number): Interface | null;
  isBroadcast(address: number): boolean;
  isMulticast(address: number): boolean;
}

/** The half that the CPUs of a kernel share. */
export interface ProtocolFamily {
  /** Prefix length of a single address: 32 or 128. */
  readonly hostPrefix: number;
  readonly addresses: LocalAddresses;
  readonly routes: Routes;
  readonly neighbors: NeighborCache;
  readonly groups: MulticastGroups;

  /** As `IpService.fingerprint`. */
  fingerprint(address: number): number;
  /** A group as it is known on an interface: with its zone, where it has one; 0 when there is no room for that. */
  groupOn(group: number, iface: Interface): number;

  /** Give an interface an address, with its routes. Returns 0, `-EEXIST`, `-EINVAL`, `-ENOBUFS`. */
  addAddress(iface: Interface, address: number, prefixLength: number): number;
  /** Returns 0 or `-EADDRNOTAVAIL`. */
  removeAddress(iface: Interface, address: number): number;
  /** The interface through which `gateway` is reached, by zone or by our addresses on its link, tentative ones too; or null. */
  gatewayInterface(gateway: number): Interface | null;
  /** The interface on whose link an address is, by our usable addresses there; null when it is on none. */
  linkOf(address: number): Interface | null;
  /** Our address that speaks to a neighbor; 0 when there is none. */
  sourceOn(iface: Interface, neighbor: number): number;
  /** A route was removed by hand. */
  routeRemoved(route: Route): void;

  /** An interface was attached. */
  attach(iface: Interface): void;
  /** An interface went up or down, or changed its MTU or device; `cameUp` when it was down before. */
  interfaceChanged(iface: Interface, cameUp: boolean): void;
  /** Before an interface is detached: everything that hangs on it goes. */
  detach(iface: Interface): void;
}

const IP4 = 0;
const IP6 = 1;

/** One half of both families. Registered once, before the first address is looked at. */
export class BothFamilies<Half> {
  readonly #families: Half[] = [];

  register(ip4: Half, ip6: Half): void {
    this.#families[IP4] = ip4;
    this.#families[IP6] = ip6;
  }

  /** The family of an address. */
  of(address: number): Half {
    return this.#families[isIp6(address) ? IP6 : IP4] as Half;
  }

  get all(): readonly Half[] {
    return this.#families;
  }
}

/** Source address, MTU and metrics of a route that is added. */
export type RouteDetails = Partial<Pick<Route, 'source' | 'mtuBytes' | 'metrics'>>;

/** The families of one kernel. */
export class Families extends BothFamilies<ProtocolFamily> {
  /**
   * Add a route; `flags` are `RTF_*`. Returns 0, `-EEXIST`, `-EINVAL`, `-ENOBUFS`, or `-ENETUNREACH` when the gateway is on no
   * link of ours. `via` is the interface where the caller names one; a reject route needs none, and no gateway.
   */
  // cold: configuration
  addRoute(
    destination: number,
    prefixLength: number,
    gateway: number,
    flags: number,
    via: Interface | null = null,
    details: RouteDetails = {},
  ): number {
    const family = this.of(destination);
    const { addresses, hostPrefix, routes } = family;
    const loopback = (flags & RTF_REJECT) !== 0 ? addresses.loopback : null;
    const iface = via ?? this.nextHopInterface(gateway) ?? loopback;
    if (iface === null) return -Errno.ENETUNREACH;
    const route = makeRoute(destination, prefixLength, gateway, iface, flags | RTF_UP, hostPrefix);
    return routes.add(Object.assign(route, details));
  }

  /** The interface through which a gateway is reached: by its subnet, or by a route to a place on a link; null when by none. */
  nextHopInterface(gateway: number): Interface | null {
    const family = this.of(gateway);
    const direct = family.gatewayInterface(gateway);
    if (direct !== null || gateway === 0) return direct;
    const route = family.routes.lookup(gateway);
    return route === null || (route.flags & RTF_GATEWAY) !== 0 ? null : route.iface;
  }

  /**
   * Returns the route taken out, or null when that prefix has none (or, with `gateway` not 0, another gateway). Neighbors that no
   * other route leads to go with it.
   */
  removeRoute(destination: number, prefixLength: number, gateway: number): Route | null {
    const family = this.of(destination);
    const route = family.routes.find(destination, prefixLength);
    if (route === null || (gateway !== 0 && route.gateway !== gateway)) return null;
    const reached = reachedBy(family, route);
    family.routes.remove(destination, prefixLength);
    family.routeRemoved(route);
    for (const neighbor of reached) if (!isOnLink(family, neighbor)) family.neighbors.remove(neighbor);
    return route;
  }
}

/** Neighbors, other than those entered by hand, that a route to a place on a link leads to. */
// cold: configuration
function reachedBy({ neighbors, routes }: ProtocolFamily, route: Route): Neighbor[] {
  if ((route.flags & RTF_GATEWAY) !== 0) return [];
  const isReached = ({ address, state, proxyOnly }: Neighbor): boolean =>
    state !== 'permanent' && !proxyOnly && routes.lookup(address) === route;
  return neighbors.list().filter(isReached);
}

/** Whether a route leads to a neighbor without a gateway. */
// cold: configuration
function isOnLink({ routes }: ProtocolFamily, { address, iface }: Neighbor): boolean {
  const route = routes.lookup(address);
  return route !== null && route.iface === iface && (route.flags & RTF_GATEWAY) === 0;
}
