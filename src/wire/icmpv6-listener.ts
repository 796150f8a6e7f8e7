/**
 * Multicast listener discovery: the fields of queries and of version 2 reports.
 *
 * A query of 24 bytes is of version 1, one of 28 and more of version 2. A version 2 report is a list of records
 * `type, aux words, source count, group, sources`.
 *
 * Thread: any; pure functions over `(view, at)`. Reached through `icmpv6.ts`, which re-exports it.
 * Read first: RFC 2710 section 3, RFC 3810 section 5.
 */

/** Listener discovery stays on its link (RFC 3810 section 5). */
export const LISTENER_HOP_LIMIT = 1;
/** Length of a query of version 1 (RFC 2710 3). */
export const QUERY_V1_BYTES = 24;
/** Length of a query of version 2 without sources, of 16 bytes each (RFC 3810 5.1). */
export const QUERY_V2_BYTES = 28;
/** Length of a record without sources and auxiliary data (RFC 3810 5.2). */
export const RECORD_HEADER_BYTES = 20;
const REPORT_HEADER_BYTES = 8;

/** Record of a report, MODE_IS_INCLUDE: the interface listens to the sources listed only (RFC 3810 5.2.12). */
export const RECORD_IS_INCLUDE = 1;
/** MODE_IS_EXCLUDE: the interface listens to all sources but those listed. */
export const RECORD_IS_EXCLUDE = 2;
/** CHANGE_TO_INCLUDE_MODE: the interface has changed to the sources listed only; none: it left the group. */
export const RECORD_TO_INCLUDE = 3;
/** CHANGE_TO_EXCLUDE_MODE: the interface has changed to all sources but those listed; none: it joined the group. */
export const RECORD_TO_EXCLUDE = 4;
/** ALLOW_NEW_SOURCES: the interface listens to the sources listed as well. */
export const RECORD_ALLOW = 5;
/** BLOCK_OLD_SOURCES: the interface does not listen to the sources listed any more. */
export const RECORD_BLOCK = 6;

/** RFC 3810 8.1: 24 bytes, or 28 and more with all sources there. */
export function checkListenerQuery(view: DataView, at: number, lengthBytes: number): boolean {
  if (lengthBytes === QUERY_V1_BYTES) return true;
  return lengthBytes >= QUERY_V2_BYTES && QUERY_V2_BYTES + 16 * view.getUint16(at + 26) <= lengthBytes;
}

/** Whether all records of a report are there. */
export function checkListenerRecords(view: DataView, at: number, lengthBytes: number): boolean {
  const end = at + lengthBytes;
  let record = at + REPORT_HEADER_BYTES;
  for (let left = listenerRecordCount(view, at); left > 0; left--) {
    if (record + RECORD_HEADER_BYTES > end) return false;
    record += listenerRecordBytes(view, record);
    if (record > end) return false;
  }
  return true;
}

/** Maximum Response Code of a query, as it stands; {@link decodeDelayMs} gives milliseconds. */
export function maxResponseCode(view: DataView, at: number): number {
  return view.getUint16(at + 4);
}

/** A response code of version 2 (RFC 3810 5.1.3): linear below 32768, above it with an exponent. */
export function decodeDelayMs(code: number): number {
  return code < 0x8000 ? code : ((code & 0xfff) | 0x1000) << (((code >> 12) & 7) + 3);
}

/** Number of records of a version 2 report. */
export function listenerRecordCount(view: DataView, at: number): number {
  return view.getUint16(at + 6);
}

/** Length of the record at `at`, which is the first one at 8 bytes of the message or follows another by this many bytes. */
export function listenerRecordBytes(view: DataView, at: number): number {
  return RECORD_HEADER_BYTES + 16 * view.getUint16(at + 2) + 4 * view.getUint8(at + 1);
}

/** Type of the record at `at`: `RECORD_*`. */
export function listenerRecordType(view: DataView, at: number): number {
  return view.getUint8(at);
}

/** Number of sources of the record at `at`. */
export function listenerRecordSourceCount(view: DataView, at: number): number {
  return view.getUint16(at + 2);
}

/** Word 0 to 3 of the record's group. */
export function listenerRecordGroupWord(view: DataView, at: number, word: number): number {
  return view.getInt32(at + 4 + 4 * word);
}

/** Word 0 to 3 of the record's source `index`. */
export function listenerRecordSourceWord(view: DataView, at: number, index: number, word: number): number {
  return view.getInt32(at + RECORD_HEADER_BYTES + 16 * index + 4 * word);
}
