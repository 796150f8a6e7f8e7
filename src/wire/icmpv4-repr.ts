/**
 * ICMP messages for IPv4 as objects: for tests, tracing and control. `emit` computes the checksum and `parse` verifies it.
 *
 * Thread: any; not for the data path. Read first: icmpv4-fields.ts (offsets, checks).
 */

import { copyIn, copyOut } from './bytes.ts';
import * as icmpv4 from './icmpv4-fields.ts';

/** Echo request or reply (RFC 792). */
export interface EchoRepr {
  /** Types 8 and 0. */
  kind: 'echo';
  /** Reply or request. */
  reply: boolean;
  /** Identifier, 16 bits: tells the sender which of its programs asked. */
  identifier: number;
  /** Sequence number, 16 bits. */
  sequence: number;
  /** Data behind the header, which the reply repeats. */
  payload: Uint8Array;
}

/** Destination unreachable (RFC 792). */
export interface UnreachableRepr {
  /** Type 3. */
  kind: 'unreachable';
  /** Reason, {@link CODE_NET_UNREACHABLE} to {@link CODE_PRECEDENCE_CUTOFF}. */
  code: number;
  /** MTU that {@link CODE_FRAGMENTATION_NEEDED} tells, 0 in the other codes (RFC 1191 4); written whatever the code is. */
  nextHopMtuBytes: number;
  /** IP header and first bytes of the packet that the error is about. */
  quote: Uint8Array;
}

/** Source quench, deprecated (RFC 792, RFC 6633). */
export interface SourceQuenchRepr {
  /** Type 4. */
  kind: 'source-quench';
  /** IP header and first bytes of the packet that was dropped or delayed. */
  quote: Uint8Array;
}

/** Redirect to a nearer router (RFC 792). */
export interface RedirectRepr {
  /** Type 5. */
  kind: 'redirect';
  /** Extent of the redirect: {@link CODE_REDIRECT_NET} to {@link CODE_REDIRECT_TOS_HOST}. */
  code: number;
  /** Address of the router to use from now on, int32. */
  gateway: number;
  /** IP header and first bytes of the packet that took the longer way. */
  quote: Uint8Array;
}

/** Time exceeded (RFC 792). */
export interface TimeExceededRepr {
  /** Type 11. */
  kind: 'time-exceeded';
  /** {@link CODE_TTL_EXCEEDED} or {@link CODE_REASSEMBLY_TIMEOUT}. */
  code: number;
  /** IP header and first bytes of the packet, or of its first fragment. */
  quote: Uint8Array;
}

/** Parameter problem (RFC 792). */
export interface ParameterProblemRepr {
  /** Type 12. */
  kind: 'parameter-problem';
  /** {@link CODE_POINTER}, {@link CODE_OPTION_MISSING} or {@link CODE_BAD_LENGTH}. */
  code: number;
  /** Offset of the faulty byte in the quote; counts with {@link CODE_POINTER}. */
  pointer: number;
  /** IP header and first bytes of the faulty packet. */
  quote: Uint8Array;
}

/** Timestamp request or reply (RFC 792): times in ms since midnight UT, uint32. */
export interface TimestampRepr {
  /** Types 13 and 14. */
  kind: 'timestamp';
  /** Reply or request. */
  reply: boolean;
  /** Identifier, 16 bits. */
  identifier: number;
  /** Sequence number, 16 bits. */
  sequence: number;
  /** Time at which the request left; the reply repeats it. */
  originate: number;
  /** Time at which the request arrived; 0 in a request. */
  receive: number;
  /** Time at which the reply left; 0 in a request. */
  transmit: number;
}

/** Information request or reply, obsolete (RFC 792): nothing but a header. */
export interface InformationRepr {
  /** Types 15 and 16. */
  kind: 'information';
  /** Reply or request. */
  reply: boolean;
  /** Identifier, 16 bits. */
  identifier: number;
  /** Sequence number, 16 bits. */
  sequence: number;
}

/** Address mask request or reply (RFC 950 appendix I). */
export interface AddressMaskRepr {
  /** Types 17 and 18. */
  kind: 'address-mask';
  /** Reply or request. */
  reply: boolean;
  /** Identifier, 16 bits. */
  identifier: number;
  /** Sequence number, 16 bits. */
  sequence: number;
  /** Mask of the link's network, int32; 0 in a request. */
  mask: number;
}

/** Router advertisement (RFC 1256 3). */
export interface RouterAdvertisementRepr {
  /** Type 9. */
  kind: 'router-advertisement';
  /** Seconds for which the addresses may be used, 16 bits; 0: from now on they may not. */
  lifetimeSec: number;
  /** Addresses of the router (int32), the one with the greatest preference (int32) being the best default router. */
  routers: { address: number; preference: number }[];
}

/** Router solicitation (RFC 1256 3): nothing but a header. */
export interface RouterSolicitationRepr {
  /** Type 10. */
  kind: 'router-solicitation';
}

/** A message of none of the other types. */
export interface UnknownRepr {
  /** Any other type. */
  kind: 'unknown';
  /** Type of the message, 8 bits. */
  type: number;
  /** Code, 8 bits. */
  code: number;
  /** Second word of the header, int32. */
  rest: number;
  /** Everything behind the header. */
  payload: Uint8Array;
}

/** A message as an object, told apart by `kind`: for tests, tracing and control. */
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

/** The message, or null when `check` finds a fault or the checksum is wrong. Fields that a type does not define are left out. */
export function parse(view: DataView, at: number, lengthBytes: number): Repr | null {
  if (icmpv4.check(view, at, lengthBytes) !== 0 || !icmpv4.verify(view, at, lengthBytes)) return null;
  const messageType = icmpv4.type(view, at);
  if (icmpv4.isError(messageType)) return parseError(view, at, lengthBytes);
  const query = { identifier: icmpv4.identifier(view, at), sequence: icmpv4.sequence(view, at) };
  switch (messageType) {
    case icmpv4.TYPE_ECHO_REPLY:
    case icmpv4.TYPE_ECHO_REQUEST: {
      const payload = copyOut(view, at + icmpv4.HEADER_BYTES, lengthBytes - icmpv4.HEADER_BYTES);
      return { kind: 'echo', reply: messageType === icmpv4.TYPE_ECHO_REPLY, ...query, payload };
    }
    case icmpv4.TYPE_TIMESTAMP_REQUEST:
    case icmpv4.TYPE_TIMESTAMP_REPLY:
      return {
        kind: 'timestamp',
        reply: messageType === icmpv4.TYPE_TIMESTAMP_REPLY,
        ...query,
        originate: icmpv4.originateTimestamp(view, at),
        receive: icmpv4.receiveTimestamp(view, at),
        transmit: icmpv4.transmitTimestamp(view, at),
      };
    case icmpv4.TYPE_INFORMATION_REQUEST:
    case icmpv4.TYPE_INFORMATION_REPLY:
      return { kind: 'information', reply: messageType === icmpv4.TYPE_INFORMATION_REPLY, ...query };
    case icmpv4.TYPE_ADDRESS_MASK_REQUEST:
    case icmpv4.TYPE_ADDRESS_MASK_REPLY: {
      const reply = messageType === icmpv4.TYPE_ADDRESS_MASK_REPLY;
      return { kind: 'address-mask', reply, ...query, mask: icmpv4.addressMask(view, at) };
    }
    case icmpv4.TYPE_ROUTER_ADVERTISEMENT:
      return parseAdvertisement(view, at);
    case icmpv4.TYPE_ROUTER_SOLICITATION:
      return { kind: 'router-solicitation' };
    default: {
      const payload = copyOut(view, at + icmpv4.HEADER_BYTES, lengthBytes - icmpv4.HEADER_BYTES);
      return { kind: 'unknown', type: messageType, code: icmpv4.code(view, at), rest: icmpv4.rest(view, at), payload };
    }
  }
}

function parseError(view: DataView, at: number, lengthBytes: number): Repr {
  const messageCode = icmpv4.code(view, at);
  const quote = copyOut(view, at + icmpv4.HEADER_BYTES, lengthBytes - icmpv4.HEADER_BYTES);
  switch (icmpv4.type(view, at)) {
    case icmpv4.TYPE_SOURCE_QUENCH:
      return { kind: 'source-quench', quote };
    case icmpv4.TYPE_REDIRECT:
      return { kind: 'redirect', code: messageCode, gateway: icmpv4.gateway(view, at), quote };
    case icmpv4.TYPE_TIME_EXCEEDED:
      return { kind: 'time-exceeded', code: messageCode, quote };
    case icmpv4.TYPE_PARAMETER_PROBLEM:
      return { kind: 'parameter-problem', code: messageCode, pointer: icmpv4.pointer(view, at), quote };
    default:
      return { kind: 'unreachable', code: messageCode, nextHopMtuBytes: icmpv4.nextHopMtuBytes(view, at), quote };
  }
}

function parseAdvertisement(view: DataView, at: number): RouterAdvertisementRepr {
  const entryBytes = 4 * view.getUint8(at + 5);
  const end = at + icmpv4.HEADER_BYTES + view.getUint8(at + 4) * entryBytes;
  const routers: RouterAdvertisementRepr['routers'] = [];
  for (let i = at + icmpv4.HEADER_BYTES; i < end; i += entryBytes) {
    routers.push({ address: view.getInt32(i), preference: view.getInt32(i + 4) });
  }
  return { kind: 'router-advertisement', lifetimeSec: view.getUint16(at + 6), routers };
}

/** Bytes that {@link emit} writes. */
export function lengthOf(repr: Repr): number {
  switch (repr.kind) {
    case 'echo':
    case 'unknown':
      return icmpv4.HEADER_BYTES + repr.payload.length;
    case 'timestamp':
      return icmpv4.TIMESTAMP_BYTES;
    case 'address-mask':
      return icmpv4.ADDRESS_MASK_BYTES;
    case 'information':
    case 'router-solicitation':
      return icmpv4.HEADER_BYTES;
    case 'router-advertisement':
      return icmpv4.HEADER_BYTES + 8 * repr.routers.length;
    default:
      return icmpv4.HEADER_BYTES + repr.quote.length;
  }
}

/** Write the message with its checksum; returns its length. */
export function emit(repr: Repr, view: DataView, at: number): number {
  const bytes = lengthOf(repr);
  icmpv4.setRest(view, at, 0);
  emitBody(repr, view, at);
  icmpv4.fillChecksum(view, at, bytes);
  return bytes;
}

function emitBody(repr: Repr, view: DataView, at: number): void {
  switch (repr.kind) {
    case 'echo':
      emitQuery(repr, view, at, repr.reply ? icmpv4.TYPE_ECHO_REPLY : icmpv4.TYPE_ECHO_REQUEST);
      copyIn(repr.payload, view, at + icmpv4.HEADER_BYTES);
      break;
    case 'timestamp':
      emitQuery(repr, view, at, repr.reply ? icmpv4.TYPE_TIMESTAMP_REPLY : icmpv4.TYPE_TIMESTAMP_REQUEST);
      view.setUint32(at + 8, repr.originate);
      view.setUint32(at + 12, repr.receive);
      view.setUint32(at + 16, repr.transmit);
      break;
    case 'information':
      emitQuery(repr, view, at, repr.reply ? icmpv4.TYPE_INFORMATION_REPLY : icmpv4.TYPE_INFORMATION_REQUEST);
      break;
    case 'address-mask':
      emitQuery(repr, view, at, repr.reply ? icmpv4.TYPE_ADDRESS_MASK_REPLY : icmpv4.TYPE_ADDRESS_MASK_REQUEST);
      view.setInt32(at + 8, repr.mask);
      break;
    case 'router-advertisement':
      emitAdvertisement(repr, view, at);
      break;
    case 'router-solicitation':
      icmpv4.setTypeAndCode(view, at, icmpv4.TYPE_ROUTER_SOLICITATION, 0);
      break;
    case 'unknown':
      icmpv4.setTypeAndCode(view, at, repr.type, repr.code);
      icmpv4.setRest(view, at, repr.rest);
      copyIn(repr.payload, view, at + icmpv4.HEADER_BYTES);
      break;
    default:
      emitError(repr, view, at);
      copyIn(repr.quote, view, at + icmpv4.HEADER_BYTES);
  }
}

function emitQuery(repr: { identifier: number; sequence: number }, view: DataView, at: number, type: number): void {
  icmpv4.setTypeAndCode(view, at, type, 0);
  icmpv4.setIdentifier(view, at, repr.identifier);
  icmpv4.setSequence(view, at, repr.sequence);
}

function emitError(
  repr: UnreachableRepr | SourceQuenchRepr | RedirectRepr | TimeExceededRepr | ParameterProblemRepr,
  view: DataView,
  at: number,
): void {
  switch (repr.kind) {
    case 'unreachable':
      icmpv4.setTypeAndCode(view, at, icmpv4.TYPE_DESTINATION_UNREACHABLE, repr.code);
      view.setUint16(at + 6, repr.nextHopMtuBytes);
      break;
    case 'source-quench':
      icmpv4.setTypeAndCode(view, at, icmpv4.TYPE_SOURCE_QUENCH, 0);
      break;
    case 'redirect':
      icmpv4.setTypeAndCode(view, at, icmpv4.TYPE_REDIRECT, repr.code);
      icmpv4.setRest(view, at, repr.gateway);
      break;
    case 'time-exceeded':
      icmpv4.setTypeAndCode(view, at, icmpv4.TYPE_TIME_EXCEEDED, repr.code);
      break;
    case 'parameter-problem':
      icmpv4.setTypeAndCode(view, at, icmpv4.TYPE_PARAMETER_PROBLEM, repr.code);
      view.setUint8(at + 4, repr.pointer);
      break;
  }
}

function emitAdvertisement(repr: RouterAdvertisementRepr, view: DataView, at: number): void {
  icmpv4.setTypeAndCode(view, at, icmpv4.TYPE_ROUTER_ADVERTISEMENT, 0);
  view.setUint8(at + 4, repr.routers.length);
  view.setUint8(at + 5, 2);
  view.setUint16(at + 6, repr.lifetimeSec);
  let entry = at + icmpv4.HEADER_BYTES;
  for (const router of repr.routers) {
    view.setInt32(entry, router.address);
    view.setInt32(entry + 4, router.preference);
    entry += 8;
  }
}
