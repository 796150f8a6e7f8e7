/**
 * A link that is a device: what all link types share.
 *
 * Thread: the one that runs the kernel. This file and its subclasses (ethernet.ts, ip-link.ts) are the only ones of the
 * kernel that call a device on the data path. Read first: link-layer.ts, link/device.ts.
 */

import type { Device, DeviceQueue, LinkType, MacAddress } from '../link/device.ts';
import type { FrameTap } from './link-input.ts';
import { LinkLayer } from './link-layer.ts';

export abstract class DeviceLink extends LinkLayer {
  readonly kind: string;
  readonly linkType: LinkType;
  /** Frames go through this one; `replace` changes it. */
  #device: Device;
  /** The queue that frames leave by: that of CPU 0 (`Device.queues`). */
  protected queue: DeviceQueue;

  constructor(device: Device) {
    super();
    this.#device = device;
    this.queue = device.queues[0] as DeviceQueue;
    this.kind = device.kind;
    this.linkType = device.linkType;
  }

  get device(): Device {
    return this.#device;
  }

  /**
   * Frames go through another device from now on: one around the present one, or the one inside it, with the same addresses and sizes.
   * Between turns. `InterfaceTable.replaceDevice` has it polled as well.
   */
  // cold: configuration
  replace(device: Device): void {
    this.#device = device;
    this.queue = device.queues[0] as DeviceQueue;
  }

  get mac(): MacAddress {
    return this.device.mac;
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
    this.queue.cancel();
  }

  override awaitRoom(dstHi: number, dstLo: number): boolean {
    return this.queue.awaitRoom(dstHi, dstLo);
  }

  override flush(): void {
    this.queue.flush();
    const { iface } = this;
    for (let i = 0; i < iface.taps.length; i++) (iface.taps[i] as FrameTap).flushed(iface);
  }

  /** Whether frames wait; called before sleeping. */
  get pending(): boolean {
    const { queues } = this.device;
    for (let i = 0; i < queues.length; i++) if ((queues[i] as DeviceQueue).pending) return true;
    return false;
  }

  override joinMulticast(hi: number, lo: number): void {
    this.device.joinMulticast(hi, lo);
  }

  override leaveMulticast(hi: number, lo: number): void {
    this.device.leaveMulticast(hi, lo);
  }

  override setMtu(mtuBytes: number): number {
    return this.device.setMtu(mtuBytes);
  }

  /** Frames that arrive ring the doorbell at `doorbellAt` from now on. */
  ringAt(doorbellAt: number): void {
    for (const queue of this.device.queues) queue.doorbellAt = doorbellAt;
  }

  override close(): void {
    this.device.close();
  }
}
