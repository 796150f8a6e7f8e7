/**
 * Ethernet II frames: destination, source, type. The FCS is never in memory.
 *
 *      0                6                12       14
 *     +----------------+----------------+--------+---------
 *     | destination    | source         | type   | payload
 *     +----------------+----------------+--------+---------
 *
 * Thread: any; pure functions over `(view, at)`, `at` being where the frame begins. An address is two numbers: `hi` the
 * first 16 bits, `lo` the last 32 as int32.
 * Read first: RFC 894, IEEE 802.3 clause 3. Missing: LLC/SNAP (a type below `TYPE_MIN` is a length), tags (vlan.ts).
 *
 * @module
 */

import { copyIn, copyOut } from './bytes.ts';

/** Length of the header: two addresses of 6 bytes and the type. */
export const HEADER_BYTES = 14;
/** Shortest frame that a real Ethernet carries, without FCS; ours need no padding. */
export const FRAME_BYTES_MIN = 60;

/** EtherType of IPv4 packets (RFC 894). */
export const ETHERTYPE_IPV4 = 0x0800;
/** EtherType of ARP packets (RFC 826). */
export const ETHERTYPE_ARP = 0x0806;
/** Tag protocol identifier of a customer's tag (IEEE 802.1Q 9.6, C-TAG); vlan.ts reads what follows. */
export const ETHERTYPE_VLAN = 0x8100;
/** EtherType of IPv6 packets (RFC 2464 3). */
export const ETHERTYPE_IPV6 = 0x86dd;
/** Tag protocol identifier of a provider's tag (IEEE 802.1Q 9.6, S-TAG): the outer one of two. */
export const ETHERTYPE_QINQ = 0x88a8;
/** Below it the type field is the length of an 802.3 frame. */
export const TYPE_MIN = 0x0600;

/** First 16 bits of the broadcast address ff:ff:ff:ff:ff:ff. */
export const BROADCAST_HI = 0xffff;
/** Last 32 bits of the broadcast address, int32. */
export const BROADCAST_LO = -1;
/** Individual/group bit of the first octet (IEEE 802-2014 section 8.2.2), in `hi`: multicast and broadcast. */
export const GROUP_BIT = 0x0100;
/** Not given out by the IEEE: this bit of `hi`. */
export const LOCAL_BIT = 0x0200;

/** Names of what {@link check} returns. */
export const CHECK_REASONS: readonly string[] = ['', 'ether-short', 'ether-bad-source'];

/**
 * 0 when the accessors may be used on the `lengthBytes` bytes at `at`, else an index of {@link CHECK_REASONS}. A source
 * that is a group address is malformed (IEEE 802.3 3.2.5).
 */
export function check(view: DataView, at: number, lengthBytes: number): number {
  if (lengthBytes < HEADER_BYTES) return 1;
  return (view.getUint8(at + 6) & 1) !== 0 ? 2 : 0;
}

/** An Ethernet address as two numbers, which compare and copy without an allocation. */
export interface Mac {
  /** First 16 bits, 0 to 0xffff. */
  hi: number;
  /** Last 32 bits, int32. */
  lo: number;
}

/** First 16 bits of the destination address. */
export function dstHi(view: DataView, at: number): number {
  return view.getUint16(at);
}

/** Last 32 bits of the destination address, int32. */
export function dstLo(view: DataView, at: number): number {
  return view.getInt32(at + 2);
}

/** First 16 bits of the source address. */
export function srcHi(view: DataView, at: number): number {
  return view.getUint16(at + 6);
}

/** Last 32 bits of the source address, int32. */
export function srcLo(view: DataView, at: number): number {
  return view.getInt32(at + 8);
}

/** EtherType of the payload, or below {@link TYPE_MIN} the payload's length in bytes (IEEE 802.3 3.2.6). */
export function type(view: DataView, at: number): number {
  return view.getUint16(at + 12);
}

/** Write the destination address: `hi` its first 16 bits, `lo` its last 32. */
export function setDst(view: DataView, at: number, hi: number, lo: number): void {
  view.setUint16(at, hi);
  view.setInt32(at + 2, lo);
}

/** Write the source address: `hi` its first 16 bits, `lo` its last 32. */
export function setSrc(view: DataView, at: number, hi: number, lo: number): void {
  view.setUint16(at + 6, hi);
  view.setInt32(at + 8, lo);
}

/** Write the EtherType, or the payload's length of an 802.3 frame. */
export function setType(view: DataView, at: number, type: number): void {
  view.setUint16(at + 12, type);
}

/** Whether an address whose first 16 bits are `hi` names a group (multicast or broadcast). */
export function isGroup(hi: number): boolean {
  return (hi & GROUP_BIT) !== 0;
}

/** Whether the address is ff:ff:ff:ff:ff:ff. `lo` is int32: -1, not 0xffffffff. */
export function isBroadcast(hi: number, lo: number): boolean {
  return hi === BROADCAST_HI && lo === BROADCAST_LO;
}

/** First 16 bits of the group address of any IPv4 multicast address: 01:00:5e (RFC 1112 6.4). */
export const MULTICAST4_HI = 0x0100;

/** Last 32 bits of the group address of an IPv4 multicast address: 5e and its low 23 bits (RFC 1112 6.4). */
export function multicast4Lo(address: number): number {
  return 0x5e000000 | (address & 0x007fffff);
}

/** "02:6d:6b:00:00:0b" → numbers. Throws SyntaxError. */
export function parseMac(text: string): Mac {
  if (!/^[0-9a-f]{1,2}(:[0-9a-f]{1,2}){5}$/i.test(text)) throw new SyntaxError(`not an Ethernet address: '${text}'`);
  let hi = 0;
  let lo = 0;
  let index = 0;
  for (const part of text.split(':')) {
    const octet = Number.parseInt(part, 16);
    if (index++ < 2) hi = (hi << 8) | octet;
    else lo = (lo << 8) | octet;
  }
  return { hi, lo };
}

/** Numbers → "02:6d:6b:00:00:0b". */
export function formatMac(hi: number, lo: number): string {
  const digits = (hi & 0xffff).toString(16).padStart(4, '0') + (lo >>> 0).toString(16).padStart(8, '0');
  return digits.replace(/..(?=.)/g, '$&:');
}

/** A frame as an object: for tests, tracing and control. */
export interface Repr {
  /** First 16 bits of the destination address. */
  dstHi: number;
  /** Last 32 bits of the destination address, int32. */
  dstLo: number;
  /** First 16 bits of the source address. */
  srcHi: number;
  /** Last 32 bits of the source address, int32. */
  srcLo: number;
  /** EtherType, or the length of an 802.3 frame when below {@link TYPE_MIN}. */
  type: number;
  /** Everything after the header, padding included. */
  payload: Uint8Array;
}

/** The frame, its payload copied, or null when {@link check} finds a fault. */
export function parse(view: DataView, at: number, lengthBytes: number): Repr | null {
  if (check(view, at, lengthBytes) !== 0) return null;
  return {
    dstHi: dstHi(view, at),
    dstLo: dstLo(view, at),
    srcHi: srcHi(view, at),
    srcLo: srcLo(view, at),
    type: type(view, at),
    payload: copyOut(view, at + HEADER_BYTES, lengthBytes - HEADER_BYTES),
  };
}

/** Bytes that {@link emit} writes. */
export function lengthOf(repr: Repr): number {
  return HEADER_BYTES + repr.payload.length;
}

/** Write the frame; returns its length. Does not pad. */
export function emit(repr: Repr, view: DataView, at: number): number {
  setDst(view, at, repr.dstHi, repr.dstLo);
  setSrc(view, at, repr.srcHi, repr.srcLo);
  setType(view, at, repr.type);
  return HEADER_BYTES + copyIn(repr.payload, view, at + HEADER_BYTES);
}
