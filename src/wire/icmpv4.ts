/**
 * ICMP for IPv4.
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
import { copyIn, copyOut } from './bytes.ts';

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
const TIMESTAMP_BYTES = 20;
const ADDRESS_MASK_BYTES = 12;

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

/** Messages as objects: for tests, tracing and control. The checksum is computed by `emit` and verified by `parse`. */
export interface EchoRepr {
  kind: 'echo';
  reply: boolean;
  identifier: number;
  sequence: number;
  payload: Uint8Array;
}

/** `nextHopMtuBytes` is written whatever the code is: it is 0 unless fragmentation was needed. */
export interface UnreachableRepr {
  kind: 'unreachable';
  code: number;
  nextHopMtuBytes: number;
  /** IP header and first bytes of the packet that the error is about. */
  quote: Uint8Array;
}

export interface SourceQuenchRepr {
  kind: 'source-quench';
  quote: Uint8Array;
}

export interface RedirectRepr {
  kind: 'redirect';
  code: number;
  gateway: number;
  quote: Uint8Array;
}

export interface TimeExceededRepr {
  kind: 'time-exceeded';
  code: number;
  quote: Uint8Array;
}

export interface ParameterProblemRepr {
  kind: 'parameter-problem';
  code: number;
  pointer: number;
  quote: Uint8Array;
}

/** Times in ms since midnight UT, uint32. */
export interface TimestampRepr {
  kind: 'timestamp';
  reply: boolean;
  identifier: number;
  sequence: number;
  originate: number;
  receive: number;
  transmit: number;
}

export interface InformationRepr {
  kind: 'information';
  reply: boolean;
  identifier: number;
  sequence: number;
}

export interface AddressMaskRepr {
  kind: 'address-mask';
  reply: boolean;
  identifier: number;
  sequence: number;
  mask: number;
}

export interface RouterAdvertisementRepr {
  kind: 'router-advertisement';
  lifetimeSec: number;
  routers: { address: number; preference: number }[];
}

export interface RouterSolicitationRepr {
  kind: 'router-solicitation';
}

/** Types that are not among the others. */
export interface UnknownRepr {
  kind: 'unknown';
  type: number;
  code: number;
  rest: number;
  payload: Uint8Array;
}

export type Repr =
  | EchoRepr
  | UnreachableRepr
  | SourceQuenchRepr
  | RedirectRepr
  | TimeExceededRepr
  | ParameterProblemRepr
  | TimestampRepr
  | InformationRepr
  | AddressMaskRepr
  | RouterAdvertisementRepr
  | RouterSolicitationRepr
  | UnknownRepr;

/** Null when {@link check} finds a fault or the checksum is wrong. Fields that a type does not define are left out. */
export function parse(view: DataView, at: number, lengthBytes: number): Repr | null {
  if (check(view, at, lengthBytes) !== 0 || !verify(view, at, lengthBytes)) return null;
  const messageType = type(view, at);
  if (isError(messageType)) return parseError(view, at, lengthBytes);
  const query = { identifier: identifier(view, at), sequence: sequence(view, at) };
  switch (messageType) {
    case TYPE_ECHO_REPLY:
    case TYPE_ECHO_REQUEST: {
      const payload = copyOut(view, at + HEADER_BYTES, lengthBytes - HEADER_BYTES);
      return { kind: 'echo', reply: messageType === TYPE_ECHO_REPLY, ...query, payload };
    }
    case TYPE_TIMESTAMP_REQUEST:
    case TYPE_TIMESTAMP_REPLY:
      return {
        kind: 'timestamp',
        reply: messageType === TYPE_TIMESTAMP_REPLY,
        ...query,
        originate: originateTimestamp(view, at),
        receive: receiveTimestamp(view, at),
        transmit: transmitTimestamp(view, at),
      };
    case TYPE_INFORMATION_REQUEST:
    case TYPE_INFORMATION_REPLY:
      return { kind: 'information', reply: messageType === TYPE_INFORMATION_REPLY, ...query };
    case TYPE_ADDRESS_MASK_REQUEST:
    case TYPE_ADDRESS_MASK_REPLY: {
      const reply = messageType === TYPE_ADDRESS_MASK_REPLY;
      return { kind: 'address-mask', reply, ...query, mask: addressMask(view, at) };
    }
    case TYPE_ROUTER_ADVERTISEMENT:
      return parseAdvertisement(view, at);
    case TYPE_ROUTER_SOLICITATION:
      return { kind: 'router-solicitation' };
    default: {
      const payload = copyOut(view, at + HEADER_BYTES, lengthBytes - HEADER_BYTES);
      return { kind: 'unknown', type: messageType, code: code(view, at), rest: rest(view, at), payload };
    }
  }
}

function parseError(view: DataView, at: number, lengthBytes: number): Repr {
  const messageCode = code(view, at);
  const quote = copyOut(view, at + HEADER_BYTES, lengthBytes - HEADER_BYTES);
  switch (type(view, at)) {
    case TYPE_SOURCE_QUENCH:
      return { kind: 'source-quench', quote };
    case TYPE_REDIRECT:
      return { kind: 'redirect', code: messageCode, gateway: gateway(view, at), quote };
    case TYPE_TIME_EXCEEDED:
      return { kind: 'time-exceeded', code: messageCode, quote };
    case TYPE_PARAMETER_PROBLEM:
      return { kind: 'parameter-problem', code: messageCode, pointer: pointer(view, at), quote };
    default:
      return { kind: 'unreachable', code: messageCode, nextHopMtuBytes: nextHopMtuBytes(view, at), quote };
  }
}

function parseAdvertisement(view: DataView, at: number): RouterAdvertisementRepr {
  const entryBytes = 4 * view.getUint8(at + 5);
  const end = at + HEADER_BYTES + view.getUint8(at + 4) * entryBytes;
  const routers: RouterAdvertisementRepr['routers'] = [];
  for (let i = at + HEADER_BYTES; i < end; i += entryBytes) {
    routers.push({ address: view.getInt32(i), preference: view.getInt32(i + 4) });
  }
  return { kind: 'router-advertisement', lifetimeSec: view.getUint16(at + 6), routers };
}

/** Bytes that {@link emit} writes. */
export function lengthOf(repr: Repr): number {
  switch (repr.kind) {
    case 'echo':
    case 'unknown':
      return HEADER_BYTES + repr.payload.length;
    case 'timestamp':
      return TIMESTAMP_BYTES;
    case 'address-mask':
      return ADDRESS_MASK_BYTES;
    case 'information':
    case 'router-solicitation':
      return HEADER_BYTES;
    case 'router-advertisement':
      return HEADER_BYTES + 8 * repr.routers.length;
    default:
      return HEADER_BYTES + repr.quote.length;
  }
}

/** Write the message with its checksum; returns its length. */
export function emit(repr: Repr, view: DataView, at: number): number {
  const bytes = lengthOf(repr);
  setRest(view, at, 0);
  emitBody(repr, view, at);
  fillChecksum(view, at, bytes);
  return bytes;
}

function emitBody(repr: Repr, view: DataView, at: number): void {
  switch (repr.kind) {
    case 'echo':
      emitQuery(repr, view, at, repr.reply ? TYPE_ECHO_REPLY : TYPE_ECHO_REQUEST);
      copyIn(repr.payload, view, at + HEADER_BYTES);
      break;
    case 'timestamp':
      emitQuery(repr, view, at, repr.reply ? TYPE_TIMESTAMP_REPLY : TYPE_TIMESTAMP_REQUEST);
      view.setUint32(at + 8, repr.originate);
      view.setUint32(at + 12, repr.receive);
      view.setUint32(at + 16, repr.transmit);
      break;
    case 'information':
      emitQuery(repr, view, at, repr.reply ? TYPE_INFORMATION_REPLY : TYPE_INFORMATION_REQUEST);
      break;
    case 'address-mask':
      emitQuery(repr, view, at, repr.reply ? TYPE_ADDRESS_MASK_REPLY : TYPE_ADDRESS_MASK_REQUEST);
      view.setInt32(at + 8, repr.mask);
      break;
    case 'router-advertisement':
      emitAdvertisement(repr, view, at);
      break;
    case 'router-solicitation':
      setTypeAndCode(view, at, TYPE_ROUTER_SOLICITATION, 0);
      break;
    case 'unknown':
      setTypeAndCode(view, at, repr.type, repr.code);
      setRest(view, at, repr.rest);
      copyIn(repr.payload, view, at + HEADER_BYTES);
      break;
    default:
      emitError(repr, view, at);
      copyIn(repr.quote, view, at + HEADER_BYTES);
  }
}

function emitQuery(repr: { identifier: number; sequence: number }, view: DataView, at: number, type: number): void {
  setTypeAndCode(view, at, type, 0);
  setIdentifier(view, at, repr.identifier);
  setSequence(view, at, repr.sequence);
}

function emitError(
  repr: UnreachableRepr | SourceQuenchRepr | RedirectRepr | TimeExceededRepr | ParameterProblemRepr,
  view: DataView,
  at: number,
): void {
  switch (repr.kind) {
    case 'unreachable':
      setTypeAndCode(view, at, TYPE_DESTINATION_UNREACHABLE, repr.code);
      view.setUint16(at + 6, repr.nextHopMtuBytes);
      break;
    case 'source-quench':
      setTypeAndCode(view, at, TYPE_SOURCE_QUENCH, 0);
      break;
    case 'redirect':
      setTypeAndCode(view, at, TYPE_REDIRECT, repr.code);
      setRest(view, at, repr.gateway);
      break;
    case 'time-exceeded':
      setTypeAndCode(view, at, TYPE_TIME_EXCEEDED, repr.code);
      break;
    case 'parameter-problem':
      setTypeAndCode(view, at, TYPE_PARAMETER_PROBLEM, repr.code);
      view.setUint8(at + 4, repr.pointer);
      break;
  }
}

function emitAdvertisement(repr: RouterAdvertisementRepr, view: DataView, at: number): void {
  setTypeAndCode(view, at, TYPE_ROUTER_ADVERTISEMENT, 0);
  view.setUint8(at + 4, repr.routers.length);
  view.setUint8(at + 5, 2);
  view.setUint16(at + 6, repr.lifetimeSec);
  let entry = at + HEADER_BYTES;
  for (const router of repr.routers) {
    view.setInt32(entry, router.address);
    view.setInt32(entry + 4, router.preference);
    entry += 8;
  }
}
