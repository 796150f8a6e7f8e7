/**
 * tap(4): an Ethernet interface whose other end is a program that reads and writes frames.
 *
 * Thread: the one that runs CPU 0. Data path: allocates nothing. Without a program frames go nowhere. As a member of a bridge it sends
 * and hears what the bridge does. Read first: software-ethernet.ts, user-end.ts, vether.ts.
 */

import { Errno } from '../../base/errors.ts';
import type { CpuContext } from '../../kern/context.ts';
import type { MacAddress } from '../../link/device.ts';
import { HEADER_BYTES } from '../../wire/ethernet.ts';
import { MTU_BYTES_MIN } from '../../wire/ipv4.ts';
import type { LinkLayer } from '../link-layer.ts';
import { SoftwareEthernet } from '../software-ethernet.ts';
import { USER_FRAME_BYTES_MAX, type UserEnd, type UserLink, UserLinkCloner } from './user-end.ts';

const MTU_BYTES_DEFAULT = 1500;
/** The network header is 4-aligned behind them. */
const PAD_BYTES = 2;
/** A tag of 802.1Q, which the MTU does not count. */
const TAG_BYTES = 4;
const MTU_BYTES_MAX: number = USER_FRAME_BYTES_MAX - PAD_BYTES - HEADER_BYTES - TAG_BYTES;
/** First octets of the addresses: f2:0b:a4. */
const MAC_HI = 0xf20b;
const MAC_LO = 0xa4000000 | 0;

export class TapLink extends SoftwareEthernet implements UserLink {
  readonly kind: string = 'tap';
  readonly mac: { hi: number; lo: number };
  readonly capabilities: number = 0;
  readonly linkUp: boolean = true;
  readonly downReason: string = '';
  readonly user: UserEnd;
  readonly userSkipBytes: number = PAD_BYTES;
  mtuBytes: number = MTU_BYTES_DEFAULT;
  readonly #bulk: CpuContext['bulk'];
  #reservedAt = 0;

  constructor(context: CpuContext, mac: MacAddress, user: UserEnd) {
    super(context.shared.arena.view);
    this.#bulk = context.bulk;
    this.mac = { hi: mac.hi, lo: mac.lo };
    this.user = user;
  }

  get maxPacketBytes(): number {
    return this.mtuBytes;
  }

  override reserveFrame(_dstHi: number, _dstLo: number, frameBytes: number): number {
    if (!this.iface.up) return -Errno.ENETDOWN;
    if (frameBytes - HEADER_BYTES > this.mtuBytes + TAG_BYTES) return -Errno.EMSGSIZE;
    const at = this.user.reserve(frameBytes + PAD_BYTES);
    if (at < 0) return at;
    this.#reservedAt = at + PAD_BYTES;
    return this.#reservedAt;
  }

  override commitFrame(frameBytes: number, meta: number): void {
    this.user.commit(frameBytes + PAD_BYTES);
    this.countSent(this.#reservedAt, frameBytes, meta);
  }

  override cancelFrame(): void {}

  /** Frames of a slow program are lost, as on a wire. */
  override awaitFrameRoom(_dstHi: number, _dstLo: number): boolean {
    return true;
  }

  override flush(): void {
    super.flush();
    this.user.flush();
  }

  inject(frame: Uint8Array, nowUs: number): number {
    const { length } = frame;
    const { iface } = this;
    if (length < HEADER_BYTES || length > HEADER_BYTES + this.mtuBytes + TAG_BYTES) return -Errno.EINVAL;
    if (!iface.up) return -Errno.ENETDOWN;
    const at = this.user.placeAt + PAD_BYTES;
    this.#bulk.copyIn(at, frame, 0, length);
    iface.input.frame(iface, at, length, 0, nowUs);
    return length;
  }

  override setMtu(mtuBytes: number): number {
    if (mtuBytes < MTU_BYTES_MIN || mtuBytes > MTU_BYTES_MAX) return -Errno.EINVAL;
    this.mtuBytes = mtuBytes;
    return 0;
  }

  override setMac(hi: number, lo: number): number {
    this.mac.hi = hi;
    this.mac.lo = lo;
    return 0;
  }

  override close(): void {
    this.user.free();
  }
}

export class TapCloner extends UserLinkCloner {
  readonly prefix: string = 'tap';

  // cold: configuration
  protected override link(_name: string, user: UserEnd): LinkLayer {
    const { context } = this;
    const mac = { hi: MAC_HI, lo: MAC_LO | (context.rng.next32() & 0x00ffffff) };
    return new TapLink(context, mac, user);
  }
}
