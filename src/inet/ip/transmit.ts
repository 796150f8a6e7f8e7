/**
 * One finished IP packet, lying anywhere in the arena, goes out through an interface: as it is, with its checksum
 * completed, cut into TCP segments, or cut into fragments, whatever the link needs.
 *
 * Thread: the one that runs the kernel. Forwarding, packets that waited for a neighbor and packets built in scratch memory
 * come here; packets written straight into the ring do not (inet/ip/output.ts). One copy, ring to ring. The packet at
 * `at` may be changed (checksum completed before it is cut), so it must be ours to change. Packets of both families come here;
 * IPv6 ones are cut into fragments only at their source, so a router compares their length with the MTU before.
 * Read first: RFC 791 3.2 and RFC 8200 4.5 (fragmentation), virtio's checksum rules in net/packet-meta.ts.
 */

import { checksumOf } from '../../base/checksum.ts';
import { Errno } from '../../base/errors.ts';
import type { Interface } from '../../net/interface.ts';
import {
  CAP_CHECKSUM_PARTIAL,
  CAP_SUPER_FRAMES,
  META_ARRIVAL_MASK,
  META_CHECKSUM_PARTIAL,
  META_SEGMENT_SHIFT,
} from '../../net/packet-meta.ts';
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from '../../wire/ethernet.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import { copiedOptions } from '../../wire/ipv4-options.ts';
import * as ipv6 from '../../wire/ipv6.ts';
import type { InetContext } from './context.ts';
import { Segmenter } from './super-frame.ts';

/** Counters of the fragments of IPv6, chosen by a hash of the destination (RFC 7739 5.3). */
const IDENTIFIERS6 = 256;
/** All of the metadata but the segment size. */
const META_FLAGS: number = (1 << META_SEGMENT_SHIFT) - 1;
const UDP_CHECKSUM_OFFSET = 6;
const TCP_CHECKSUM_OFFSET = 16;

export class Transmitter {
  readonly #context: InetContext;
  readonly #view: DataView;
  readonly #segmenter: Segmenter;
  readonly #fragmented: number;
  readonly #fragments: number;
  readonly #noRoom: number;
  /** After `-ENOBUFS` amid fragments: payload offset of the first one that was not sent; otherwise -1. */
  resumeOffset = -1;
  /** Then also what identifies the fragments of an IPv6 packet. */
  resumeIdentification = 0;
  readonly #walk: ipv6.HeaderWalk = new ipv6.HeaderWalk();
  readonly #identifiers6: Int32Array = new Int32Array(IDENTIFIERS6);
  readonly #identifierKey: number;
  readonly #fragmented6: number;
  readonly #fragments6: number;
  #fragmentMeta = 0;

  constructor(context: InetContext) {
    this.#context = context;
    this.#view = context.shared.arena.view;
    this.#segmenter = new Segmenter(context);
    this.#fragmented = context.counters.index('ip-fragmented');
    this.#fragments = context.counters.index('ip-fragments-sent');
    this.#noRoom = context.counters.index('ip-out-no-room');
    this.#fragmented6 = context.counters.index('ip6-fragmented');
    this.#fragments6 = context.counters.index('ip6-fragments-sent');
    for (let i = 0; i < IDENTIFIERS6; i++) this.#identifiers6[i] = context.rng.next32();
    this.#identifierKey = context.rng.next32() | 1;
  }

  /**
   * Send the packet to a link-layer address. `mtuBytes` is that of the path. Returns 0, `-ENOBUFS` (some or all of it had
   * no room: counted), `-EMSGSIZE` (too long, and not to be fragmented), `-ENETDOWN`.
   */
  send(
    iface: Interface,
    dstHi: number,
    dstLo: number,
    at: number,
    totalBytes: number,
    meta: number,
    mtuBytes: number,
  ): number {
    this.resumeOffset = -1;
    const { link } = iface;
    const segmentBytes = meta >>> META_SEGMENT_SHIFT;
    const superFrame = segmentBytes !== 0 && (link.capabilities & CAP_SUPER_FRAMES) !== 0;
    // Datagrams that travel together are parted also where all of them would fit.
    if (totalBytes > mtuBytes || (segmentBytes !== 0 && !superFrame && this.#segmenter.holdsDatagrams(at))) {
      if (!superFrame || totalBytes > link.maxPacketBytes) {
        if (segmentBytes !== 0) {
          return this.#segmenter.send(iface, dstHi, dstLo, at, totalBytes, meta, mtuBytes);
        }
        const ipv6Packet = isIp6Packet(this.#view, at);
        if (!ipv6Packet && (this.#view.getUint16(at + 6) & ipv4.FLAG_DONT_FRAGMENT) !== 0) return -Errno.EMSGSIZE;
        if ((meta & META_CHECKSUM_PARTIAL) !== 0) this.completeChecksum(at, totalBytes);
        const identification = ipv6Packet ? this.#nextIdentification6(at) : 0;
        return this.fragment(iface, dstHi, dstLo, at, totalBytes, mtuBytes, 0, identification, meta);
      }
    }
    if ((meta & META_CHECKSUM_PARTIAL) !== 0 && (link.capabilities & CAP_CHECKSUM_PARTIAL) === 0) {
      this.completeChecksum(at, totalBytes);
      meta &= ~META_CHECKSUM_PARTIAL;
    }
    const etherType = isIp6Packet(this.#view, at) ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4;
    const ipAt = this.#reserve(iface, dstHi, dstLo, totalBytes, etherType);
    if (ipAt < 0) return ipAt;
    this.#context.bulk.copy(ipAt, at, totalBytes);
    // Segments that are short enough together go on as one packet; a plain link keeps no segment size.
    if (!superFrame) meta &= META_FLAGS;
    link.commit(totalBytes, meta);
    return 0;
  }

  /** Turn a partial transport checksum (pseudo-header sum in the field) into the real one, in place. */
  completeChecksum(at: number, totalBytes: number): void {
    const view = this.#view;
    let headerBytes = ipv4.headerBytes(view, at);
    let protocol = ipv4.protocol(view, at);
    if (isIp6Packet(view, at)) {
      const walk = this.#walk;
      const reason = walk.walk(view, at + ipv6.HEADER_BYTES, at + totalBytes, ipv6.nextHeader(view, at));
      if (reason !== 0 || walk.fragmentAt !== 0) return;
      headerBytes = walk.payloadAt - at;
      protocol = walk.protocol;
    }
    const tcp = protocol === ipv4.PROTOCOL_TCP;
    if (!tcp && protocol !== ipv4.PROTOCOL_UDP) return;
    const offset = headerBytes + (tcp ? TCP_CHECKSUM_OFFSET : UDP_CHECKSUM_OFFSET);
    // The sender may have left nothing there to complete.
    if (offset + 2 > totalBytes) return;
    const checksum = checksumOf(this.#context.bulk.sum(at + headerBytes, totalBytes - headerBytes));
    view.setUint16(at + offset, checksum === 0 && !tcp ? 0xffff : checksum);
  }

  /**
   * Send the packet in fragments, beginning with the one at `offset` bytes of its payload. A packet that is itself a
   * fragment keeps its place. `identification` is that of IPv6; of `meta` the link's own bits go with each. Returns 0, or `-ENOBUFS` with {@link resumeOffset} set.
   */
  fragment(
    iface: Interface,
    dstHi: number,
    dstLo: number,
    at: number,
    totalBytes: number,
    mtuBytes: number,
    offset: number,
    identification: number,
    meta: number,
  ): number {
    const view = this.#view;
    this.#fragmentMeta = meta & META_ARRIVAL_MASK;
    if (isIp6Packet(view, at)) {
      return this.#fragment6(iface, dstHi, dstLo, at, totalBytes, mtuBytes, offset, identification);
    }
    const headerBytes = ipv4.headerBytes(view, at);
    const payloadBytes = totalBytes - headerBytes;
    const word = view.getUint16(at + 6);
    const pieceBytes = (mtuBytes - headerBytes) & ~7;
    if (pieceBytes <= 0) return -Errno.EMSGSIZE;
    this.resumeOffset = -1;
    if (offset === 0) this.#context.counters.add(this.#fragmented, 1);
    while (offset < payloadBytes) {
      const last = offset + pieceBytes >= payloadBytes;
      const bytes = last ? payloadBytes - offset : pieceBytes;
      const flags =
        (last ? word & ipv4.FLAG_MORE_FRAGMENTS : ipv4.FLAG_MORE_FRAGMENTS) |
        ((word + (offset >> 3)) & ipv4.FRAGMENT_OFFSET_MASK);
      const sent = this.#sendFragment(iface, dstHi, dstLo, at, offset, bytes, flags);
      if (sent < 0) {
        if (sent === -Errno.ENOBUFS) this.resumeOffset = offset;
        return sent;
      }
      offset += bytes;
    }
    return 0;
  }

  #sendFragment(
    iface: Interface,
    dstHi: number,
    dstLo: number,
    at: number,
    offset: number,
    bytes: number,
    flags: number,
  ): number {
    const view = this.#view;
    const { bulk, counters } = this.#context;
    const headerBytes = ipv4.headerBytes(view, at);
    const ipAt = this.#reserve(iface, dstHi, dstLo, headerBytes + bytes, ETHERTYPE_IPV4);
    if (ipAt < 0) return ipAt;
    bulk.copy(ipAt, at, headerBytes);
    // Options that are not to be copied go in the first fragment only (RFC 791 3.1).
    const keptBytes = offset === 0 ? headerBytes : 20 + copiedOptions(view, ipAt, headerBytes);
    bulk.copy(ipAt + keptBytes, at + headerBytes + offset, bytes);
    view.setUint8(ipAt, 0x40 | (keptBytes >> 2));
    view.setUint16(ipAt + 2, keptBytes + bytes);
    view.setUint16(ipAt + 6, flags);
    view.setUint16(ipAt + 10, 0);
    view.setUint16(ipAt + 10, checksumOf(bulk.sum(ipAt, keptBytes)));
    iface.link.commit(keptBytes + bytes, this.#fragmentMeta);
    counters.add(this.#fragments, 1);
    return 0;
  }

  /** RFC 8200 4.5: the header of each fragment is that of the packet; nothing of ours stands between it and the payload. */
  #fragment6(
    iface: Interface,
    dstHi: number,
    dstLo: number,
    at: number,
    totalBytes: number,
    mtuBytes: number,
    offset: number,
    identification: number,
  ): number {
    const payloadBytes = totalBytes - ipv6.HEADER_BYTES;
    const pieceBytes = (mtuBytes - ipv6.HEADER_BYTES - ipv6.FRAGMENT_HEADER_BYTES) & ~7;
    if (pieceBytes <= 0) return -Errno.EMSGSIZE;
    this.resumeOffset = -1;
    if (offset === 0) this.#context.counters.add(this.#fragmented6, 1);
    while (offset < payloadBytes) {
      const last = offset + pieceBytes >= payloadBytes;
      const bytes = last ? payloadBytes - offset : pieceBytes;
      const sent = this.#sendFragment6(iface, dstHi, dstLo, at, offset, bytes, !last, identification);
      if (sent < 0) {
        if (sent === -Errno.ENOBUFS) this.resumeOffset = offset;
        this.resumeIdentification = identification;
        return sent;
      }
      offset += bytes;
    }
    return 0;
  }

  #sendFragment6(
    iface: Interface,
    dstHi: number,
    dstLo: number,
    at: number,
    offset: number,
    bytes: number,
    more: boolean,
    identification: number,
  ): number {
    const view = this.#view;
    const { bulk, counters } = this.#context;
    const packetBytes = ipv6.HEADER_BYTES + ipv6.FRAGMENT_HEADER_BYTES + bytes;
    const ipAt = this.#reserve(iface, dstHi, dstLo, packetBytes, ETHERTYPE_IPV6);
    if (ipAt < 0) return ipAt;
    const fragmentAt = ipAt + ipv6.HEADER_BYTES;
    bulk.copy(ipAt, at, ipv6.HEADER_BYTES);
    ipv6.setPayloadBytes(view, ipAt, ipv6.FRAGMENT_HEADER_BYTES + bytes);
    ipv6.setNextHeader(view, ipAt, ipv6.NEXT_FRAGMENT);
    view.setInt32(fragmentAt, (ipv6.nextHeader(view, at) << 24) | offset | (more ? 1 : 0));
    view.setInt32(fragmentAt + 4, identification);
    bulk.copy(fragmentAt + ipv6.FRAGMENT_HEADER_BYTES, at + ipv6.HEADER_BYTES + offset, bytes);
    iface.link.commit(packetBytes, this.#fragmentMeta);
    counters.add(this.#fragments6, 1);
    return 0;
  }

  #nextIdentification6(at: number): number {
    const view = this.#view;
    const slot = Math.imul(ipv6.dstWord(view, at, 3) ^ ipv6.dstWord(view, at, 1), this.#identifierKey) >>> 24;
    const next = ((this.#identifiers6[slot] as number) + 1) | 0;
    this.#identifiers6[slot] = next;
    return next;
  }

  /** Room for a packet; where there is none, that is counted. */
  #reserve(iface: Interface, dstHi: number, dstLo: number, packetBytes: number, etherType: number): number {
    const at = iface.link.reserveTo(dstHi, dstLo, etherType, packetBytes);
    if (at < 0) {
      this.#context.counters.add(this.#noRoom, 1);
      iface.outDrops++;
    }
    return at;
  }
}

function isIp6Packet(view: DataView, at: number): boolean {
  return view.getUint8(at) >> 4 === 6;
}
