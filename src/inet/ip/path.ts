/**
 * Paths: for one destination, the route, source address, neighbor and frame header that packets to it take.
 *
 * Thread: the one that runs the kernel. Everything that is looked up for a packet is looked up once and kept in an
 * {@link IpPath}; the path epoch (net/path-epoch.ts) says when to look again. Long-lived paths belong to connections; answers and unconnected sockets
 * share a small table of passing ones. A path is of the family of its destination; what is particular to IPv6 is looked up
 * by inet/ip6/path.ts.
 * Read first: RFC 1122 3.3.1 (routing outbound datagrams). Missing: multipath, policy routing.
 */

import { Errno } from '../../base/errors.ts';
import type { Interface } from '../../net/interface.ts';
import { arrivalMeta } from '../../net/ip-link.ts';
import { LinkHeader, type LinkLayer } from '../../net/link-layer.ts';
import { Neighbor, type NeighborCache } from '../../net/neighbor-cache.ts';
import type { PathEpoch } from '../../net/path-epoch.ts';
import { type Route, RTF_BLACKHOLE, RTF_GATEWAY, RTF_HOST, RTF_REJECT } from '../../net/route.ts';
import type { RouteTable } from '../../net/route-table.ts';
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from '../../wire/ethernet.ts';
import { ADDRESS_LOOPBACK, isLoopback, isMulticast } from '../../wire/ipv4.ts';
import type { Addresses4 } from '../ip4/addresses.ts';
import { IP6_ANY, IP6_LOOPBACK, isIp6 } from './address-interner.ts';
import type { PathMtu } from './path-mtu.ts';
import { IP_ALLOW_BROADCAST, type Path } from './transport.ts';

/** `openPath` flag, within layer 3: the packet is not ours, so no source address is needed and broadcasts are refused. */
export const PATH_FORWARD = 0x100;
/** `openPath` flag, within layer 3: no copy of a multicast comes back to us (IP_MULTICAST_LOOP off). */
export const PATH_NO_LOOP = 0x200;

const MAX_PACKET_BYTES = 65535;
/** Of the IP headers of both families: which family a path is of. */
export const IP4_HEADER_BYTES = 20;
export const IP6_HEADER_BYTES = 40;
const PASSING_PATHS = 64;

/** Stands for "no neighbor": never fresh, so that the fast path is not taken. */
export const NOBODY: Neighbor = new Neighbor({ name: '' } as Interface, 0, () => {});

export class IpPath implements Path {
  /** As asked for by `openPath`; `src` below is what was chosen. */
  dst: number;
  wantedSrc: number;
  flags: number;
  via: Interface | null;

  /** {@link PathEpoch} of the look-up, 0 before the first. */
  epoch = 0;
  /** 0, or the negative errno that `begin` returns. */
  error = 0;
  src = 0;
  neighbor: Neighbor = NOBODY;
  route: Route | null = null;
  mtu = 0;
  /** Largest packet written straight into the ring; 0 when every packet needs a closer look (copies to ourselves, blackholes). */
  directBytes = 0;
  /** A copy of each packet comes back to us: broadcast, and multicast to a group we are in. */
  loops = false;
  multicast = false;
  discards = false;
  /** Routers may fragment what goes this way, whatever the sender asks for: there is no path MTU discovery. */
  fragments = false;
  /** The link-layer header of all its packets. */
  readonly header: LinkHeader = new LinkHeader();
  /** Metadata that goes with all its packets: on lo0 the interface that they count as received by. */
  meta = 0;
  /** {@link IP4_HEADER_BYTES} or {@link IP6_HEADER_BYTES}. */
  headerBytes: number;
  /** Sum of both addresses. */
  addressSum = 0;
  linkMtuBytes = 0;
  /** IPv6: version and flow label, and the words of both addresses as they go into the header. */
  firstWord = 0;
  src0 = 0;
  src1 = 0;
  src2 = 0;
  src3 = 0;
  dst0 = 0;
  dst1 = 0;
  dst2 = 0;
  dst3 = 0;
  readonly #owner: PathTable;
  #iface: Interface | null = null;
  #link: LinkLayer | null = null;

  constructor(owner: PathTable, dst: number, src: number, flags: number, via: Interface | null) {
    this.#owner = owner;
    this.dst = dst;
    this.wantedSrc = src;
    this.flags = flags;
    this.via = via;
    this.headerBytes = isIp6(dst) ? IP6_HEADER_BYTES : IP4_HEADER_BYTES;
  }

  get iface(): Interface {
    return this.#iface as Interface;
  }

  /** What packets leave through: the link of `iface`. */
  get link(): LinkLayer {
    return this.#link as LinkLayer;
  }

  get mtuBytes(): number {
    if (this.epoch !== this.#owner.epoch) this.#owner.renew(this);
    return this.mtu;
  }

  get capabilities(): number {
    return this.#link === null ? 0 : this.#link.capabilities;
  }

  get maxPacketBytes(): number {
    return this.#link === null ? 0 : Math.min(this.#link.maxPacketBytes, MAX_PACKET_BYTES);
  }

  /** The interface packets leave through, and the link-layer address they go to. */
  attach(iface: Interface, dstHi: number, dstLo: number): void {
    this.#iface = iface;
    this.#link = iface.link;
    this.meta = 0;
    const six = this.headerBytes === IP6_HEADER_BYTES;
    iface.link.fill(this.header, dstHi, dstLo, six ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4);
    if (six) return;
    this.addressSum = (this.src >>> 16) + (this.src & 0xffff) + (this.dst >>> 16) + (this.dst & 0xffff);
    this.linkMtuBytes = iface.mtuBytes;
  }
}

/** Looks up the paths of one family. */
export interface PathResolver {
  /** Where copies of our own packets to groups come back. */
  readonly loopback: Interface | null;
  readonly neighbors: NeighborCache;
  /** Fill in a path whose wishes are set and whose results are cleared. Returns 0 or a negative errno. */
  resolve(path: IpPath): number;
}

/** What paths are looked up in. */
export interface PathSources {
  readonly epoch: PathEpoch;
  readonly routes: RouteTable;
  readonly addresses: Addresses4;
  readonly neighbors: NeighborCache;
  readonly pathMtu: PathMtu;
  readonly interfaces: readonly Interface[];
}

export class PathTable {
  readonly #sources: PathSources;
  /** Neighbors that need no resolution: always fresh. */
  readonly loopbackNeighbor: Neighbor = new Neighbor({ name: '' } as Interface, 0, () => {});
  /** Set before the first path to an IPv6 address is opened. */
  resolver6: PathResolver | null = null;
  readonly groupNeighbor: Neighbor = new Neighbor({ name: '' } as Interface, 0, () => {});
  readonly #passing: (IpPath | null)[] = new Array<IpPath | null>(PASSING_PATHS).fill(null);

  constructor(sources: PathSources) {
    this.#sources = sources;
    this.loopbackNeighbor.fresh = true;
    this.groupNeighbor.fresh = true;
  }

  get epoch(): number {
    return this.#sources.epoch.value;
  }

  /** The loopback interface, null when there is none. */
  get loopback(): Interface | null {
    return this.#sources.addresses.loopback;
  }

  /**
   * As `IpService.openPath`; `via` is the interface for broadcasts and multicasts, null lets the routes decide. The source
   * chosen now stays, whatever becomes of the routes: connections are known by it.
   */
  open(dst: number, src: number, flags: number, via: Interface | null): IpPath | number {
    const path = new IpPath(this, definite(dst), src, flags, via);
    this.renew(path);
    if (path.error !== 0) return path.error;
    path.wantedSrc = path.src;
    return path;
  }

  /**
   * A path for one packet, which the caller must not keep: valid until the next call. Allocates nothing once a place of
   * the table was used. Errors as `open`.
   */
  passing(dst: number, src: number, flags: number, via: Interface | null): IpPath | number {
    dst = definite(dst);
    const slot = (Math.imul(dst ^ (src << 5) ^ flags, 0x9e3779b1) >>> 16) & (PASSING_PATHS - 1);
    let path = this.#passing[slot] as IpPath | null;
    if (path === null) {
      path = new IpPath(this, dst, src, flags, via);
      this.#passing[slot] = path;
    } else if (path.dst !== dst || path.wantedSrc !== src || path.flags !== flags || path.via !== via) {
      path.dst = dst;
      path.wantedSrc = src;
      path.flags = flags;
      path.via = via;
      path.headerBytes = isIp6(dst) ? IP6_HEADER_BYTES : IP4_HEADER_BYTES;
      path.epoch = 0;
    }
    if (path.epoch !== this.#sources.epoch.value) this.renew(path);
    return path.error === 0 ? path : path.error;
  }

  /** Forget the passing paths of IPv6: their numbers may come to stand for other addresses. */
  forgetPassing6(): void {
    for (let slot = 0; slot < PASSING_PATHS; slot++) {
      if (this.#passing[slot]?.headerBytes === IP6_HEADER_BYTES) this.#passing[slot] = null;
    }
  }

  /** Look everything up again. What is wrong is stored in `path.error`. */
  renew(path: IpPath): void {
    path.route = null;
    path.loops = false;
    path.multicast = false;
    path.discards = false;
    path.fragments = false;
    path.neighbor = NOBODY;
    path.directBytes = 0;
    path.error = this.#resolve(path);
    path.epoch = this.#sources.epoch.value;
    if (path.error !== 0) {
      path.neighbor = NOBODY;
      path.directBytes = 0;
    }
  }

  #resolve(path: IpPath): number {
    const { addresses } = this.#sources;
    const { dst, wantedSrc } = path;
    if (path.headerBytes === IP6_HEADER_BYTES) return this.resolver6?.resolve(path) ?? -Errno.ENETUNREACH;
    if (wantedSrc !== 0 && !addresses.isLocal(wantedSrc)) return -Errno.EADDRNOTAVAIL;
    if (addresses.isLocal(dst)) return this.#toOurselves(path);
    if (isLoopback(dst) || (isLoopback(wantedSrc) && !isMulticast(dst))) return -Errno.ENETUNREACH;
    if (dst >>> 28 >= 0xe) return isMulticast(dst) || dst === -1 ? this.#toGroup(path) : -Errno.ENETUNREACH;
    if (addresses.isBroadcast(dst)) return this.#toGroup(path);
    return this.#toNextHop(path);
  }

  #toOurselves(path: IpPath): number {
    const lo = this.#sources.addresses.loopback;
    if (lo === null || !lo.up) return -Errno.ENETUNREACH;
    if (path.wantedSrc !== 0) path.src = path.wantedSrc;
    else path.src = isLoopback(path.dst) ? lo.primary : path.dst;
    path.neighbor = this.loopbackNeighbor;
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
    path.neighbor = this.groupNeighbor;
    path.multicast = multicast;
    path.mtu = iface.mtuBytes;
    path.loops = !iface.loopback && (!multicast || ((path.flags & PATH_NO_LOOP) === 0 && iface.groups.has(dst)));
    path.directBytes = path.loops ? 0 : path.mtu;
    if (multicast) path.attach(iface, 0x0100, 0x5e000000 | (dst & 0x7fffff));
    else path.attach(iface, 0xffff, -1);
    if (iface.loopback) path.meta = arrivalMeta(iface.index);
    return 0;
  }

  #toNextHop(path: IpPath): number {
    const { routes, addresses, neighbors, pathMtu } = this.#sources;
    const { dst } = path;
    const route = routes.lookup(dst);
    if (route === null) return -Errno.ENETUNREACH;
    route.uses++;
    path.route = route;
    const iface = route.iface;
    if ((route.flags & RTF_REJECT) !== 0) {
      return (route.flags & RTF_HOST) !== 0 ? -Errno.EHOSTUNREACH : -Errno.ENETUNREACH;
    }
    if (!iface.up) return -Errno.ENETUNREACH;
    const nextHop = (route.flags & RTF_GATEWAY) !== 0 ? route.gateway : dst;
    path.src = path.wantedSrc !== 0 ? path.wantedSrc : route.source;
    if (path.src === 0) path.src = addresses.sourceFor(iface, nextHop);
    if (path.src === 0 && (path.flags & PATH_FORWARD) === 0) return -Errno.EADDRNOTAVAIL;
    const linkMtuBytes = route.mtuBytes !== 0 ? Math.min(route.mtuBytes, iface.mtuBytes) : iface.mtuBytes;
    // What was learned about a path holds for packets of ours; others find out by themselves.
    path.mtu = (path.flags & PATH_FORWARD) !== 0 ? linkMtuBytes : pathMtu.lookup(dst, linkMtuBytes);
    path.fragments = pathMtu.allowsFragments(dst);
    if ((route.flags & RTF_BLACKHOLE) !== 0) {
      path.discards = true;
      path.attach(iface, 0, 0);
      return 0;
    }
    const neighbor = neighbors.findOrCreate(iface, nextHop);
    if (neighbor === null) return -Errno.EHOSTUNREACH;
    path.neighbor = neighbor;
    path.attach(iface, neighbor.macHi, neighbor.macLo);
    path.directBytes = path.mtu;
    return 0;
  }

  #broadcastInterface(src: number): Interface | null {
    const { addresses, interfaces } = this.#sources;
    const owner = src === 0 ? null : addresses.owner(src);
    if (owner !== null && !owner.loopback) return owner;
    return interfaces.find((iface) => iface.up && !iface.loopback && iface.primary !== 0) ?? null;
  }

  /** RFC 1112 6.1: the interface asked for, else the one of the source address, else that of the route. */
  #multicastInterface(path: IpPath): Interface | null {
    const { addresses, interfaces, routes } = this.#sources;
    if (path.via !== null) return path.via;
    const owner = path.wantedSrc === 0 ? null : addresses.owner(path.wantedSrc);
    if (owner !== null) return owner;
    const route = routes.lookup(path.dst);
    if (route !== null && (route.flags & (RTF_REJECT | RTF_BLACKHOLE)) === 0) return route.iface;
    return interfaces.find((iface) => iface.up && !iface.loopback && iface.primary !== 0) ?? addresses.loopback;
  }
}

/** "Any" as a destination is this machine, as on Linux. */
function definite(dst: number): number {
  if (dst === 0) return ADDRESS_LOOPBACK;
  return dst === IP6_ANY ? IP6_LOOPBACK : dst;
}
