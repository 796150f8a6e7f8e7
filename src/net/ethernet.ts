/**
 * Ethernet: packets behind an Ethernet header, over a device.
 *
 * Thread: the one that runs the kernel. Data path: allocates nothing. The one place of the kernel where such headers are
 * written and read. Read first: link-layer.ts (the contract), RFC 894, RFC 2464.
 */

import { Errno } from '../base/errors.ts';
import { DEVICE_PROMISCUOUS, type Device } from '../link/device.ts';
import * as ethernet from '../wire/ethernet.ts';
import { GROUP_BIT } from '../wire/ethernet.ts';
import { DeviceLink } from './device-link.ts';
import { LINK_NOT_OURS, LINK_SHORT, type LinkHeader, type LinkPacket } from './link-layer.ts';

const { HEADER_BYTES } = ethernet;

export class EthernetLink extends DeviceLink {
  readonly headerBytes: number = HEADER_BYTES;
  readonly #view: DataView;
  override readonly takesFrames: boolean = true;
  /** Place of the frame that was reserved last. */
  #openAt = 0;
  /** It was reserved with `output`. */
  #redirected = false;
  /** Our address, and how it lies in a header: bytes 6 to 9, and 10 to 11 above the EtherType. */
  #macHi = 0;
  #macLo = 0;
  #word6 = 0;
  #word10 = 0;

  constructor(device: Device, view: DataView) {
    super(device);
    this.#view = view;
    this.#readMac();
  }

  override setMac(hi: number, lo: number): number {
    const error = this.device.setMac?.(hi, lo) ?? -Errno.EOPNOTSUPP;
    if (error === 0) this.#readMac();
    return error;
  }

  #readMac(): void {
    const { hi, lo } = this.device.mac;
    this.#macHi = hi;
    this.#macLo = lo;
    this.#word6 = (hi << 16) | (lo >>> 16);
    this.#word10 = lo << 16;
  }

  override fill(header: LinkHeader, dstHi: number, dstLo: number, etherType: number): void {
    header.dstHi = dstHi;
    header.dstLo = dstLo;
    header.word6 = this.#word6;
    header.word10 = this.#word10 | etherType;
  }

  override write(header: LinkHeader, packetAt: number): void {
    const view = this.#view;
    view.setUint16(packetAt - 14, header.dstHi);
    view.setInt32(packetAt - 12, header.dstLo);
    view.setInt32(packetAt - 8, header.word6);
    view.setInt32(packetAt - 4, header.word10);
  }

  override reserve(header: LinkHeader, packetBytes: number): number {
    const { dstHi, dstLo } = header;
    const bytes = packetBytes + HEADER_BYTES;
    const frameAt =
      this.output === null ? this.queue.reserve(dstHi, dstLo, bytes) : this.#redirect(dstHi, dstLo, bytes);
    if (frameAt < 0) return frameAt;
    const packetAt = frameAt + HEADER_BYTES;
    this.#openAt = frameAt;
    const view = this.#view;
    view.setUint16(frameAt, dstHi);
    view.setInt32(frameAt + 2, dstLo);
    view.setInt32(frameAt + 6, header.word6);
    view.setInt32(frameAt + 10, header.word10);
    return packetAt;
  }

  override reserveTo(dstHi: number, dstLo: number, etherType: number, packetBytes: number): number {
    const bytes = packetBytes + HEADER_BYTES;
    const frameAt =
      this.output === null ? this.queue.reserve(dstHi, dstLo, bytes) : this.#redirect(dstHi, dstLo, bytes);
    if (frameAt < 0) return frameAt;
    this.#openAt = frameAt;
    const view = this.#view;
    view.setUint16(frameAt, dstHi);
    view.setInt32(frameAt + 2, dstLo);
    view.setInt32(frameAt + 6, this.#word6);
    view.setInt32(frameAt + 10, this.#word10 | etherType);
    return frameAt + HEADER_BYTES;
  }

  override commit(packetBytes: number, meta: number): void {
    const bytes = packetBytes + HEADER_BYTES;
    if (this.#redirected) {
      this.#redirected = false;
      this.output?.commitFrame(bytes, meta);
      return;
    }
    const { iface } = this;
    if (iface.taps.length > 0) this.tapped(this.#openAt, bytes, meta);
    this.countGroup(this.#view.getUint16(this.#openAt));
    this.queue.commit(bytes, meta);
    iface.dirty = true;
    iface.outPackets++;
    iface.outBytes += bytes;
  }

  /** Reserve with `output`, which counts and shows to taps what leaves by which interface. */
  #redirect(dstHi: number, dstLo: number, frameBytes: number): number {
    const { output } = this;
    if (output === null || !output.active) return this.queue.reserve(dstHi, dstLo, frameBytes);
    const frameAt = output.reserveFrame(dstHi, dstLo, frameBytes);
    this.#redirected = frameAt >= 0;
    return frameAt;
  }

  override cancel(): void {
    if (!this.#redirected) this.queue.cancel();
    else this.output?.cancelFrame();
    this.#redirected = false;
  }

  override awaitRoom(dstHi: number, dstLo: number): boolean {
    const { output } = this;
    return output?.active ? output.awaitRoom(dstHi, dstLo) : this.queue.awaitRoom(dstHi, dstLo);
  }

  override reserveFrame(dstHi: number, dstLo: number, frameBytes: number): number {
    this.#openAt = this.queue.reserve(dstHi, dstLo, frameBytes);
    return this.#openAt;
  }

  override commitFrame(frameBytes: number, meta: number): void {
    if (this.iface.taps.length > 0) this.tapped(this.#openAt, frameBytes, meta);
    this.countGroup(this.#view.getUint16(this.#openAt));
    this.queue.commit(frameBytes, meta);
    this.sent(1, frameBytes);
  }

  override cancelFrame(): void {
    this.queue.cancel();
  }

  override awaitFrameRoom(dstHi: number, dstLo: number): boolean {
    return this.queue.awaitRoom(dstHi, dstLo);
  }

  override setPromiscuous(on: boolean): void {
    this.device.setFilter(on ? DEVICE_PROMISCUOUS : 0);
  }

  override reserveRun(header: LinkHeader, packetBytes: number, count: number): number {
    const { runs } = this.queue;
    // Taps see each frame.
    if (runs === undefined || this.output !== null || this.iface.taps.length > 0) return 0;
    const reserved = runs.reserveRun(header.dstHi, header.dstLo, packetBytes + HEADER_BYTES, count);
    this.runAt = runs.runAt + HEADER_BYTES;
    this.runStrideBytes = runs.runStrideBytes;
    return reserved;
  }

  override commitRun(count: number, packetBytes: number, meta: number): void {
    const bytes = packetBytes + HEADER_BYTES;
    this.queue.runs?.commitRun(count, bytes, meta);
    this.sent(count, count * bytes);
  }

  /** The device has taken out what is not for us unless it is promiscuous. */
  override read(packet: LinkPacket, at: number, lengthBytes: number): number {
    if (lengthBytes < HEADER_BYTES) return LINK_SHORT;
    const view = this.#view;
    const dstHi = ethernet.dstHi(view, at);
    packet.group = (dstHi & GROUP_BIT) !== 0;
    if (!packet.group && (dstHi !== this.#macHi || ethernet.dstLo(view, at) !== this.#macLo)) return LINK_NOT_OURS;
    packet.at = at + HEADER_BYTES;
    packet.lengthBytes = lengthBytes - HEADER_BYTES;
    if (packet.arrival !== this.iface) packet.arrival = this.iface;
    return ethernet.type(view, at);
  }
  override readSource(packet: LinkPacket): void {
    const at = packet.at - HEADER_BYTES;
    packet.srcHi = ethernet.srcHi(this.#view, at);
    packet.srcLo = ethernet.srcLo(this.#view, at);
  }
}
