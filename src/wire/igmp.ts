/**
 * IGMP, all three versions: queries, membership reports, leave messages.
 *
 *      0      1              2          4       8
 *     +------+--------------+----------+-------+--------------------------------------------------------
 *     | type | max response | checksum | group | v3 query: flags, interval, source count, sources
 *     +------+--------------+----------+-------+--------------------------------------------------------
 *     | 0x22 | 0            | checksum | 0  n  | v3 report: n records of type, aux words, source count, group, sources
 *     +------+--------------+----------+-------+--------------------------------------------------------
 *
 * Thread: any; pure functions over `(view, at)`, `at` being where the message begins.
 * Read first: RFC 1112 appendix I, RFC 2236, RFC 3376 section 4. Missing: DVMRP and PIM, which share the protocol number.
 *
 * @module
 */

import { checksumOf, sumView } from '../base/checksum.ts';

/** Length of a message of version 1 or 2, and of a version 3 report without records (RFC 2236 2, RFC 3376 4.2). */
export const HEADER_BYTES = 8;
/** Length of a query of version 3 without sources, of 4 bytes each (RFC 3376 4.1). */
export const QUERY_V3_BYTES = 12;
/** Length of a record without sources and auxiliary data (RFC 3376 4.2.4). */
export const RECORD_HEADER_BYTES = 8;

/** Membership query of a multicast router, all versions; {@link queryVersion} tells them apart (RFC 3376 4.1). */
export const TYPE_QUERY = 0x11;
/** Membership report of version 1 (RFC 1112 appendix I). */
export const TYPE_REPORT_V1 = 0x12;
/** Membership report of version 2 (RFC 2236 2.1). */
export const TYPE_REPORT_V2 = 0x16;
/** Leave group message of version 2 (RFC 2236 2.1). */
export const TYPE_LEAVE = 0x17;
/** Membership report of version 3: records of groups and their sources (RFC 3376 4.2). */
export const TYPE_REPORT_V3 = 0x22;

/** Record of a report, MODE_IS_INCLUDE: the interface takes the sources listed only (RFC 3376 4.2.12). */
export const RECORD_IS_INCLUDE = 1;
/** MODE_IS_EXCLUDE: the interface takes all sources but those listed. */
export const RECORD_IS_EXCLUDE = 2;
/** CHANGE_TO_INCLUDE_MODE: the interface has changed to the sources listed only; none: it left the group. */
export const RECORD_TO_INCLUDE = 3;
/** CHANGE_TO_EXCLUDE_MODE: the interface has changed to all sources but those listed; none: it joined the group. */
export const RECORD_TO_EXCLUDE = 4;
/** ALLOW_NEW_SOURCES: the interface takes the sources listed as well. */
export const RECORD_ALLOW = 5;
/** BLOCK_OLD_SOURCES: the interface does not take the sources listed any more. */
export const RECORD_BLOCK = 6;

/** Names of what {@link check} returns. */
export const CHECK_REASONS: readonly string[] = [
  '',
  'igmp-short',
  'igmp-bad-checksum',
  'igmp-bad-type',
  'igmp-bad-length',
];

/**
 * 0 when the accessors that belong to the message's type may be used on the `lengthBytes` bytes at `at`, else an index of
 * {@link CHECK_REASONS}. Bytes behind the fields are ignored, but count for the checksum (RFC 3376 4.1.10).
 */
export function check(view: DataView, at: number, lengthBytes: number): number {
  if (lengthBytes < HEADER_BYTES) return 1;
  if (sumView(view, at, lengthBytes) !== 0xffff) return 2;
  switch (view.getUint8(at)) {
    case TYPE_QUERY:
      return checkQuery(view, at, lengthBytes);
    case TYPE_REPORT_V1:
    case TYPE_REPORT_V2:
    case TYPE_LEAVE:
      return 0;
    case TYPE_REPORT_V3:
      return checkRecords(view, at, lengthBytes);
    default:
      return 3;
  }
}

/** RFC 3376 7.1: 8 bytes are version 1 or 2, 12 and more version 3, others are dropped. */
function checkQuery(view: DataView, at: number, lengthBytes: number): number {
  if (lengthBytes === HEADER_BYTES) return 0;
  if (lengthBytes < QUERY_V3_BYTES) return 4;
  return QUERY_V3_BYTES + 4 * view.getUint16(at + 10) > lengthBytes ? 4 : 0;
}

function checkRecords(view: DataView, at: number, lengthBytes: number): number {
  const end = at + lengthBytes;
  let record = at + HEADER_BYTES;
  for (let left = view.getUint16(at + 6); left > 0; left--) {
    if (record + RECORD_HEADER_BYTES > end) return 4;
    record += recordBytes(view, record);
    if (record > end) return 4;
  }
  return 0;
}

/** Type of the message: `TYPE_*` once {@link check} has passed. */
export function type(view: DataView, at: number): number {
  return view.getUint8(at);
}

/** Max Resp Code of a query, as it stands; {@link decodeTime} gives tenths of a second. */
export function maxResponseCode(view: DataView, at: number): number {
  return view.getUint8(at + 1);
}

/** Checksum over the whole message as it stands. */
export function checksum(view: DataView, at: number): number {
  return view.getUint16(at + 2);
}

/** Group of a query (0: general), a version 1 or 2 report, a leave message. */
export function group(view: DataView, at: number): number {
  return view.getInt32(at + 4);
}

/** 1, 2 or 3: which version a query of that many bytes belongs to (RFC 3376 7.1). */
export function queryVersion(view: DataView, at: number, lengthBytes: number): number {
  if (lengthBytes >= QUERY_V3_BYTES) return 3;
  return view.getUint8(at + 1) === 0 ? 1 : 2;
}

/** Number of sources of a version 3 query. */
export function sourceCount(view: DataView, at: number): number {
  return view.getUint16(at + 10);
}

/** A time code of version 3 (RFC 3376 4.1.1 and 4.1.7): linear below 128, above it with an exponent. */
export function decodeTime(code: number): number {
  return code < 128 ? code : ((code & 15) | 16) << (((code >> 4) & 7) + 3);
}

/** Number of records of a version 3 report. */
export function recordCount(view: DataView, at: number): number {
  return view.getUint16(at + 6);
}

/** Length of the record at `at`, which is the first one at `HEADER_BYTES` of the message or follows another by this many bytes. */
export function recordBytes(view: DataView, at: number): number {
  return RECORD_HEADER_BYTES + 4 * view.getUint16(at + 2) + 4 * view.getUint8(at + 1);
}

/** Type of the record at `at`: `RECORD_*`. */
export function recordType(view: DataView, at: number): number {
  return view.getUint8(at);
}

/** Group of the record at `at`, int32. */
export function recordGroup(view: DataView, at: number): number {
  return view.getInt32(at + 4);
}

/** Number of sources of the record at `at`. */
export function recordSourceCount(view: DataView, at: number): number {
  return view.getUint16(at + 2);
}

/** Source `index` of the record at `at`, counted from 0; int32. */
export function recordSource(view: DataView, at: number, index: number): number {
  return view.getInt32(at + RECORD_HEADER_BYTES + 4 * index);
}

/** Compute and write the checksum of a message of `lengthBytes` whose other fields are complete. */
export function fillChecksum(view: DataView, at: number, lengthBytes: number): void {
  view.setUint16(at + 2, 0);
  view.setUint16(at + 2, checksumOf(sumView(view, at, lengthBytes)));
}

/** Membership query of version 1 (`maxResponseCode` 0) or 2 (RFC 2236 2). */
export interface QueryRepr {
  /** Type 0x11 with 8 bytes. */
  kind: 'query';
  /** Greatest delay of a report in tenths of a second; 0 in version 1, where it is 10 s. */
  maxResponseCode: number;
  /** Group asked about, int32; 0 in a general query. */
  group: number;
}

/** Membership query of version 3 (RFC 3376 4.1). */
export interface QueryV3Repr {
  /** Type 0x11 with 12 bytes or more. */
  kind: 'query-v3';
  /** Max Resp Code; {@link decodeTime} gives the greatest delay of a report in tenths of a second. */
  maxResponseCode: number;
  /** Group asked about, int32; 0 in a general query. */
  group: number;
  /** S: routers that hear the query leave their timers alone. */
  suppress: boolean;
  /** QRV, 0 to 7: how often hosts and routers send what might be lost; 0: more than 7. */
  robustness: number;
  /** QQIC: {@link decodeTime} gives the seconds between general queries. */
  intervalCode: number;
  /** Sources asked about, int32; empty unless the query is about a group and its sources. */
  sources: number[];
}

/** Membership report of version 1 or 2, or a leave message (RFC 2236 2). */
export interface MembershipRepr {
  /** Types 0x12, 0x16 and 0x17. */
  kind: 'report-v1' | 'report-v2' | 'leave';
  /** Group reported or left, int32. */
  group: number;
}

/** Membership report of version 3 (RFC 3376 4.2). */
export interface ReportV3Repr {
  /** Type 0x22. */
  kind: 'report-v3';
  /** State or change of each group: a type `RECORD_*`, the group (int32) and its sources (int32). */
  records: { type: number; group: number; sources: number[] }[];
}

/** A message as an object, told apart by `kind`: for tests, tracing and control. */
export type Repr = QueryRepr | QueryV3Repr | MembershipRepr | ReportV3Repr;

const MEMBERSHIP_TYPES: Readonly<Record<MembershipRepr['kind'], number>> = {
  'report-v1': TYPE_REPORT_V1,
  'report-v2': TYPE_REPORT_V2,
  leave: TYPE_LEAVE,
};

/** The message, or null when {@link check} finds a fault. Auxiliary data is left out, as RFC 3376 4.2.6 has it. */
export function parse(view: DataView, at: number, lengthBytes: number): Repr | null {
  if (check(view, at, lengthBytes) !== 0) return null;
  switch (type(view, at)) {
    case TYPE_QUERY:
      return parseQuery(view, at, lengthBytes);
    case TYPE_REPORT_V1:
      return { kind: 'report-v1', group: group(view, at) };
    case TYPE_REPORT_V2:
      return { kind: 'report-v2', group: group(view, at) };
    case TYPE_LEAVE:
      return { kind: 'leave', group: group(view, at) };
    default:
      return parseReport(view, at);
  }
}

function parseQuery(view: DataView, at: number, lengthBytes: number): Repr {
  const base = { maxResponseCode: maxResponseCode(view, at), group: group(view, at) };
  if (lengthBytes < QUERY_V3_BYTES) return { kind: 'query', ...base };
  const flags = view.getUint8(at + 8);
  return {
    kind: 'query-v3',
    ...base,
    suppress: (flags & 8) !== 0,
    robustness: flags & 7,
    intervalCode: view.getUint8(at + 9),
    sources: parseSources(view, at + QUERY_V3_BYTES, view.getUint16(at + 10)),
  };
}

function parseReport(view: DataView, at: number): ReportV3Repr {
  const records: ReportV3Repr['records'] = [];
  let record = at + HEADER_BYTES;
  for (let left = recordCount(view, at); left > 0; left--) {
    const sources = parseSources(view, record + RECORD_HEADER_BYTES, recordSourceCount(view, record));
    records.push({ type: recordType(view, record), group: recordGroup(view, record), sources });
    record += recordBytes(view, record);
  }
  return { kind: 'report-v3', records };
}

function parseSources(view: DataView, at: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => view.getInt32(at + 4 * index));
}

/** Bytes that {@link emit} writes. */
export function lengthOf(repr: Repr): number {
  switch (repr.kind) {
    case 'query-v3':
      return QUERY_V3_BYTES + 4 * repr.sources.length;
    case 'report-v3': {
      let bytes = HEADER_BYTES;
      for (const record of repr.records) bytes += RECORD_HEADER_BYTES + 4 * record.sources.length;
      return bytes;
    }
    default:
      return HEADER_BYTES;
  }
}

/** Write the message with its checksum; returns its length. */
export function emit(repr: Repr, view: DataView, at: number): number {
  const bytes = lengthOf(repr);
  if (repr.kind === 'report-v3') emitReport(repr, view, at);
  else if (repr.kind === 'query' || repr.kind === 'query-v3') emitQuery(repr, view, at);
  else {
    view.setUint16(at, MEMBERSHIP_TYPES[repr.kind] << 8);
    view.setInt32(at + 4, repr.group);
  }
  fillChecksum(view, at, bytes);
  return bytes;
}

function emitQuery(repr: QueryRepr | QueryV3Repr, view: DataView, at: number): void {
  view.setUint8(at, TYPE_QUERY);
  view.setUint8(at + 1, repr.maxResponseCode);
  view.setInt32(at + 4, repr.group);
  if (repr.kind === 'query') return;
  view.setUint8(at + 8, (repr.suppress ? 8 : 0) | repr.robustness);
  view.setUint8(at + 9, repr.intervalCode);
  view.setUint16(at + 10, repr.sources.length);
  emitSources(repr.sources, view, at + QUERY_V3_BYTES);
}

function emitReport(repr: ReportV3Repr, view: DataView, at: number): void {
  view.setUint16(at, TYPE_REPORT_V3 << 8);
  view.setUint16(at + 4, 0);
  view.setUint16(at + 6, repr.records.length);
  let record = at + HEADER_BYTES;
  for (const { type, group, sources } of repr.records) {
    view.setUint16(record, type << 8);
    view.setUint16(record + 2, sources.length);
    view.setInt32(record + 4, group);
    emitSources(sources, view, record + RECORD_HEADER_BYTES);
    record += RECORD_HEADER_BYTES + 4 * sources.length;
  }
}

function emitSources(sources: readonly number[], view: DataView, at: number): void {
  sources.forEach((source, index) => {
    view.setInt32(at + 4 * index, source);
  });
}
