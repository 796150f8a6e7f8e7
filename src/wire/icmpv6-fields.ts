/**
 * Fields of ICMPv6 messages, and the verdict of `check` on a message.
 *
 *      0      1      2          4                       8
 *     +------+------+----------+-----------------------+------------------------------------------------
 *     | type | code | checksum | as the type says      | data, or in errors as much as fits of the packet
 *     |      |      |          |                       | that the error is about, or target and options
 *     +------+------+----------+-----------------------+------------------------------------------------
 *
 * Thread: any; pure functions over `(view, at)`, `at` being where the message begins. The checksum covers a pseudo-header:
 * `ipv6.verifyUpper` and {@link fillChecksum} want the IPv6 header too. That the hop limit of neighbor discovery is 255 is
 * for the network layer to see.
 * Reached through `icmpv6.ts`, which re-exports it.
 * Read first: RFC 4443, RFC 4861 section 4, RFC 4191. Missing: node information, mobility, RPL.
 */

import { checksumOf, sumView } from '../base/checksum.ts';
import { checkListenerQuery, checkListenerRecords } from './icmpv6-listener.ts';
import { neighborOptionBytes } from './icmpv6-options.ts';
import { pseudoSum } from './ipv6.ts';

export const HEADER_BYTES = 8;
/** The next-header value of ICMPv6. */
export const PROTOCOL_ICMPV6 = 58;
/** Neighbor discovery: a message that crossed a router has another one (RFC 4861 section 3.1). */
export const DISCOVERY_HOP_LIMIT = 255;

export const TYPE_DESTINATION_UNREACHABLE = 1;
export const TYPE_PACKET_TOO_BIG = 2;
export const TYPE_TIME_EXCEEDED = 3;
export const TYPE_PARAMETER_PROBLEM = 4;
export const TYPE_ECHO_REQUEST = 128;
export const TYPE_ECHO_REPLY = 129;
export const TYPE_LISTENER_QUERY = 130;
export const TYPE_LISTENER_REPORT = 131;
export const TYPE_LISTENER_DONE = 132;
export const TYPE_ROUTER_SOLICITATION = 133;
export const TYPE_ROUTER_ADVERTISEMENT = 134;
export const TYPE_NEIGHBOR_SOLICITATION = 135;
export const TYPE_NEIGHBOR_ADVERTISEMENT = 136;
export const TYPE_REDIRECT = 137;
export const TYPE_LISTENER_REPORT_V2 = 143;

/** Codes of {@link TYPE_DESTINATION_UNREACHABLE}. */
export const CODE_NO_ROUTE = 0;
export const CODE_ADMIN_PROHIBITED = 1;
export const CODE_BEYOND_SCOPE = 2;
export const CODE_ADDRESS_UNREACHABLE = 3;
export const CODE_PORT_UNREACHABLE = 4;
export const CODE_SOURCE_POLICY = 5;
export const CODE_REJECT_ROUTE = 6;

/** Codes of {@link TYPE_TIME_EXCEEDED}. */
export const CODE_HOP_LIMIT_EXCEEDED = 0;
export const CODE_REASSEMBLY_TIMEOUT = 1;

/** Codes of {@link TYPE_PARAMETER_PROBLEM}. */
export const CODE_ERRONEOUS_FIELD = 0;
export const CODE_UNKNOWN_NEXT_HEADER = 1;
export const CODE_UNKNOWN_OPTION = 2;

/** Flags of a neighbor advertisement, in its second word. */
export const FLAG_ROUTER: number = 0x80000000 | 0;
export const FLAG_SOLICITED = 0x40000000;
export const FLAG_OVERRIDE = 0x20000000;

/** Flags of a router advertisement, in its sixth byte. */
export const FLAG_MANAGED = 0x80;
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
/** Offsets of the options in each message of neighbor discovery. */
export const SOLICITATION_BYTES = 24;
export const ADVERTISEMENT_BYTES = 24;
export const ROUTER_SOLICITATION_BYTES = 8;
export const ROUTER_ADVERTISEMENT_BYTES = 16;
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

export function type(view: DataView, at: number): number {
  return view.getUint8(at);
}

export function code(view: DataView, at: number): number {
  return view.getUint8(at + 1);
}

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

export function routerFlags(view: DataView, at: number): number {
  return view.getUint8(at + 5);
}

export function routerLifetimeSec(view: DataView, at: number): number {
  return view.getUint16(at + 6);
}

export function reachableMs(view: DataView, at: number): number {
  return view.getUint32(at + 8);
}

export function retransmitMs(view: DataView, at: number): number {
  return view.getUint32(at + 12);
}

export function setTypeAndCode(view: DataView, at: number, type: number, code: number): void {
  view.setUint16(at, (type << 8) | code);
}

export function setRest(view: DataView, at: number, rest: number): void {
  view.setInt32(at + 4, rest);
}

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
