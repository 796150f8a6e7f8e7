/**
 * gif(4): an interface whose packets travel inside IP packets between two addresses. Either family carries either family.
 *
 * Thread: the one that runs CPU 0. Data path: allocates nothing. A packet is written in a place of the kernel's memory and copied into
 * the outer one. Packets that come out of a tunnel wait in a ring to ourselves, so that they are received by a poll of their own and
 * not inside the input of the outer packet.
 * Read first: gif(4), ip-link.ts, gif-cloner.ts, inet/ip/gif-tunnels.ts (the outer packets).
 */

import { Errno } from '../../base/errors.ts';
import type { LoopbackDevice } from '../../link/loopback.ts';
import type { Bulk } from '../../mem/bulk.ts';
import { MTU_BYTES_MIN } from '../../wire/ipv4.ts';
import { IpLink } from '../ip-link.ts';
import type { FrameTap } from '../link-input.ts';
import type { LinkHeader } from '../link-layer.ts';

/** GIF_MTU: what IPv6 asks of every link. */
const MTU_BYTES_DEFAULT = 1280;
/** GIF_MTU_MAX. */
export const GIF_MTU_BYTES_MAX = 8192;

/** An end of a tunnel: an address of either family, as words. */
export interface TunnelEnd {
  readonly family: 4 | 6;
  readonly w0: number;
  readonly w1: number;
  readonly w2: number;
  readonly w3: number;
}

export interface Tunnel {
  readonly source: TunnelEnd;
  readonly destination: TunnelEnd;
}

/** Sends what gifs send, and finds the gif of what arrives. */
export interface GifOutput {
  /** The packet at `at` goes into an outer one. Returns 0, or a negative errno when it was dropped. */
  send(link: GifLink, at: number, packetBytes: number): number;
  opened(link: GifLink): void;
  closed(link: GifLink): void;
}

export class GifLink extends IpLink {
  override readonly kind: string = 'gif';
  /** Null: none; the interface carries nothing then. A change is told to `Inet.interfaceChanged` by its caller. */
  tunnel: Tunnel | null = null;
  readonly #output: GifOutput;
  readonly #bulk: Bulk;
  readonly #at: number;
  readonly #free: () => void;
  #mtuBytes = MTU_BYTES_DEFAULT;

  /** `at`: {@link GIF_MTU_BYTES_MAX} bytes of the kernel's memory, 4-aligned. */
  constructor(device: LoopbackDevice, view: DataView, bulk: Bulk, at: number, output: GifOutput, free: () => void) {
    super(device, view);
    this.#bulk = bulk;
    this.#at = at;
    this.#output = output;
    this.#free = free;
    output.opened(this);
  }

  override get mtuBytes(): number {
    return this.#mtuBytes;
  }

  override get maxPacketBytes(): number {
    return this.#mtuBytes;
  }

  override get capabilities(): number {
    return 0;
  }

  override get linkUp(): boolean {
    return this.tunnel !== null && this.device.linkUp;
  }

  override get downReason(): string {
    return this.tunnel === null ? 'no tunnel' : this.device.downReason;
  }

  override reserve(_header: LinkHeader, packetBytes: number): number {
    return this.reserveTo(0, 0, 0, packetBytes);
  }

  override reserveTo(_dstHi: number, _dstLo: number, _etherType: number, packetBytes: number): number {
    if (this.tunnel === null) return -Errno.ENETDOWN;
    return packetBytes > this.#mtuBytes ? -Errno.EMSGSIZE : this.#at;
  }

  override commit(packetBytes: number, meta: number): void {
    const { iface } = this;
    if (iface.taps.length > 0) this.tapped(this.#at, packetBytes, meta);
    if (this.#output.send(this, this.#at, packetBytes) === 0) this.sent(1, packetBytes);
    else iface.outErrors++;
  }

  override cancel(): void {}

  override awaitRoom(_dstHi: number, _dstLo: number): boolean {
    return true;
  }

  override reserveRun(_header: LinkHeader, _packetBytes: number, _count: number): number {
    return 0;
  }

  /** A packet came out of the tunnel. It is read by the next poll; a full ring drops it. */
  arrived(at: number, packetBytes: number): void {
    const { iface } = this;
    const to = iface.up ? this.queue.reserve(0, 0, packetBytes) : -1;
    if (to < 0) {
      iface.inDrops++;
      return;
    }
    this.#bulk.copy(to, at, packetBytes);
    this.queue.commit(packetBytes, 0);
    iface.dirty = true;
  }

  override flush(): void {
    this.queue.flush();
    const { iface } = this;
    for (let i = 0; i < iface.taps.length; i++) (iface.taps[i] as FrameTap).flushed(iface);
  }

  override setMtu(mtuBytes: number): number {
    if (mtuBytes < MTU_BYTES_MIN || mtuBytes > GIF_MTU_BYTES_MAX) return -Errno.EINVAL;
    this.#mtuBytes = mtuBytes;
    return 0;
  }

  override close(): void {
    super.close();
    this.tunnel = null;
    this.#output.closed(this);
    this.#free();
  }
}
