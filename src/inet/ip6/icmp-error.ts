/**
 * The rules of ICMPv6 errors: the packets that they may be about, their source address, the length of the quotation. An error
 * quotes as much as a message of 1280 bytes holds.
 *
 * Thread: the one that runs the CPU. Read first: inet/ip/icmp-error.ts; RFC 4443 sections 2.2, 2.4 and 3. Missing: RFC 4884
 * extensions.
 */

import * as icmpv6 from '../../wire/icmpv6.ts';
import * as ipv6 from '../../wire/ipv6.ts';
import { IP6_ANY } from '../ip/address-interner.ts';
import type { InetContext } from '../ip/context.ts';
import type { IcmpErrorFamily } from '../ip/icmp-error.ts';
import type { InPacket } from '../ip/transport.ts';
import type { Addresses6 } from './addresses.ts';
import type { SourceSelector } from './source-selector.ts';

const QUOTED_BYTES_MAX: number = ipv6.MTU_BYTES_MIN - ipv6.HEADER_BYTES - icmpv6.HEADER_BYTES;

// cold: makes the object
export function icmpErrorFamily6(
  context: InetContext,
  addresses: Addresses6,
  sources: SourceSelector,
): IcmpErrorFamily {
  const { view } = context.shared.arena;
  return {
    name: 'ICMPv6',
    protocol: icmpv6.PROTOCOL_ICMPV6,
    limitName: 'net.inet6.icmp6.errppslimit',
    counterPrefix: 'icmp6',
    mayAnswer: (packet, type, code) => mayAnswer(view, addresses, packet, type, code),
    source: ({ dst, iface, src }) => (addresses.isLocal(dst) ? dst : sources.select(src, iface)),
    quotedBytes: ({ at, headerAt, lengthBytes }) => Math.min(at - headerAt + lengthBytes, QUOTED_BYTES_MAX),
  };
}

/**
 * RFC 4443 2.4 (e): never about errors or redirects, nor to an address that is no single host's; about packets to groups only
 * that they are too big, or have an option that asks for it.
 */
function mayAnswer(view: DataView, addresses: Addresses6, packet: InPacket, type: number, code: number): boolean {
  const { src } = packet;
  const despiteGroup =
    type === icmpv6.TYPE_PACKET_TOO_BIG ||
    (type === icmpv6.TYPE_PARAMETER_PROBLEM && code === icmpv6.CODE_UNKNOWN_OPTION);
  if (packet.broadcast && !despiteGroup) return false;
  if (src === IP6_ANY || addresses.isMulticast(src)) return false;
  if (packet.protocol !== icmpv6.PROTOCOL_ICMPV6) return true;
  if (packet.lengthBytes <= 0) return false;
  const about = view.getUint8(packet.at);
  return !icmpv6.isError(about) && about !== icmpv6.TYPE_REDIRECT;
}
