/**
 * A link that is a device: what all link types share.
 *
 * Thread: the one that runs the kernel. This file and its subclasses (ethernet.ts, ip-link.ts) are the only ones of the
 * kernel that call a device on the data path. Read first: link-layer.ts, link/device.ts.
 */

import type { Device, FrameBatch, LinkType, MacAddress } from '../link/device.ts';
import type { FrameTap } from './link-input.ts';
import { LinkLayer } from './link-layer.ts';

export abstract class DeviceLink extends LinkLayer {
  readonly mac: MacAddress;
  readonly kind: string;
  readonly linkType: LinkType;
  readonly device: Device;

  constructor(device: Device) {
    super();
    this.device = device;
    this.kind = device.kind;
    this.linkType = device.linkType;
    this.mac = device.mac;
  }

  get mtuBytes(): number {
    return this.device.mtuBytes;
  }

  get maxPacketBytes(): number {
    return this.device.maxFrameBytes - this.headerBytes;
  }

  get capabilities(): number {
    return this.device.capabilities;
  }

  get linkUp(): boolean {
    return this.device.linkUp;
  }

  get downReason(): string {
    return this.device.downReason;
  }

  override cancel(): void {
    this.device.cancel();
  }

  override awaitRoom(dstHi: number, dstLo: number): boolean {
    return this.device.awaitRoom(dstHi, dstLo);
  }

  override flush(): void {
    this.device.flush();
    const { iface } = this;
    for (let i = 0; i < iface.taps.length; i++) (iface.taps[i] as FrameTap).flushed(iface);
  }

  /** As `Device.receive`, `release` and `pending`. */
  receive(batch: FrameBatch): number {
    return this.device.receive(batch);
  }

  release(): void {
    this.device.release();
  }

  get pending(): boolean {
    return this.device.pending;
  }

  override joinMulticast(hi: number, lo: number): void {
    this.device.joinMulticast(hi, lo);
  }

  override leaveMulticast(hi: number, lo: number): void {
    this.device.leaveMulticast(hi, lo);
  }

  override setMtu(mtuBytes: number): void {
    this.device.setMtu(mtuBytes);
  }

  override close(): void {
    this.device.close();
  }
}
