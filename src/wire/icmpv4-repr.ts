/**
 * ICMP messages for IPv4 as objects: for tests, tracing and control. `emit` computes the checksum and `parse` verifies it.
 *
 * Thread: any; not for the data path. Read first: icmpv4-fields.ts (offsets, checks).
 */

import { copyIn, copyOut } from './bytes.ts';
import * as icmpv4 from './icmpv4-fields.ts';

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

/** Null when `check` finds a fault or the checksum is wrong. Fields that a type does not define are left out. */
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
