/**
 * vlan(4): an interface for the frames of another one, its parent, that have one IEEE 802.1Q tag. A vlan may be the parent of a
 * vlan: frames then have two tags (QinQ).
 *
 * Thread: the one that runs the kernel. Data path: allocates nothing. Frames go out through the link of the parent with the tag put in,
 * and come in through a hook on it with the tag taken out, in place. Frames with the tag type of 802.1ad are taken, too; sent are those
 * of 802.1Q. Read first: vlan(4), wire/vlan.ts, software-ethernet.ts. Missing: priorities (sent as 0), super-frames.
 */

import { Errno } from '../../base/errors.ts';
import type { MacAddress } from '../../link/device.ts';
import * as ethernet from '../../wire/ethernet.ts';
import { MTU_BYTES_MIN } from '../../wire/ipv4.ts';
import * as vlan from '../../wire/vlan.ts';
import type { Interface } from '../interface.ts';
import { type FrameHook, STAGE_VLAN } from '../link-input.ts';
import { CAP_CHECKSUM_PARTIAL } from '../packet-meta.ts';
import { SoftwareEthernet } from '../software-ethernet.ts';

const MTU_BYTES_DEFAULT = 1500;
const NO_ADDRESS: MacAddress = { hi: 0, lo: 0 };
/** Parents one behind the other: more tags than that do not fit a frame of any use. */
const DEPTH_MAX = 4;

export class VlanLink extends SoftwareEthernet implements FrameHook {
  readonly kind: string = 'vlan';
  readonly stage: number = STAGE_VLAN;
  /** Tag, 0 without a parent. */
  id = 0;
  #parent: Interface | null = null;
  #mtuBytes = MTU_BYTES_DEFAULT;
  #promiscuous = false;
  #openAt = 0;
  /** First 16 and last 32 bits of the groups joined here. */
  readonly #groups: [hi: number, lo: number][] = [];

  get parent(): Interface | null {
    return this.#parent;
  }

  /** Address of the parent. */
  get mac(): MacAddress {
    return this.#parent === null ? NO_ADDRESS : this.#parent.link.mac;
  }

  get mtuBytes(): number {
    return this.#mtuBytes;
  }

  get maxPacketBytes(): number {
    return this.#mtuBytes;
  }

  get capabilities(): number {
    return this.#parent === null ? 0 : this.#parent.link.capabilities & CAP_CHECKSUM_PARTIAL;
  }

  get linkUp(): boolean {
    return this.#parent?.link.linkUp === true;
  }

  get downReason(): string {
    return this.#parent === null ? 'no parent' : this.#parent.link.downReason;
  }

  // --- configuration ---

  /**
   * `ifconfig vlanN vlan ID vlanif PARENT`. The MTU is what the parent carries besides the tag. Returns 0, `-EINVAL` (tag, or parents in
   * a circle), `-EBUSY` (it has a parent), `-EPROTONOSUPPORT` (a parent without Ethernet), `-EEXIST` (another vlan has that tag there).
   */
  // cold: configuration
  configure(parent: Interface, id: number): number {
    if (!(id >= vlan.ID_MIN && id <= vlan.ID_MAX) || this.#isBelow(parent)) return -Errno.EINVAL;
    if (this.#parent !== null) return this.#parent === parent && this.id === id ? 0 : -Errno.EBUSY;
    if (!parent.link.takesFrames) return -Errno.EPROTONOSUPPORT;
    if (parent.hooks.some((hook) => hook instanceof VlanLink && hook.id === id)) return -Errno.EEXIST;
    this.id = id;
    this.#parent = parent;
    this.#mtuBytes = Math.min(parent.mtuBytes, largest(parent));
    parent.addHook(this);
    for (const [hi, lo] of this.#groups) parent.link.joinMulticast(hi, lo);
    if (this.#promiscuous) parent.setPromiscuous(true);
    return 0;
  }

  /** `ifconfig vlanN -vlanif`. */
  // cold: configuration
  unconfigure(): void {
    const parent = this.#parent;
    if (parent === null) return;
    parent.removeHook(this);
    if (this.#promiscuous) parent.setPromiscuous(false);
    for (const [hi, lo] of this.#groups) parent.link.leaveMulticast(hi, lo);
    this.#parent = null;
    this.id = 0;
  }

  /** Whether that interface is this one, or stands on it, or stands too high. */
  #isBelow(parent: Interface): boolean {
    let link = parent.link;
    for (let depth = 0; depth < DEPTH_MAX; depth++) {
      if (link === this) return true;
      if (!(link instanceof VlanLink) || link.#parent === null) return false;
      link = link.#parent.link;
    }
    return true;
  }

  // --- FrameHook ---

  input(_parent: Interface, at: number, lengthBytes: number, meta: number, nowUs: number): boolean {
    const { view, iface } = this;
    if (lengthBytes < ethernet.HEADER_BYTES + vlan.HEADER_BYTES) return false;
    const type = ethernet.type(view, at);
    if (type !== ethernet.ETHERTYPE_VLAN && type !== ethernet.ETHERTYPE_QINQ) return false;
    if (vlan.id(view, at + ethernet.HEADER_BYTES) !== this.id) return false;
    if (iface.up) iface.input.frame(iface, vlan.remove(view, at), lengthBytes - vlan.HEADER_BYTES, meta, nowUs);
    else iface.inDrops++;
    return true;
  }

  detached(_parent: Interface): void {
    this.unconfigure();
  }

  moved(to: Interface): void {
    this.#parent = to;
  }

  // --- LinkLayer ---

  override reserveFrame(dstHi: number, dstLo: number, frameBytes: number): number {
    const parent = this.#parent;
    if (parent === null || !parent.up || !this.iface.up) return -Errno.ENETDOWN;
    if (frameBytes - ethernet.HEADER_BYTES > this.#mtuBytes + vlan.HEADER_BYTES) return -Errno.EMSGSIZE;
    const bytes = frameBytes - ethernet.HEADER_BYTES + vlan.HEADER_BYTES;
    const packetAt = parent.link.reserveTo(dstHi, dstLo, ethernet.ETHERTYPE_VLAN, bytes);
    if (packetAt < 0) return packetAt;
    // The frame is written behind its place, so that the tag fits in front of its type.
    this.#openAt = packetAt - ethernet.HEADER_BYTES + vlan.HEADER_BYTES;
    return this.#openAt;
  }

  override commitFrame(frameBytes: number, meta: number): void {
    this.countSent(this.#openAt, frameBytes, meta);
    vlan.insert(this.view, this.#openAt, ethernet.ETHERTYPE_VLAN, this.id);
    this.#parent?.link.commit(frameBytes - ethernet.HEADER_BYTES + vlan.HEADER_BYTES, meta);
  }

  override cancelFrame(): void {
    this.#parent?.link.cancel();
  }

  override awaitFrameRoom(dstHi: number, dstLo: number): boolean {
    return this.#parent?.link.awaitRoom(dstHi, dstLo) === true;
  }

  /** The parent may be one of another kernel. */
  override flush(): void {
    super.flush();
    if (this.#parent === null) return;
    this.#parent.dirty = false;
    this.#parent.link.flush();
  }

  override setPromiscuous(on: boolean): void {
    this.#promiscuous = on;
    this.#parent?.setPromiscuous(on);
  }

  // cold: once per membership
  override joinMulticast(hi: number, lo: number): void {
    this.#groups.push([hi, lo]);
    this.#parent?.link.joinMulticast(hi, lo);
  }

  // cold: once per membership
  override leaveMulticast(hi: number, lo: number): void {
    const place = this.#groups.findIndex((group) => group[0] === hi && group[1] === lo);
    if (place < 0) return;
    this.#groups.splice(place, 1);
    this.#parent?.link.leaveMulticast(hi, lo);
  }

  override setMtu(mtuBytes: number): number {
    const most = this.#parent === null ? MTU_BYTES_DEFAULT : largest(this.#parent);
    if (mtuBytes < MTU_BYTES_MIN || mtuBytes > most) return -Errno.EINVAL;
    this.#mtuBytes = mtuBytes;
    return 0;
  }

  override close(): void {
    this.unconfigure();
  }
}

/** Largest packet behind a tag on that interface. */
function largest(parent: Interface): number {
  return Math.min(parent.mtuBytes, parent.link.maxPacketBytes - vlan.HEADER_BYTES);
}
