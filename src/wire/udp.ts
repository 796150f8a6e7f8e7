/**
 * UDP headers.
 *
 *      0             2                  4          6            8
 *     +-------------+------------------+----------+------------+---------
 *     | source port | destination port | length   | checksum   | payload
 *     +-------------+------------------+----------+------------+---------
 *
 * Thread: any; pure functions over `(view, at)`. A checksum field of 0 means that the sender made none (IPv4 only); a
 * computed 0 is sent as 0xffff.
 * Read first: RFC 768, RFC 1122 4.1. Missing: UDP-Lite, jumbograms (a length of 0).
 *
 * @module
 */

import { checksumOf, foldSum, pseudoSum4, sumView } from '../base/checksum.ts';
import { copyIn, copyOut } from './bytes.ts';
import { PROTOCOL_UDP } from './ipv4.ts';

/** Length of the header (RFC 768). */
export const HEADER_BYTES = 8;

/** Names of what {@link check} returns. */
export const CHECK_REASONS: readonly string[] = ['', 'udp-short', 'udp-bad-length', 'udp-bad-port'];

/**
 * 0 when the accessors may be used and `length` lies within the `lengthBytes` bytes at `at`, else an index of
 * {@link CHECK_REASONS}. The checksum is the business of {@link verify}, or of the copy of the payload.
 */
export function check(view: DataView, at: number, lengthBytes: number): number {
  if (lengthBytes < HEADER_BYTES) return 1;
  const bytes = view.getUint16(at + 4);
  if (bytes < HEADER_BYTES || bytes > lengthBytes) return 2;
  return view.getUint16(at + 2) === 0 ? 3 : 0;
}

/** Source port; 0 when the sender expects no answer (RFC 768). */
export function srcPort(view: DataView, at: number): number {
  return view.getUint16(at);
}

/** Destination port; never 0 once {@link check} has passed. */
export function dstPort(view: DataView, at: number): number {
  return view.getUint16(at + 2);
}

/** Header and payload, bytes. */
export function length(view: DataView, at: number): number {
  return view.getUint16(at + 4);
}

/** Checksum as it stands: 0 when the sender made none. */
export function checksum(view: DataView, at: number): number {
  return view.getUint16(at + 6);
}

/** Write the source port. */
export function setSrcPort(view: DataView, at: number, port: number): void {
  view.setUint16(at, port);
}

/** Write the destination port. */
export function setDstPort(view: DataView, at: number, port: number): void {
  view.setUint16(at + 2, port);
}

/** Write the length of header and payload, in bytes. */
export function setLength(view: DataView, at: number, lengthBytes: number): void {
  view.setUint16(at + 4, lengthBytes);
}

/** Write the checksum field as it is; {@link checksumField} turns a sum into one. */
export function setChecksum(view: DataView, at: number, checksum: number): void {
  view.setUint16(at + 6, checksum);
}

/** The field for a complete sum: never 0, which would mean "none" (RFC 768). */
export function checksumField(sum: number): number {
  const checksum = checksumOf(sum);
  return checksum === 0 ? 0xffff : checksum;
}

/** Whether the checksum of a checked datagram is right or absent. `src`, `dst`: IPv4 addresses of the packet. */
export function verify(view: DataView, at: number, src: number, dst: number): boolean {
  if (checksum(view, at) === 0) return true;
  const bytes = length(view, at);
  return foldSum(pseudoSum4(src, dst, PROTOCOL_UDP, bytes) + sumView(view, at, bytes)) === 0xffff;
}

/** Compute and write the checksum of a datagram whose other fields are complete. */
export function fillChecksum(view: DataView, at: number, src: number, dst: number): void {
  const bytes = length(view, at);
  setChecksum(view, at, 0);
  setChecksum(view, at, checksumField(pseudoSum4(src, dst, PROTOCOL_UDP, bytes) + sumView(view, at, bytes)));
}

/** A datagram as an object: for tests, tracing and control. */
export interface Repr {
  /** Source port; 0 when no answer is expected. */
  srcPort: number;
  /** Destination port, 1 to 65535. */
  dstPort: number;
  /** Data of the datagram, without its header. */
  payload: Uint8Array;
}

/** The datagram, or null when {@link check} finds a fault. The checksum needs the addresses and is left to {@link verify}. */
export function parse(view: DataView, at: number, lengthBytes: number): Repr | null {
  if (check(view, at, lengthBytes) !== 0) return null;
  return {
    srcPort: srcPort(view, at),
    dstPort: dstPort(view, at),
    payload: copyOut(view, at + HEADER_BYTES, length(view, at) - HEADER_BYTES),
  };
}

/** Bytes that {@link emit} writes. */
export function lengthOf(repr: Repr): number {
  return HEADER_BYTES + repr.payload.length;
}

/** Write the datagram without a checksum (field 0); returns its length. {@link fillChecksum} completes it. */
export function emit(repr: Repr, view: DataView, at: number): number {
  setSrcPort(view, at, repr.srcPort);
  setDstPort(view, at, repr.dstPort);
  setLength(view, at, lengthOf(repr));
  setChecksum(view, at, 0);
  return HEADER_BYTES + copyIn(repr.payload, view, at + HEADER_BYTES);
}
