/**
 * Fields of ICMPv6 messages, and the verdict of `check` on a message.
 *
 * Thread: any; pure functions over `(view, at)`, `at` being where the message begins. The checksum covers a pseudo-header:
 * `ipv6.verifyUpper` and {@link fillChecksum} want the IPv6 header too. That the hop limit of neighbor discovery is 255 is
 * for the network layer to see.
 * Reached through `icmpv6.ts`, which re-exports it and draws the format.
 * Read first: RFC 4443, RFC 4861 section 4, RFC 4191. Missing: node information, mobility, RPL.
 */

import { checksumOf, sumView } from '../base/checksum.ts';
import { checkListenerQuery, checkListenerRecords } from './icmpv6-listener.ts';
import { neighborOptionBytes } from './icmpv6-options.ts';
import { pseudoSum } from './ipv6.ts';

/** Length of the header: type, code, checksum and the word whose meaning depends on the type (RFC 4443 2.1). */
export const HEADER_BYTES = 8;
/** The next-header value of ICMPv6. */
export const PROTOCOL_ICMPV6 = 58;
/** Neighbor discovery: a message that crossed a router has another one (RFC 4861 section 3.1). */
export const DISCOVERY_HOP_LIMIT = 255;

/** Error: the packet quoted cannot be delivered; the code says why (RFC 4443 3.1). */
export const TYPE_DESTINATION_UNREACHABLE = 1;
/** Error: the packet quoted is longer than the next link's MTU, which {@link mtuBytes} tells (RFC 4443 3.2). */
export const TYPE_PACKET_TOO_BIG = 2;
/** Error: the hop limit of the packet quoted reached 0, or its reassembly took too long (RFC 4443 3.3). */
export const TYPE_TIME_EXCEEDED = 3;
/** Error: a field of the packet quoted is not understood; {@link pointer} says where (RFC 4443 3.4). */
export const TYPE_PARAMETER_PROBLEM = 4;
/** Query of ping6 (RFC 4443 4.1). */
export const TYPE_ECHO_REQUEST = 128;
/** Answer to {@link TYPE_ECHO_REQUEST} with its identifier, sequence number and data (RFC 4443 4.2). */
export const TYPE_ECHO_REPLY = 129;
/** Query of a multicast router, both versions: who listens to the group? (RFC 2710 3, RFC 3810 5.1). */
export const TYPE_LISTENER_QUERY = 130;
/** Report of version 1: the sender listens to the group (RFC 2710 3). */
export const TYPE_LISTENER_REPORT = 131;
/** Message of version 1: the sender stopped listening to the group (RFC 2710 3). */
export const TYPE_LISTENER_DONE = 132;
/** Query for router advertisements (RFC 4861 4.1). */
export const TYPE_ROUTER_SOLICITATION = 133;
/** Router and parameters of the link, with prefixes among its options (RFC 4861 4.2). */
export const TYPE_ROUTER_ADVERTISEMENT = 134;
/** Query for the link-layer address of a neighbor (RFC 4861 4.3). */
export const TYPE_NEIGHBOR_SOLICITATION = 135;
/** Answer to {@link TYPE_NEIGHBOR_SOLICITATION}, or news of a changed address (RFC 4861 4.4). */
export const TYPE_NEIGHBOR_ADVERTISEMENT = 136;
/** Better first hop for a destination (RFC 4861 4.5). */
export const TYPE_REDIRECT = 137;
/** Report of version 2: records of groups and their sources (RFC 3810 5.2). */
export const TYPE_LISTENER_REPORT_V2 = 143;

/** Unreachable: no route to the destination (RFC 4443 3.1). */
export const CODE_NO_ROUTE = 0;
/** Unreachable: a filter forbids the communication (RFC 4443 3.1). */
export const CODE_ADMIN_PROHIBITED = 1;
/** Unreachable: the destination is beyond the scope of the source address (RFC 4443 3.1). */
export const CODE_BEYOND_SCOPE = 2;
/** Unreachable: the neighbor does not answer, or for any other reason (RFC 4443 3.1). */
export const CODE_ADDRESS_UNREACHABLE = 3;
/** Unreachable: no socket of the host has the destination port (RFC 4443 3.1). */
export const CODE_PORT_UNREACHABLE = 4;
/** Unreachable: the source address failed an ingress or egress policy (RFC 4443 3.1). */
export const CODE_SOURCE_POLICY = 5;
/** Unreachable: the route to the destination is one that rejects (RFC 4443 3.1). */
export const CODE_REJECT_ROUTE = 6;

/** Time exceeded: a router took the hop limit to 0 (RFC 4443 3.3). */
export const CODE_HOP_LIMIT_EXCEEDED = 0;
/** Time exceeded: fragments were missing when the time for reassembly ended (RFC 4443 3.3). */
export const CODE_REASSEMBLY_TIMEOUT = 1;

/** Parameter problem: a header field has a value that is not allowed (RFC 4443 3.4). */
export const CODE_ERRONEOUS_FIELD = 0;
/** Parameter problem: the next-header value is not known (RFC 4443 3.4). */
export const CODE_UNKNOWN_NEXT_HEADER = 1;
/** Parameter problem: an option whose type forbids to skip it is not known (RFC 4443 3.4). */
export const CODE_UNKNOWN_OPTION = 2;

/** R of a neighbor advertisement, in {@link neighborFlags}: the sender is a router (RFC 4861 4.4). */
export const FLAG_ROUTER: number = 0x80000000 | 0;
/** S of a neighbor advertisement: it answers a solicitation and so confirms reachability. */
export const FLAG_SOLICITED = 0x40000000;
/** O of a neighbor advertisement: its link-layer address replaces the one in a cache. */
export const FLAG_OVERRIDE = 0x20000000;

/** M of a router advertisement, in {@link routerFlags}: DHCPv6 gives out addresses (RFC 4861 4.2). */
export const FLAG_MANAGED = 0x80;
/** O of a router advertisement: DHCPv6 gives out other configuration, e.g. of the DNS. */
export const FLAG_OTHER_CONFIG = 0x40;

/** Names of what {@link check} returns. */
export const CHECK_REASONS: readonly string[] = [
  '',
  'icmp6-short',
  'icmp6-bad-length',
  'icmp6-bad-quote',
  'icmp6-bad-code',
  'icmp6-bad-target',
  'icmp6-bad-option',
];
const SHORT = 1;
const BAD_LENGTH = 2;
const BAD_QUOTE = 3;
const BAD_CODE = 4;
const BAD_TARGET = 5;
const BAD_OPTION = 6;

const QUOTED_HEADER_BYTES = 40;
/** Offset of the options in a neighbor solicitation; length of a version 1 listener message. */
export const SOLICITATION_BYTES = 24;
/** Offset of the options in a neighbor advertisement. */
export const ADVERTISEMENT_BYTES = 24;
/** Offset of the options in a router solicitation. */
export const ROUTER_SOLICITATION_BYTES = 8;
/** Offset of the options in a router advertisement. */
export const ROUTER_ADVERTISEMENT_BYTES = 16;
/** Offset of the options in a redirect. */
export const REDIRECT_BYTES = 40;

/** Whether a message of this type reports an error (and so must not be answered with one). */
export function isError(type: number): boolean {
  return type < 128;
}

/** Offset of the options in a message of neighbor discovery of this type; 0 for other types. */
export function optionsOffset(type: number): number {
  switch (type) {
    case TYPE_ROUTER_SOLICITATION:
      return ROUTER_SOLICITATION_BYTES;
    case TYPE_ROUTER_ADVERTISEMENT:
      return ROUTER_ADVERTISEMENT_BYTES;
    case TYPE_NEIGHBOR_SOLICITATION:
      return SOLICITATION_BYTES;
    case TYPE_NEIGHBOR_ADVERTISEMENT:
      return ADVERTISEMENT_BYTES;
    case TYPE_REDIRECT:
      return REDIRECT_BYTES;
    default:
      return 0;
  }
}

/**
 * 0 when the accessors that belong to the message's type may be used on the `lengthBytes` bytes at `at` (in errors: those of
 * ipv6.ts on the quoted header too), else an index of {@link CHECK_REASONS}. Unknown types pass. Neighbor discovery
 * is judged by RFC 4861 6.1, 7.1 and 8.1 as far as the message itself goes.
 */
export function check(view: DataView, at: number, lengthBytes: number): number {
  if (lengthBytes < HEADER_BYTES) return SHORT;
  const type = view.getUint8(at);
  switch (type) {
    case TYPE_DESTINATION_UNREACHABLE:
    case TYPE_PACKET_TOO_BIG:
    case TYPE_TIME_EXCEEDED:
    case TYPE_PARAMETER_PROBLEM:
      if (lengthBytes < HEADER_BYTES + QUOTED_HEADER_BYTES) return BAD_QUOTE;
      return view.getUint8(at + HEADER_BYTES) >> 4 === 6 ? 0 : BAD_QUOTE;
    case TYPE_LISTENER_QUERY:
      return checkListenerQuery(view, at, lengthBytes) ? 0 : BAD_LENGTH;
    case TYPE_LISTENER_REPORT:
    case TYPE_LISTENER_DONE:
      return lengthBytes < SOLICITATION_BYTES ? BAD_LENGTH : 0;
    case TYPE_LISTENER_REPORT_V2:
      return checkListenerRecords(view, at, lengthBytes) ? 0 : BAD_LENGTH;
    default:
      return optionsOffset(type) === 0 ? 0 : checkDiscovery(view, at, lengthBytes, type);
  }
}

function checkDiscovery(view: DataView, at: number, lengthBytes: number, type: number): number {
  const options = optionsOffset(type);
  if (lengthBytes < options) return BAD_LENGTH;
  if (view.getUint8(at + 1) !== 0) return BAD_CODE;
  const hasTarget = type === TYPE_NEIGHBOR_SOLICITATION || type === TYPE_NEIGHBOR_ADVERTISEMENT;
  if (hasTarget && view.getUint8(at + 8) === 0xff) return BAD_TARGET;
  const end = at + lengthBytes;
  for (let i = at + options; i < end; ) {
    const bytes = neighborOptionBytes(view, i, end);
    if (bytes < 0) return BAD_OPTION;
    i += bytes;
  }
  return 0;
}

/** Type of the message, one of `TYPE_*` or any other; errors are below 128. */
export function type(view: DataView, at: number): number {
  return view.getUint8(at);
}

/** Code, which subdivides the type; 0 in the messages known here that are no errors. */
export function code(view: DataView, at: number): number {
  return view.getUint8(at + 1);
}

/** Checksum over pseudo-header and message as it stands. */
export function checksum(view: DataView, at: number): number {
  return view.getUint16(at + 2);
}

/** The second word of the header, whatever it means. */
export function rest(view: DataView, at: number): number {
  return view.getInt32(at + 4);
}

/** Identifier of echo messages. */
export function identifier(view: DataView, at: number): number {
  return view.getUint16(at + 4);
}

/** Sequence number of echo messages. */
export function sequence(view: DataView, at: number): number {
  return view.getUint16(at + 6);
}

/** MTU of "packet too big". */
export function mtuBytes(view: DataView, at: number): number {
  return view.getUint32(at + 4);
}

/** Pointer of a parameter problem: the offending byte, counted from the start of the quoted IPv6 header. */
export function pointer(view: DataView, at: number): number {
  return view.getUint32(at + 4);
}

/** Word 0 to 3 of the target of neighbor solicitations, advertisements and redirects. */
export function targetWord(view: DataView, at: number, word: number): number {
  return view.getInt32(at + 8 + 4 * word);
}

/** Word 0 to 3 of the destination of redirects. */
export function destinationWord(view: DataView, at: number, word: number): number {
  return view.getInt32(at + 24 + 4 * word);
}

/** Flags of neighbor advertisements: {@link FLAG_ROUTER}, {@link FLAG_SOLICITED}, {@link FLAG_OVERRIDE}. */
export function neighborFlags(view: DataView, at: number): number {
  return view.getInt32(at + 4) & (FLAG_ROUTER | FLAG_SOLICITED | FLAG_OVERRIDE);
}

/** Hop limit of router advertisements: 0 means unspecified, in the times too. */
export function currentHopLimit(view: DataView, at: number): number {
  return view.getUint8(at + 4);
}

/**
 * Flags of router advertisements: {@link FLAG_MANAGED}, {@link FLAG_OTHER_CONFIG}, and a preference that {@link preferenceOf}
 * reads.
 */
export function routerFlags(view: DataView, at: number): number {
  return view.getUint8(at + 5);
}

/** Router Lifetime of router advertisements in seconds; 0: no default router (RFC 4861 4.2). */
export function routerLifetimeSec(view: DataView, at: number): number {
  return view.getUint16(at + 6);
}

/** Reachable Time of router advertisements in ms: how long a confirmed neighbor stays reachable; 0: unspecified. */
export function reachableMs(view: DataView, at: number): number {
  return view.getUint32(at + 8);
}

/** Retrans Timer of router advertisements in ms: between solicitations that stay unanswered; 0: unspecified. */
export function retransmitMs(view: DataView, at: number): number {
  return view.getUint32(at + 12);
}

/** Write type and code. */
export function setTypeAndCode(view: DataView, at: number, type: number, code: number): void {
  view.setUint16(at, (type << 8) | code);
}

/** Write the second word of the header as a whole. */
export function setRest(view: DataView, at: number, rest: number): void {
  view.setInt32(at + 4, rest);
}

/** Write the target of a neighbor solicitation, advertisement or redirect: words 0 to 3 of the address, int32. */
export function setTarget(view: DataView, at: number, a: number, b: number, c: number, d: number): void {
  view.setInt32(at + 8, a);
  view.setInt32(at + 12, b);
  view.setInt32(at + 16, c);
  view.setInt32(at + 20, d);
}

/** Compute and write the checksum of a complete message; `headerAt` is the IPv6 header with its addresses. */
export function fillChecksum(view: DataView, headerAt: number, at: number, lengthBytes: number): void {
  view.setUint16(at + 2, 0);
  const sum = pseudoSum(view, headerAt, PROTOCOL_ICMPV6, lengthBytes) + sumView(view, at, lengthBytes);
  view.setUint16(at + 2, checksumOf(sum));
}
