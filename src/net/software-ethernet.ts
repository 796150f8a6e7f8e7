/**
 * Ethernet without a device: packets behind an Ethernet header, in frames that leave in another way (bridge, vlan, vether).
 *
 * Thread: the one that runs the kernel. Data path: allocates nothing. A subclass says where whole frames go (`reserveFrame` and its
 * like) and calls `countSent` for each. Read first: link-layer.ts (the contract), ethernet.ts (the same over a device).
 */

import type { LinkType, MacAddress } from '../link/device.ts';
import * as ethernet from '../wire/ethernet.ts';
import type { FrameTap } from './link-input.ts';
import { LINK_NOT_OURS, LINK_SHORT, type LinkHeader, LinkLayer, type LinkPacket } from './link-layer.ts';

const { HEADER_BYTES } = ethernet;

export abstract class SoftwareEthernet extends LinkLayer {
  readonly linkType: LinkType = 'ethernet';
  readonly headerBytes: number = HEADER_BYTES;
  override readonly takesFrames: boolean = true;
  protected readonly view: DataView;
  /** The frame that was reserved last was reserved with `output`. */
  #redirected = false;

  constructor(view: DataView) {
    super();
    this.view = view;
  }

  abstract override readonly mac: MacAddress;
  abstract override reserveFrame(dstHi: number, dstLo: number, frameBytes: number): number;
  abstract override commitFrame(frameBytes: number, meta: number): void;
  abstract override cancelFrame(): void;
  abstract override awaitFrameRoom(dstHi: number, dstLo: number): boolean;

  override fill(header: LinkHeader, dstHi: number, dstLo: number, etherType: number): void {
    const { hi, lo } = this.mac;
    header.dstHi = dstHi;
    header.dstLo = dstLo;
    header.word6 = (hi << 16) | (lo >>> 16);
    header.word10 = (lo << 16) | etherType;
  }

  override write(header: LinkHeader, packetAt: number): void {
    const { view } = this;
    view.setUint16(packetAt - 14, header.dstHi);
    view.setInt32(packetAt - 12, header.dstLo);
    view.setInt32(packetAt - 8, header.word6);
    view.setInt32(packetAt - 4, header.word10);
  }

  override reserve(header: LinkHeader, packetBytes: number): number {
    const packetAt = this.#reserve(header.dstHi, header.dstLo, packetBytes);
    if (packetAt >= 0) this.write(header, packetAt);
    return packetAt;
  }

  override reserveTo(dstHi: number, dstLo: number, etherType: number, packetBytes: number): number {
    const packetAt = this.#reserve(dstHi, dstLo, packetBytes);
    if (packetAt < 0) return packetAt;
    const { view } = this;
    const { hi, lo } = this.mac;
    const frameAt = packetAt - HEADER_BYTES;
    ethernet.setDst(view, frameAt, dstHi, dstLo);
    ethernet.setSrc(view, frameAt, hi, lo);
    ethernet.setType(view, frameAt, etherType);
    return packetAt;
  }

  #reserve(dstHi: number, dstLo: number, packetBytes: number): number {
    const { output } = this;
    const bytes = packetBytes + HEADER_BYTES;
    const redirected = output?.active === true;
    const frameAt = redirected ? output.reserveFrame(dstHi, dstLo, bytes) : this.reserveFrame(dstHi, dstLo, bytes);
    if (frameAt < 0) return frameAt;
    this.#redirected = redirected;
    return frameAt + HEADER_BYTES;
  }

  override commit(packetBytes: number, meta: number): void {
    const bytes = packetBytes + HEADER_BYTES;
    if (this.#redirected) this.output?.commitFrame(bytes, meta);
    else this.commitFrame(bytes, meta);
    this.#redirected = false;
  }

  override cancel(): void {
    if (this.#redirected) this.output?.cancelFrame();
    else this.cancelFrame();
    this.#redirected = false;
  }

  override awaitRoom(dstHi: number, dstLo: number): boolean {
    const { output } = this;
    return output?.active ? output.awaitRoom(dstHi, dstLo) : this.awaitFrameRoom(dstHi, dstLo);
  }

  override reserveRun(_header: LinkHeader, _packetBytes: number, _count: number): number {
    return 0;
  }

  override commitRun(_count: number, _packetBytes: number, _meta: number): void {}

  override read(packet: LinkPacket, at: number, lengthBytes: number): number {
    if (lengthBytes < HEADER_BYTES) return LINK_SHORT;
    const { view } = this;
    const { hi, lo } = this.mac;
    const dstHi = ethernet.dstHi(view, at);
    packet.group = (dstHi & ethernet.GROUP_BIT) !== 0;
    if (!packet.group && (dstHi !== hi || ethernet.dstLo(view, at) !== lo)) return LINK_NOT_OURS;
    packet.at = at + HEADER_BYTES;
    packet.lengthBytes = lengthBytes - HEADER_BYTES;
    if (packet.arrival !== this.iface) packet.arrival = this.iface;
    return ethernet.type(view, at);
  }

  override readSource(packet: LinkPacket): void {
    const at = packet.at - HEADER_BYTES;
    packet.srcHi = ethernet.srcHi(this.view, at);
    packet.srcLo = ethernet.srcLo(this.view, at);
  }

  /** Taps hear of the end of a batch; a subclass flushes what carries its frames. */
  override flush(): void {
    const { iface } = this;
    for (let i = 0; i < iface.taps.length; i++) (iface.taps[i] as FrameTap).flushed(iface);
  }

  /** Nothing filters before this kernel does. */
  override joinMulticast(_hi: number, _lo: number): void {}
  override leaveMulticast(_hi: number, _lo: number): void {}

  /** The frame at `at` is complete: shows it to taps and counts it. */
  protected countSent(at: number, frameBytes: number, meta: number): void {
    if (this.iface.taps.length > 0) this.tapped(at, frameBytes, meta);
    this.countGroup(ethernet.dstHi(this.view, at));
    this.sent(1, frameBytes);
  }
}
