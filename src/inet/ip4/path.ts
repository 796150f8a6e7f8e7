/**
 * Paths to IPv4 addresses: route, source address, neighbor and frame header that packets take (inet/ip/path-table.ts keeps them).
 *
 * Thread: the one that runs the CPU. Read first: RFC 1122 3.3.1 (routing outbound datagrams), RFC 1112 6.1 (groups).
 */

import { Errno } from '../../base/errors.ts';
import type { Interface } from '../../net/interface.ts';
import { arrivalMeta } from '../../net/ip-link.ts';
import type { NeighborCache } from '../../net/neighbor-cache.ts';
import { type Route, RTF_BLACKHOLE, RTF_GATEWAY, RTF_REJECT } from '../../net/route.ts';
import type { RouteTable } from '../../net/route-table.ts';
import { ADDRESS_BROADCAST, isLoopback, isMulticast } from '../../wire/ipv4.ts';
import { attachToNextHop, findRoute, routeMtuBytes } from '../ip/next-hop.ts';
import { IMPLIED_NEIGHBOR, type IpPath, PATH_FORWARD, type PathResolver } from '../ip/path.ts';
import type { PathMtu } from '../ip/path-mtu.ts';
import { IP_ALLOW_BROADCAST, IP_NO_LOOP } from '../ip/transport.ts';
import type { Addresses4 } from './addresses.ts';
import { groupMacLo, isMember, MULTICAST_MAC_HI } from './groups.ts';

/** Tables in which paths are looked up. */
export interface PathSources4 {
  readonly routes: RouteTable;
  readonly addresses: Addresses4;
  readonly neighbors: NeighborCache;
  readonly pathMtu: PathMtu;
  readonly interfaces: readonly Interface[];
}

export class PathResolver4 implements PathResolver {
  readonly #sources: PathSources4;

  constructor(sources: PathSources4) {
    this.#sources = sources;
  }

  resolve(path: IpPath): number {
    const { addresses } = this.#sources;
    const { dst, wantedSrc } = path;
    if (wantedSrc !== 0 && !addresses.isLocal(wantedSrc)) return -Errno.EADDRNOTAVAIL;
    if (addresses.isLocal(dst)) return this.#toOurselves(path);
    if (isLoopback(dst) || (isLoopback(wantedSrc) && !isMulticast(dst))) return -Errno.ENETUNREACH;
    if (dst >>> 28 >= 0xe) {
      return isMulticast(dst) || dst === ADDRESS_BROADCAST ? this.#toGroup(path) : -Errno.ENETUNREACH;
    }
    if (addresses.isBroadcast(dst)) return this.#toGroup(path);
    return this.#toNextHop(path);
  }

  #toOurselves(path: IpPath): number {
    const lo = this.#sources.addresses.loopback;
    if (lo === null || !lo.up) return -Errno.ENETUNREACH;
    if (path.wantedSrc !== 0) path.src = path.wantedSrc;
    else path.src = isLoopback(path.dst) ? lo.primary : path.dst;
    path.neighbor = IMPLIED_NEIGHBOR;
    path.attach(lo, 0, 0);
    path.mtu = lo.mtuBytes;
    path.directBytes = path.mtu;
    return 0;
  }

  /** Broadcast and multicast: the link-layer address follows from the destination (RFC 1112 6.4). */
  #toGroup(path: IpPath): number {
    const { addresses } = this.#sources;
    const { dst } = path;
    const multicast = isMulticast(dst);
    if (!multicast && (path.flags & IP_ALLOW_BROADCAST) === 0) return -Errno.EACCES;
    const iface = multicast
      ? this.#multicastInterface(path)
      : (addresses.broadcastInterface(dst) ?? path.via ?? this.#broadcastInterface(path.wantedSrc));
    if (iface === null || !iface.up) return -Errno.ENETUNREACH;
    path.src = path.wantedSrc !== 0 ? path.wantedSrc : addresses.sourceFor(iface, dst);
    path.neighbor = IMPLIED_NEIGHBOR;
    path.multicast = multicast;
    path.mtu = iface.mtuBytes;
    path.loops = !iface.loopback && (!multicast || ((path.flags & IP_NO_LOOP) === 0 && isMember(iface, dst)));
    path.directBytes = path.loops ? 0 : path.mtu;
    if (multicast) path.attach(iface, MULTICAST_MAC_HI, groupMacLo(dst));
    else path.attach(iface, 0xffff, -1);
    if (iface.loopback) path.meta = arrivalMeta(iface.index);
    return 0;
  }

  #toNextHop(path: IpPath): number {
    const { routes, addresses, neighbors, pathMtu } = this.#sources;
    const { dst } = path;
    const forward = (path.flags & PATH_FORWARD) !== 0;
    const error = findRoute(path, routes);
    if (error < 0) return error;
    const route = path.route as Route;
    const { iface } = route;
    if (!iface.up) return -Errno.ENETUNREACH;
    path.src = path.wantedSrc;
    if (path.src === 0 && route.source !== 0 && addresses.isLocal(route.source)) path.src = route.source;
    if (path.src === 0) path.src = addresses.sourceFor(iface, (route.flags & RTF_GATEWAY) !== 0 ? route.gateway : dst);
    if (path.src === 0 && !forward) return -Errno.EADDRNOTAVAIL;
    const linkMtuBytes = routeMtuBytes(route, iface.mtuBytes);
    // A learned path MTU holds for our own packets; other senders discover it themselves.
    path.mtu = forward ? linkMtuBytes : pathMtu.lookup(dst, linkMtuBytes);
    path.fragments = pathMtu.allowsFragments(dst);
    return attachToNextHop(path, route, neighbors);
  }

  /** The first interface that is up and has an address, lo0 excepted. */
  #firstUsable(): Interface | null {
    const { interfaces } = this.#sources;
    for (let i = 0; i < interfaces.length; i++) {
      const iface = interfaces[i] as Interface;
      if (iface.up && !iface.loopback && iface.primary !== 0) return iface;
    }
    return null;
  }

  #broadcastInterface(src: number): Interface | null {
    const { addresses } = this.#sources;
    const owner = src === 0 ? null : addresses.owner(src);
    if (owner !== null && !owner.loopback) return owner;
    return this.#firstUsable();
  }

  /** RFC 1112 6.1: the interface asked for, else the one of the source address, else that of the route. */
  #multicastInterface(path: IpPath): Interface | null {
    const { addresses, routes } = this.#sources;
    if (path.via !== null) return path.via;
    const owner = path.wantedSrc === 0 ? null : addresses.owner(path.wantedSrc);
    if (owner !== null) return owner;
    const route = routes.lookup(path.dst);
    if (route !== null && (route.flags & (RTF_REJECT | RTF_BLACKHOLE)) === 0) return route.iface;
    return this.#firstUsable() ?? addresses.loopback;
  }
}
