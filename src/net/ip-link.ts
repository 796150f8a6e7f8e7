/**
 * IP without a link-layer header, over a device of link type `ip` (lo0).
 *
 * Thread: the one that runs the kernel. Data path: allocates nothing. The version of the IP header tells the family. A
 * packet to ourselves carries in its metadata the interface that it counts as received by ({@link arrivalMeta}); only lo0,
 * to which nobody else writes, is believed.
 * Read first: link-layer.ts (the contract), looutput() of NetBSD's lo(4).
 */

import { type Device, META_ARRIVAL_MASK, META_ARRIVAL_SHIFT } from '../link/device.ts';
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from '../wire/ethernet.ts';
import { DeviceLink } from './device-link.ts';
import { LINK_SHORT, type LinkHeader, type LinkPacket } from './link-layer.ts';

/** Metadata of a packet that goes through lo0 and counts as received by the interface of that if_index; 0: by none. */
export function arrivalMeta(index: number): number {
  return (index << META_ARRIVAL_SHIFT) & META_ARRIVAL_MASK;
}

export class IpLink extends DeviceLink {
  readonly headerBytes: number = 0;
  readonly #view: DataView;
  /** Place of the packet that was reserved last. */
  #openAt = 0;

  constructor(device: Device, view: DataView) {
    super(device);
    this.#view = view;
  }

  override fill(header: LinkHeader, dstHi: number, dstLo: number, _etherType: number): void {
    header.dstHi = dstHi;
    header.dstLo = dstLo;
  }

  override write(_header: LinkHeader, _packetAt: number): void {}

  override reserve(_header: LinkHeader, packetBytes: number): number {
    this.#openAt = this.queue.reserve(0, 0, packetBytes);
    return this.#openAt;
  }

  override reserveTo(_dstHi: number, _dstLo: number, _etherType: number, packetBytes: number): number {
    this.#openAt = this.queue.reserve(0, 0, packetBytes);
    return this.#openAt;
  }

  override commit(packetBytes: number, meta: number): void {
    if (this.iface.taps.length > 0) this.tapped(this.#openAt, packetBytes, meta);
    this.queue.commit(packetBytes, meta);
    this.sent(1, packetBytes);
  }

  override reserveRun(_header: LinkHeader, packetBytes: number, count: number): number {
    const { runs } = this.queue;
    // Taps see each frame.
    if (runs === undefined || this.iface.taps.length > 0) return 0;
    const reserved = runs.reserveRun(0, 0, packetBytes, count);
    this.runAt = runs.runAt;
    this.runStrideBytes = runs.runStrideBytes;
    return reserved;
  }

  override commitRun(count: number, packetBytes: number, meta: number): void {
    this.queue.runs?.commitRun(count, packetBytes, meta);
    this.sent(count, count * packetBytes);
  }

  override read(packet: LinkPacket, at: number, lengthBytes: number): number {
    if (lengthBytes < 1) return LINK_SHORT;
    packet.at = at;
    packet.lengthBytes = lengthBytes;
    packet.group = false;
    const { iface } = this;
    const arrival = (packet.meta & META_ARRIVAL_MASK) >>> META_ARRIVAL_SHIFT;
    packet.arrival = iface.loopback ? iface.input.interfaceAt(arrival) : iface;
    packet.meta &= ~META_ARRIVAL_MASK;
    const version = this.#view.getUint8(at) >> 4;
    if (version === 4) return ETHERTYPE_IPV4;
    return version === 6 ? ETHERTYPE_IPV6 : 0;
  }
}
