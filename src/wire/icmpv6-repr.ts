/**
 * ICMPv6 messages as objects: for tests, tracing and control.
 *
 * The checksum covers a pseudo-header: `parse` does not look at it and `emit` leaves its field 0; `ipv6.verifyUpper` and
 * `icmpv6.fillChecksum` do the rest.
 *
 * Thread: any; not for the data path.
 * Read first: icmpv6-fields.ts (offsets, checks). Missing: the same as there, and auxiliary data of listener records.
 */

import { copyIn, copyOut } from './bytes.ts';
import * as icmpv6 from './icmpv6-fields.ts';
import * as listener from './icmpv6-listener.ts';
import {
  emitNeighborOptions,
  type NeighborOption,
  neighborOptionsLength,
  parseNeighborOptions,
  preferenceBits,
  preferenceOf,
} from './icmpv6-options.ts';
import { type Address6, readAddress, writeAddress } from './ipv6-address.ts';

export interface EchoRepr {
  kind: 'echo';
  reply: boolean;
  identifier: number;
  sequence: number;
  payload: Uint8Array;
}

/** `value`: the MTU of "packet too big", the pointer of a parameter problem, 0 in the others. */
export interface ErrorRepr {
  kind: 'unreachable' | 'packet-too-big' | 'time-exceeded' | 'parameter-problem';
  code: number;
  value: number;
  /** IPv6 header and first bytes of the packet that the error is about. */
  quote: Uint8Array;
}

/** A query of version 1, or a report or "done" message of version 1. */
export interface ListenerRepr {
  kind: 'listener-query' | 'listener-report' | 'listener-done';
  maxResponseCode: number;
  group: Address6;
}

export interface ListenerQueryV2Repr {
  kind: 'listener-query-v2';
  maxResponseCode: number;
  group: Address6;
  suppress: boolean;
  /** 0 to 7. */
  robustness: number;
  intervalCode: number;
  sources: Address6[];
}

export interface ListenerReportV2Repr {
  kind: 'listener-report-v2';
  records: { type: number; group: Address6; sources: Address6[] }[];
}

export interface RouterSolicitationRepr {
  kind: 'router-solicitation';
  options: NeighborOption[];
}

export interface RouterAdvertisementRepr {
  kind: 'router-advertisement';
  hopLimit: number;
  managed: boolean;
  otherConfig: boolean;
  /** RFC 4191: -1 low, 0 medium, 1 high. */
  preference: number;
  lifetimeSec: number;
  reachableMs: number;
  retransmitMs: number;
  options: NeighborOption[];
}

export interface NeighborSolicitationRepr {
  kind: 'neighbor-solicitation';
  target: Address6;
  options: NeighborOption[];
}

export interface NeighborAdvertisementRepr {
  kind: 'neighbor-advertisement';
  router: boolean;
  solicited: boolean;
  override: boolean;
  target: Address6;
  options: NeighborOption[];
}

export interface RedirectRepr {
  kind: 'redirect';
  target: Address6;
  destination: Address6;
  options: NeighborOption[];
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
  | ErrorRepr
  | ListenerRepr
  | ListenerQueryV2Repr
  | ListenerReportV2Repr
  | RouterSolicitationRepr
  | RouterAdvertisementRepr
  | NeighborSolicitationRepr
  | NeighborAdvertisementRepr
  | RedirectRepr
  | UnknownRepr;

type DiscoveryRepr =
  | RouterSolicitationRepr
  | RouterAdvertisementRepr
  | NeighborSolicitationRepr
  | NeighborAdvertisementRepr
  | RedirectRepr;

const ERROR_KINDS: readonly ErrorRepr['kind'][] = [
  'unreachable',
  'packet-too-big',
  'time-exceeded',
  'parameter-problem',
];
const LISTENER_KINDS: readonly ListenerRepr['kind'][] = ['listener-query', 'listener-report', 'listener-done'];
const LISTENER_BYTES = listener.QUERY_V1_BYTES;

/** Null when `icmpv6.check` finds a fault. */
export function parse(view: DataView, at: number, lengthBytes: number): Repr | null {
  if (icmpv6.check(view, at, lengthBytes) !== 0) return null;
  const type = icmpv6.type(view, at);
  const code = icmpv6.code(view, at);
  const errorKind = ERROR_KINDS[type - icmpv6.TYPE_DESTINATION_UNREACHABLE];
  const payload = (): Uint8Array => copyOut(view, at + icmpv6.HEADER_BYTES, lengthBytes - icmpv6.HEADER_BYTES);
  if (errorKind !== undefined) return { kind: errorKind, code, value: view.getUint32(at + 4), quote: payload() };
  switch (type) {
    case icmpv6.TYPE_ECHO_REQUEST:
    case icmpv6.TYPE_ECHO_REPLY: {
      const reply = type === icmpv6.TYPE_ECHO_REPLY;
      const numbers = { identifier: icmpv6.identifier(view, at), sequence: icmpv6.sequence(view, at) };
      return { kind: 'echo', reply, ...numbers, payload: payload() };
    }
    case icmpv6.TYPE_LISTENER_QUERY:
    case icmpv6.TYPE_LISTENER_REPORT:
    case icmpv6.TYPE_LISTENER_DONE:
      return parseListener(view, at, lengthBytes, type);
    case icmpv6.TYPE_LISTENER_REPORT_V2:
      return parseReport(view, at);
    default:
      if (icmpv6.optionsOffset(type) !== 0) return parseDiscovery(view, at, lengthBytes, type);
      return { kind: 'unknown', type, code, rest: icmpv6.rest(view, at), payload: payload() };
  }
}

function parseListener(view: DataView, at: number, lengthBytes: number, type: number): Repr {
  const kind = LISTENER_KINDS[type - icmpv6.TYPE_LISTENER_QUERY] as ListenerRepr['kind'];
  const fields = { maxResponseCode: listener.maxResponseCode(view, at), group: readAddress(view, at + 8) };
  if (kind !== 'listener-query' || lengthBytes < listener.QUERY_V2_BYTES) return { kind, ...fields };
  const flags = view.getUint8(at + 24);
  return {
    kind: 'listener-query-v2',
    ...fields,
    suppress: (flags & 8) !== 0,
    robustness: flags & 7,
    intervalCode: view.getUint8(at + 25),
    sources: parseAddresses(view, at + listener.QUERY_V2_BYTES, view.getUint16(at + 26)),
  };
}

function parseReport(view: DataView, at: number): ListenerReportV2Repr {
  const records: ListenerReportV2Repr['records'] = [];
  let record = at + icmpv6.HEADER_BYTES;
  for (let left = listener.listenerRecordCount(view, at); left > 0; left--) {
    const count = listener.listenerRecordSourceCount(view, record);
    records.push({
      type: listener.listenerRecordType(view, record),
      group: readAddress(view, record + 4),
      sources: parseAddresses(view, record + listener.RECORD_HEADER_BYTES, count),
    });
    record += listener.listenerRecordBytes(view, record);
  }
  return { kind: 'listener-report-v2', records };
}

function parseAddresses(view: DataView, at: number, count: number): Address6[] {
  return Array.from({ length: count }, (_, index) => readAddress(view, at + 16 * index));
}

function parseDiscovery(view: DataView, at: number, lengthBytes: number, type: number): Repr {
  const options = parseNeighborOptions(view, at + icmpv6.optionsOffset(type), at + lengthBytes);
  switch (type) {
    case icmpv6.TYPE_ROUTER_SOLICITATION:
      return { kind: 'router-solicitation', options };
    case icmpv6.TYPE_ROUTER_ADVERTISEMENT: {
      const flags = icmpv6.routerFlags(view, at);
      return {
        kind: 'router-advertisement',
        hopLimit: icmpv6.currentHopLimit(view, at),
        managed: (flags & icmpv6.FLAG_MANAGED) !== 0,
        otherConfig: (flags & icmpv6.FLAG_OTHER_CONFIG) !== 0,
        preference: preferenceOf(flags),
        lifetimeSec: icmpv6.routerLifetimeSec(view, at),
        reachableMs: icmpv6.reachableMs(view, at),
        retransmitMs: icmpv6.retransmitMs(view, at),
        options,
      };
    }
    case icmpv6.TYPE_NEIGHBOR_SOLICITATION:
      return { kind: 'neighbor-solicitation', target: readAddress(view, at + 8), options };
    case icmpv6.TYPE_NEIGHBOR_ADVERTISEMENT: {
      const flags = icmpv6.neighborFlags(view, at);
      return {
        kind: 'neighbor-advertisement',
        router: (flags & icmpv6.FLAG_ROUTER) !== 0,
        solicited: (flags & icmpv6.FLAG_SOLICITED) !== 0,
        override: (flags & icmpv6.FLAG_OVERRIDE) !== 0,
        target: readAddress(view, at + 8),
        options,
      };
    }
    default: {
      const destination = readAddress(view, at + 24);
      return { kind: 'redirect', target: readAddress(view, at + 8), destination, options };
    }
  }
}

const DISCOVERY_TYPES: Readonly<Record<DiscoveryRepr['kind'], number>> = {
  'router-solicitation': icmpv6.TYPE_ROUTER_SOLICITATION,
  'router-advertisement': icmpv6.TYPE_ROUTER_ADVERTISEMENT,
  'neighbor-solicitation': icmpv6.TYPE_NEIGHBOR_SOLICITATION,
  'neighbor-advertisement': icmpv6.TYPE_NEIGHBOR_ADVERTISEMENT,
  redirect: icmpv6.TYPE_REDIRECT,
};

/** Bytes that {@link emit} writes. */
export function lengthOf(repr: Repr): number {
  switch (repr.kind) {
    case 'echo':
    case 'unknown':
      return icmpv6.HEADER_BYTES + repr.payload.length;
    case 'unreachable':
    case 'packet-too-big':
    case 'time-exceeded':
    case 'parameter-problem':
      return icmpv6.HEADER_BYTES + repr.quote.length;
    case 'listener-query':
    case 'listener-report':
    case 'listener-done':
      return LISTENER_BYTES;
    case 'listener-query-v2':
      return listener.QUERY_V2_BYTES + 16 * repr.sources.length;
    case 'listener-report-v2': {
      let bytes = icmpv6.HEADER_BYTES;
      for (const record of repr.records) bytes += listener.RECORD_HEADER_BYTES + 16 * record.sources.length;
      return bytes;
    }
    default:
      return icmpv6.optionsOffset(DISCOVERY_TYPES[repr.kind]) + neighborOptionsLength(repr.options);
  }
}

/** Write the message without a checksum (field 0); returns its length. `icmpv6.fillChecksum` completes it. */
export function emit(repr: Repr, view: DataView, at: number): number {
  view.setUint16(at + 2, 0);
  icmpv6.setRest(view, at, 0);
  switch (repr.kind) {
    case 'echo':
      icmpv6.setTypeAndCode(view, at, repr.reply ? icmpv6.TYPE_ECHO_REPLY : icmpv6.TYPE_ECHO_REQUEST, 0);
      view.setUint16(at + 4, repr.identifier);
      view.setUint16(at + 6, repr.sequence);
      copyIn(repr.payload, view, at + icmpv6.HEADER_BYTES);
      break;
    case 'unknown':
      icmpv6.setTypeAndCode(view, at, repr.type, repr.code);
      icmpv6.setRest(view, at, repr.rest);
      copyIn(repr.payload, view, at + icmpv6.HEADER_BYTES);
      break;
    case 'unreachable':
    case 'packet-too-big':
    case 'time-exceeded':
    case 'parameter-problem':
      icmpv6.setTypeAndCode(view, at, 1 + ERROR_KINDS.indexOf(repr.kind), repr.code);
      view.setUint32(at + 4, repr.value);
      copyIn(repr.quote, view, at + icmpv6.HEADER_BYTES);
      break;
    case 'listener-query':
    case 'listener-report':
    case 'listener-done':
      icmpv6.setTypeAndCode(view, at, icmpv6.TYPE_LISTENER_QUERY + LISTENER_KINDS.indexOf(repr.kind), 0);
      emitListener(repr, view, at);
      break;
    case 'listener-query-v2':
      emitQueryV2(repr, view, at);
      break;
    case 'listener-report-v2':
      emitReport(repr, view, at);
      break;
    default:
      emitDiscovery(repr, view, at);
  }
  return lengthOf(repr);
}

function emitListener(repr: { maxResponseCode: number; group: Address6 }, view: DataView, at: number): void {
  view.setUint16(at + 4, repr.maxResponseCode);
  writeAddress(repr.group, view, at + 8);
}

function emitQueryV2(repr: ListenerQueryV2Repr, view: DataView, at: number): void {
  icmpv6.setTypeAndCode(view, at, icmpv6.TYPE_LISTENER_QUERY, 0);
  emitListener(repr, view, at);
  view.setUint8(at + 24, (repr.suppress ? 8 : 0) | repr.robustness);
  view.setUint8(at + 25, repr.intervalCode);
  view.setUint16(at + 26, repr.sources.length);
  emitAddresses(repr.sources, view, at + listener.QUERY_V2_BYTES);
}

function emitReport(repr: ListenerReportV2Repr, view: DataView, at: number): void {
  icmpv6.setTypeAndCode(view, at, icmpv6.TYPE_LISTENER_REPORT_V2, 0);
  view.setUint16(at + 6, repr.records.length);
  let record = at + icmpv6.HEADER_BYTES;
  for (const { type, group, sources } of repr.records) {
    view.setUint16(record, type << 8);
    view.setUint16(record + 2, sources.length);
    writeAddress(group, view, record + 4);
    emitAddresses(sources, view, record + listener.RECORD_HEADER_BYTES);
    record += listener.RECORD_HEADER_BYTES + 16 * sources.length;
  }
}

function emitAddresses(addresses: readonly Address6[], view: DataView, at: number): void {
  for (const [index, address] of addresses.entries()) writeAddress(address, view, at + 16 * index);
}

function emitDiscovery(repr: DiscoveryRepr, view: DataView, at: number): void {
  const type = DISCOVERY_TYPES[repr.kind];
  icmpv6.setTypeAndCode(view, at, type, 0);
  if (repr.kind === 'router-advertisement') {
    const managed = repr.managed ? icmpv6.FLAG_MANAGED : 0;
    view.setUint8(at + 4, repr.hopLimit);
    const other = repr.otherConfig ? icmpv6.FLAG_OTHER_CONFIG : 0;
    view.setUint8(at + 5, managed | other | preferenceBits(repr.preference));
    view.setUint16(at + 6, repr.lifetimeSec);
    view.setUint32(at + 8, repr.reachableMs);
    view.setUint32(at + 12, repr.retransmitMs);
  } else if (repr.kind === 'neighbor-advertisement') {
    const router = repr.router ? icmpv6.FLAG_ROUTER : 0;
    const solicited = repr.solicited ? icmpv6.FLAG_SOLICITED : 0;
    icmpv6.setRest(view, at, router | solicited | (repr.override ? icmpv6.FLAG_OVERRIDE : 0));
    writeAddress(repr.target, view, at + 8);
  } else if (repr.kind !== 'router-solicitation') writeAddress(repr.target, view, at + 8);
  if (repr.kind === 'redirect') writeAddress(repr.destination, view, at + 24);
  emitNeighborOptions(repr.options, view, at + icmpv6.optionsOffset(type));
}
