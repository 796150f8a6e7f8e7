/**
 * IP output: `begin` → the transport writes its header and payload in place → `end`.
 *
 * Thread: the one that runs the CPU. When the path's neighbor is known and the packet fits the link, the place is the
 * slot of the outgoing ring, with Ethernet and IP header already written: no copy. Otherwise it is one scratch packet of
 * private memory, from where `end` takes it: to the queue of the neighbor, through the fragmenter, or back to ourselves.
 * Fragments that find the ring full stay in the scratch packet until there is room; until then other packets that need
 * it get `-ENOBUFS`. Read first: RFC 791, RFC 1122 3.2.1, RFC 6864 (identification). Missing: options of transports.
 */

import { assert } from '../../base/assert.ts';
import { checksumOf } from '../../base/checksum.ts';
import { Errno } from '../../base/errors.ts';
import type { Interface } from '../../net/interface.ts';
import { arrivalMeta } from '../../net/ip-link.ts';
import type { LinkLayer } from '../../net/link-layer.ts';
import type { Neighbor, NeighborCache } from '../../net/neighbor-cache.ts';
import { META_CHECKSUM_PARTIAL } from '../../net/packet-meta.ts';
import { RTF_GATEWAY } from '../../net/route.ts';
import { FLAG_DONT_FRAGMENT, PROTOCOL_TCP } from '../../wire/ipv4.ts';
import type { InetContext } from './context.ts';
import type { Families } from './family.ts';
import { Fragmentation } from './fragmenter.ts';
import { IP4_HEADER_BYTES, type IpPath } from './path.ts';
import type { PathTable } from './path-table.ts';
import type { Transmitter } from './transmit.ts';
import { IP_DONT_FRAGMENT, IP_NO_HOST_ERROR, IP_SEGMENTED } from './transport.ts';

/** A whole packet of IPv4, the payload of one of IPv6. */
const MAX_BYTES = 65535;
/** Room for the longest packet of either family. */
const SCRATCH_BYTES = 65536 + 64;
/** Segments of a super-frame carry more than 2^5 bytes. */
const MIN_SEGMENT_SHIFT = 5;
/** Identification counters, chosen by a hash of the destination (as RFC 7739 5.3 does for IPv6). */
const IDENTIFIERS = 256;

/** Places of the packet that was begun. */
const NOT_BEGUN = 0;
const IN_RING = 1;
const IN_SCRATCH = 2;

export class IpOutput {
  readonly #context: InetContext;
  readonly #view: DataView;
  readonly #paths: PathTable;
  readonly #families: Families;
  readonly #transmitter: Transmitter;
  readonly #identifiers: Int32Array = new Int32Array(IDENTIFIERS);
  readonly #identifierKey: number;
  /** IP header of the scratch packet; its payload is 4-aligned as in a ring slot. */
  readonly #scratchAt: number;
  readonly #noRoute: number;
  readonly #discarded: number;
  readonly #unsent: number;

  #place = NOT_BEGUN;
  #path: IpPath | null = null;
  #link: LinkLayer | null = null;
  /** Metadata of the path of the packet begun in the ring. */
  #meta = 0;
  #totalBytes = 0;

  /** The scratch packet with fragments that wait for room; without an interface there are none. */
  #fragmentation: Fragmentation = new Fragmentation();

  constructor(context: InetContext, paths: PathTable, transmitter: Transmitter) {
    this.#context = context;
    this.#view = context.shared.arena.view;
    this.#paths = paths;
    this.#families = context.shared.families;
    this.#transmitter = transmitter;
    for (let i = 0; i < IDENTIFIERS; i++) this.#identifiers[i] = context.rng.next32();
    this.#identifierKey = context.rng.next32() | 1;
    this.#scratchAt = context.heap.allocate(SCRATCH_BYTES);
    assert(this.#scratchAt >= 0, 'the kernel has no memory for one packet');
    this.#noRoute = context.counters.index('ip-out-no-route');
    this.#discarded = context.counters.index('ip-out-discarded');
    this.#unsent = context.counters.index('ip-out-unsent');
  }

  /** As `IpService.begin`. */
  begin(path: IpPath, protocol: number, payloadBytes: number, ttl: number, tos: number, flags: number): number {
    if (path.epoch !== this.#paths.epoch) this.#paths.renew(path);
    const { headerBytes } = path;
    const totalBytes = payloadBytes + headerBytes;
    if (!path.neighbor.fresh || totalBytes > path.directBytes) {
      const direct = this.#beginOtherwise(path, protocol, totalBytes, flags);
      if (direct < 0) return direct;
      if (direct === IN_SCRATCH) return this.#beginInScratch(path, protocol, totalBytes, ttl, tos, flags);
    }
    const { link } = path;
    const headerAt = link.reserve(path.header, totalBytes);
    if (headerAt < 0) return headerAt;
    this.#place = IN_RING;
    this.#link = link;
    this.#meta = path.meta;
    this.#totalBytes = totalBytes;
    return this.writeHeader(headerAt, path, protocol, totalBytes, ttl, tos, flags);
  }

  /** IP header of a packet of `totalBytes`. Returns where its payload goes. */
  writeHeader(
    headerAt: number,
    path: IpPath,
    protocol: number,
    totalBytes: number,
    ttl: number,
    tos: number,
    flags: number,
  ): number {
    const { headerBytes } = path;
    if (headerBytes === IP4_HEADER_BYTES) this.#writeHeader4(headerAt, path, protocol, totalBytes, ttl, tos, flags);
    else this.#writeHeader6(headerAt, path, protocol, totalBytes - headerBytes, ttl, tos);
    return headerAt + headerBytes;
  }

  /** As `IpService.end`. */
  end(meta: number): void {
    if (this.#place === IN_RING) {
      (this.#link as LinkLayer).commit(this.#totalBytes, meta | this.#meta);
    } else if (this.#place === IN_SCRATCH) {
      this.#endInScratch(meta);
    }
    this.#place = NOT_BEGUN;
  }

  cancel(): void {
    if (this.#place === IN_RING) (this.#link as LinkLayer).cancel();
    this.#place = NOT_BEGUN;
  }

  /**
   * `begin` for an IPv4 packet with options: `optionBytes` (a multiple of 4) at the returned offset, the payload after them.
   * Always by way of the scratch packet.
   */
  beginWithOptions(
    path: IpPath,
    protocol: number,
    optionBytes: number,
    payloadBytes: number,
    ttl: number,
    tos: number,
  ): number {
    if (path.epoch !== this.#paths.epoch) this.#paths.renew(path);
    const totalBytes = payloadBytes + optionBytes + IP4_HEADER_BYTES;
    const found = this.#beginOtherwise(path, protocol, totalBytes, 0);
    if (found < 0) return found;
    if (this.#scratchBusy()) return -Errno.ENOBUFS;
    const at = this.#beginInScratch(path, protocol, totalBytes, ttl, tos, 0);
    if (at > 0) this.#view.setUint8(at - IP4_HEADER_BYTES, 0x40 | ((IP4_HEADER_BYTES + optionBytes) >> 2));
    return at;
  }

  /** As `IpService.awaitRoom`. */
  awaitRoom(path: IpPath): boolean {
    if (path.epoch !== this.#paths.epoch) this.#paths.renew(path);
    if (path.error !== 0) return true;
    return path.link.awaitRoom(path.header.dstHi, path.header.dstLo) && !this.#scratchBusy();
  }

  /** Send fragments that found no room before. True when none are left. */
  continueFragments(): boolean {
    const packet = this.#fragmentation;
    if (packet.iface === null) return true;
    const sent = this.#transmitter.resume(packet);
    if (sent === -Errno.ENOBUFS) {
      packet.iface.link.awaitRoom(packet.dstHi, packet.dstLo);
      return false;
    }
    if (sent < 0) this.#context.counters.add(this.#unsent, 1);
    packet.iface = null;
    return true;
  }

  /** The interface goes: fragments that wait for room on it are lost (counted). */
  // cold: configuration
  detach(iface: Interface): void {
    if (this.#fragmentation.iface !== iface) return;
    this.#fragmentation.iface = null;
    this.#context.counters.add(this.#unsent, 1);
  }

  /** Whether fragments wait for room. */
  get unfinished(): boolean {
    return this.#fragmentation.iface !== null;
  }

  /** Packets that the fast path does not take. Returns IN_RING after all, IN_SCRATCH, or an error. */
  #beginOtherwise(path: IpPath, protocol: number, totalBytes: number, flags: number): number {
    if (path.error !== 0) {
      this.#context.counters.add(this.#noRoute, 1);
      return path.error;
    }
    const countedBytes = path.headerBytes === IP4_HEADER_BYTES ? totalBytes : totalBytes - path.headerBytes;
    if (countedBytes > MAX_BYTES) return -Errno.EMSGSIZE;
    const neighbor = path.neighbor;
    if (!neighbor.fresh && !path.discards) {
      const waits = this.#cacheOf(path).use(neighbor, this.#context.nowUs());
      if (waits < 0 && (flags & IP_NO_HOST_ERROR) === 0) return this.#hostDown(path);
      if (waits !== 0) return this.#scratchBusy() ? -Errno.ENOBUFS : IN_SCRATCH;
    }
    if (totalBytes <= path.directBytes) return IN_RING;
    if (totalBytes > path.mtu) {
      const superFrame = protocol === PROTOCOL_TCP || (flags & IP_SEGMENTED) !== 0;
      if (superFrame && totalBytes <= path.maxPacketBytes && path.directBytes !== 0) return IN_RING;
      if ((flags & IP_DONT_FRAGMENT) !== 0) return -Errno.EMSGSIZE;
    }
    return this.#scratchBusy() ? -Errno.ENOBUFS : IN_SCRATCH;
  }

  /** RFC 1122 3.3.4.2 leaves the code open; BSD has one for a silent host and one for a silent gateway. */
  #hostDown(path: IpPath): number {
    const gateway = path.route !== null && (path.route.flags & RTF_GATEWAY) !== 0;
    return gateway ? -Errno.EHOSTUNREACH : -Errno.EHOSTDOWN;
  }

  #cacheOf(path: IpPath): NeighborCache {
    return this.#families.of(path.dst).neighbors;
  }

  #scratchBusy(): boolean {
    return this.#fragmentation.iface !== null && !this.continueFragments();
  }

  #beginInScratch(path: IpPath, protocol: number, totalBytes: number, ttl: number, tos: number, flags: number): number {
    this.#place = IN_SCRATCH;
    this.#path = path;
    this.#totalBytes = totalBytes;
    return this.writeHeader(this.#scratchAt, path, protocol, totalBytes, ttl, tos, flags);
  }

  #endInScratch(meta: number): void {
    const path = this.#path as IpPath;
    const view = this.#view;
    const at = this.#scratchAt;
    const headerBytes = (view.getUint8(at) & 0xf) << 2;
    if (path.headerBytes === IP4_HEADER_BYTES && headerBytes > IP4_HEADER_BYTES) {
      view.setUint16(at + 10, 0);
      view.setUint16(at + 10, checksumOf(this.#context.bulk.sum(at, headerBytes)));
    }
    if (path.discards) {
      this.#context.counters.add(this.#discarded, 1);
      return;
    }
    if (path.loops) meta = this.#loopBack(at, meta);
    meta |= path.meta;
    const neighbor: Neighbor = path.neighbor;
    if (!neighbor.fresh) {
      this.#cacheOf(path).enqueue(neighbor, at, this.#totalBytes, meta, this.#context.nowUs());
      return;
    }
    const { iface, mtu } = path;
    const { dstHi, dstLo } = path.header;
    const sent = this.#transmitter.send(iface, dstHi, dstLo, at, this.#totalBytes, meta, mtu);
    if (sent >= 0) return;
    const left = this.#transmitter.suspended(this.#fragmentation);
    if (left === null) {
      this.#context.counters.add(this.#unsent, 1);
      return;
    }
    this.#fragmentation = left;
    iface.link.awaitRoom(dstHi, dstLo);
  }

  /**
   * A broadcast or multicast of ours is also for us (RFC 1112 6.1): a copy goes through the loopback interface. The
   * packet goes out twice, so its checksum is completed first. Returns the metadata that is left.
   */
  #loopBack(at: number, meta: number): number {
    const path = this.#path as IpPath;
    const lo = this.#families.of(path.dst).addresses.loopback;
    if (lo === null) return meta;
    if ((meta & META_CHECKSUM_PARTIAL) !== 0) this.#transmitter.checksum.complete(at, this.#totalBytes);
    const left = meta & ~META_CHECKSUM_PARTIAL;
    const arriving = left | arrivalMeta(path.iface.index);
    const sent = this.#transmitter.send(lo, 0, 0, at, this.#totalBytes, arriving, lo.mtuBytes);
    if (sent < 0) this.#context.counters.add(this.#unsent, 1);
    return left;
  }

  /**
   * Write the 20 bytes of the IP header. A packet that may not be fragmented needs no identification (RFC 6864 4.1);
   * others take the next number of their destination's counter.
   */
  #writeHeader4(
    at: number,
    path: IpPath,
    protocol: number,
    totalBytes: number,
    ttl: number,
    tos: number,
    flags: number,
  ): void {
    const view = this.#view;
    const first = 0x4500 | tos;
    const last = (ttl << 8) | protocol;
    let identifier = 0;
    let fragment = FLAG_DONT_FRAGMENT;
    if ((flags & IP_DONT_FRAGMENT) === 0 || path.fragments) {
      // Each piece of a super-frame takes a number of its own.
      const superFrame = protocol === PROTOCOL_TCP || (flags & IP_SEGMENTED) !== 0;
      const packets = totalBytes > path.mtu && superFrame ? totalBytes >> MIN_SEGMENT_SHIFT : 1;
      identifier = this.#identifier(path.dst, packets);
      fragment = 0;
    }
    let sum = path.addressSum + first + totalBytes + identifier + fragment + last;
    sum = (sum >>> 16) + (sum & 0xffff);
    sum = (sum >>> 16) + (sum & 0xffff);
    view.setInt32(at, (first << 16) | totalBytes);
    view.setInt32(at + 4, (identifier << 16) | fragment);
    view.setInt32(at + 8, (last << 16) | (~sum & 0xffff));
    view.setInt32(at + 12, path.src);
    view.setInt32(at + 16, path.dst);
  }

  /** The 40 bytes of an IPv6 header. Nothing in it is summed. */
  #writeHeader6(
    at: number,
    path: IpPath,
    protocol: number,
    payloadBytes: number,
    hopLimit: number,
    trafficClass: number,
  ): void {
    const view = this.#view;
    view.setInt32(at, path.firstWord | (trafficClass << 20));
    view.setInt32(at + 4, (payloadBytes << 16) | (protocol << 8) | hopLimit);
    view.setInt32(at + 8, path.src0);
    view.setInt32(at + 12, path.src1);
    view.setInt32(at + 16, path.src2);
    view.setInt32(at + 20, path.src3);
    view.setInt32(at + 24, path.dst0);
    view.setInt32(at + 28, path.dst1);
    view.setInt32(at + 32, path.dst2);
    view.setInt32(at + 36, path.dst3);
  }

  /** The first of `count` numbers. */
  #identifier(dst: number, count: number): number {
    const slot = Math.imul(dst, this.#identifierKey) >>> 24;
    const next = ((this.#identifiers[slot] as number) + 1) & 0xffff;
    this.#identifiers[slot] = (next + count - 1) & 0xffff;
    return next;
  }
}
