/**
 * From the route of a path to its next hop, for both families.
 *
 * Thread: the one that runs the CPU. Read first: path.ts, RFC 1122 3.3.1, RFC 4861 5.2.
 */

import { Errno } from '../../base/errors.ts';
import type { NeighborCache } from '../../net/neighbor-cache.ts';
import {
  type Route,
  type Routes,
  RTF_BLACKHOLE,
  RTF_GATEWAY,
  RTF_HOST,
  RTF_LOCAL,
  RTF_REJECT,
} from '../../net/route.ts';
import type { TableEvents } from '../../net/table-events.ts';
import { IMPLIED_NEIGHBOR, type IpPath, PATH_FORWARD } from './path.ts';

/** Give a path the route to its destination. Returns 0, or the errno of a reject route or of none. */
export function findRoute(path: IpPath, routes: Routes & { readonly events: TableEvents | null }): number {
  const route = routes.lookup(path.dst);
  if (route === null) {
    routes.events?.listener?.missed(path.dst);
    return -Errno.ENETUNREACH;
  }
  route.uses++;
  path.route = route;
  // An address of ours that is not usable (tentative, duplicated) is reached neither here nor on its link.
  if ((route.flags & RTF_LOCAL) !== 0) return -Errno.EHOSTUNREACH;
  return (route.flags & RTF_REJECT) === 0 ? 0 : rejection(route, (path.flags & PATH_FORWARD) !== 0);
}

/** The errno of a reject route: by what it leads to, and for our own packets, unless it leads through lo0, by its next hop, as in NetBSD. */
function rejection({ flags, iface }: Route, forward: boolean): number {
  if (forward || iface.loopback) return (flags & RTF_HOST) !== 0 ? -Errno.EHOSTUNREACH : -Errno.ENETUNREACH;
  return (flags & RTF_GATEWAY) !== 0 ? -Errno.EHOSTUNREACH : -Errno.EHOSTDOWN;
}

/** The MTU of a route: its own, where it is smaller than that of the link. */
export function routeMtuBytes(route: Route, linkMtuBytes: number): number {
  return route.mtuBytes !== 0 ? Math.min(route.mtuBytes, linkMtuBytes) : linkMtuBytes;
}

/** Attach a path, whose MTU is known, to the next hop of its route. Returns 0 or `-EHOSTUNREACH`. */
export function attachToNextHop(path: IpPath, route: Route, neighbors: NeighborCache): number {
  const { iface } = route;
  if ((route.flags & RTF_BLACKHOLE) !== 0) {
    path.discards = true;
    path.attach(iface, 0, 0);
    return 0;
  }
  if (iface.pointToPoint) {
    path.neighbor = IMPLIED_NEIGHBOR;
    path.attach(iface, 0, 0);
    path.directBytes = path.mtu;
    return 0;
  }
  const neighbor = neighbors.findOrCreate(iface, (route.flags & RTF_GATEWAY) !== 0 ? route.gateway : path.dst);
  if (neighbor === null) return -Errno.EHOSTUNREACH;
  path.neighbor = neighbor;
  path.attach(iface, neighbor.macHi, neighbor.macLo);
  path.directBytes = path.mtu;
  return 0;
}
