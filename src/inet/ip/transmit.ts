/**
 * One finished IP packet, lying anywhere in the arena, goes out through an interface: as it is, with its checksum
 * completed, in TCP segments, or in fragments, whatever the link needs.
 *
 * Thread: the one that runs the CPU. Forwarding, packets that waited for a neighbor and packets built in scratch memory
 * come here; packets written straight into the ring do not (inet/ip/output.ts). One copy, ring to ring. The packet at
 * `at` may be changed (checksum completed before it is fragmented), so it must be ours to change. Packets of both families come here;
 * IPv6 ones are fragmented only at their source, so a router compares their length with the MTU before.
 * Read first: RFC 791 3.2 and RFC 8200 4.5 (fragmentation), virtio's checksum rules in net/packet-meta.ts.
 */

import { Errno } from '../../base/errors.ts';
import type { Interface } from '../../net/interface.ts';
import { ChecksumCompletion } from '../../net/offload.ts';
import {
  CAP_CHECKSUM_PARTIAL,
  CAP_SUPER_FRAMES,
  META_CHECKSUM_PARTIAL,
  META_SEGMENT_SHIFT,
} from '../../net/packet-meta.ts';
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from '../../wire/ethernet.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import type { InetContext } from './context.ts';
import { Fragmentation, Fragmenter } from './fragmenter.ts';
import { Segmenter } from './super-frame.ts';

/** All of the metadata but the segment size. */
const META_FLAGS: number = (1 << META_SEGMENT_SHIFT) - 1;

export class Transmitter {
  readonly #context: InetContext;
  readonly #view: DataView;
  readonly #segmenter: Segmenter;
  readonly #fragmenter: Fragmenter;
  readonly checksum: ChecksumCompletion;
  readonly #noRoom: number;
  /** The packet that {@link send} sends in fragments, and whether some of them are left. */
  #fragmentation: Fragmentation = new Fragmentation();
  #interrupted = false;

  constructor(context: InetContext) {
    this.#context = context;
    this.#view = context.shared.arena.view;
    this.checksum = new ChecksumCompletion(this.#view, context.bulk);
    this.#segmenter = new Segmenter(context);
    this.#fragmenter = new Fragmenter(context);
    this.#noRoom = context.counters.index('ip-out-no-room');
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
    this.#interrupted = false;
    const { link } = iface;
    const segmentBytes = meta >>> META_SEGMENT_SHIFT;
    const superFrame = segmentBytes !== 0 && (link.capabilities & CAP_SUPER_FRAMES) !== 0;
    // Datagrams that travel together are parted also where all of them would fit.
    if (totalBytes > mtuBytes || (segmentBytes !== 0 && !superFrame && this.#segmenter.holdsDatagrams(at))) {
      if (!superFrame || totalBytes > link.maxPacketBytes) {
        if (segmentBytes !== 0) {
          return this.#segmenter.send(iface, dstHi, dstLo, at, totalBytes, meta, mtuBytes);
        }
        if (!isIp6Packet(this.#view, at) && (this.#view.getUint16(at + 6) & ipv4.FLAG_DONT_FRAGMENT) !== 0)
          return -Errno.EMSGSIZE;
        if ((meta & META_CHECKSUM_PARTIAL) !== 0) this.checksum.complete(at, totalBytes);
        return this.#fragment(iface, dstHi, dstLo, at, totalBytes, meta, mtuBytes);
      }
    }
    if ((meta & META_CHECKSUM_PARTIAL) !== 0 && (link.capabilities & CAP_CHECKSUM_PARTIAL) === 0) {
      this.checksum.complete(at, totalBytes);
      meta &= ~META_CHECKSUM_PARTIAL;
    }
    const etherType = isIp6Packet(this.#view, at) ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4;
    const ipAt = link.reserveTo(dstHi, dstLo, etherType, totalBytes);
    if (ipAt < 0) return this.#counted(iface, ipAt);
    this.#context.bulk.copy(ipAt, at, totalBytes);
    // Segments that are short enough together go on as one packet; a plain link keeps no segment size.
    if (!superFrame) meta &= META_FLAGS;
    link.commit(totalBytes, meta);
    return 0;
  }

  /** Send the fragments that are left of a packet. Returns 0, `-ENOBUFS` when some are left again, or as {@link send}. */
  resume(packet: Fragmentation): number {
    return this.#counted(packet.iface as Interface, this.#fragmenter.send(packet));
  }

  /**
   * After `-ENOBUFS` from {@link send}: the packet whose fragments found no room, in exchange for a `spare` object; null when
   * nothing of the packet is left to be sent.
   */
  suspended(spare: Fragmentation): Fragmentation | null {
    if (!this.#interrupted) return null;
    const packet = this.#fragmentation;
    this.#fragmentation = spare;
    this.#interrupted = false;
    return packet;
  }

  #fragment(
    iface: Interface,
    dstHi: number,
    dstLo: number,
    at: number,
    totalBytes: number,
    meta: number,
    mtuBytes: number,
  ): number {
    const packet = this.#fragmentation;
    packet.iface = iface;
    packet.dstHi = dstHi;
    packet.dstLo = dstLo;
    packet.at = at;
    packet.totalBytes = totalBytes;
    packet.meta = meta;
    packet.mtuBytes = mtuBytes;
    const sent = this.#counted(iface, this.#fragmenter.begin(packet));
    this.#interrupted = sent === -Errno.ENOBUFS;
    if (!this.#interrupted) packet.iface = null;
    return sent;
  }

  /** A packet, or a fragment, for which the link had no place is counted. */
  #counted(iface: Interface, sent: number): number {
    if (sent < 0 && sent !== -Errno.EMSGSIZE) {
      this.#context.counters.add(this.#noRoom, 1);
      iface.outDrops++;
    }
    return sent;
  }
}

function isIp6Packet(view: DataView, at: number): boolean {
  return view.getUint8(at) >> 4 === 6;
}
