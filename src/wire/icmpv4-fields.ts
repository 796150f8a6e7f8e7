/**
 * Fields of ICMP messages for IPv4, and the verdict of `check` on a message.
 *
 *      0      1      2          4                       8
 *     +------+------+----------+-----------------------+------------------------------------------------
 *     | type | code | checksum | as the type says      | data, or in errors the IP header and 8 bytes or
 *     |      |      |          |                       | more of the packet that the error is about
 *     +------+------+----------+-----------------------+------------------------------------------------
 *
 * Thread: any; pure functions over `(view, at)`, `at` being where the message begins.
 * Read first: RFC 792, RFC 1122 3.2.2, RFC 1812 4.3, RFC 1191 (next-hop MTU), RFC 950 (address mask), RFC 1256 (router
 * discovery). Missing: the extension structures of RFC 4884 (they stay part of the quoted packet).
 */

import { checksumOf, sumView } from '../base/checksum.ts';

export const HEADER_BYTES = 8;

export const TYPE_ECHO_REPLY = 0;
export const TYPE_DESTINATION_UNREACHABLE = 3;
export const TYPE_SOURCE_QUENCH = 4;
export const TYPE_REDIRECT = 5;
export const TYPE_ECHO_REQUEST = 8;
export const TYPE_ROUTER_ADVERTISEMENT = 9;
export const TYPE_ROUTER_SOLICITATION = 10;
export const TYPE_TIME_EXCEEDED = 11;
export const TYPE_PARAMETER_PROBLEM = 12;
export const TYPE_TIMESTAMP_REQUEST = 13;
export const TYPE_TIMESTAMP_REPLY = 14;
export const TYPE_INFORMATION_REQUEST = 15;
export const TYPE_INFORMATION_REPLY = 16;
export const TYPE_ADDRESS_MASK_REQUEST = 17;
export const TYPE_ADDRESS_MASK_REPLY = 18;

/** Codes of {@link TYPE_DESTINATION_UNREACHABLE} (RFC 792; from 6 on RFC 1122, from 13 on RFC 1812). */
export const CODE_NET_UNREACHABLE = 0;
export const CODE_HOST_UNREACHABLE = 1;
export const CODE_PROTOCOL_UNREACHABLE = 2;
export const CODE_PORT_UNREACHABLE = 3;
export const CODE_FRAGMENTATION_NEEDED = 4;
export const CODE_SOURCE_ROUTE_FAILED = 5;
export const CODE_NET_UNKNOWN = 6;
export const CODE_HOST_UNKNOWN = 7;
export const CODE_HOST_ISOLATED = 8;
export const CODE_NET_PROHIBITED = 9;
export const CODE_HOST_PROHIBITED = 10;
export const CODE_NET_TOS = 11;
export const CODE_HOST_TOS = 12;
export const CODE_ADMIN_PROHIBITED = 13;
export const CODE_PRECEDENCE_VIOLATION = 14;
export const CODE_PRECEDENCE_CUTOFF = 15;

/** Codes of {@link TYPE_REDIRECT}. */
export const CODE_REDIRECT_NET = 0;
export const CODE_REDIRECT_HOST = 1;
export const CODE_REDIRECT_TOS_NET = 2;
export const CODE_REDIRECT_TOS_HOST = 3;

/** Codes of {@link TYPE_TIME_EXCEEDED}. */
export const CODE_TTL_EXCEEDED = 0;
export const CODE_REASSEMBLY_TIMEOUT = 1;

/** Codes of {@link TYPE_PARAMETER_PROBLEM} (the latter two RFC 1122 and 1812). */
export const CODE_POINTER = 0;
export const CODE_OPTION_MISSING = 1;
export const CODE_BAD_LENGTH = 2;

/** Names of what {@link check} returns. */
export const CHECK_REASONS: readonly string[] = ['', 'icmp-short', 'icmp-bad-length', 'icmp-bad-quote'];

const QUOTED_HEADER_BYTES_MIN = 20;
export const TIMESTAMP_BYTES = 20;
export const ADDRESS_MASK_BYTES = 12;

/** Whether a message of this type reports an error about a quoted packet (and so must not be answered with one). */
export function isError(type: number): boolean {
  return (
    type === TYPE_DESTINATION_UNREACHABLE ||
    type === TYPE_SOURCE_QUENCH ||
    type === TYPE_REDIRECT ||
    type === TYPE_TIME_EXCEEDED ||
    type === TYPE_PARAMETER_PROBLEM
  );
}

/**
 * 0 when the accessors that belong to the message's type may be used on the `lengthBytes` bytes at `at` (in errors: those of
 * ipv4.ts on the header of the quoted packet too), else an index of {@link CHECK_REASONS}. Unknown types pass. The
 * checksum is the business of {@link verify}, or of the copy of the message.
 */
export function check(view: DataView, at: number, lengthBytes: number): number {
  if (lengthBytes < HEADER_BYTES) return 1;
  const type = view.getUint8(at);
  if (isError(type)) return checkQuote(view, at + HEADER_BYTES, lengthBytes - HEADER_BYTES);
  switch (type) {
    case TYPE_TIMESTAMP_REQUEST:
    case TYPE_TIMESTAMP_REPLY:
      return lengthBytes < TIMESTAMP_BYTES ? 2 : 0;
    case TYPE_ADDRESS_MASK_REQUEST:
    case TYPE_ADDRESS_MASK_REPLY:
      return lengthBytes < ADDRESS_MASK_BYTES ? 2 : 0;
    case TYPE_ROUTER_ADVERTISEMENT:
      return checkAdvertisement(view, at, lengthBytes);
    default:
      return 0;
  }
}

/** RFC 1256 section 5: at least one address, at least two words each, all of them there. */
function checkAdvertisement(view: DataView, at: number, lengthBytes: number): number {
  const count = view.getUint8(at + 4);
  const words = view.getUint8(at + 5);
  return count === 0 || words < 2 || lengthBytes < HEADER_BYTES + 4 * count * words ? 2 : 0;
}

function checkQuote(view: DataView, at: number, lengthBytes: number): number {
  if (lengthBytes < QUOTED_HEADER_BYTES_MIN) return 3;
  const first = view.getUint8(at);
  const header = (first & 15) << 2;
  return first >> 4 !== 4 || header < QUOTED_HEADER_BYTES_MIN || header > lengthBytes ? 3 : 0;
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

/** Identifier of queries and their replies. */
export function identifier(view: DataView, at: number): number {
  return view.getUint16(at + 4);
}

/** Sequence number of queries and their replies. */
export function sequence(view: DataView, at: number): number {
  return view.getUint16(at + 6);
}

/** Gateway of a redirect. */
export function gateway(view: DataView, at: number): number {
  return view.getInt32(at + 4);
}

/** Next-hop MTU of "fragmentation needed": 0 when the router knows no RFC 1191. */
export function nextHopMtuBytes(view: DataView, at: number): number {
  return view.getUint16(at + 6);
}

/** Pointer of a parameter problem: the offending byte, counted from the start of the quoted IP header. */
export function pointer(view: DataView, at: number): number {
  return view.getUint8(at + 4);
}

/** Originate timestamp of timestamp messages: ms since midnight UT, or anything with the uppermost bit set. */
export function originateTimestamp(view: DataView, at: number): number {
  return view.getUint32(at + 8);
}

export function receiveTimestamp(view: DataView, at: number): number {
  return view.getUint32(at + 12);
}

export function transmitTimestamp(view: DataView, at: number): number {
  return view.getUint32(at + 16);
}

/** Mask of address mask messages. */
export function addressMask(view: DataView, at: number): number {
  return view.getInt32(at + 8);
}

export function setTypeAndCode(view: DataView, at: number, type: number, code: number): void {
  view.setUint16(at, (type << 8) | code);
}

export function setChecksum(view: DataView, at: number, checksum: number): void {
  view.setUint16(at + 2, checksum);
}

export function setRest(view: DataView, at: number, rest: number): void {
  view.setInt32(at + 4, rest);
}

export function setIdentifier(view: DataView, at: number, identifier: number): void {
  view.setUint16(at + 4, identifier);
}

export function setSequence(view: DataView, at: number, sequence: number): void {
  view.setUint16(at + 6, sequence);
}

/** Whether the checksum of the message of `lengthBytes` is right. */
export function verify(view: DataView, at: number, lengthBytes: number): boolean {
  return sumView(view, at, lengthBytes) === 0xffff;
}

/** Compute and write the checksum of a message of `lengthBytes` whose other fields are complete. */
export function fillChecksum(view: DataView, at: number, lengthBytes: number): void {
  setChecksum(view, at, 0);
  setChecksum(view, at, checksumOf(sumView(view, at, lengthBytes)));
}
