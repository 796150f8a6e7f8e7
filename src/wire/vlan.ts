/**
 * IEEE 802.1Q tags: the four bytes behind an Ethernet header whose type is `ETHERTYPE_VLAN` or `ETHERTYPE_QINQ`.
 *
 *      0                                    2               4
 *     +-----------+-----------+------------+---------------+---------
 *     | pcp (3)   | dei (1)   | id (12)    | type          | payload
 *     +-----------+-----------+------------+---------------+---------
 *
 * Thread: any; pure functions over `(view, at)`, `at` being where the tag's control information begins: 14 bytes after the
 * start of the frame. {@link insert} and {@link remove} work on whole frames instead.
 * Read first: IEEE 802.1Q 9.6. Missing: the priority translation of 802.1ad.
 *
 * @module
 */

import { copyIn, copyOut } from './bytes.ts';

/** Length of the control information and of the EtherType behind it. */
export const HEADER_BYTES = 4;
/** Least identifier of a VLAN (IEEE 802.1Q table 9-2); 0 tags a frame with a priority only. */
export const ID_MIN = 1;
/** Greatest identifier of a VLAN. */
export const ID_MAX = 4094;
/** Identifier that must not be sent (IEEE 802.1Q table 9-2); {@link check} refuses it. */
export const ID_RESERVED = 4095;

const ADDRESSES_BYTES = 12;
const ID_MASK = 0x0fff;
const DEI_BIT = 0x1000;

/** Names of what {@link check} returns. */
export const CHECK_REASONS: readonly string[] = ['', 'vlan-short', 'vlan-bad-id'];

/** 0 when the accessors may be used on the `lengthBytes` bytes at `at`, else an index of {@link CHECK_REASONS}. */
export function check(view: DataView, at: number, lengthBytes: number): number {
  if (lengthBytes < HEADER_BYTES) return 1;
  return (view.getUint16(at) & ID_MASK) === ID_RESERVED ? 2 : 0;
}

/** Tag control information: priority, drop eligibility and identifier in one. */
export function controlInformation(view: DataView, at: number): number {
  return view.getUint16(at);
}

/** Priority code point, 0 to 7 (IEEE 802.1Q 9.6). */
export function priority(view: DataView, at: number): number {
  return view.getUint8(at) >> 5;
}

/** Drop eligible indicator: under congestion the frame may go before others (IEEE 802.1Q 6.9.3). */
export function dropEligible(view: DataView, at: number): boolean {
  return (view.getUint8(at) & 0x10) !== 0;
}

/** Identifier of the VLAN, 12 bits: 0 when the tag carries a priority only. */
export function id(view: DataView, at: number): number {
  return view.getUint16(at) & ID_MASK;
}

/** EtherType of the packet in the frame. */
export function type(view: DataView, at: number): number {
  return view.getUint16(at + 2);
}

/** Write priority, drop eligibility and identifier, as {@link controlInformation} gives them. */
export function setControlInformation(view: DataView, at: number, tci: number): void {
  view.setUint16(at, tci);
}

/** Write the EtherType of the packet in the frame. */
export function setType(view: DataView, at: number, type: number): void {
  view.setUint16(at + 2, type);
}

/**
 * Put a tag into the frame that begins at `frameAt`: its addresses move 4 bytes down, into headroom the caller has. `tagType`
 * is `ETHERTYPE_VLAN` or `ETHERTYPE_QINQ`. Returns where the frame begins now.
 */
export function insert(view: DataView, frameAt: number, tagType: number, tci: number): number {
  const start = frameAt - HEADER_BYTES;
  for (let i = 0; i < ADDRESSES_BYTES; i += 4) view.setInt32(start + i, view.getInt32(frameAt + i));
  view.setUint16(start + ADDRESSES_BYTES, tagType);
  view.setUint16(start + ADDRESSES_BYTES + 2, tci);
  return start;
}

/** Take the outermost tag out of the frame that begins at `frameAt`. Returns where the frame begins now. */
export function remove(view: DataView, frameAt: number): number {
  const start = frameAt + HEADER_BYTES;
  for (let i = ADDRESSES_BYTES - 4; i >= 0; i -= 4) view.setInt32(start + i, view.getInt32(frameAt + i));
  return start;
}

/** A tag and what it carries as an object: for tests, tracing and control. */
export interface Repr {
  /** Priority code point, 0 to 7. */
  priority: number;
  /** Drop eligible indicator. */
  dropEligible: boolean;
  /** Identifier of the VLAN, 0 to 4094. */
  id: number;
  /** EtherType of the packet in the frame. */
  type: number;
  /** Everything after the tag, padding included. */
  payload: Uint8Array;
}

/** The tag and a copy of its payload, or null when {@link check} finds a fault. */
export function parse(view: DataView, at: number, lengthBytes: number): Repr | null {
  if (check(view, at, lengthBytes) !== 0) return null;
  return {
    priority: priority(view, at),
    dropEligible: dropEligible(view, at),
    id: id(view, at),
    type: type(view, at),
    payload: copyOut(view, at + HEADER_BYTES, lengthBytes - HEADER_BYTES),
  };
}

/** Bytes that {@link emit} writes. */
export function lengthOf(repr: Repr): number {
  return HEADER_BYTES + repr.payload.length;
}

/** Write tag and payload; returns their length. */
export function emit(repr: Repr, view: DataView, at: number): number {
  setControlInformation(view, at, (repr.priority << 13) | (repr.dropEligible ? DEI_BIT : 0) | repr.id);
  setType(view, at, repr.type);
  return HEADER_BYTES + copyIn(repr.payload, view, at + HEADER_BYTES);
}
