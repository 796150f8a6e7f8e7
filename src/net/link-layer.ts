/**
 * The interface output: the contract between a network layer and the link below an interface.
 *
 * Thread: the one that runs the kernel. A link frames packets, counts them on its interface and marks the interface dirty;
 * nobody above knows how long a link-layer header is, where it lies or which device carries it. Implementations: Ethernet
 * over a device (ethernet.ts), IP without a header over a device (ip-link.ts), and software (vlan, bridge, gif) whose
 * frames leave by another interface or inside another packet.
 *
 * Sending: `reserve` → write the packet in place → `commit` or `cancel`; `flush` once per batch.
 *
 * The one rule of reservations. From `reserve` (and from `IpService.begin`, `beginRun`, `LinkOutput6.begin`, which reserve)
 * until `commit`, `cancel` (`end`, `endRun`) the place is open. Meanwhile, in this kernel:
 *   - nothing else is reserved on any interface: no other packet is begun, no ARP or neighbor request, ICMP error or ACK sent;
 *   - no device is flushed, received from or released, and no path is renewed;
 *   - no interface is created, destroyed, renamed or moved, nor its MTU changed.
 * The open packet is hidden state of the link, its queue and IP output; there is one place for it in each. A run of packets
 * (`reserveRun` → `commitRun`) is one reservation.
 *
 * Missing: a link per CPU; a device with several queues sends by the first (link/device.ts: the rule).
 */

import { Errno, MultikernelError } from '../base/errors.ts';
import type { LinkType, MacAddress } from '../link/device.ts';
import { GROUP_BIT } from '../wire/ethernet.ts';
import type { Interface } from './interface.ts';
import type { FrameTap } from './link-input.ts';

/**
 * A link-layer header made ahead, for the packets of one path. Only the link that filled it in reads the words; the
 * destination is for layer 3 to hand on.
 */
export class LinkHeader {
  dstHi = 0;
  dstLo = 0;
  word6 = 0;
  word10 = 0;
}

/** First 16 bits of the address of all stations. */
const BROADCAST_HI = 0xffff;

/** {@link LinkLayer.read}: the frame ends before its header does. */
export const LINK_SHORT = -1;
/** {@link LinkLayer.read}: the frame is for another station. */
export const LINK_NOT_OURS = -2;

/** A received packet as layer 2 hands it on; one object per kernel, filled anew for each. */
export class LinkPacket {
  iface: Interface;
  /**
   * The interface that it counts as received by. That is `iface`, except on lo0: there it is the interface through which a
   * packet of ours went to a group we are in, or whose link-local address a packet of ours is for; null for all others.
   */
  arrival: Interface | null = null;
  /** Offset of the network-layer header in the arena, and what the frame holds from there on, padding included. */
  at = 0;
  lengthBytes = 0;
  /** `META_*`. */
  meta = 0;
  /** The frame was addressed to a group, not to us alone. */
  group = false;
  /** Source address, after {@link LinkLayer.readSource}; 0 on links without addresses. */
  srcHi = 0;
  srcLo = 0;

  constructor(iface: Interface) {
    this.iface = iface;
  }
}

/**
 * Takes the frames that an Ethernet link would send: the bridge whose member it is. Calls as those of {@link LinkLayer} for whole
 * frames, whose headers the link has written.
 */
export interface FrameOutput {
  /** False: the link sends by itself. Does not change while a reservation is open. */
  readonly active: boolean;
  reserveFrame(dstHi: number, dstLo: number, frameBytes: number): number;
  commitFrame(frameBytes: number, meta: number): void;
  cancelFrame(): void;
  awaitRoom(dstHi: number, dstLo: number): boolean;
}

export abstract class LinkLayer {
  /** `vni`, `loopback`, `vlan` ...: what ifconfig(8) shows as the kind of an interface. */
  abstract readonly kind: string;
  abstract readonly linkType: LinkType;
  abstract readonly mac: MacAddress;
  /** Bytes in front of each packet. */
  abstract readonly headerBytes: number;
  /** Largest packet that goes in one frame; `setMtu` changes it. */
  abstract readonly mtuBytes: number;
  /** Largest packet `reserve` takes: `mtuBytes`, or more with CAP_SUPER_FRAMES. */
  abstract readonly maxPacketBytes: number;
  /** `CAP_*` bits in force. */
  abstract readonly capabilities: number;
  abstract readonly linkUp: boolean;
  /** Why the link is down, empty when it is not. */
  abstract readonly downReason: string;
  /** Set by `reserveRun`: where the first packet goes, and how far each other lies behind the one before. */
  runAt = 0;
  runStrideBytes = 0;
  /** The interface whose link this is; set when it is made. */
  iface!: Interface;
  /** On Ethernet: frames of the interface go there instead; null: nowhere else. */
  output: FrameOutput | null = null;
  /** Whether {@link reserveFrame} works: the link carries Ethernet frames of any source. */
  readonly takesFrames: boolean = false;

  /** Make the header of packets of `etherType` to a link-layer address. */
  abstract fill(header: LinkHeader, dstHi: number, dstLo: number, etherType: number): void;
  /** Write a header in front of the packet at `packetAt`. */
  abstract write(header: LinkHeader, packetAt: number): void;

  /**
   * Room for a packet, its header written. Returns where the packet goes (4-aligned), or `-ENOBUFS`, `-EMSGSIZE`,
   * `-ENETDOWN` as `DeviceQueue.reserve`. Allocates nothing.
   */
  abstract reserve(header: LinkHeader, packetBytes: number): number;
  /** As {@link reserve}, with a header made on the spot. */
  abstract reserveTo(dstHi: number, dstLo: number, etherType: number, packetBytes: number): number;
  /** The reserved packet is complete; counts it. `packetBytes` may be less than reserved. */
  abstract commit(packetBytes: number, meta: number): void;
  abstract cancel(): void;

  /** Room for up to `count` packets of one length: how many; 0 when `reserve` must decide. Headers are the caller's, by `write`. */
  abstract reserveRun(header: LinkHeader, packetBytes: number, count: number): number;
  /** The first `count` of them are complete; counts them. */
  abstract commitRun(count: number, packetBytes: number, meta: number): void;

  /**
   * Read the header of a received frame: fills in where the packet lies, `group` and `arrival`. `packet.meta`
   * is the frame's; bits that are the link's own are taken out. Returns the EtherType, LINK_SHORT or LINK_NOT_OURS.
   */
  abstract read(packet: LinkPacket, at: number, lengthBytes: number): number;

  /** Fill in the source of a packet that `read` has read. Apart from it, because filters alone want to know. */
  readSource(packet: LinkPacket): void {
    packet.srcHi = 0;
    packet.srcLo = 0;
  }

  /** After `-ENOBUFS`: have this kernel woken when there is room. True when there is room again already. */
  abstract awaitRoom(dstHi: number, dstLo: number): boolean;
  /**
   * Room for a whole frame, header and source included, of a bridge: where the frame goes, or errors as {@link reserve}. It leaves by
   * this link whatever `output` says. One reservation, ended by `commitFrame` or `cancelFrame`.
   */
  reserveFrame(_dstHi: number, _dstLo: number, _frameBytes: number): number {
    return -Errno.EOPNOTSUPP;
  }
  commitFrame(_frameBytes: number, _meta: number): void {}
  cancelFrame(): void {}
  /** {@link awaitRoom} for those. */
  awaitFrameRoom(_dstHi: number, _dstLo: number): boolean {
    return false;
  }
  /** Have the link take frames for all stations, or for us alone. Called by {@link Interface.setPromiscuous}. */
  setPromiscuous(_on: boolean): void {}

  /** Publish the packets that were committed. */
  abstract flush(): void;

  abstract joinMulticast(hi: number, lo: number): void;
  abstract leaveMulticast(hi: number, lo: number): void;
  /** Returns 0, or `-EINVAL` when the link cannot carry that. */
  abstract setMtu(mtuBytes: number): number;
  /** Another link-layer address. Returns 0, or `-EOPNOTSUPP` on links that have theirs for good. */
  setMac(_hi: number, _lo: number): number {
    return -Errno.EOPNOTSUPP;
  }
  abstract close(): void;

  /** The link string (`ifconfig IF linkstr PATH`): path of the bus that the link leads to; null: to none. */
  get linkString(): string | null {
    return null;
  }

  /** Throws EINVAL on links that have none, else the host's code. */
  // cold: configuration
  setLinkString(_path: string | null): void {
    throw new MultikernelError('EINVAL', 'the interface takes no link string');
  }

  /** Errno for which the interface cannot be up yet, 0 when it can. */
  get startError(): number {
    return 0;
  }

  /** Whether the media are `auto`, and not `none`; null on links whose media nobody chooses. */
  get mediaOn(): boolean | null {
    return null;
  }

  // cold: configuration
  setMedia(_on: boolean): void {}

  /** The frame at `at` is complete: shows it to the taps. Called before it is handed on. */
  protected tapped(at: number, lengthBytes: number, meta: number): void {
    const { iface } = this;
    for (let i = 0; i < iface.taps.length; i++) (iface.taps[i] as FrameTap).sent(iface, at, lengthBytes, meta);
  }

  /** A frame whose destination begins with `dstHi` was handed to the link: one to a group is counted as such, a broadcast is not. */
  protected countGroup(dstHi: number): void {
    if ((dstHi & GROUP_BIT) !== 0 && dstHi !== BROADCAST_HI) this.iface.outMulticasts++;
  }

  /** `frames` were handed to the link, `bytes` long together with their headers. */
  protected sent(frames: number, bytes: number): void {
    const { iface } = this;
    iface.dirty = true;
    iface.outPackets += frames;
    iface.outBytes += bytes;
  }
}
