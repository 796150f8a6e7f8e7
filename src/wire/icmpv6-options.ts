/**
 * Options of neighbor discovery: `type, length in units of 8 bytes, data`.
 *
 * Thread: any. Reached through `icmpv6.ts`, which re-exports it.
 * Read first: RFC 4861 section 4.6, RFC 4191 (routes), RFC 8106 (RDNSS). Missing: secure neighbor discovery, kept as
 * unknown.
 */

import { copyIn, copyOut } from './bytes.ts';
import { type Address6, readAddress, writeAddress } from './ipv6-address.ts';

/** Type of the option with the link-layer address of the sender (RFC 4861 4.6.1). */
export const OPTION_SOURCE_LINK_ADDRESS = 1;
/** Type of the option with the link-layer address of the target (RFC 4861 4.6.1). */
export const OPTION_TARGET_LINK_ADDRESS = 2;
/** Type of the prefix information, in router advertisements (RFC 4861 4.6.2). */
export const OPTION_PREFIX = 3;
/** Type of the redirected header, which quotes the packet that caused a redirect (RFC 4861 4.6.3). */
export const OPTION_REDIRECTED = 4;
/** Type of the MTU of the link, in router advertisements (RFC 4861 4.6.4). */
export const OPTION_MTU = 5;
/** Type of the route information: the router leads to this prefix too (RFC 4191 2.3). */
export const OPTION_ROUTE = 24;
/** Type of the list of recursive DNS servers (RFC 8106 5.1). */
export const OPTION_RDNSS = 25;

/** L of the prefix information: addresses of the prefix are neighbors. */
export const PREFIX_FLAG_ON_LINK = 0x80;
/** A of the prefix information: hosts make addresses from the prefix (RFC 4862 5.5.3). */
export const PREFIX_FLAG_AUTONOMOUS = 0x40;

/** RFC 4191 2.2: two bits, high 1, medium 0, low 3 (that is, -1); 2 is reserved and taken for medium. */
const PREFERENCE_SHIFT = 3;
const PREFERENCE_MASK = 3;
const PREFERENCE_LOW_BITS = 3;
const PREFERENCE_RESERVED_BITS = 2;

/** The preference in a byte of flags: -1 low, 0 medium, 1 high. */
export function preferenceOf(flags: number): number {
  const bits = (flags >> PREFERENCE_SHIFT) & PREFERENCE_MASK;
  return bits === PREFERENCE_LOW_BITS ? -1 : bits & 1;
}

/** Its place in a byte of flags. */
export function preferenceBits(preference: number): number {
  return (preference & PREFERENCE_MASK) << PREFERENCE_SHIFT;
}

/** Length of a link-layer address option on Ethernet, its type and length included (RFC 2464 6). */
export const LINK_ADDRESS_BYTES = 8;
const MTU_OPTION_BYTES = 8;
const PREFIX_OPTION_BYTES = 32;
const ROUTE_MAX_BYTES = 24;

/** Length of the option at `at`, or -1 when it is 0 or reaches beyond `end`. Allocates nothing. */
export function neighborOptionBytes(view: DataView, at: number, end: number): number {
  if (at + 2 > end) return -1;
  const bytes = 8 * view.getUint8(at + 1);
  return bytes === 0 || at + bytes > end ? -1 : bytes;
}

/** Place of the first option of this type between `at` and `end`, -1 when there is none. Allocates nothing. */
export function findNeighborOption(view: DataView, at: number, end: number, type: number): number {
  while (at < end) {
    const bytes = neighborOptionBytes(view, at, end);
    if (bytes < 0) return -1;
    if (view.getUint8(at) === type) return at;
    at += bytes;
  }
  return -1;
}

/** First 16 bits of the Ethernet address in the link-layer address option at `at`. */
export function linkAddressHi(view: DataView, at: number): number {
  return view.getUint16(at + 2);
}

/** Last 32 bits of the Ethernet address in the link-layer address option at `at`. */
export function linkAddressLo(view: DataView, at: number): number {
  return view.getInt32(at + 4);
}

/** `unknown`: others, and known ones of a wrong length; `data` is all but type and length. */
export type NeighborOption =
  | { kind: 'source-link-address' | 'target-link-address'; hi: number; lo: number }
  | PrefixOption
  /** The part that was sent of the packet that caused a redirect. */
  | { kind: 'redirected'; packet: Uint8Array }
  | { kind: 'mtu'; mtuBytes: number }
  | RouteInformationOption
  | { kind: 'rdnss'; lifetimeSec: number; servers: Address6[] }
  | { kind: 'unknown'; type: number; data: Uint8Array };

/** Prefix information (RFC 4861 4.6.2). A lifetime of 0xffffffff means for ever. */
export interface PrefixOption {
  /** Type 3. */
  kind: 'prefix';
  /** Bits of the prefix, 0 to 128. */
  prefixLength: number;
  /** Whether addresses of the prefix are neighbors. */
  onLink: boolean;
  /** Whether hosts make addresses from the prefix. */
  autonomous: boolean;
  /** Valid Lifetime in seconds: of being on the link, and of addresses made from the prefix. */
  validSec: number;
  /** Preferred Lifetime in seconds: after it addresses are deprecated. */
  preferredSec: number;
  /** Address whose first `prefixLength` bits count. */
  prefix: Address6;
}

/** Route information (RFC 4191 2.3): the router leads there too. */
export interface RouteInformationOption {
  /** Type 24. */
  kind: 'route';
  /** Bits of the prefix, 0 to 128. */
  prefixLength: number;
  /** -1 low, 0 medium, 1 high. */
  preference: number;
  /** Route Lifetime in seconds; 0xffffffff: for ever. */
  lifetimeSec: number;
  /** Destination of the route; words that its length leaves out are 0. */
  prefix: Address6;
}

/** The options from `at` to `end`, all of which `check` found to be whole. */
export function parseNeighborOptions(view: DataView, at: number, end: number): NeighborOption[] {
  const options: NeighborOption[] = [];
  while (at < end) {
    const bytes = neighborOptionBytes(view, at, end);
    options.push(parseOption(view, at, bytes));
    at += bytes;
  }
  return options;
}

function parseOption(view: DataView, at: number, bytes: number): NeighborOption {
  const type = view.getUint8(at);
  switch (type) {
    case OPTION_SOURCE_LINK_ADDRESS:
    case OPTION_TARGET_LINK_ADDRESS: {
      if (bytes !== LINK_ADDRESS_BYTES) break;
      const kind = type === OPTION_SOURCE_LINK_ADDRESS ? 'source-link-address' : 'target-link-address';
      return { kind, hi: linkAddressHi(view, at), lo: linkAddressLo(view, at) };
    }
    case OPTION_PREFIX:
      if (bytes !== PREFIX_OPTION_BYTES) break;
      return parsePrefix(view, at);
    case OPTION_REDIRECTED:
      return { kind: 'redirected', packet: copyOut(view, at + 8, bytes - 8) };
    case OPTION_MTU:
      if (bytes !== MTU_OPTION_BYTES) break;
      return { kind: 'mtu', mtuBytes: view.getUint32(at + 4) };
    case OPTION_ROUTE: {
      const route = parseRoute(view, at, bytes);
      if (route === null) break;
      return route;
    }
    case OPTION_RDNSS: {
      if (bytes % 16 !== 8 || bytes < 24) break;
      const servers: Address6[] = [];
      for (let i = at + 8; i < at + bytes; i += 16) servers.push(readAddress(view, i));
      return { kind: 'rdnss', lifetimeSec: view.getUint32(at + 4), servers };
    }
  }
  return { kind: 'unknown', type, data: copyOut(view, at + 2, bytes - 2) };
}

function parsePrefix(view: DataView, at: number): PrefixOption {
  const flags = view.getUint8(at + 3);
  return {
    kind: 'prefix',
    prefixLength: view.getUint8(at + 2),
    onLink: (flags & PREFIX_FLAG_ON_LINK) !== 0,
    autonomous: (flags & PREFIX_FLAG_AUTONOMOUS) !== 0,
    validSec: view.getUint32(at + 4),
    preferredSec: view.getUint32(at + 8),
    prefix: readAddress(view, at + 16),
  };
}

/** Null when it is too short for its prefix, or its preference is the reserved one, which RFC 4191 2.3 has ignored. */
function parseRoute(view: DataView, at: number, bytes: number): RouteInformationOption | null {
  const prefixLength = view.getUint8(at + 2);
  const flags = view.getUint8(at + 3);
  const reserved = ((flags >> PREFERENCE_SHIFT) & PREFERENCE_MASK) === PREFERENCE_RESERVED_BITS;
  if (reserved || prefixLength > 128 || bytes < routeBytes(prefixLength) || bytes > ROUTE_MAX_BYTES) return null;
  const words = [0, 0, 0, 0];
  for (let i = 0; 8 + 4 * i < routeBytes(prefixLength); i++) words[i] = view.getInt32(at + 8 + 4 * i);
  const prefix = words as unknown as Address6;
  return { kind: 'route', prefixLength, preference: preferenceOf(flags), lifetimeSec: view.getUint32(at + 4), prefix };
}

function routeBytes(prefixLength: number): number {
  return prefixLength === 0 ? 8 : prefixLength <= 64 ? 16 : ROUTE_MAX_BYTES;
}

function lengthOfOption(option: NeighborOption): number {
  switch (option.kind) {
    case 'source-link-address':
    case 'target-link-address':
      return LINK_ADDRESS_BYTES;
    case 'mtu':
      return MTU_OPTION_BYTES;
    case 'prefix':
      return PREFIX_OPTION_BYTES;
    case 'route':
      return routeBytes(option.prefixLength);
    case 'redirected':
      return (8 + option.packet.length + 7) & ~7;
    case 'rdnss':
      return 8 + 16 * option.servers.length;
    case 'unknown':
      return (2 + option.data.length + 7) & ~7;
  }
}

/** Bytes that {@link emitNeighborOptions} writes: each option a multiple of 8. */
export function neighborOptionsLength(options: readonly NeighborOption[]): number {
  let bytes = 0;
  for (const option of options) bytes += lengthOfOption(option);
  return bytes;
}

/** Write the options, each padded with zeros; returns their length. */
export function emitNeighborOptions(options: readonly NeighborOption[], view: DataView, at: number): number {
  const start = at;
  for (const option of options) {
    const bytes = lengthOfOption(option);
    for (let i = 0; i < bytes; i++) view.setUint8(at + i, 0);
    view.setUint8(at + 1, bytes / 8);
    emitOption(option, view, at);
    at += bytes;
  }
  return at - start;
}

function emitOption(option: NeighborOption, view: DataView, at: number): void {
  switch (option.kind) {
    case 'source-link-address':
    case 'target-link-address':
      view.setUint8(
        at,
        option.kind === 'source-link-address' ? OPTION_SOURCE_LINK_ADDRESS : OPTION_TARGET_LINK_ADDRESS,
      );
      view.setUint16(at + 2, option.hi);
      view.setInt32(at + 4, option.lo);
      break;
    case 'prefix':
      emitPrefix(option, view, at);
      break;
    case 'redirected':
      view.setUint8(at, OPTION_REDIRECTED);
      copyIn(option.packet, view, at + 8);
      break;
    case 'mtu':
      view.setUint8(at, OPTION_MTU);
      view.setUint32(at + 4, option.mtuBytes);
      break;
    case 'route':
      view.setUint8(at, OPTION_ROUTE);
      view.setUint8(at + 2, option.prefixLength);
      view.setUint8(at + 3, preferenceBits(option.preference));
      view.setUint32(at + 4, option.lifetimeSec);
      for (let i = 0; 8 + 4 * i < routeBytes(option.prefixLength); i++) {
        view.setInt32(at + 8 + 4 * i, option.prefix[i] as number);
      }
      break;
    case 'rdnss':
      view.setUint8(at, OPTION_RDNSS);
      view.setUint32(at + 4, option.lifetimeSec);
      option.servers.forEach((server, index) => {
        writeAddress(server, view, at + 8 + 16 * index);
      });
      break;
    case 'unknown':
      view.setUint8(at, option.type);
      copyIn(option.data, view, at + 2);
  }
}

function emitPrefix(option: PrefixOption, view: DataView, at: number): void {
  view.setUint8(at, OPTION_PREFIX);
  view.setUint8(at + 2, option.prefixLength);
  const onLink = option.onLink ? PREFIX_FLAG_ON_LINK : 0;
  view.setUint8(at + 3, onLink | (option.autonomous ? PREFIX_FLAG_AUTONOMOUS : 0));
  view.setUint32(at + 4, option.validSec);
  view.setUint32(at + 8, option.preferredSec);
  writeAddress(option.prefix, view, at + 16);
}
