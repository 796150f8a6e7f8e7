/** ICMP echo of both families: where messages lie in packets, and the texts of errors. Thread: any. Read first: RFC 792, RFC 4443. */

import * as icmpv4 from '../wire/icmpv4.ts';
import * as icmpv6 from '../wire/icmpv6.ts';
import * as ipv4 from '../wire/ipv4.ts';
import * as ipv6 from '../wire/ipv6.ts';

/** Header of echo messages and errors, in both families. */
export const HEADER_BYTES = 8;

/** Differences of the families. Packets come from raw sockets, IP header first, at 0 of the view. */
export interface EchoFormat {
  readonly family: 4 | 6;
  readonly protocol: number;
  readonly requestType: number;
  readonly replyType: number;
  /** The sender fills in the checksum; that of ICMPv6 needs the source address, so the raw socket does. */
  readonly ownChecksum: boolean;
  /** Text of an error, by "type.code". */
  readonly errorText: Readonly<Record<string, string>>;
  /** Place of the ICMP message in an IP packet of `lengthBytes` at `at`, -1 when there is none. */
  messageAt(packet: DataView, at: number, lengthBytes: number): number;
  /** TTL or hop limit. */
  hops(packet: DataView): number;
}

export const ECHO4: EchoFormat = {
  family: 4,
  protocol: ipv4.PROTOCOL_ICMP,
  requestType: icmpv4.TYPE_ECHO_REQUEST,
  replyType: icmpv4.TYPE_ECHO_REPLY,
  ownChecksum: true,
  errorText: {
    '3.0': 'Destination Net Unreachable',
    '3.1': 'Destination Host Unreachable',
    '3.2': 'Destination Protocol Unreachable',
    '3.3': 'Destination Port Unreachable',
    '3.4': 'frag needed and DF set',
    '3.9': 'Net prohibited access',
    '3.10': 'Host prohibited access',
    '3.13': 'Communication prohibited by filter',
    '11.0': 'Time To Live exceeded',
    '11.1': 'Frag reassembly time exceeded',
  },
  messageAt: (packet, at, lengthBytes) => {
    if (lengthBytes < ipv4.HEADER_BYTES || ipv4.protocol(packet, at) !== ipv4.PROTOCOL_ICMP) return -1;
    return at + ipv4.headerBytes(packet, at);
  },
  hops: (packet) => ipv4.ttl(packet, 0),
};

export const ECHO6: EchoFormat = {
  family: 6,
  protocol: icmpv6.PROTOCOL_ICMPV6,
  requestType: icmpv6.TYPE_ECHO_REQUEST,
  replyType: icmpv6.TYPE_ECHO_REPLY,
  ownChecksum: false,
  errorText: {
    '1.0': 'No Route to Destination',
    '1.1': 'Destination Administratively Unreachable',
    '1.2': 'Destination Unreachable Beyond Scope',
    '1.3': 'Destination Host Unreachable',
    '1.4': 'Destination Port Unreachable',
    '2.0': 'Packet too big',
    '3.0': 'Time to live exceeded',
    '3.1': 'Frag reassembly time exceeded',
    '4.0': 'Parameter Problem: Erroneous Header',
    '4.1': 'Parameter Problem: Unknown Nextheader',
    '4.2': 'Parameter Problem: Unrecognized Option',
  },
  messageAt: (packet, at, lengthBytes) => {
    if (lengthBytes < ipv6.HEADER_BYTES) return -1;
    const walk = new ipv6.HeaderWalk();
    const start = at + ipv6.HEADER_BYTES;
    if (walk.walk(packet, start, at + lengthBytes, ipv6.nextHeader(packet, at)) !== 0) return -1;
    return walk.protocol === icmpv6.PROTOCOL_ICMPV6 ? walk.payloadAt : -1;
  },
  hops: (packet) => ipv6.hopLimit(packet, 0),
};
