/**
 * Fields of ICMP messages for IPv4, and the verdict of `check` on a message.
 *
 * Thread: any; pure functions over `(view, at)`, `at` being where the message begins.
 * Reached through `icmpv4.ts`, which re-exports it and draws the format.
 * Read first: RFC 792, RFC 1122 3.2.2, RFC 1812 4.3, RFC 1191 (next-hop MTU), RFC 950 (address mask), RFC 1256 (router
 * discovery). Missing: the extension structures of RFC 4884 (they stay part of the quoted packet).
 */

import { checksumOf, sumView } from '../base/checksum.ts';

/** Length of the header: type, code, checksum and the word whose meaning depends on the type (RFC 792). */
export const HEADER_BYTES = 8;

/** Answer to {@link TYPE_ECHO_REQUEST} with its identifier, sequence number and data (RFC 792). */
export const TYPE_ECHO_REPLY = 0;
/** Error: the packet quoted cannot be delivered; the code says why (RFC 792). */
export const TYPE_DESTINATION_UNREACHABLE = 3;
/** Error: send more slowly; deprecated, neither sent nor acted upon (RFC 6633). */
export const TYPE_SOURCE_QUENCH = 4;
/** Error: another router of the link is nearer to the destination of the packet quoted (RFC 792). */
export const TYPE_REDIRECT = 5;
/** Query of ping (RFC 792, RFC 1122 3.2.2.6). */
export const TYPE_ECHO_REQUEST = 8;
/** Addresses of a router and their preference (RFC 1256 3). */
export const TYPE_ROUTER_ADVERTISEMENT = 9;
/** Query for router advertisements (RFC 1256 3). */
export const TYPE_ROUTER_SOLICITATION = 10;
/** Error: the TTL of the packet quoted reached 0, or its reassembly took too long (RFC 792). */
export const TYPE_TIME_EXCEEDED = 11;
/** Error: a field of the packet quoted has a value that is not allowed (RFC 792). */
export const TYPE_PARAMETER_PROBLEM = 12;
/** Query for the time of day (RFC 792). */
export const TYPE_TIMESTAMP_REQUEST = 13;
/** Answer to {@link TYPE_TIMESTAMP_REQUEST} with two times of the host that answers (RFC 792). */
export const TYPE_TIMESTAMP_REPLY = 14;
/** Query for the number of the network; obsolete (RFC 792, RFC 6918). */
export const TYPE_INFORMATION_REQUEST = 15;
/** Answer to {@link TYPE_INFORMATION_REQUEST}; obsolete (RFC 792, RFC 6918). */
export const TYPE_INFORMATION_REPLY = 16;
/** Query for the mask of the link's network; obsolete (RFC 950 appendix I, RFC 6918). */
export const TYPE_ADDRESS_MASK_REQUEST = 17;
/** Answer to {@link TYPE_ADDRESS_MASK_REQUEST}; obsolete (RFC 950 appendix I, RFC 6918). */
export const TYPE_ADDRESS_MASK_REPLY = 18;

/** Unreachable: no route to the destination's network (RFC 792). */
export const CODE_NET_UNREACHABLE = 0;
/** Unreachable: the last router cannot reach the host (RFC 792). */
export const CODE_HOST_UNREACHABLE = 1;
/** Unreachable: the host does not know the protocol of the packet (RFC 792). */
export const CODE_PROTOCOL_UNREACHABLE = 2;
/** Unreachable: no socket of the host has the destination port (RFC 792). */
export const CODE_PORT_UNREACHABLE = 3;
/** Unreachable: longer than the next link's MTU and not to be fragmented; {@link nextHopMtuBytes} tells the MTU (RFC 1191 4). */
export const CODE_FRAGMENTATION_NEEDED = 4;
/** Unreachable: the next address of the source route cannot be reached (RFC 792). */
export const CODE_SOURCE_ROUTE_FAILED = 5;
/** Unreachable: the network does not exist (RFC 1122 3.2.2.1); routers send {@link CODE_NET_UNREACHABLE} instead. */
export const CODE_NET_UNKNOWN = 6;
/** Unreachable: the link knows that the host does not exist (RFC 1812 5.2.7.1). */
export const CODE_HOST_UNKNOWN = 7;
/** Unreachable: the sender is cut off; obsolete (RFC 1122 3.2.2.1). */
export const CODE_HOST_ISOLATED = 8;
/** Unreachable: the network is closed by administration; {@link CODE_ADMIN_PROHIBITED} replaces it (RFC 1812 5.2.7.1). */
export const CODE_NET_PROHIBITED = 9;
/** Unreachable: the host is closed by administration; {@link CODE_ADMIN_PROHIBITED} replaces it (RFC 1812 5.2.7.1). */
export const CODE_HOST_PROHIBITED = 10;
/** Unreachable: no route to the network for the packet's type of service (RFC 1812 5.2.7.1). */
export const CODE_NET_TOS = 11;
/** Unreachable: no way to the host for the packet's type of service (RFC 1812 5.2.7.1). */
export const CODE_HOST_TOS = 12;
/** Unreachable: a filter forbids the communication (RFC 1812 5.2.7.1). */
export const CODE_ADMIN_PROHIBITED = 13;
/** Unreachable: the precedence is not permitted between these hosts (RFC 1812 5.2.7.1). */
export const CODE_PRECEDENCE_VIOLATION = 14;
/** Unreachable: the precedence is below the minimum of the network (RFC 1812 5.2.7.1). */
export const CODE_PRECEDENCE_CUTOFF = 15;

/** Redirect for all hosts of the network; routers do not send it any more (RFC 1812 5.2.7.2). */
export const CODE_REDIRECT_NET = 0;
/** Redirect for the destination of the packet quoted (RFC 792). */
export const CODE_REDIRECT_HOST = 1;
/** Redirect for the network and the type of service; routers do not send it any more (RFC 1812 5.2.7.2). */
export const CODE_REDIRECT_TOS_NET = 2;
/** Redirect for the destination and the type of service of the packet quoted (RFC 792). */
export const CODE_REDIRECT_TOS_HOST = 3;

/** Time exceeded: a router took the TTL to 0 (RFC 792). */
export const CODE_TTL_EXCEEDED = 0;
/** Time exceeded: fragments were missing when the time for reassembly ended (RFC 792). */
export const CODE_REASSEMBLY_TIMEOUT = 1;

/** Parameter problem: {@link pointer} says where (RFC 792). */
export const CODE_POINTER = 0;
/** Parameter problem: an option that is required is not there (RFC 1122 3.2.2.5). */
export const CODE_OPTION_MISSING = 1;
/** Parameter problem: a length is wrong; in IANA's registry only. */
export const CODE_BAD_LENGTH = 2;

/** Names of what {@link check} returns. */
export const CHECK_REASONS: readonly string[] = ['', 'icmp-short', 'icmp-bad-length', 'icmp-bad-quote'];

const QUOTED_HEADER_BYTES_MIN = 20;
/** Length of a timestamp message: the header and three times. */
export const TIMESTAMP_BYTES = 20;
/** Length of an address mask message: the header and the mask. */
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

/** Type of the message, one of `TYPE_*` or any other. */
export function type(view: DataView, at: number): number {
  return view.getUint8(at);
}

/** Code, which subdivides the type; 0 in queries and their answers. */
export function code(view: DataView, at: number): number {
  return view.getUint8(at + 1);
}

/** Checksum over the message as it stands. */
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

/** Receive timestamp of timestamp messages: when the request arrived, in the form of {@link originateTimestamp}. */
export function receiveTimestamp(view: DataView, at: number): number {
  return view.getUint32(at + 12);
}

/** Transmit timestamp of timestamp messages: when the reply left, in the form of {@link originateTimestamp}. */
export function transmitTimestamp(view: DataView, at: number): number {
  return view.getUint32(at + 16);
}

/** Mask of address mask messages. */
export function addressMask(view: DataView, at: number): number {
  return view.getInt32(at + 8);
}

/** Write type and code. */
export function setTypeAndCode(view: DataView, at: number, type: number, code: number): void {
  view.setUint16(at, (type << 8) | code);
}

/** Write the checksum field; {@link fillChecksum} computes it. */
export function setChecksum(view: DataView, at: number, checksum: number): void {
  view.setUint16(at + 2, checksum);
}

/** Write the second word of the header as a whole. */
export function setRest(view: DataView, at: number, rest: number): void {
  view.setInt32(at + 4, rest);
}

/** Write the identifier of a query or reply. */
export function setIdentifier(view: DataView, at: number, identifier: number): void {
  view.setUint16(at + 4, identifier);
}

/** Write the sequence number of a query or reply. */
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
