/**
 * The link of no interface: stands where a packet came by none. Nothing can be sent on it.
 *
 * Thread: any that runs kernels. Read first: link-layer.ts (the contract).
 */

import { Errno } from '../base/errors.ts';
import type { LinkType, MacAddress } from '../link/device.ts';
import { LINK_NOT_OURS, type LinkHeader, LinkLayer, type LinkPacket } from './link-layer.ts';

export class NoLink extends LinkLayer {
  readonly kind: string = 'none';
  readonly linkType: LinkType = 'ip';
  readonly mac: MacAddress = { hi: 0, lo: 0 };
  readonly headerBytes: number = 0;
  readonly mtuBytes: number = 0;
  readonly maxPacketBytes: number = 0;
  readonly capabilities: number = 0;
  readonly linkUp: boolean = false;
  readonly downReason: string = 'no link';

  override fill(_header: LinkHeader, _dstHi: number, _dstLo: number, _etherType: number): void {}
  override write(_header: LinkHeader, _packetAt: number): void {}
  override reserve(_header: LinkHeader, _packetBytes: number): number {
    return -Errno.ENETDOWN;
  }
  override reserveTo(_dstHi: number, _dstLo: number, _etherType: number, _packetBytes: number): number {
    return -Errno.ENETDOWN;
  }
  override commit(_packetBytes: number, _meta: number): void {}
  override cancel(): void {}
  override reserveRun(_header: LinkHeader, _packetBytes: number, _count: number): number {
    return 0;
  }
  override commitRun(_count: number, _packetBytes: number, _meta: number): void {}
  override read(_packet: LinkPacket, _at: number, _lengthBytes: number): number {
    return LINK_NOT_OURS;
  }
  override awaitRoom(_dstHi: number, _dstLo: number): boolean {
    return false;
  }
  override flush(): void {}
  override joinMulticast(_hi: number, _lo: number): void {}
  override leaveMulticast(_hi: number, _lo: number): void {}
  override setMtu(_mtuBytes: number): number {
    return -Errno.EINVAL;
  }
  override close(): void {}
}
