/**
 * One whole frame, lying anywhere in the arena, goes out through an Ethernet link as it is, source included: with its checksum
 * completed or in segments where the link leaves neither to its peer.
 *
 * Thread: the one that runs the kernel. Data path: allocates nothing. Read first: link-layer.ts (`reserveFrame`), link/offload.ts.
 */

import { Errno } from '../../base/errors.ts';
import {
  CAP_CHECKSUM_PARTIAL,
  CAP_SUPER_FRAMES,
  META_ARRIVAL_MASK,
  META_CHECKSUM_PARTIAL,
  META_SEGMENT_SHIFT,
} from '../../link/device.ts';
import { ChecksumCompletion, SuperFrame } from '../../link/offload.ts';
import type { Bulk } from '../../mem/bulk.ts';
import * as ethernet from '../../wire/ethernet.ts';
import * as vlan from '../../wire/vlan.ts';
import type { LinkLayer } from '../link-layer.ts';

export class FrameSender {
  readonly #view: DataView;
  readonly #bulk: Bulk;
  readonly #checksum: ChecksumCompletion;
  readonly #superFrame: SuperFrame;

  constructor(view: DataView, bulk: Bulk) {
    this.#view = view;
    this.#bulk = bulk;
    this.#checksum = new ChecksumCompletion(view, bulk);
    this.#superFrame = new SuperFrame(view, bulk);
  }

  /** Returns 0, or `-ENOBUFS`, `-EMSGSIZE`, `-ENETDOWN` of the link; of a super-frame some segments may have left. */
  send(link: LinkLayer, at: number, lengthBytes: number, meta: number): number {
    const { capabilities } = link;
    const segmentBytes = meta >>> META_SEGMENT_SHIFT;
    if (segmentBytes !== 0) {
      const whole =
        (capabilities & CAP_SUPER_FRAMES) !== 0 && lengthBytes - ethernet.HEADER_BYTES <= link.maxPacketBytes;
      if (!whole)
        return this.#segments(link, at, lengthBytes, segmentBytes, (capabilities & CAP_CHECKSUM_PARTIAL) !== 0);
    } else if (lengthBytes - ethernet.HEADER_BYTES - this.#tagBytes(at) > link.mtuBytes) return -Errno.EMSGSIZE;
    const view = this.#view;
    const to = link.reserveFrame(ethernet.dstHi(view, at), ethernet.dstLo(view, at), lengthBytes);
    if (to < 0) return to;
    this.#bulk.copy(to, at, lengthBytes);
    let sentMeta = meta & ~META_ARRIVAL_MASK;
    if ((meta & META_CHECKSUM_PARTIAL) !== 0 && (capabilities & CAP_CHECKSUM_PARTIAL) === 0) {
      const packetAt = this.#packetAt(to);
      if (packetAt >= 0) this.#checksum.complete(packetAt, to + lengthBytes - packetAt);
      sentMeta &= ~META_CHECKSUM_PARTIAL;
    }
    link.commitFrame(lengthBytes, sentMeta);
    return 0;
  }

  #segments(link: LinkLayer, at: number, lengthBytes: number, segmentBytes: number, partial: boolean): number {
    const view = this.#view;
    const frame = this.#superFrame;
    const packetAt = this.#packetAt(at);
    if (packetAt < 0 || !frame.read(packetAt, at + lengthBytes - packetAt)) return -Errno.EMSGSIZE;
    const linkBytes = packetAt - at;
    const headerBytes = linkBytes + frame.headerBytes;
    const meta = partial ? META_CHECKSUM_PARTIAL : 0;
    for (let offset = 0; offset < frame.payloadBytes; offset += segmentBytes) {
      const bytes = Math.min(segmentBytes, frame.payloadBytes - offset);
      if (frame.headerBytes + bytes > link.mtuBytes) return -Errno.EMSGSIZE;
      const to = link.reserveFrame(ethernet.dstHi(view, at), ethernet.dstLo(view, at), headerBytes + bytes);
      if (to < 0) return to;
      this.#bulk.copy(to, at, linkBytes);
      frame.write(to + linkBytes, offset, bytes, partial);
      link.commitFrame(headerBytes + bytes, meta);
    }
    return 0;
  }

  /** Bytes of an outer tag, which the MTU does not count. */
  #tagBytes(at: number): number {
    const type = ethernet.type(this.#view, at);
    return type === ethernet.ETHERTYPE_VLAN || type === ethernet.ETHERTYPE_QINQ ? vlan.HEADER_BYTES : 0;
  }

  /** Offset of the IP packet of a frame, behind any tags; -1 when there is none. */
  #packetAt(at: number): number {
    const view = this.#view;
    let typeAt = at + ethernet.HEADER_BYTES - 2;
    for (let tags = 0; tags <= 2; tags++) {
      const type = view.getUint16(typeAt);
      if (type === ethernet.ETHERTYPE_IPV4 || type === ethernet.ETHERTYPE_IPV6) return typeAt + 2;
      if (type !== ethernet.ETHERTYPE_VLAN && type !== ethernet.ETHERTYPE_QINQ) return -1;
      typeAt += vlan.HEADER_BYTES;
    }
    return -1;
  }
}
