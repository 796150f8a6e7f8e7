/**
 * A path: for one destination, the route, source address, neighbor and frame header that packets to it take.
 *
 * Thread: the one that runs the CPU. Everything that is looked up for a packet is looked up once and kept in an
 * {@link IpPath}; the path epoch (net/path-epoch.ts) says when to look again. A path is of the family of its destination, which
 * looks it up (inet/ip4/path.ts, inet/ip6/path.ts). The paths of a kernel: path-table.ts.
 * Read first: RFC 1122 3.3.1 (routing outbound datagrams). Missing: multipath, policy routing.
 */

import type { Interface } from '../../net/interface.ts';
import { LinkHeader, type LinkLayer } from '../../net/link-layer.ts';
import { Neighbor } from '../../net/neighbor-cache.ts';
import type { Route } from '../../net/route.ts';
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from '../../wire/ethernet.ts';
import { isIp6 } from './address-interner.ts';
import type { Path } from './transport.ts';

/** `openPath` flag, within layer 3: the packet is not ours, so no source address is needed and broadcasts are refused. */
export const PATH_FORWARD = 0x100;

const MAX_PACKET_BYTES = 65535;
/** Lengths of the IP headers of both families; they tell which family a path is of. */
export const IP4_HEADER_BYTES = 20;
export const IP6_HEADER_BYTES = 40;

/** Stands for "no neighbor": never fresh, so that the fast path is not taken. */
export const NO_NEIGHBOR: Neighbor = new Neighbor({ name: '' } as Interface, 0, () => {});
/** Neighbor of destinations whose link-layer address follows from the address (groups, loopback): always fresh. */
export const IMPLIED_NEIGHBOR: Neighbor = new Neighbor({ name: '' } as Interface, 0, () => {});
IMPLIED_NEIGHBOR.fresh = true;

/** Keeps paths fresh: the table of a kernel (path-table.ts). */
export interface PathOwner {
  /** The path epoch now. */
  readonly epoch: number;
  /** Look everything up again. An error is stored in `path.error`. */
  renew(path: IpPath): void;
}

export class IpPath implements Path {
  /** Arguments of `openPath`; `src` below is the source chosen. */
  dst: number;
  wantedSrc: number;
  flags: number;
  via: Interface | null;

  /** {@link PathEpoch} of the look-up, 0 before the first. */
  epoch = 0;
  /** 0, or the negative errno that `begin` returns. */
  error = 0;
  src = 0;
  neighbor: Neighbor = NO_NEIGHBOR;
  route: Route | null = null;
  mtu = 0;
  /** Largest packet written straight into the ring; 0 when no packet may be (copies to ourselves, blackholes). */
  directBytes = 0;
  /** A copy of each packet comes back to us: broadcast, and multicast to a group we are in. */
  loops = false;
  multicast = false;
  discards = false;
  /** Routers may fragment packets of this path, whatever their sender asks for: there is no path MTU discovery. */
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
  readonly #owner: PathOwner;
  #iface: Interface | null = null;
  #link: LinkLayer | null = null;

  constructor(owner: PathOwner, dst: number, src: number, flags: number, via: Interface | null) {
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

  /** The link of `iface`. */
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
    const ipv6 = this.headerBytes === IP6_HEADER_BYTES;
    iface.link.fill(this.header, dstHi, dstLo, ipv6 ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4);
    if (ipv6) return;
    this.addressSum = (this.src >>> 16) + (this.src & 0xffff) + (this.dst >>> 16) + (this.dst & 0xffff);
    this.linkMtuBytes = iface.mtuBytes;
  }
}

/** Looks up the paths of one family. */
export interface PathResolver {
  /** Fill in a path whose wishes are set and whose results are cleared. Returns 0 or a negative errno. */
  resolve(path: IpPath): number;
}
