/**
 * Packets that IPv6 itself sends on one link, to a group or a known link-layer address: neighbor discovery and listener reports.
 *
 * Thread: the one that runs the kernel. They need no path: no route, no source address (`::` may be given), no neighbor.
 * `begin` → write the payload in place, hop-by-hop headers included → `end`. Written straight into the outgoing ring.
 */

import type { Interface } from '../../net/interface.ts';
import { ETHERTYPE_IPV6 } from '../../wire/ethernet.ts';
import * as icmpv6 from '../../wire/icmpv6.ts';
import * as ipv6 from '../../wire/ipv6.ts';
import type { InetContext } from '../ip/context.ts';

const VERSION_WORD = 0x60000000;

export class LinkOutput6 {
  readonly #context: InetContext;
  readonly #view: DataView;
  readonly #noRoom: number;
  #iface: Interface | null = null;
  #headerAt = 0;
  #packetBytes = 0;

  constructor(context: InetContext) {
    this.#context = context;
    this.#view = context.shared.arena.view;
    this.#noRoom = context.counters.index('ip6-link-out-no-room');
  }

  /**
   * Start a packet to a group of this link. `src` is an address of ours, {@link IP6_ANY} for none; `nextHeader` is the
   * protocol of the payload. Returns the offset of the payload, or a negative errno (the link's, `-ENETDOWN` when down; counted).
   */
  begin(
    iface: Interface,
    src: number,
    group: ipv6.Address6,
    nextHeader: number,
    payloadBytes: number,
    hopLimit: number,
  ): number {
    return this.beginTo(iface, ipv6.MULTICAST_MAC_HI, group[3], src, group, nextHeader, payloadBytes, hopLimit);
  }

  /** As {@link begin}, to one station whose link-layer address is known. */
  beginTo(
    iface: Interface,
    dstHi: number,
    dstLo: number,
    src: number,
    dst: ipv6.Address6,
    nextHeader: number,
    payloadBytes: number,
    hopLimit: number,
  ): number {
    const packetBytes = ipv6.HEADER_BYTES + payloadBytes;
    const headerAt = iface.up ? iface.link.reserveTo(dstHi, dstLo, ETHERTYPE_IPV6, packetBytes) : -1;
    if (headerAt < 0) {
      this.#context.counters.add(this.#noRoom, 1);
      return headerAt;
    }
    const view = this.#view;
    view.setInt32(headerAt, VERSION_WORD);
    view.setInt32(headerAt + 4, (payloadBytes << 16) | (nextHeader << 8) | hopLimit);
    this.#context.shared.interner.write(src, view, headerAt + ipv6.SRC_OFFSET);
    ipv6.setDst(view, headerAt, dst);
    this.#iface = iface;
    this.#headerAt = headerAt;
    this.#packetBytes = packetBytes;
    return headerAt + ipv6.HEADER_BYTES;
  }

  /** The packet is complete. */
  end(): void {
    (this.#iface as Interface).link.commit(this.#packetBytes, 0);
  }

  /** The ICMPv6 message at `at`, which ends the packet, is complete but for its checksum. */
  endIcmp(at: number): void {
    const headerAt = this.#headerAt;
    icmpv6.fillChecksum(this.#view, headerAt, at, headerAt + this.#packetBytes - at);
    this.end();
  }
}
