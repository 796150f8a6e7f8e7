/**
 * IPv4 options: a walk over the list for everybody, and the options as objects for tests, tracing and control.
 *
 * An option is one byte (end, no-operation) or `type, length, data` with the length counting all of it. The list ends with
 * the header or with an end option; a list is padded to a multiple of 4 with end options.
 *
 * Thread: any. Reached through `ipv4.ts`, which re-exports it.
 * Read first: RFC 791 3.1, RFC 2113 (router alert). Missing: security (RFC 1108) and the historic ones, kept as unknown.
 */

import { copyIn, copyOut, zero } from './bytes.ts';

/** Length of the header in front of the options. */
const HEADER_BYTES = 20;

/** Type of the option that ends the list; one byte (RFC 791 3.1). */
export const OPTION_END = 0;
/** Type of the no-operation, which aligns what follows; one byte. */
export const OPTION_NOP = 1;
/** Type of the record route option: routers write their addresses into it. */
export const OPTION_RECORD_ROUTE = 7;
/** Type of the timestamp option: routers write the time into it, in ms since midnight UT. */
export const OPTION_TIMESTAMP = 68;
/** Type of the loose source route: the packet goes by way of the addresses given. */
export const OPTION_LOOSE_ROUTE = 131;
/** Type of the strict source route: the packet crosses the routers given and no others. */
export const OPTION_STRICT_ROUTE = 137;
/** Type of the router alert: routers look at the packet though it is not to them (RFC 2113). */
export const OPTION_ROUTER_ALERT = 148;
/** Copied flag of an option's type: fragments after the first carry the option too. */
export const OPTION_COPIED = 0x80;

/** Flag of the timestamp option: entries are times only. */
export const TIMESTAMP_ONLY = 0;
/** Flag of the timestamp option: each router writes its address in front of the time. */
export const TIMESTAMP_ADDRESS = 1;
/** Flag of the timestamp option: the sender gave the addresses, their owners write the times. */
export const TIMESTAMP_PRESPECIFIED = 3;

/**
 * Length of the option at `at`, which is before `end`, the end of the header. Returns 0 for the end option and -1 when the
 * option's length is impossible. Allocates nothing.
 */
export function optionBytes(view: DataView, at: number, end: number): number {
  const type = view.getUint8(at);
  if (type === OPTION_END) return 0;
  if (type === OPTION_NOP) return 1;
  if (at + 1 >= end) return -1;
  const length = view.getUint8(at + 1);
  return length < 2 || at + length > end ? -1 : length;
}

/** A recorded route or a source route (RFC 791 3.1). */
export interface RouteOption {
  /** Types 7, 131 and 137. */
  kind: 'record-route' | 'loose-route' | 'strict-route';
  /** Byte that comes next, counted from 1 at the option's type: 4 is the first address. */
  pointer: number;
  /** Addresses, int32: visited ones in front of the pointer, behind it free places or those still to visit. */
  route: number[];
}

/** Times of the routers on the way (RFC 791 3.1). */
export interface TimestampOption {
  /** Type 68. */
  kind: 'timestamp';
  /** Byte that comes next, counted from 1 at the option's type: 5 is the first entry. */
  pointer: number;
  /** Number of routers that found no room, 0 to 15. */
  overflow: number;
  /** Contents of the entries: {@link TIMESTAMP_ONLY}, {@link TIMESTAMP_ADDRESS} or {@link TIMESTAMP_PRESPECIFIED}. */
  flag: number;
  /** Times in ms since midnight UT, uint32, each with an address (int32) unless the flag is {@link TIMESTAMP_ONLY}. */
  entries: { address?: number; time: number }[];
}

/** An option of no other kind, or malformed: kept byte by byte. */
export interface UnknownOption {
  /** Any other type, or a known one that is malformed. */
  kind: 'unknown';
  /** Type of the option: copied flag, class and number. */
  type: number;
  /** Everything behind type and length. */
  data: Uint8Array;
}

/** One option of a header. The value of a router alert is 0: "examine the packet" (RFC 2113 2.1). */
export type Ipv4Option =
  | { kind: 'nop' }
  | RouteOption
  | TimestampOption
  | { kind: 'router-alert'; value: number }
  | UnknownOption;

const ROUTE_KINDS: Readonly<Record<number, RouteOption['kind']>> = {
  [OPTION_RECORD_ROUTE]: 'record-route',
  [OPTION_LOOSE_ROUTE]: 'loose-route',
  [OPTION_STRICT_ROUTE]: 'strict-route',
};

const ROUTE_TYPES: Readonly<Record<RouteOption['kind'], number>> = {
  'record-route': OPTION_RECORD_ROUTE,
  'loose-route': OPTION_LOOSE_ROUTE,
  'strict-route': OPTION_STRICT_ROUTE,
};

/** The options from `at` to `end`, or null when one has an impossible length. */
export function parseOptions(view: DataView, at: number, end: number): Ipv4Option[] | null {
  const options: Ipv4Option[] = [];
  while (at < end) {
    const length = optionBytes(view, at, end);
    if (length < 0) return null;
    if (length === 0) break;
    options.push(length === 1 ? { kind: 'nop' } : parseOption(view, at, length));
    at += length;
  }
  return options;
}

function parseOption(view: DataView, at: number, length: number): Ipv4Option {
  const type = view.getUint8(at);
  const routeKind = ROUTE_KINDS[type];
  if (routeKind !== undefined && length >= 3 && (length - 3) % 4 === 0) {
    const route: number[] = [];
    for (let i = at + 3; i < at + length; i += 4) route.push(view.getInt32(i));
    return { kind: routeKind, pointer: view.getUint8(at + 2), route };
  }
  if (type === OPTION_TIMESTAMP && length >= 4) {
    const timestamp = parseTimestamp(view, at, length);
    if (timestamp !== null) return timestamp;
  }
  if (type === OPTION_ROUTER_ALERT && length === 4) return { kind: 'router-alert', value: view.getUint16(at + 2) };
  return { kind: 'unknown', type, data: copyOut(view, at + 2, length - 2) };
}

function parseTimestamp(view: DataView, at: number, length: number): TimestampOption | null {
  const word = view.getUint8(at + 3);
  const flag = word & 15;
  const entryBytes = flag === TIMESTAMP_ONLY ? 4 : 8;
  if ((length - 4) % entryBytes !== 0) return null;
  const entries: TimestampOption['entries'] = [];
  for (let i = at + 4; i < at + length; i += entryBytes) {
    if (flag === TIMESTAMP_ONLY) entries.push({ time: view.getUint32(i) });
    else entries.push({ address: view.getInt32(i), time: view.getUint32(i + 4) });
  }
  return { kind: 'timestamp', pointer: view.getUint8(at + 2), overflow: word >> 4, flag, entries };
}

function lengthOfOption(option: Ipv4Option): number {
  switch (option.kind) {
    case 'nop':
      return 1;
    case 'router-alert':
      return 4;
    case 'timestamp':
      return 4 + option.entries.length * (option.flag === TIMESTAMP_ONLY ? 4 : 8);
    case 'unknown':
      return 2 + option.data.length;
    default:
      return 3 + 4 * option.route.length;
  }
}

/** Bytes that {@link emitOptions} writes: a multiple of 4. */
export function optionsLength(options: readonly Ipv4Option[]): number {
  let bytes = 0;
  for (const option of options) bytes += lengthOfOption(option);
  return (bytes + 3) & ~3;
}

/** Write the list and pad it with end options; returns its length. */
export function emitOptions(options: readonly Ipv4Option[], view: DataView, at: number): number {
  const bytes = optionsLength(options);
  const end = at + bytes;
  for (const option of options) at += emitOption(option, view, at);
  zero(view, at, end - at);
  return bytes;
}

function emitOption(option: Ipv4Option, view: DataView, at: number): number {
  const length = lengthOfOption(option);
  if (option.kind === 'nop') {
    view.setUint8(at, OPTION_NOP);
    return 1;
  }
  view.setUint8(at + 1, length);
  switch (option.kind) {
    case 'router-alert':
      view.setUint8(at, OPTION_ROUTER_ALERT);
      view.setUint16(at + 2, option.value);
      break;
    case 'timestamp':
      emitTimestamp(option, view, at);
      break;
    case 'unknown':
      view.setUint8(at, option.type);
      copyIn(option.data, view, at + 2);
      break;
    default:
      view.setUint8(at, ROUTE_TYPES[option.kind]);
      view.setUint8(at + 2, option.pointer);
      option.route.forEach((address, index) => {
        view.setInt32(at + 3 + 4 * index, address);
      });
  }
  return length;
}

function emitTimestamp(option: TimestampOption, view: DataView, at: number): void {
  view.setUint8(at, OPTION_TIMESTAMP);
  view.setUint8(at + 2, option.pointer);
  view.setUint8(at + 3, (option.overflow << 4) | option.flag);
  let i = at + 4;
  for (const entry of option.entries) {
    if (option.flag !== TIMESTAMP_ONLY) {
      view.setInt32(i, entry.address ?? 0);
      i += 4;
    }
    view.setUint32(i, entry.time);
    i += 4;
  }
}

/**
 * Keep only the options that fragments after the first carry (copied flag set), in place.
 * Returns how many bytes of options are left, a multiple of 4.
 */
export function copiedOptions(view: DataView, at: number, headerBytes: number): number {
  let kept = at + HEADER_BYTES;
  const end = at + headerBytes;
  for (let i = kept, length = 0; i < end; i += length) {
    length = optionBytes(view, i, end);
    if (length <= 0) break;
    if ((view.getUint8(i) & OPTION_COPIED) !== 0) kept = copyOption(view, i, length, kept);
  }
  return padOptions(view, at, kept);
}

/** Copy one option of `length` bytes to `to`. Returns where the next one goes. */
export function copyOption(view: DataView, at: number, length: number, to: number): number {
  for (let i = 0; i < length; i++) view.setUint8(to + i, view.getUint8(at + i));
  return to + length;
}

/** Pad the options that end at `end` with end options. Returns how many bytes of options there are, a multiple of 4. */
export function padOptions(view: DataView, headerAt: number, end: number): number {
  while (((end - headerAt) & 3) !== 0) view.setUint8(end++, OPTION_END);
  return end - headerAt - HEADER_BYTES;
}
