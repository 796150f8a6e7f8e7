/**
 * The received packet as the layers see it: one object per family and kernel, filled anew for each packet.
 *
 * Thread: the one that runs the CPU. Read first: transport.ts ({@link InPacket}).
 */

import type { Interface } from '../../net/interface.ts';
import type { InPacket } from './transport.ts';

export class IpPacket implements InPacket {
  headerAt = 0;
  at = 0;
  lengthBytes = 0;
  src = 0;
  dst = 0;
  addressSum = 0;
  protocol = 0;
  ttl = 0;
  tos = 0;
  meta = 0;
  broadcast = false;
  plain = false;
  iface: Interface;

  constructor(iface: Interface) {
    this.iface = iface;
  }
}
