/**
 * Bridge protocol data units of the spanning tree protocol: configuration and topology change notification.
 *
 *      0          2         3      4       5         13           17          25       27     29     31      33      35
 *     +----------+---------+------+-------+---------+------------+-----------+--------+------+------+-------+-------+
 *     | protocol | version | type | flags | root    | path cost  | bridge    | port   | age  | max  | hello | delay |
 *     +----------+---------+------+-------+---------+------------+-----------+--------+------+------+-------+-------+
 *
 * A notification ends behind its type. Thread: any; pure functions over `(view, at)`, `at` being where the unit begins: behind an
 * 802.3 header with its length and the LLC header 42 42 03. An identifier of a bridge is two words: priority and the first 16 bits of
 * its address, and the last 32 bits. Times are 1/256 of a second.
 * Read first: IEEE 802.1D-1998 9.3. Missing: rapid spanning tree (version 2).
 */

import * as ethernet from './ethernet.ts';

/** Length of a configuration unit (9.3.1). */
export const CONFIGURATION_BYTES = 35;
/** Length of a topology change notification (9.3.2). */
export const NOTIFICATION_BYTES = 4;
/** From the start of the frame to the unit. */
export const FRAME_OFFSET: number = ethernet.HEADER_BYTES + 3;

/** Unit with the root, its path cost and the times (9.3.1). */
export const TYPE_CONFIGURATION = 0x00;
/** Unit that tells the root of a topology change (9.3.2). */
export const TYPE_NOTIFICATION = 0x80;
/** The root tells that addresses age fast (9.3.1). */
export const FLAG_TOPOLOGY_CHANGE = 0x01;
/** Answer to a topology change notification (9.3.1). */
export const FLAG_ACKNOWLEDGE = 0x80;

/** 01:80:c2:00:00:00, the bridge group address: frames to it are never forwarded (7.12.3). */
export const GROUP_HI = 0x0180;
/** Last 32 bits of the bridge group address, int32. */
export const GROUP_LO: number = 0xc2000000 | 0;

const LLC_BYTES = 3;
const LLC_SAP = 0x4242;
const LLC_UI = 0x03;

/** Names of what {@link check} returns. */
export const CHECK_REASONS: readonly string[] = [
  '',
  'bpdu-short',
  'bpdu-bad-llc',
  'bpdu-bad-protocol',
  'bpdu-bad-type',
];

/**
 * 0 when the frame of `lengthBytes` bytes at `frameAt` holds a unit, whose accessors may be used at `frameAt + FRAME_OFFSET`, else an
 * index of {@link CHECK_REASONS}. Versions above 0 are read as version 0 (9.3.4).
 */
export function check(view: DataView, frameAt: number, lengthBytes: number): number {
  if (lengthBytes < FRAME_OFFSET + NOTIFICATION_BYTES) return 1;
  const body = ethernet.type(view, frameAt);
  if (body < LLC_BYTES + NOTIFICATION_BYTES || body > lengthBytes - ethernet.HEADER_BYTES) return 1;
  const llcAt = frameAt + ethernet.HEADER_BYTES;
  if (view.getUint16(llcAt) !== LLC_SAP || view.getUint8(llcAt + 2) !== LLC_UI) return 2;
  const at = frameAt + FRAME_OFFSET;
  if (view.getUint16(at) !== 0) return 3;
  if (type(view, at) === TYPE_NOTIFICATION) return 0;
  if (type(view, at) !== TYPE_CONFIGURATION) return 4;
  return body < LLC_BYTES + CONFIGURATION_BYTES ? 1 : 0;
}

/** Type of the unit: {@link TYPE_CONFIGURATION} or {@link TYPE_NOTIFICATION} once {@link check} has passed. */
export function type(view: DataView, at: number): number {
  return view.getUint8(at + 3);
}

/** Flags of a configuration unit: {@link FLAG_TOPOLOGY_CHANGE}, {@link FLAG_ACKNOWLEDGE}. */
export function flags(view: DataView, at: number): number {
  return view.getUint8(at + 4);
}

/** Priority of the root and the first 16 bits of its address, uint32. */
export function rootHi(view: DataView, at: number): number {
  return view.getUint32(at + 5);
}

/** Last 32 bits of the root's address, uint32. */
export function rootLo(view: DataView, at: number): number {
  return view.getUint32(at + 9);
}

/** Cost of the path from the sender to the root, uint32. */
export function rootPathCost(view: DataView, at: number): number {
  return view.getUint32(at + 13);
}

/** Priority of the sender and the first 16 bits of its address, uint32. */
export function bridgeHi(view: DataView, at: number): number {
  return view.getUint32(at + 17);
}

/** Last 32 bits of the sender's address, uint32. */
export function bridgeLo(view: DataView, at: number): number {
  return view.getUint32(at + 21);
}

/** Identifier of the sender's port: priority in the upper 8 bits, number in the lower. */
export function port(view: DataView, at: number): number {
  return view.getUint16(at + 25);
}

/** Age of the root's information, in 1/256 s. */
export function messageAge(view: DataView, at: number): number {
  return view.getUint16(at + 27);
}

/** Age at which the information is dropped, in 1/256 s. */
export function maxAge(view: DataView, at: number): number {
  return view.getUint16(at + 29);
}

/** Time between the root's units, in 1/256 s. */
export function helloTime(view: DataView, at: number): number {
  return view.getUint16(at + 31);
}

/** Time in each of the states listening and learning, in 1/256 s. */
export function forwardDelay(view: DataView, at: number): number {
  return view.getUint16(at + 33);
}

/** Write protocol 0, version 0 and the type. */
export function setType(view: DataView, at: number, type: number): void {
  view.setUint32(at, type);
}

/** Write the flags of a configuration unit. */
export function setFlags(view: DataView, at: number, flags: number): void {
  view.setUint8(at + 4, flags);
}

/** Write the identifier of the root, in two words, and the cost of the path to it. */
export function setRoot(view: DataView, at: number, hi: number, lo: number, pathCost: number): void {
  view.setUint32(at + 5, hi);
  view.setUint32(at + 9, lo);
  view.setUint32(at + 13, pathCost);
}

/** Write the identifier of the sending bridge, in two words, and that of its port. */
export function setSender(view: DataView, at: number, hi: number, lo: number, port: number): void {
  view.setUint32(at + 17, hi);
  view.setUint32(at + 21, lo);
  view.setUint16(at + 25, port);
}

/** Write message age, maximum age, hello time and forward delay, each in 1/256 s. */
export function setTimes(view: DataView, at: number, age: number, max: number, hello: number, delay: number): void {
  view.setUint16(at + 27, age);
  view.setUint16(at + 29, max);
  view.setUint16(at + 31, hello);
  view.setUint16(at + 33, delay);
}

/** Headers of a frame to the bridge group that carries a unit of `unitBytes`. */
export function setFrame(view: DataView, frameAt: number, srcHi: number, srcLo: number, unitBytes: number): void {
  ethernet.setDst(view, frameAt, GROUP_HI, GROUP_LO);
  ethernet.setSrc(view, frameAt, srcHi, srcLo);
  ethernet.setType(view, frameAt, LLC_BYTES + unitBytes);
  const llcAt = frameAt + ethernet.HEADER_BYTES;
  view.setUint16(llcAt, LLC_SAP);
  view.setUint8(llcAt + 2, LLC_UI);
}
