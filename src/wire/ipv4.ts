/**
 * IPv4 headers.
 *
 *      0              1       2              4              6                8     9          10         12    16    20
 *     +--------------+-------+--------------+--------------+----------------+-----+----------+----------+-----+-----+-----
 *     | version, ihl | tos   | total length | identification| flags, offset | ttl | protocol | checksum | src | dst | options
 *     +--------------+-------+--------------+--------------+----------------+-----+----------+----------+-----+-----+-----
 *
 * Thread: any; pure functions over `(view, at)`, `at` being where the packet begins. Addresses are int32.
 * Read first: RFC 791, RFC 1122 3.2.1; options are in ipv4-options.ts. Missing: nothing of the header; security options are
 * kept as unknown ones.
 *
 * @module
 */

import { assert } from '../base/assert.ts';
import { checksumOf, sumView, updateChecksum } from '../base/checksum.ts';
import { copyIn, copyOut } from './bytes.ts';
import { emitOptions, type Ipv4Option, optionsLength, parseOptions } from './ipv4-options.ts';

export * from './ipv4-options.ts';

/** Length of a header without options (RFC 791 3.1). */
export const HEADER_BYTES = 20;
/** Length of the longest header: the field counts 15 words of 4 bytes. */
export const HEADER_BYTES_MAX = 60;
/** Greatest length of a packet, header included: the field has 16 bits. */
export const TOTAL_LENGTH_MAX = 65535;
/** Every link carries packets this long whole (RFC 791 3.2). */
export const MTU_BYTES_MIN = 68;
/** Every host takes datagrams this long, whole or in fragments (RFC 1122 3.3.2). */
export const REASSEMBLED_BYTES_MIN = 576;

/** Protocol number of ICMP (RFC 792). */
export const PROTOCOL_ICMP = 1;
/** Protocol number of IGMP (RFC 3376). */
export const PROTOCOL_IGMP = 2;
/** Protocol number of IPv4 in IPv4, and of IPv4 in IPv6 (RFC 2003 3.1, RFC 2473 3). */
export const PROTOCOL_IPV4 = 4;
/** Protocol number of TCP (RFC 9293). */
export const PROTOCOL_TCP = 6;
/** Protocol number of UDP (RFC 768). */
export const PROTOCOL_UDP = 17;
/** Protocol number of IPv6 in IPv4 (RFC 4213 3). */
export const PROTOCOL_IPV6 = 41;

/** DF in the {@link fragmentField}: routers drop the packet rather than fragment it. */
export const FLAG_DONT_FRAGMENT = 0x4000;
/** MF in the {@link fragmentField}: this is not the last fragment. */
export const FLAG_MORE_FRAGMENTS = 0x2000;
/** Offset in the {@link fragmentField}, in units of 8 bytes. */
export const FRAGMENT_OFFSET_MASK = 0x1fff;

/** 0.0.0.0: no address yet, or any local one (RFC 1122 3.2.1.3). */
export const ADDRESS_ANY = 0;
/** 255.255.255.255: all hosts of the link; never forwarded (RFC 1122 3.2.1.3). */
export const ADDRESS_BROADCAST = -1;
/** 127.0.0.1, int32. */
export const ADDRESS_LOOPBACK = 0x7f000001;
/** 224.0.0.1: all hosts of the link, routers included (RFC 1112 4); int32. */
export const ADDRESS_ALL_HOSTS: number = 0xe0000001 | 0;
/** 224.0.0.2: all routers of the link (RFC 1256); int32. */
export const ADDRESS_ALL_ROUTERS: number = 0xe0000002 | 0;

/** Names of what {@link check} returns. */
export const CHECK_REASONS: readonly string[] = [
  '',
  'ip-short',
  'ip-bad-version',
  'ip-bad-header-length',
  'ip-bad-checksum',
  'ip-bad-length',
  'ip-truncated',
  'ip-bad-fragment',
];

/**
 * 0 when the accessors may be used and `headerBytes` and `totalLength` lie within the `lengthBytes` bytes at `at`, else an
 * index of {@link CHECK_REASONS}. Bytes behind `totalLength` are padding of the link. Options and addresses are not judged.
 */
export function check(view: DataView, at: number, lengthBytes: number): number {
  if (lengthBytes < HEADER_BYTES) return 1;
  const first = view.getUint8(at);
  if (first >> 4 !== 4) return 2;
  const header = (first & 15) << 2;
  if (header < HEADER_BYTES || header > lengthBytes) return 3;
  if (sumView(view, at, header) !== 0xffff) return 4;
  const total = view.getUint16(at + 2);
  if (total < header) return 5;
  if (total > lengthBytes) return 6;
  return checkFragment(view.getUint16(at + 6), total - header);
}

/** A fragment must not reach beyond 65535 bytes, and all but the last hold a multiple of 8 (RFC 791 3.2). */
function checkFragment(field: number, payloadBytes: number): number {
  if ((field & (FLAG_MORE_FRAGMENTS | FRAGMENT_OFFSET_MASK)) === 0) return 0;
  if (((field & FRAGMENT_OFFSET_MASK) << 3) + payloadBytes > TOTAL_LENGTH_MAX - HEADER_BYTES) return 7;
  return (field & FLAG_MORE_FRAGMENTS) !== 0 && ((payloadBytes & 7) !== 0 || payloadBytes === 0) ? 7 : 0;
}

/** Version of the IP header: 4 once {@link check} has passed. */
export function version(view: DataView, at: number): number {
  return view.getUint8(at) >> 4;
}

/** Length of header and options in bytes, a multiple of 4: the IHL field times 4. */
export function headerBytes(view: DataView, at: number): number {
  return (view.getUint8(at) & 15) << 2;
}

/** Type of service: 6 bits of differentiated services (RFC 2474 3), 2 of congestion notification (RFC 3168 5). */
export function tos(view: DataView, at: number): number {
  return view.getUint8(at + 1);
}

/** Header and payload, bytes. */
export function totalLength(view: DataView, at: number): number {
  return view.getUint16(at + 2);
}

/** Bytes behind the header, padding of the link left out. */
export function payloadBytes(view: DataView, at: number): number {
  return totalLength(view, at) - headerBytes(view, at);
}

/** Identification: the same in all fragments of one packet, with its addresses and protocol (RFC 6864). */
export function identification(view: DataView, at: number): number {
  return view.getUint16(at + 4);
}

/** Flags and fragment offset as they stand in the header. */
export function fragmentField(view: DataView, at: number): number {
  return view.getUint16(at + 6);
}

/** Whether routers must drop the packet rather than fragment it. */
export function dontFragment(view: DataView, at: number): boolean {
  return (view.getUint8(at + 6) & 0x40) !== 0;
}

/** Whether a fragment follows with a greater offset. */
export function moreFragments(view: DataView, at: number): boolean {
  return (view.getUint8(at + 6) & 0x20) !== 0;
}

/** Place of the payload in the unfragmented packet's, in bytes: the field times 8. */
export function fragmentOffsetBytes(view: DataView, at: number): number {
  return (view.getUint16(at + 6) & FRAGMENT_OFFSET_MASK) << 3;
}

/** Whether the packet is one fragment of several. */
export function isFragment(view: DataView, at: number): boolean {
  return (view.getUint16(at + 6) & (FLAG_MORE_FRAGMENTS | FRAGMENT_OFFSET_MASK)) !== 0;
}

/** Time to live: how many more routers the packet may cross. */
export function ttl(view: DataView, at: number): number {
  return view.getUint8(at + 8);
}

/** Protocol of the payload: `PROTOCOL_*`, or any number of IANA's registry. */
export function protocol(view: DataView, at: number): number {
  return view.getUint8(at + 9);
}

/** Checksum of the header, options included, as it stands. */
export function headerChecksum(view: DataView, at: number): number {
  return view.getUint16(at + 10);
}

/** Source address, int32. */
export function src(view: DataView, at: number): number {
  return view.getInt32(at + 12);
}

/** Destination address, int32. */
export function dst(view: DataView, at: number): number {
  return view.getInt32(at + 16);
}

/** Version 4 and the header's length, a multiple of 4. */
export function setHeaderBytes(view: DataView, at: number, headerBytes: number): void {
  view.setUint8(at, 0x40 | (headerBytes >> 2));
}

/** Write the byte of differentiated services and congestion notification; the checksum is not corrected. */
export function setTos(view: DataView, at: number, tos: number): void {
  view.setUint8(at + 1, tos);
}

/** Write the length of header and payload, in bytes. */
export function setTotalLength(view: DataView, at: number, lengthBytes: number): void {
  view.setUint16(at + 2, lengthBytes);
}

/** Write the identification, 16 bits. */
export function setIdentification(view: DataView, at: number, identification: number): void {
  view.setUint16(at + 4, identification);
}

/** Write flags and offset: {@link FLAG_DONT_FRAGMENT}, {@link FLAG_MORE_FRAGMENTS} and the offset in units of 8 bytes. */
export function setFragmentField(view: DataView, at: number, field: number): void {
  view.setUint16(at + 6, field);
}

/** Write the time to live; {@link decrementTtl} keeps the checksum right as well. */
export function setTtl(view: DataView, at: number, ttl: number): void {
  view.setUint8(at + 8, ttl);
}

/** Write the protocol of the payload. */
export function setProtocol(view: DataView, at: number, protocol: number): void {
  view.setUint8(at + 9, protocol);
}

/** Write the checksum field; {@link fillHeaderChecksum} computes it. */
export function setHeaderChecksum(view: DataView, at: number, checksum: number): void {
  view.setUint16(at + 10, checksum);
}

/** Write the source address; the checksum is not corrected. */
export function setSrc(view: DataView, at: number, address: number): void {
  view.setInt32(at + 12, address);
}

/** Write the destination address; the checksum is not corrected. */
export function setDst(view: DataView, at: number, address: number): void {
  view.setInt32(at + 16, address);
}

/** Compute and write the checksum of a header whose other fields are complete. */
export function fillHeaderChecksum(view: DataView, at: number): void {
  setHeaderChecksum(view, at, 0);
  setHeaderChecksum(view, at, checksumOf(sumView(view, at, headerBytes(view, at))));
}

/** Take one off the TTL, which must not be 0, and keep the checksum right (RFC 1624). */
export function decrementTtl(view: DataView, at: number): void {
  const word = view.getUint16(at + 8);
  view.setUint16(at + 8, word - 0x100);
  setHeaderChecksum(view, at, updateChecksum(headerChecksum(view, at), word, word - 0x100));
}

/** 224.0.0.0/4. */
export function isMulticast(address: number): boolean {
  return address >>> 28 === 14;
}

/** 127.0.0.0/8. */
export function isLoopback(address: number): boolean {
  return address >>> 24 === 127;
}

/** An address that one host can have: not 0/8, not multicast, not class E. */
export function isUnicast(address: number): boolean {
  return address >>> 24 !== 0 && address >>> 28 < 0xe;
}

/** "10.0.0.11" → int32, or null when it is none. Octets are decimal; one with a leading zero is refused. */
export function parseAddress(text: string): number | null {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return null;
  let address = 0;
  for (let i = 1; i <= 4; i++) {
    const octet = match[i] as string;
    // To some parsers "010" is octal: a text with two readings is no address.
    if (Number(octet) > 255 || (octet.length > 1 && octet.startsWith('0'))) return null;
    address = (address << 8) | Number(octet);
  }
  return address;
}

/** int32 → "10.0.0.11". */
export function formatAddress(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}

/** A packet as an object: for tests, tracing and control. */
export interface Repr {
  /** Differentiated services and congestion notification, 8 bits. */
  tos: number;
  /** Identification, 16 bits. */
  identification: number;
  /** DF: routers drop the packet rather than fragment it. */
  dontFragment: boolean;
  /** MF: a fragment follows. */
  moreFragments: boolean;
  /** A multiple of 8. */
  fragmentOffsetBytes: number;
  /** Time to live, 0 to 255. */
  ttl: number;
  /** Protocol of the payload, e.g. {@link PROTOCOL_UDP}. */
  protocol: number;
  /** Source address, int32. */
  src: number;
  /** Destination address, int32. */
  dst: number;
  /** Options in their order, no-operations included; the padding is not among them. */
  options: Ipv4Option[];
  /** Everything behind the header; of a fragment its part. */
  payload: Uint8Array;
}

/** Null when {@link check} or the list of options finds a fault. The reserved flag is ignored, padding left out. */
export function parse(view: DataView, at: number, lengthBytes: number): Repr | null {
  if (check(view, at, lengthBytes) !== 0) return null;
  const header = headerBytes(view, at);
  const options = parseOptions(view, at + HEADER_BYTES, at + header);
  if (options === null) return null;
  return {
    tos: tos(view, at),
    identification: identification(view, at),
    dontFragment: dontFragment(view, at),
    moreFragments: moreFragments(view, at),
    fragmentOffsetBytes: fragmentOffsetBytes(view, at),
    ttl: ttl(view, at),
    protocol: protocol(view, at),
    src: src(view, at),
    dst: dst(view, at),
    options,
    payload: copyOut(view, at + header, totalLength(view, at) - header),
  };
}

/** Bytes that {@link emit} writes. */
export function lengthOf(repr: Repr): number {
  return HEADER_BYTES + optionsLength(repr.options) + repr.payload.length;
}

/**
 * Write the packet with its header checksum; returns its length. Options of more than 40 bytes and an offset that is no multiple
 * of 8 throw an Error.
 */
export function emit(repr: Repr, view: DataView, at: number): number {
  const header = HEADER_BYTES + optionsLength(repr.options);
  assert(header <= HEADER_BYTES_MAX, `IPv4 options take ${header - HEADER_BYTES} bytes, 40 fit`);
  assert((repr.fragmentOffsetBytes & 7) === 0, 'IPv4 fragment offset is a multiple of 8');
  const flags = (repr.dontFragment ? FLAG_DONT_FRAGMENT : 0) | (repr.moreFragments ? FLAG_MORE_FRAGMENTS : 0);
  setHeaderBytes(view, at, header);
  setTos(view, at, repr.tos);
  setTotalLength(view, at, header + repr.payload.length);
  setIdentification(view, at, repr.identification);
  setFragmentField(view, at, flags | (repr.fragmentOffsetBytes >> 3));
  setTtl(view, at, repr.ttl);
  setProtocol(view, at, repr.protocol);
  setSrc(view, at, repr.src);
  setDst(view, at, repr.dst);
  emitOptions(repr.options, view, at + HEADER_BYTES);
  fillHeaderChecksum(view, at);
  return header + copyIn(repr.payload, view, at + header);
}
