/**
 * ARP for IPv4 over Ethernet.
 *
 *      0          2          4      5      6           8                14        18               24        28
 *     +----------+----------+------+------+-----------+----------------+---------+----------------+---------+
 *     | hardware | protocol | hlen | plen | operation | sender MAC     | sender  | target MAC     | target  |
 *     | 1        | 0x0800   | 6    | 4    |           |                | IPv4    |                | IPv4    |
 *     +----------+----------+------+------+-----------+----------------+---------+----------------+---------+
 *
 * Thread: any; pure functions over `(view, at)`, `at` being where the packet begins (after the Ethernet header).
 * Read first: RFC 826, RFC 5227. Missing: other hardware and protocols, RARP, InARP (all refused by `check`).
 *
 * @module
 */

import { ETHERTYPE_IPV4 } from './ethernet.ts';

/** Length of a packet of ARP for IPv4 over Ethernet, without the padding of its frame. */
export const PACKET_BYTES = 28;

/** Operation `ares_op$REQUEST` of RFC 826: the sender asks for the hardware address of the target. */
export const OPERATION_REQUEST = 1;
/** Operation `ares_op$REPLY` of RFC 826: the sender tells its hardware address. */
export const OPERATION_REPLY = 2;

/** Hardware type of Ethernet, `ares_hrd$Ethernet` of RFC 826. */
export const HARDWARE_ETHERNET = 1;

/** Names of what {@link check} returns. */
export const CHECK_REASONS: readonly string[] = [
  '',
  'arp-short',
  'arp-bad-hardware',
  'arp-bad-protocol',
  'arp-bad-operation',
];

/** 0 when the packet is a well-formed ARP packet for IPv4 over Ethernet, else an index of {@link CHECK_REASONS}. */
export function check(view: DataView, at: number, lengthBytes: number): number {
  if (lengthBytes < PACKET_BYTES) return 1;
  if (view.getUint16(at) !== HARDWARE_ETHERNET || view.getUint8(at + 4) !== 6) return 2;
  if (view.getUint16(at + 2) !== ETHERTYPE_IPV4 || view.getUint8(at + 5) !== 4) return 3;
  const op = view.getUint16(at + 6);
  return op === OPERATION_REQUEST || op === OPERATION_REPLY ? 0 : 4;
}

/** Operation of the packet: {@link OPERATION_REQUEST} or {@link OPERATION_REPLY} once {@link check} has passed. */
export function operation(view: DataView, at: number): number {
  return view.getUint16(at + 6);
}

/** First 16 bits of the sender's Ethernet address. */
export function senderHi(view: DataView, at: number): number {
  return view.getUint16(at + 8);
}

/** Last 32 bits of the sender's Ethernet address, int32. */
export function senderLo(view: DataView, at: number): number {
  return view.getInt32(at + 10);
}

/** IPv4 address of the sender, int32; 0 in a probe for a duplicate (RFC 5227 2.1.1). */
export function senderAddress(view: DataView, at: number): number {
  return view.getInt32(at + 14);
}

/** First 16 bits of the target's Ethernet address; 0 in most requests, whose sender does not know it yet. */
export function targetHi(view: DataView, at: number): number {
  return view.getUint16(at + 18);
}

/** Last 32 bits of the target's Ethernet address, int32. */
export function targetLo(view: DataView, at: number): number {
  return view.getInt32(at + 20);
}

/** IPv4 address of the target, int32: the address that a request asks about. */
export function targetAddress(view: DataView, at: number): number {
  return view.getInt32(at + 24);
}

/** The fields that are the same in every packet (hardware, protocol, lengths), and the operation. */
export function setOperation(view: DataView, at: number, operation: number): void {
  view.setUint16(at, HARDWARE_ETHERNET);
  view.setUint16(at + 2, ETHERTYPE_IPV4);
  view.setUint16(at + 4, 0x0604);
  view.setUint16(at + 6, operation);
}

/** Write the sender: Ethernet address (first 16 bits, last 32) and IPv4 address. */
export function setSender(view: DataView, at: number, hi: number, lo: number, address: number): void {
  view.setUint16(at + 8, hi);
  view.setInt32(at + 10, lo);
  view.setInt32(at + 14, address);
}

/** Write the target: Ethernet address (first 16 bits, last 32) and IPv4 address. */
export function setTarget(view: DataView, at: number, hi: number, lo: number, address: number): void {
  view.setUint16(at + 18, hi);
  view.setInt32(at + 20, lo);
  view.setInt32(at + 24, address);
}

/** A packet as an object: for tests, tracing and control. */
export interface Repr {
  /** {@link OPERATION_REQUEST} or {@link OPERATION_REPLY}. */
  operation: number;
  /** First 16 bits of the sender's Ethernet address. */
  senderHi: number;
  /** Last 32 bits of the sender's Ethernet address, int32. */
  senderLo: number;
  /** IPv4 address of the sender, int32. */
  senderAddress: number;
  /** First 16 bits of the target's Ethernet address. */
  targetHi: number;
  /** Last 32 bits of the target's Ethernet address, int32. */
  targetLo: number;
  /** IPv4 address of the target, int32. */
  targetAddress: number;
}

/** The packet, or null when {@link check} finds a fault. Bytes behind the 28 are Ethernet padding and ignored. */
export function parse(view: DataView, at: number, lengthBytes: number): Repr | null {
  if (check(view, at, lengthBytes) !== 0) return null;
  return {
    operation: operation(view, at),
    senderHi: senderHi(view, at),
    senderLo: senderLo(view, at),
    senderAddress: senderAddress(view, at),
    targetHi: targetHi(view, at),
    targetLo: targetLo(view, at),
    targetAddress: targetAddress(view, at),
  };
}

/** Bytes that {@link emit} writes. */
export function lengthOf(_repr: Repr): number {
  return PACKET_BYTES;
}

/** Write the packet; returns its length. */
export function emit(repr: Repr, view: DataView, at: number): number {
  setOperation(view, at, repr.operation);
  setSender(view, at, repr.senderHi, repr.senderLo, repr.senderAddress);
  setTarget(view, at, repr.targetHi, repr.targetLo, repr.targetAddress);
  return PACKET_BYTES;
}
