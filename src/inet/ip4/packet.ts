/**
 * Description of an IPv4 packet that lies in our own memory: reassembled, or waiting for a neighbor that does not answer.
 *
 * Thread: the one that runs the CPU.
 */

import type { Interface } from '../../net/interface.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import type { IpPacket } from '../ip/packet.ts';

/** Fill in `packet` from the header at `at`, which is known to be sound. */
export function readPacket(packet: IpPacket, view: DataView, at: number, iface: Interface): void {
  const headerBytes = ipv4.headerBytes(view, at);
  const src = ipv4.src(view, at);
  const dst = ipv4.dst(view, at);
  packet.headerAt = at;
  packet.at = at + headerBytes;
  packet.lengthBytes = ipv4.totalLength(view, at) - headerBytes;
  packet.src = src;
  packet.dst = dst;
  packet.addressSum = (src >>> 16) + (src & 0xffff) + (dst >>> 16) + (dst & 0xffff);
  packet.protocol = ipv4.protocol(view, at);
  packet.ttl = ipv4.ttl(view, at);
  packet.tos = ipv4.tos(view, at);
  packet.meta = 0;
  packet.broadcast = false;
  packet.plain = false;
  packet.iface = iface;
}
