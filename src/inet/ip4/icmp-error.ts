/**
 * The rules of ICMP errors: the packets that they may be about, their source address, the length of the quotation.
 *
 * Thread: the one that runs the CPU. Errors are never about errors, groups, later fragments, or senders that are no single
 * host. Read first: inet/ip/icmp-error.ts; RFC 1122 3.2.2, RFC 1812 4.3.2. Missing: RFC 4884 extensions.
 */

import * as icmpv4 from '../../wire/icmpv4.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import type { InetContext } from '../ip/context.ts';
import type { IcmpErrorFamily } from '../ip/icmp-error.ts';
import type { InPacket } from '../ip/transport.ts';
import type { Addresses4 } from './addresses.ts';

// cold: makes the object
export function icmpErrorFamily(context: InetContext, addresses: Addresses4): IcmpErrorFamily {
  const { arena, sysctl } = context.shared;
  const { view } = arena;
  const returnBytes = sysctl.integer('net.inet.icmp.returndatabytes', 8, 8, 512, 'payload bytes quoted in errors');
  return {
    name: 'ICMP',
    protocol: ipv4.PROTOCOL_ICMP,
    limitName: 'net.inet.icmp.errppslimit',
    counterPrefix: 'icmp',
    mayAnswer: (packet) => mayAnswer(view, addresses, packet),
    source: ({ dst, iface, src }) => (addresses.isLocal(dst) ? dst : addresses.sourceFor(iface, src)),
    quotedBytes: ({ at, headerAt, lengthBytes }) => at - headerAt + Math.min(lengthBytes, returnBytes.value),
  };
}

/** RFC 1122 3.2.2: the packets that no ICMP error may be about. */
function mayAnswer(view: DataView, addresses: Addresses4, packet: InPacket): boolean {
  const { src, dst } = packet;
  if (packet.broadcast || !ipv4.isUnicast(dst) || addresses.isBroadcast(dst)) return false;
  if (!ipv4.isUnicast(src) || addresses.isBroadcast(src)) return false;
  if (ipv4.isLoopback(src) && !packet.iface.loopback) return false;
  if ((view.getUint16(packet.headerAt + 6) & ipv4.FRAGMENT_OFFSET_MASK) !== 0) return false;
  if (packet.protocol !== ipv4.PROTOCOL_ICMP) return true;
  return packet.lengthBytes > 0 && !icmpv4.isError(view.getUint8(packet.at));
}
