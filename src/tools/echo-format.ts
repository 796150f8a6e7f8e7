/** ICMP echo of both families: where messages lie in packets, and the texts of errors. Thread: any. Read first: RFC 792, RFC 4443. */

import type { IpAddress } from '../sys/control.ts';
import * as icmpv4 from '../wire/icmpv4.ts';
import * as icmpv6 from '../wire/icmpv6.ts';
import { formatIp } from '../wire/ip-address.ts';
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
  /** Words behind the text of the error whose ICMP message is at `at`. */
  errorDetail(packet: DataView, at: number): string;
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
    '3.5': 'Source Route Failed',
    '3.6': 'Unreachable unknown net',
    '3.7': 'Unreachable unknown host',
    '3.8': 'Unreachable host isolated',
    '3.9': 'Net prohibited access',
    '3.10': 'Host prohibited access',
    '3.11': 'Bad TOS for net',
    '3.12': 'Bad TOS for host',
    '3.13': 'Communication prohibited',
    '3.14': 'Host precedence violation',
    '3.15': 'Precedence cutoff',
    '4.0': 'Source Quench',
    '5.0': 'Redirect Network',
    '5.1': 'Redirect Host',
    '5.2': 'Redirect Type of Service and Network',
    '5.3': 'Redirect Type of Service and Host',
    '11.0': 'Time To Live exceeded',
    '11.1': 'Frag reassembly time exceeded',
    '12.0': 'Parameter problem: pointer = ',
    '12.1': 'Parameter problem: pointer = ',
    '12.2': 'Parameter problem: pointer = ',
  },
  messageAt: (packet, at, lengthBytes) => {
    if (lengthBytes < ipv4.HEADER_BYTES || ipv4.protocol(packet, at) !== ipv4.PROTOCOL_ICMP) return -1;
    return at + ipv4.headerBytes(packet, at);
  },
  hops: (packet) => ipv4.ttl(packet, 0),
  errorDetail: (packet, at) => {
    const type = packet.getUint8(at);
    if (type === icmpv4.TYPE_DESTINATION_UNREACHABLE && packet.getUint8(at + 1) === icmpv4.CODE_FRAGMENTATION_NEEDED)
      return `.  Next MTU=${packet.getUint16(at + 6)}`;
    if (type === icmpv4.TYPE_REDIRECT)
      return ` New router addr: ${formatIp({ family: 4, w0: 0, w1: 0, w2: 0, w3: packet.getInt32(at + 4) })}`;
    if (type === icmpv4.TYPE_PARAMETER_PROBLEM)
      return `0x${packet
        .getUint8(at + 4)
        .toString(16)
        .padStart(2, '0')}`;
    return '';
  },
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
    '4.0': 'Parameter problem: Erroneous Header',
    '4.1': 'Parameter problem: Unknown Nextheader',
    '4.2': 'Parameter problem: Unrecognized Option',
  },
  messageAt: (packet, at, lengthBytes) => {
    if (lengthBytes < ipv6.HEADER_BYTES) return -1;
    const walk = new ipv6.HeaderWalk();
    const start = at + ipv6.HEADER_BYTES;
    if (walk.walk(packet, start, at + lengthBytes, ipv6.nextHeader(packet, at)) !== 0) return -1;
    return walk.protocol === icmpv6.PROTOCOL_ICMPV6 ? walk.payloadAt : -1;
  },
  hops: (packet) => ipv6.hopLimit(packet, 0),
  errorDetail: (packet, at) => {
    const type = packet.getUint8(at);
    if (type === icmpv6.TYPE_PACKET_TOO_BIG) return ` mtu = ${packet.getUint32(at + 4)}`;
    if (type !== icmpv6.TYPE_PARAMETER_PROBLEM) return '';
    return ` pointer = 0x${packet
      .getUint32(at + 4)
      .toString(16)
      .padStart(2, '0')}`;
  },
};

/** A record route option fills the header but for the end of options. */
const RECORD_BYTES_MAX = 39;
const SOURCE_ROUTE_BYTES = 8;
/** Pointer of an option that nobody has entered anything into. */
const FIRST_POINTER = 4;

/** IP options of requests: a loose source route that ends at `final` (null: none), and a record route that fills the header. */
export function requestOptions(final: IpAddress | null, recordRoute: boolean): Uint8Array {
  const route = final === null ? [] : sourceRoute(final);
  if (!recordRoute) return Uint8Array.from(route);
  const options = new Uint8Array(ipv4.HEADER_BYTES_MAX - ipv4.HEADER_BYTES);
  const recordBytes = RECORD_BYTES_MAX - route.length;
  options.set([...route, ipv4.OPTION_RECORD_ROUTE, recordBytes, FIRST_POINTER]);
  return options;
}

function sourceRoute({ w3 }: IpAddress): number[] {
  const address = [24, 16, 8, 0].map((shift) => (w3 >>> shift) & 0xff);
  return [ipv4.OPTION_LOOSE_ROUTE, SOURCE_ROUTE_BYTES - 1, FIRST_POINTER, ...address, ipv4.OPTION_NOP];
}

/** Addresses that were entered into the record route option of an IPv4 packet whose header ends at `end`. */
export function recordedRoute(packet: DataView, end: number): string[] {
  const options = ipv4.parseOptions(packet, ipv4.HEADER_BYTES, end) ?? [];
  return options.flatMap((option) => {
    if (option.kind !== 'record-route') return [];
    const entered = (option.pointer - FIRST_POINTER) >> 2;
    return option.route.slice(0, entered).map((w3) => formatIp({ family: 4, w0: 0, w1: 0, w2: 0, w3 }));
  });
}
