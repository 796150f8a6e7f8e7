/**
 * tun(4): a point-to-point interface whose other end is a program that reads and writes IP packets.
 *
 * Thread: the one that runs CPU 0. Data path: allocates nothing. Packets that the program writes wait in a ring to ourselves until the next
 * poll; without a program nothing is sent (EHOSTDOWN). Read first: ip-link.ts, user-end.ts.
 */

import { Errno } from '../../base/errors.ts';
import type { CpuContext } from '../../kern/context.ts';
import { LoopbackDevice } from '../../link/loopback.ts';
import type { Counters } from '../../mem/counters.ts';
import { HEADER_BYTES, MTU_BYTES_MIN } from '../../wire/ipv4.ts';
import { IpLink } from '../ip-link.ts';
import type { LinkHeader, LinkLayer } from '../link-layer.ts';
import { USER_FRAME_BYTES_MAX, type UserEnd, type UserLink, UserLinkCloner } from './user-end.ts';

/** TUNMTU. */
const MTU_BYTES_DEFAULT = 1500;
const RING_BYTES: number = 8 * USER_FRAME_BYTES_MAX;

export class TunLink extends IpLink implements UserLink {
  override readonly kind: string = 'tun';
  readonly user: UserEnd;
  readonly userSkipBytes: number = 0;
  readonly #bulk: CpuContext['bulk'];
  readonly #free: () => void;
  #mtuBytes = MTU_BYTES_DEFAULT;
  #reservedAt = 0;

  constructor(context: CpuContext, device: LoopbackDevice, user: UserEnd, free: () => void) {
    super(device, context.shared.arena.view);
    this.#bulk = context.bulk;
    this.user = user;
    this.#free = free;
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

  override reserve(_header: LinkHeader, packetBytes: number): number {
    return this.reserveTo(0, 0, 0, packetBytes);
  }

  override reserveTo(_dstHi: number, _dstLo: number, _etherType: number, packetBytes: number): number {
    if (!this.user.opened) return -Errno.EHOSTDOWN;
    if (packetBytes > this.#mtuBytes) return -Errno.EMSGSIZE;
    this.#reservedAt = this.user.reserve(packetBytes);
    return this.#reservedAt;
  }

  override commit(packetBytes: number, meta: number): void {
    if (this.iface.taps.length > 0) this.tapped(this.#reservedAt, packetBytes, meta);
    this.user.commit(packetBytes);
    this.sent(1, packetBytes);
  }

  override cancel(): void {}

  /** Packets of a slow program are lost, as on a wire. */
  override awaitRoom(_dstHi: number, _dstLo: number): boolean {
    return true;
  }

  override reserveRun(_header: LinkHeader, _packetBytes: number, _count: number): number {
    return 0;
  }

  override flush(): void {
    super.flush();
    this.user.flush();
  }

  inject(packet: Uint8Array, _nowUs: number): number {
    const { length } = packet;
    if (length < HEADER_BYTES || length > this.#mtuBytes) return -Errno.EINVAL;
    if (!this.iface.up) return -Errno.ENETDOWN;
    const to = this.queue.reserve(0, 0, length);
    if (to < 0) {
      this.iface.inDrops++;
      return length;
    }
    this.#bulk.copyIn(to, packet, 0, length);
    this.queue.commit(length, 0);
    this.queue.flush();
    return length;
  }

  override setMtu(mtuBytes: number): number {
    if (mtuBytes < MTU_BYTES_MIN || mtuBytes > USER_FRAME_BYTES_MAX) return -Errno.EINVAL;
    this.#mtuBytes = mtuBytes;
    return 0;
  }

  override close(): void {
    super.close();
    this.user.free();
    this.#free();
  }
}

export class TunCloner extends UserLinkCloner {
  readonly prefix: string = 'tun';

  // cold: configuration
  protected override link(name: string, user: UserEnd, counters: Counters): LinkLayer | number {
    const { heap, shared } = this.context;
    const ringAt = heap.allocate(RING_BYTES);
    if (ringAt < 0) {
      user.free();
      return -Errno.ENOBUFS;
    }
    const device = new LoopbackDevice(shared.arena, {
      name,
      mtuBytes: USER_FRAME_BYTES_MAX,
      ringAt,
      ringBytes: RING_BYTES,
      capabilities: 0,
      counters,
    });
    return new TunLink(this.context, device, user, () => heap.free(ringAt));
  }
}
