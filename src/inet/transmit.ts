/**
 * One finished IP packet, lying anywhere in the arena, goes out through an interface: as it is, with its checksum
 * completed, cut into TCP segments, or cut into fragments, whatever the link needs.
 *
 * Thread: the one that runs the kernel. Forwarding, packets that waited for a neighbor and packets built in scratch memory
 * come here; packets written straight into the ring do not (inet/ip-output.ts). One copy, ring to ring. The packet at
 * `at` may be changed (checksum completed before it is cut), so it must be ours to change.
 * Read first: RFC 791 3.2 (fragmentation), virtio's checksum rules in link/device.ts.
 */

import { checksumOf } from '../base/checksum.ts';
import { Errno } from '../base/errors.ts';
import { CAP_CHECKSUM_PARTIAL, CAP_SUPER_FRAMES, META_CHECKSUM_PARTIAL, META_SEGMENT_SHIFT } from '../link/device.ts';
import type { Interface } from '../net/interface.ts';
import * as ipv4 from '../wire/ipv4.ts';
import type { InetContext } from './context.ts';
import { copiedOptions } from './ip-options.ts';
import { Segmenter } from './segment.ts';

const ETHERNET_HEADER_BYTES = 14;
const ETHERTYPE_IPV4 = 0x0800;
const DONT_FRAGMENT = 0x4000;
const MORE_FRAGMENTS = 0x2000;
const OFFSET_MASK = 0x1fff;
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

  constructor(context: InetContext) {
    this.#context = context;
    this.#view = context.arena.view;
    this.#segmenter = new Segmenter(context);
    this.#fragmented = context.counters.index('ip-fragmented');
    this.#fragments = context.counters.index('ip-fragments-sent');
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
    this.resumeOffset = -1;
    const device = iface.device;
    const segmentBytes = meta >>> META_SEGMENT_SHIFT;
    if (totalBytes > mtuBytes) {
      const superFrame = segmentBytes !== 0 && (device.capabilities & CAP_SUPER_FRAMES) !== 0;
      if (!superFrame || totalBytes + ETHERNET_HEADER_BYTES > device.maxFrameBytes) {
        if (segmentBytes !== 0) {
          return this.#segmenter.send(iface, dstHi, dstLo, at, totalBytes, segmentBytes, mtuBytes);
        }
        if ((this.#view.getUint16(at + 6) & DONT_FRAGMENT) !== 0) return -Errno.EMSGSIZE;
        if ((meta & META_CHECKSUM_PARTIAL) !== 0) this.completeChecksum(at, totalBytes);
        return this.fragment(iface, dstHi, dstLo, at, totalBytes, mtuBytes, 0);
      }
    }
    if ((meta & META_CHECKSUM_PARTIAL) !== 0 && (device.capabilities & CAP_CHECKSUM_PARTIAL) === 0) {
      this.completeChecksum(at, totalBytes);
      meta &= ~META_CHECKSUM_PARTIAL;
    }
    const frameAt = this.#reserve(iface, dstHi, dstLo, totalBytes);
    if (frameAt < 0) return frameAt;
    this.#context.bulk.copy(frameAt + ETHERNET_HEADER_BYTES, at, totalBytes);
    this.#commit(iface, totalBytes, meta);
    return 0;
  }

  /** Turn a partial transport checksum (pseudo-header sum in the field) into the real one, in place. */
  completeChecksum(at: number, totalBytes: number): void {
    const view = this.#view;
    const headerBytes = ipv4.headerBytes(view, at);
    const protocol = ipv4.protocol(view, at);
    const sum = this.#context.bulk.sum(at + headerBytes, totalBytes - headerBytes);
    const checksum = checksumOf(sum);
    if (protocol === ipv4.PROTOCOL_TCP) view.setUint16(at + headerBytes + TCP_CHECKSUM_OFFSET, checksum);
    else if (protocol === ipv4.PROTOCOL_UDP) {
      view.setUint16(at + headerBytes + UDP_CHECKSUM_OFFSET, checksum === 0 ? 0xffff : checksum);
    }
  }

  /**
   * Send the packet in fragments, beginning with the one at `offset` bytes of its payload. A packet that is itself a
   * fragment keeps its place. Returns 0, or `-ENOBUFS` with {@link resumeOffset} set.
   */
  fragment(
    iface: Interface,
    dstHi: number,
    dstLo: number,
    at: number,
    totalBytes: number,
    mtuBytes: number,
    offset: number,
  ): number {
    const view = this.#view;
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
      const flags = (last ? word & MORE_FRAGMENTS : MORE_FRAGMENTS) | ((word + (offset >> 3)) & OFFSET_MASK);
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
    const frameAt = this.#reserve(iface, dstHi, dstLo, headerBytes + bytes);
    if (frameAt < 0) return frameAt;
    const ipAt = frameAt + ETHERNET_HEADER_BYTES;
    bulk.copy(ipAt, at, headerBytes);
    // Options that are not to be copied go in the first fragment only (RFC 791 3.1).
    const keptBytes = offset === 0 ? headerBytes : 20 + copiedOptions(view, ipAt, headerBytes);
    bulk.copy(ipAt + keptBytes, at + headerBytes + offset, bytes);
    view.setUint8(ipAt, 0x40 | (keptBytes >> 2));
    view.setUint16(ipAt + 2, keptBytes + bytes);
    view.setUint16(ipAt + 6, flags);
    view.setUint16(ipAt + 10, 0);
    view.setUint16(ipAt + 10, checksumOf(bulk.sum(ipAt, keptBytes)));
    this.#commit(iface, keptBytes + bytes, 0);
    counters.add(this.#fragments, 1);
    return 0;
  }

  /** Room for a frame, with its Ethernet header written. */
  #reserve(iface: Interface, dstHi: number, dstLo: number, packetBytes: number): number {
    const frameAt = iface.device.reserve(dstHi, dstLo, packetBytes + ETHERNET_HEADER_BYTES);
    if (frameAt < 0) {
      this.#context.counters.add(this.#noRoom, 1);
      iface.outDrops++;
      return frameAt;
    }
    const view = this.#view;
    view.setUint16(frameAt, dstHi);
    view.setInt32(frameAt + 2, dstLo);
    view.setInt32(frameAt + 6, (iface.macHi << 16) | (iface.macLo >>> 16));
    view.setInt32(frameAt + 10, (iface.macLo << 16) | ETHERTYPE_IPV4);
    return frameAt;
  }

  #commit(iface: Interface, packetBytes: number, meta: number): void {
    iface.device.commit(packetBytes + ETHERNET_HEADER_BYTES, meta);
    iface.dirty = true;
    iface.outPackets++;
    iface.outBytes += packetBytes + ETHERNET_HEADER_BYTES;
  }
}
