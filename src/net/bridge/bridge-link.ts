/**
 * The interface of a bridge itself: `bridge0` with an address is a station behind all its members.
 *
 * Thread: the one that runs the kernel. Checksums and segments are left to the bridge, which does for each member what that cannot.
 * As on other systems the bridge has an Ethernet address; NetBSD's has none. Read first: bridge.ts, software-ethernet.ts.
 */

import { Errno } from '../../base/errors.ts';
import { CAP_CHECKSUM_PARTIAL, CAP_SUPER_FRAMES, type MacAddress } from '../../link/device.ts';
import { MTU_BYTES_MIN } from '../../wire/ipv4.ts';
import { SoftwareEthernet } from '../software-ethernet.ts';
import type { Bridge } from './bridge.ts';

const MTU_BYTES_DEFAULT = 1500;
const MTU_BYTES_MAX = 65521;

export class BridgeLink extends SoftwareEthernet {
  readonly kind: string = 'bridge';
  readonly mac: MacAddress;
  readonly bridge: Bridge;
  readonly maxPacketBytes: number = 65535;
  readonly capabilities: number = CAP_CHECKSUM_PARTIAL | CAP_SUPER_FRAMES;
  readonly downReason: string = '';
  readonly linkUp: boolean = true;
  mtuBytes: number = MTU_BYTES_DEFAULT;
  readonly #closed: () => void;
  #openAt = 0;

  constructor(view: DataView, mac: MacAddress, bridge: Bridge, closed: () => void) {
    super(view);
    this.mac = mac;
    this.bridge = bridge;
    this.#closed = closed;
  }

  override reserveFrame(dstHi: number, dstLo: number, frameBytes: number): number {
    if (!this.iface.up) return -Errno.ENETDOWN;
    this.#openAt = this.bridge.reserve(null, dstHi, dstLo, frameBytes);
    return this.#openAt;
  }

  override commitFrame(frameBytes: number, meta: number): void {
    this.countSent(this.#openAt, frameBytes, meta);
    this.bridge.commit(null, frameBytes, meta);
  }

  override cancelFrame(): void {
    this.bridge.cancel();
  }

  override awaitFrameRoom(dstHi: number, dstLo: number): boolean {
    return this.bridge.awaitRoom(dstHi, dstLo);
  }

  override setMtu(mtuBytes: number): number {
    if (mtuBytes < MTU_BYTES_MIN || mtuBytes > MTU_BYTES_MAX) return -Errno.EINVAL;
    this.mtuBytes = mtuBytes;
    return 0;
  }

  override close(): void {
    this.bridge.close();
    this.#closed();
  }
}
