/**
 * IPv6 headers.
 *
 *      0                                  4                6             7           8      24            40
 *     +----------------------------------+----------------+-------------+-----------+------+-------------+-----------
 *     | version 4, class 8, label 20     | payload length | next header | hop limit | src  | destination | extensions
 *     +----------------------------------+----------------+-------------+-----------+------+-------------+-----------
 *
 * Thread: any; pure functions over `(view, at)`, `at` being where the packet begins. An address is four int32 words.
 * Read first: RFC 8200, RFC 4291; extension headers are in ipv6-extensions.ts, addresses in ipv6-address.ts. Missing:
 * jumbograms (RFC 2675: a payload length of 0 is 0).
 *
 * @module
 */

import { assert } from '../base/assert.ts';
import { foldSum, sumView } from '../base/checksum.ts';
import { copyIn, copyOut } from './bytes.ts';
import { type Address6, readAddress, writeAddress } from './ipv6-address.ts';
import { type Extension, emitExtensions, extensionsLength, HeaderWalk, parseExtensions } from './ipv6-extensions.ts';

export * from './ipv6-address.ts';
export * from './ipv6-extensions.ts';

/** Length of the header, extension headers not counted (RFC 8200 3). */
export const HEADER_BYTES = 40;
/** Greatest payload length, extension headers included: the field has 16 bits. */
export const PAYLOAD_BYTES_MAX = 65535;
/** Every link carries packets this long whole (RFC 8200 5). */
export const MTU_BYTES_MIN = 1280;

/** Offset of the source address in the header. */
export const SRC_OFFSET = 8;
/** Offset of the destination address in the header. */
export const DST_OFFSET = 24;

/** Names of what {@link check} returns. */
export const CHECK_REASONS: readonly string[] = ['', 'ip6-short', 'ip6-bad-version', 'ip6-truncated', 'ip6-bad-source'];

/**
 * 0 when the accessors may be used and `payloadBytes` lies within the `lengthBytes` bytes at `at`, else an index of
 * {@link CHECK_REASONS}. Bytes behind the payload are padding of the link. A multicast source is malformed (RFC 4291 2.7);
 * other addresses and the extension headers are not judged.
 */
export function check(view: DataView, at: number, lengthBytes: number): number {
  if (lengthBytes < HEADER_BYTES) return 1;
  if (view.getUint8(at) >> 4 !== 6) return 2;
  if (HEADER_BYTES + view.getUint16(at + 4) > lengthBytes) return 3;
  return view.getUint8(at + SRC_OFFSET) === 0xff ? 4 : 0;
}

/** Version of the IP header: 6 once {@link check} has passed. */
export function version(view: DataView, at: number): number {
  return view.getUint8(at) >> 4;
}

/** Differentiated services and congestion notification, as the TOS byte of IPv4. */
export function trafficClass(view: DataView, at: number): number {
  return (view.getUint16(at) >> 4) & 0xff;
}

/** 20 bits. */
export function flowLabel(view: DataView, at: number): number {
  return view.getUint32(at) & 0x000fffff;
}

/** Everything behind the 40 bytes of the header, extension headers included. */
export function payloadBytes(view: DataView, at: number): number {
  return view.getUint16(at + 4);
}

/** Protocol of the payload, or kind of the first extension header (RFC 8200 4). */
export function nextHeader(view: DataView, at: number): number {
  return view.getUint8(at + 6);
}

/** Number of routers that the packet may still cross. */
export function hopLimit(view: DataView, at: number): number {
  return view.getUint8(at + 7);
}

/** Word 0 to 3 of the source address, int32. */
export function srcWord(view: DataView, at: number, index: number): number {
  return view.getInt32(at + SRC_OFFSET + 4 * index);
}

/** Word 0 to 3 of the destination address, int32. */
export function dstWord(view: DataView, at: number, index: number): number {
  return view.getInt32(at + DST_OFFSET + 4 * index);
}

/** Source address as an array. Allocates: the data path reads {@link srcWord}. */
export function src(view: DataView, at: number): Address6 {
  return readAddress(view, at + SRC_OFFSET);
}

/** Destination address as an array. Allocates: the data path reads {@link dstWord}. */
export function dst(view: DataView, at: number): Address6 {
  return readAddress(view, at + DST_OFFSET);
}

/** Whether the 16 bytes at `at` and those at `other` are the same address. Allocates nothing. */
export function sameAddress(view: DataView, at: number, other: number): boolean {
  return (
    view.getInt32(at) === view.getInt32(other) &&
    view.getInt32(at + 4) === view.getInt32(other + 4) &&
    view.getInt32(at + 8) === view.getInt32(other + 8) &&
    view.getInt32(at + 12) === view.getInt32(other + 12)
  );
}

/** Version 6, class and flow label. */
export function setClassAndLabel(view: DataView, at: number, trafficClass: number, flowLabel: number): void {
  view.setInt32(at, (6 << 28) | (trafficClass << 20) | flowLabel);
}

/** Write the length of everything behind the header, in bytes. */
export function setPayloadBytes(view: DataView, at: number, lengthBytes: number): void {
  view.setUint16(at + 4, lengthBytes);
}

/** Write the protocol of the payload or the kind of the first extension header. */
export function setNextHeader(view: DataView, at: number, nextHeader: number): void {
  view.setUint8(at + 6, nextHeader);
}

/** Write the hop limit, 0 to 255. */
export function setHopLimit(view: DataView, at: number, hopLimit: number): void {
  view.setUint8(at + 7, hopLimit);
}

/** Write the source address. */
export function setSrc(view: DataView, at: number, address: Address6): void {
  writeAddress(address, view, at + SRC_OFFSET);
}

/** Write the destination address. */
export function setDst(view: DataView, at: number, address: Address6): void {
  writeAddress(address, view, at + DST_OFFSET);
}

/**
 * Pseudo-header sum of the packet at `at` (RFC 8200 8.1) for an upper-layer packet of `lengthBytes`. While a routing header
 * has segments left, the destination in the header is not the one to sum: the caller corrects that.
 */
export function pseudoSum(view: DataView, at: number, protocol: number, lengthBytes: number): number {
  return sumView(view, at + SRC_OFFSET, 32) + (lengthBytes >>> 16) + (lengthBytes & 0xffff) + protocol;
}

/**
 * Whether the checksum of the upper-layer packet of `lengthBytes` at `at` is right; `headerAt` is the IPv6 header with its
 * addresses. UDP without a checksum is wrong in IPv6 (RFC 8200 8.1) and has to be looked for before.
 */
export function verifyUpper(
  view: DataView,
  headerAt: number,
  at: number,
  protocol: number,
  lengthBytes: number,
): boolean {
  return foldSum(pseudoSum(view, headerAt, protocol, lengthBytes) + sumView(view, at, lengthBytes)) === 0xffff;
}

/** A packet as an object: for tests, tracing and control. */
export interface Repr {
  /** Differentiated services and congestion notification, 8 bits. */
  trafficClass: number;
  /** Flow label, 20 bits; 0: none (RFC 6437). */
  flowLabel: number;
  /** Hop limit, 0 to 255. */
  hopLimit: number;
  /** Source address. */
  src: Address6;
  /** Destination address. */
  dst: Address6;
  /** Extension headers in their order. */
  extensions: Extension[];
  /** Protocol of the payload: the next header of the last extension. */
  protocol: number;
  /** Everything behind the last extension header; of a fragment its part. */
  payload: Uint8Array;
}

/** Null when {@link check} or a chain of extension headers finds a fault. Padding of the link is left out. */
export function parse(view: DataView, at: number, lengthBytes: number): Repr | null {
  if (check(view, at, lengthBytes) !== 0) return null;
  const start = at + HEADER_BYTES;
  const end = start + payloadBytes(view, at);
  const walk = new HeaderWalk();
  if (walk.walk(view, start, end, nextHeader(view, at)) !== 0) return null;
  return {
    trafficClass: trafficClass(view, at),
    flowLabel: flowLabel(view, at),
    hopLimit: hopLimit(view, at),
    src: src(view, at),
    dst: dst(view, at),
    extensions: parseExtensions(view, start, walk.payloadAt, nextHeader(view, at)),
    protocol: walk.protocol,
    payload: copyOut(view, walk.payloadAt, end - walk.payloadAt),
  };
}

/** Bytes that {@link emit} writes. */
export function lengthOf(repr: Repr): number {
  return HEADER_BYTES + extensionsLength(repr.extensions) + repr.payload.length;
}

/** Write the packet; returns its length. A payload of more than 65535 bytes throws an Error. */
export function emit(repr: Repr, view: DataView, at: number): number {
  const { extensions, protocol, payload } = repr;
  const bytes = lengthOf(repr);
  assert(bytes - HEADER_BYTES <= PAYLOAD_BYTES_MAX, `IPv6 payload of ${bytes - HEADER_BYTES} bytes`);
  setClassAndLabel(view, at, repr.trafficClass, repr.flowLabel);
  setPayloadBytes(view, at, bytes - HEADER_BYTES);
  const start = at + HEADER_BYTES;
  setNextHeader(view, at, emitExtensions(extensions, protocol, view, start));
  setHopLimit(view, at, repr.hopLimit);
  setSrc(view, at, repr.src);
  setDst(view, at, repr.dst);
  copyIn(payload, view, start + extensionsLength(extensions));
  return bytes;
}
