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

/** Echo request or reply (RFC 4443 4). */
export interface EchoRepr {
  /** Types 128 and 129. */
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

/** One of the four errors (RFC 4443 3). */
export interface ErrorRepr {
  /** Types 1, 2, 3 and 4. */
  kind: 'unreachable' | 'packet-too-big' | 'time-exceeded' | 'parameter-problem';
  /** Code of the type: `CODE_*`; 0 in "packet too big". */
  code: number;
  /** MTU of "packet too big" in bytes, pointer of a parameter problem, 0 in the others. */
  value: number;
  /** IPv6 header and first bytes of the packet that the error is about. */
  quote: Uint8Array;
}

/** Query, report or "done" of multicast listener discovery version 1 (RFC 2710 3). */
export interface ListenerRepr {
  /** Types 130, 131 and 132. */
  kind: 'listener-query' | 'listener-report' | 'listener-done';
  /** Greatest delay of a report in ms; 0 in all but queries. */
  maxResponseCode: number;
  /** Group asked about or reported; unspecified in a general query. */
  group: Address6;
}

/** Query of multicast listener discovery version 2 (RFC 3810 5.1). */
export interface ListenerQueryV2Repr {
  /** Type 130 with 28 bytes or more. */
  kind: 'listener-query-v2';
  /** Maximum Response Code; {@link decodeDelayMs} gives the greatest delay of a report. */
  maxResponseCode: number;
  /** Group asked about; unspecified in a general query. */
  group: Address6;
  /** S: routers that hear the query leave their timers alone. */
  suppress: boolean;
  /** QRV, 0 to 7: how often hosts and routers send what might be lost; 0: more than 7. */
  robustness: number;
  /** QQIC: seconds between general queries, coded as in RFC 3810 5.1.9. */
  intervalCode: number;
  /** Sources asked about; empty unless the query is about a group and its sources. */
  sources: Address6[];
}

/** Report of multicast listener discovery version 2 (RFC 3810 5.2). */
export interface ListenerReportV2Repr {
  /** Type 143. */
  kind: 'listener-report-v2';
  /** State or change of each group: a type `RECORD_*`, the group and its sources. Auxiliary data is left out. */
  records: { type: number; group: Address6; sources: Address6[] }[];
}

/** Router solicitation (RFC 4861 4.1). */
export interface RouterSolicitationRepr {
  /** Type 133. */
  kind: 'router-solicitation';
  /** Source link-layer address, unless the source is unspecified. */
  options: NeighborOption[];
}

/** Router advertisement (RFC 4861 4.2). */
export interface RouterAdvertisementRepr {
  /** Type 134. */
  kind: 'router-advertisement';
  /** Cur Hop Limit, for packets that hosts send; 0: unspecified. */
  hopLimit: number;
  /** M: DHCPv6 gives out addresses. */
  managed: boolean;
  /** O: DHCPv6 gives out other configuration. */
  otherConfig: boolean;
  /** RFC 4191: -1 low, 0 medium, 1 high. */
  preference: number;
  /** Router Lifetime in seconds, 16 bits; 0: no default router. */
  lifetimeSec: number;
  /** Reachable Time in ms, uint32; 0: unspecified. */
  reachableMs: number;
  /** Retrans Timer in ms, uint32; 0: unspecified. */
  retransmitMs: number;
  /** Source link-layer address, MTU, prefixes, routes, DNS servers. */
  options: NeighborOption[];
}

/** Neighbor solicitation (RFC 4861 4.3). */
export interface NeighborSolicitationRepr {
  /** Type 135. */
  kind: 'neighbor-solicitation';
  /** Address whose owner is asked; never a multicast one. */
  target: Address6;
  /** Source link-layer address, unless the source is unspecified. */
  options: NeighborOption[];
}

/** Neighbor advertisement (RFC 4861 4.4). */
export interface NeighborAdvertisementRepr {
  /** Type 136. */
  kind: 'neighbor-advertisement';
  /** R: the sender is a router. */
  router: boolean;
  /** S: the advertisement answers a solicitation. */
  solicited: boolean;
  /** O: the link-layer address replaces the one in a cache. */
  override: boolean;
  /** Address whose link-layer address is told; never a multicast one. */
  target: Address6;
  /** Target link-layer address. */
  options: NeighborOption[];
}

/** Redirect (RFC 4861 4.5). */
export interface RedirectRepr {
  /** Type 137. */
  kind: 'redirect';
  /** Better first hop; equal to `destination` when that is a neighbor. */
  target: Address6;
  /** Destination that is redirected. */
  destination: Address6;
  /** Target link-layer address, and the packet that caused the redirect. */
  options: NeighborOption[];
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
