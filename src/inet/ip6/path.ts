/**
 * Paths to IPv6 addresses: route, source address, neighbor and frame header that packets take (inet/ip/path-table.ts keeps them).
 *
 * Thread: the one that runs the CPU. Link-local addresses and groups say by their zone where they are; all others are
 * routed. Read first: RFC 4861 5.2 (next hop), RFC 2464 (Ethernet), RFC 6437 (flow label).
 */

import { Errno } from '../../base/errors.ts';
import type { Rng } from '../../base/rng.ts';
import type { SysctlVariable } from '../../kern/sysctl.ts';
import type { Interface } from '../../net/interface.ts';
import { arrivalMeta } from '../../net/ip-link.ts';
import type { NeighborCache } from '../../net/neighbor-cache.ts';
import { type Route, RTF_BLACKHOLE, RTF_REJECT } from '../../net/route.ts';
import type { RouteTable6 } from '../../net/route-table6.ts';
import { MULTICAST_MAC_HI } from '../../wire/ipv6-address.ts';
import { IP6_ANY, IP6_LOOPBACK, isIp6 } from '../ip/address-interner.ts';
import { attachToNextHop, findRoute, routeMtuBytes } from '../ip/next-hop.ts';
import { IMPLIED_NEIGHBOR, type IpPath, PATH_FORWARD, type PathResolver } from '../ip/path.ts';
import type { PathMtu } from '../ip/path-mtu.ts';
import { IP_NO_LOOP } from '../ip/transport.ts';
import type { Addresses6 } from './addresses.ts';
import { isAllNodes } from './groups.ts';
import type { Links6 } from './link.ts';
import type { SourceSelector } from './source-selector.ts';

const VERSION_WORD = 0x60000000;
const FLOW_LABEL_MASK = 0x000fffff;

export interface PathSources6 {
  readonly routes: RouteTable6;
  readonly addresses: Addresses6;
  readonly sourceAddresses: SourceSelector;
  readonly links: Links6;
  readonly neighbors: NeighborCache;
  readonly pathMtu: PathMtu;
  readonly rng: Rng;
  readonly autoFlowLabel: SysctlVariable;
}

export class PathResolver6 implements PathResolver {
  readonly #sources: PathSources6;

  constructor(sources: PathSources6) {
    this.#sources = sources;
  }

  resolve(path: IpPath): number {
    const { addresses } = this.#sources;
    const { dst } = path;
    const wanted = path.wantedSrc === IP6_ANY ? 0 : path.wantedSrc;
    if (wanted !== 0 && (!isIp6(wanted) || !addresses.isLocal(wanted))) return -Errno.EADDRNOTAVAIL;
    if (path.firstWord === 0) path.firstWord = VERSION_WORD | this.#flowLabel();
    if (addresses.isLocal(dst)) return this.#toOurselves(path, wanted);
    if (dst === IP6_LOOPBACK || wanted === IP6_LOOPBACK) return -Errno.ENETUNREACH;
    return addresses.isMulticast(dst) ? this.#toGroup(path, wanted) : this.#toNextHop(path, wanted);
  }

  /** RFC 6437 section 3: one random label for each flow, which here is each path that is kept. */
  #flowLabel(): number {
    const { rng, autoFlowLabel } = this.#sources;
    return autoFlowLabel.value !== 0 ? rng.next32() & FLOW_LABEL_MASK : 0;
  }

  #toOurselves(path: IpPath, wanted: number): number {
    const { addresses } = this.#sources;
    const lo = addresses.loopback;
    if (lo === null || !lo.up) return -Errno.ENETUNREACH;
    path.src = wanted !== 0 ? wanted : path.dst;
    path.neighbor = IMPLIED_NEIGHBOR;
    this.#writeAddresses(path);
    path.attach(lo, 0, 0);
    // The packet itself does not tell the zone of its destination.
    path.meta = arrivalMeta(addresses.interner.zone(path.dst));
    path.mtu = path.linkMtuBytes = lo.mtuBytes;
    path.directBytes = path.mtu;
    return 0;
  }

  /** Groups: the link-layer address follows from the last word (RFC 2464 section 7). */
  #toGroup(path: IpPath, wanted: number): number {
    const { addresses, links } = this.#sources;
    const iface = this.#groupInterface(path, wanted);
    if (iface === null || !iface.up || !links.isActive(iface)) return -Errno.ENETUNREACH;
    const group = addresses.onLink(path.dst, iface);
    if (group === 0) return -Errno.ENOBUFS;
    path.src = wanted !== 0 ? wanted : this.#sources.sourceAddresses.select(group, iface);
    if (path.src === 0) return -Errno.EADDRNOTAVAIL;
    path.neighbor = IMPLIED_NEIGHBOR;
    path.multicast = true;
    path.mtu = path.linkMtuBytes = links.of(iface)?.mtuBytes ?? iface.mtuBytes;
    path.loops = !iface.loopback && (path.flags & IP_NO_LOOP) === 0 && this.#isMember(iface, group);
    path.directBytes = path.loops ? 0 : path.mtu;
    this.#writeAddresses(path);
    path.attach(iface, MULTICAST_MAC_HI, addresses.interner.word(group, 3));
    if (iface.loopback) path.meta = arrivalMeta(iface.index);
    return 0;
  }

  /** Every node is in the all-nodes group of its links (RFC 4291 2.8). */
  #isMember(iface: Interface, group: number): boolean {
    const { interner } = this.#sources.addresses;
    return iface.groups.has(group) || isAllNodes(interner, group);
  }

  #toNextHop(path: IpPath, wanted: number): number {
    const { addresses, links, neighbors, pathMtu, routes } = this.#sources;
    const { dst } = path;
    const forward = (path.flags & PATH_FORWARD) !== 0;
    // A link-local address without a zone is on no link (RFC 4007 section 6).
    if (addresses.interner.zone(dst) === 0 && addresses.isLinkLocal(dst)) return -Errno.EINVAL;
    const error = findRoute(path, routes);
    if (error < 0) return error;
    const route = path.route as Route;
    const { iface } = route;
    if (!iface.up || !links.isActive(iface)) return -Errno.ENETUNREACH;
    path.src = wanted !== 0 || forward ? wanted : this.#source(dst, route);
    if (path.src === 0 && !forward) return -Errno.EADDRNOTAVAIL;
    path.linkMtuBytes = routeMtuBytes(route, links.of(iface)?.mtuBytes ?? iface.mtuBytes);
    path.mtu = forward ? path.linkMtuBytes : pathMtu.lookup(dst, path.linkMtuBytes);
    this.#writeAddresses(path);
    return attachToNextHop(path, route, neighbors);
  }

  #source(dst: number, route: Route): number {
    const { addresses } = this.#sources;
    if (route.source !== 0 && addresses.isLocal(route.source)) return route.source;
    return this.#sources.sourceAddresses.select(dst, route.iface);
  }

  /** The interface of the zone, or that asked for, or that of the source address, or the route's, or any. */
  #groupInterface(path: IpPath, wanted: number): Interface | null {
    const { addresses, links, routes } = this.#sources;
    const zone = addresses.interner.zone(path.dst);
    if (zone !== 0) return links.interfaceOf(zone);
    if (path.via !== null) return path.via;
    const owner = wanted === 0 ? null : addresses.owner(wanted);
    if (owner !== null) return owner;
    const route = routes.lookup(path.dst);
    if (route !== null && (route.flags & (RTF_REJECT | RTF_BLACKHOLE)) === 0) return route.iface;
    for (const link of links.all()) if (link.active && !link.iface.loopback && link.linkLocal !== 0) return link.iface;
    return addresses.loopback;
  }

  /** The words of both addresses, as headers have them, and their sum. */
  #writeAddresses(path: IpPath): void {
    const { interner } = this.#sources.addresses;
    const { src, dst } = path;
    path.dst0 = interner.word(dst, 0);
    path.dst1 = interner.word(dst, 1);
    path.dst2 = interner.word(dst, 2);
    path.dst3 = interner.word(dst, 3);
    if (src === 0) return;
    path.src0 = interner.word(src, 0);
    path.src1 = interner.word(src, 1);
    path.src2 = interner.word(src, 2);
    path.src3 = interner.word(src, 3);
    path.addressSum = interner.sum(src) + interner.sum(dst);
  }
}
