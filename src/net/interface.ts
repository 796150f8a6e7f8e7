/**
 * The generic network interface: a link, a name, addresses, groups, flags and counters, as ifconfig(8) shows them.
 *
 * Thread: the one that runs the kernel. Layer 3 fills in the addresses (inet/ip4/addresses.ts) and the multicast groups;
 * this file only keeps them. Counting is done here with plain numbers, so that a frame costs two additions; the kernel
 * shows them through the counters of the device and of the stack.
 * Read first: NetBSD if(4), ifconfig(8).
 */

import { Errno } from '../base/errors.ts';
import type { MacAddress } from '../link/device.ts';
import type { FrameHook, FrameTap, LinkInput } from './link-input.ts';
import type { LinkLayer } from './link-layer.ts';
import type { InterfaceGroup } from './source-filter.ts';

/** Interface flags, numbered as NetBSD's `IFF_*`. */
export const IFF_UP = 0x1;
export const IFF_BROADCAST = 0x2;
export const IFF_DEBUG = 0x4;
export const IFF_LOOPBACK = 0x8;
export const IFF_POINTOPOINT = 0x10;
export const IFF_RUNNING = 0x40;
export const IFF_NOARP = 0x80;
export const IFF_PROMISC = 0x100;
export const IFF_ALLMULTI = 0x200;
export const IFF_OACTIVE = 0x400;
export const IFF_SIMPLEX = 0x800;
export const IFF_LINK0 = 0x1000;
export const IFF_LINK1 = 0x2000;
export const IFF_LINK2 = 0x4000;
export const IFF_MULTICAST = 0x8000;
/** Flags that follow the link and that nobody sets. */
const IFF_FIXED: number = IFF_RUNNING | IFF_LOOPBACK | IFF_POINTOPOINT | IFF_BROADCAST | IFF_SIMPLEX | IFF_MULTICAST;

/** State of an interface address (RFC 5227): usable, being probed, or found in use by somebody else. */
export type AddressState = 'valid' | 'tentative' | 'duplicated';

/** One IPv4 address of an interface; numbers are int32. */
export interface InterfaceAddress {
  /** The other end of a point-to-point link, 0 where none was given. */
  readonly destination: number;
  readonly address: number;
  readonly prefixLength: number;
  readonly mask: number;
  readonly network: number;
  /** Directed broadcast address, 0 where there is none (loopback, /31, /32). */
  readonly broadcast: number;
  state: AddressState;
}

/** State of an IPv6 address (RFC 4862 section 2): `preferred` and `deprecated` ones are ours. */
export type Address6State = 'tentative' | 'duplicated' | 'deprecated' | 'preferred';

/** Origin of an IPv6 address: configured by hand, made from the link-layer address, or from a router's prefix. */
export type Address6Origin = 'manual' | 'link-local' | 'autoconf' | 'temporary';

/** Broadcast address and other end of an IPv4 address; absent: the directed broadcast of its prefix, and none. */
export interface AddressDetails {
  broadcast?: number;
  destination?: number;
}

/** One IPv6 address of an interface; `address` is a number of the kernel's table (inet/ip/address-interner.ts). */
export interface InterfaceAddress6 {
  readonly iface: Interface;
  readonly address: number;
  readonly prefixLength: number;
  readonly origin: Address6Origin;
  /** The other end of a point-to-point link, 0 where none was given. */
  readonly destination: number;
  /** Others have it too: never a source, and nobody is asked whether it is free (RFC 4291 2.6). */
  readonly anycast: boolean;
  state: Address6State;
  /** When it becomes deprecated, and when it is taken away; `Infinity` for addresses that stay. Microseconds. */
  preferredUntilUs: number;
  validUntilUs: number;
}

export class Interface {
  /** Changed by `InterfaceTable.rename` only. */
  name: string;
  /** if_index: from 1, and for good. */
  readonly index: number;
  /** The way in of its kernel: where a link without a device hands its frames. Set when it is attached. */
  input!: LinkInput;
  /** The link that its packets leave through. */
  readonly link: LinkLayer;
  readonly loopback: boolean;
  /** Its link has one other end and no addresses (gif): there are no neighbors to find. */
  readonly pointToPoint: boolean;
  /** In the order they were added; the first valid one is the primary. */
  readonly addresses: InterfaceAddress[] = [];
  /** In the order they were added (inet/ip6/addresses.ts). */
  readonly addresses6: InterfaceAddress6[] = [];
  /** Multicast groups with their memberships; numbers of both families (inet/ip/multicast.ts). */
  readonly groups: Map<number, InterfaceGroup> = new Map();
  /** Primary address, 0 when there is none: the first comparison every received packet makes. */
  primary = 0;
  /** In the order in which they were added (link-input.ts: the chain). */
  readonly taps: FrameTap[] = [];
  /** By stage. */
  readonly hooks: FrameHook[] = [];
  /** Frames were committed and not yet flushed. */
  dirty = false;
  /** SIOCSIFMETRIC: for routing daemons; nothing here reads it. */
  metric = 0;
  /** Link-layer addresses beside the active one (SIOCALIFADDR); frames neither come to nor go out from them. */
  readonly linkAddresses: MacAddress[] = [];

  inPackets = 0;
  inBytes = 0;
  inErrors = 0;
  inDrops = 0;
  outPackets = 0;
  outBytes = 0;
  outErrors = 0;
  outDrops = 0;
  /** Packets that came to groups or to all stations, and packets sent to groups. */
  inMulticasts = 0;
  outMulticasts = 0;

  #flags: number;
  /** Users that want frames for all stations. */
  #promiscuous = 0;
  #attached = true;

  /** `flags`: `IFF_*` that an administrator sets. */
  constructor(name: string, index: number, link: LinkLayer, flags: number = IFF_UP) {
    this.name = name;
    this.index = index;
    this.link = link;
    link.iface = this;
    this.loopback = link.kind === 'loopback';
    this.pointToPoint = !this.loopback && link.linkType === 'ip';
    const shape = this.pointToPoint ? IFF_POINTOPOINT : IFF_BROADCAST | IFF_SIMPLEX;
    const own = (this.loopback ? IFF_LOOPBACK : shape) | IFF_MULTICAST;
    this.#flags = own | (flags & ~IFF_FIXED);
  }

  /** Link-layer address, kept by the link alone: first 16 and last 32 bits, 0 on links without addresses. */
  get macHi(): number {
    return this.link.mac.hi;
  }

  get macLo(): number {
    return this.link.mac.lo;
  }

  /** `IFF_*` bits; RUNNING follows the carrier of the link. */
  get flags(): number {
    const running = this.link.linkUp && (this.#flags & IFF_UP) !== 0;
    const flags = this.#promiscuous > 0 ? this.#flags | IFF_PROMISC : this.#flags;
    return running ? flags | IFF_RUNNING : flags;
  }

  /** False once it was taken away, for good: paths and sockets may still name it. */
  get attached(): boolean {
    return this.#attached;
  }

  /** It has been taken away, and its link with it. */
  detached(): void {
    this.#attached = false;
    this.#flags &= ~IFF_UP;
  }

  get up(): boolean {
    return (this.#flags & IFF_UP) !== 0;
  }

  /** Whether it is down, or its media are switched off: its addresses are detached until that is over. */
  get cutOff(): boolean {
    return !this.up || this.link.mediaOn === false;
  }

  /** Largest network-layer packet in one frame. */
  get mtuBytes(): number {
    return this.link.mtuBytes;
  }

  /** Set and clear flag bits, as SIOCSIFFLAGS does. RUNNING, LOOPBACK and BROADCAST cannot be changed. */
  changeFlags(set: number, clear: number): void {
    if (this.#attached) this.#flags = (this.#flags | (set & ~IFF_FIXED)) & ~(clear & ~IFF_FIXED);
  }

  /** ifpromisc(9): as many calls with false as with true end it. */
  setPromiscuous(on: boolean): void {
    this.#promiscuous += on ? 1 : -1;
    if (this.#promiscuous === (on ? 1 : 0)) this.link.setPromiscuous(on);
  }

  /**
   * SIOCALIFADDR: one more link-layer address; with `active` frames come to and go out from it from now on, and the one before stays
   * beside it. Returns 0, or `-EOPNOTSUPP` where the link has one for good.
   */
  // cold: configuration
  addLinkAddress(hi: number, lo: number, active: boolean): number {
    const before = { hi: this.macHi, lo: this.macLo };
    if (before.hi === hi && before.lo === lo) return 0;
    const at = this.#linkAddressIndex(hi, lo);
    if (!active) {
      if (at < 0) this.linkAddresses.push({ hi, lo });
      return 0;
    }
    const error = this.link.setMac(hi, lo);
    if (error < 0) return error;
    if (at >= 0) this.linkAddresses.splice(at, 1);
    this.linkAddresses.push(before);
    return 0;
  }

  /** SIOCDLIFADDR. Returns 0, `-EBUSY` (frames come to it), `-EADDRNOTAVAIL`. */
  // cold: configuration
  removeLinkAddress(hi: number, lo: number): number {
    if (this.macHi === hi && this.macLo === lo) return -Errno.EBUSY;
    const at = this.#linkAddressIndex(hi, lo);
    if (at < 0) return -Errno.EADDRNOTAVAIL;
    this.linkAddresses.splice(at, 1);
    return 0;
  }

  // cold: configuration
  #linkAddressIndex(hi: number, lo: number): number {
    return this.linkAddresses.findIndex((one) => one.hi === hi && one.lo === lo);
  }

  /** SIOCZIFDATA: the counts begin again. */
  zeroTraffic(): void {
    this.inPackets = 0;
    this.inBytes = 0;
    this.inErrors = 0;
    this.inDrops = 0;
    this.outPackets = 0;
    this.outBytes = 0;
    this.outErrors = 0;
    this.outDrops = 0;
    this.inMulticasts = 0;
    this.outMulticasts = 0;
  }

  addTap(tap: FrameTap): void {
    this.taps.push(tap);
  }

  removeTap(tap: FrameTap): void {
    const index = this.taps.indexOf(tap);
    if (index >= 0) this.taps.splice(index, 1);
  }

  /** Put a hook into the chain, behind those of its stage and of earlier ones. */
  // cold: configuration
  addHook(hook: FrameHook): void {
    const index = this.hooks.findIndex((other) => other.stage > hook.stage);
    this.hooks.splice(index < 0 ? this.hooks.length : index, 0, hook);
  }

  removeHook(hook: FrameHook): void {
    const index = this.hooks.indexOf(hook);
    if (index >= 0) this.hooks.splice(index, 1);
  }

  /** Whether `address` is in the subnet of an address here, be that one usable yet or not. */
  onLink(address: number): boolean {
    for (let i = 0; i < this.addresses.length; i++) {
      const own = this.addresses[i] as InterfaceAddress;
      if (own.state !== 'duplicated' && reaches(own, address)) return true;
    }
    return false;
  }

  /** The address whose subnet holds `address`, or null. Tentative and duplicated addresses do not count. */
  addressFor(address: number): InterfaceAddress | null {
    for (let i = 0; i < this.addresses.length; i++) {
      const own = this.addresses[i] as InterfaceAddress;
      if (own.state === 'valid' && reaches(own, address)) return own;
    }
    return null;
  }
}

/** Whether `address` is in the subnet of an own one, or its other end. */
function reaches(own: InterfaceAddress, address: number): boolean {
  return own.destination !== 0 ? own.destination === address : (address & own.mask) === own.network;
}
