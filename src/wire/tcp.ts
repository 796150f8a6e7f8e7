/**
 * TCP headers and their checksum.
 *
 *      0             2                  4     8     12            13      14       16         18             20
 *     +-------------+------------------+-----+-----+-------------+-------+--------+----------+--------------+--------
 *     | source port | destination port | seq | ack | data offset | flags | window | checksum | urgent ptr   | options
 *     +-------------+------------------+-----+-----+-------------+-------+--------+----------+--------------+--------
 *
 * Thread: any; pure functions over `(view, at)`, `at` being where the segment begins. Sequence numbers are int32, compared
 * by the sign of their int32 difference (base/sequence.ts).
 * Read first: RFC 9293 3.1; options are in tcp-options.ts. Missing: Accurate ECN (the NS bit of RFC 3540 is ignored).
 */

import { assert } from '../base/assert.ts';
import { checksumOf, foldSum, pseudoSum4, sumView } from '../base/checksum.ts';
import { copyIn, copyOut } from './bytes.ts';
import { PROTOCOL_TCP } from './ipv4.ts';
import { emitOptions, optionsLength, parseOptionList, type TcpOption } from './tcp-options.ts';

export * from './tcp-options.ts';

export const HEADER_BYTES = 20;
export const HEADER_BYTES_MAX = 60;

export const FLAG_FIN = 0x01;
export const FLAG_SYN = 0x02;
export const FLAG_RST = 0x04;
export const FLAG_PSH = 0x08;
export const FLAG_ACK = 0x10;
export const FLAG_URG = 0x20;
export const FLAG_ECE = 0x40;
export const FLAG_CWR = 0x80;

/** MSS of a peer that sent no MSS option (RFC 9293 3.7.1). */
export const MSS_DEFAULT = 536;

/** Names of what {@link check} returns. */
export const CHECK_REASONS: readonly string[] = ['', 'tcp-short', 'tcp-bad-offset', 'tcp-bad-port'];

/**
 * 0 when the accessors may be used and `headerBytes` lies within the `lengthBytes` bytes at `at`, else an index of
 * {@link CHECK_REASONS}. Options are not judged; the checksum is the business of {@link verify}, or of the copy of the
 * payload.
 */
export function check(view: DataView, at: number, lengthBytes: number): number {
  if (lengthBytes < HEADER_BYTES) return 1;
  const header = (view.getUint8(at + 12) >> 4) << 2;
  if (header < HEADER_BYTES || header > lengthBytes) return 2;
  return view.getUint16(at) === 0 || view.getUint16(at + 2) === 0 ? 3 : 0;
}

export function srcPort(view: DataView, at: number): number {
  return view.getUint16(at);
}

export function dstPort(view: DataView, at: number): number {
  return view.getUint16(at + 2);
}

export function seq(view: DataView, at: number): number {
  return view.getInt32(at + 4);
}

export function ack(view: DataView, at: number): number {
  return view.getInt32(at + 8);
}

export function headerBytes(view: DataView, at: number): number {
  return (view.getUint8(at + 12) >> 4) << 2;
}

export function flags(view: DataView, at: number): number {
  return view.getUint8(at + 13);
}

/** Window as it stands in the header, not scaled. */
export function window(view: DataView, at: number): number {
  return view.getUint16(at + 14);
}

export function checksum(view: DataView, at: number): number {
  return view.getUint16(at + 16);
}

export function urgentPointer(view: DataView, at: number): number {
  return view.getUint16(at + 18);
}

export function setSrcPort(view: DataView, at: number, port: number): void {
  view.setUint16(at, port);
}

export function setDstPort(view: DataView, at: number, port: number): void {
  view.setUint16(at + 2, port);
}

export function setSeq(view: DataView, at: number, seq: number): void {
  view.setInt32(at + 4, seq);
}

export function setAck(view: DataView, at: number, ack: number): void {
  view.setInt32(at + 8, ack);
}

/** Header length, a multiple of 4, and flags; the reserved bits become 0. */
export function setHeaderBytesAndFlags(view: DataView, at: number, headerBytes: number, flags: number): void {
  view.setUint16(at + 12, ((headerBytes >> 2) << 12) | flags);
}

export function setFlags(view: DataView, at: number, flags: number): void {
  view.setUint8(at + 13, flags);
}

export function setWindow(view: DataView, at: number, window: number): void {
  view.setUint16(at + 14, window);
}

export function setChecksum(view: DataView, at: number, checksum: number): void {
  view.setUint16(at + 16, checksum);
}

export function setUrgentPointer(view: DataView, at: number, pointer: number): void {
  view.setUint16(at + 18, pointer);
}

/** Whether the checksum of the segment of `lengthBytes` is right. `src`, `dst`: IPv4 addresses of the packet. */
export function verify(view: DataView, at: number, lengthBytes: number, src: number, dst: number): boolean {
  return foldSum(pseudoSum4(src, dst, PROTOCOL_TCP, lengthBytes) + sumView(view, at, lengthBytes)) === 0xffff;
}

/** Compute and write the checksum of a segment of `lengthBytes` whose other fields are complete. */
export function fillChecksum(view: DataView, at: number, lengthBytes: number, src: number, dst: number): void {
  setChecksum(view, at, 0);
  setChecksum(view, at, checksumOf(pseudoSum4(src, dst, PROTOCOL_TCP, lengthBytes) + sumView(view, at, lengthBytes)));
}

/** A segment as an object: for tests, tracing and control. */
export interface Repr {
  srcPort: number;
  dstPort: number;
  seq: number;
  ack: number;
  flags: number;
  window: number;
  urgentPointer: number;
  options: TcpOption[];
  payload: Uint8Array;
}

/** Does not look at the checksum, for which the addresses are needed: see {@link verify}. Ignores the reserved bits. */
export function parse(view: DataView, at: number, lengthBytes: number): Repr | null {
  if (check(view, at, lengthBytes) !== 0) return null;
  const header = headerBytes(view, at);
  const options = parseOptionList(view, at + HEADER_BYTES, at + header);
  if (options === null) return null;
  return {
    srcPort: srcPort(view, at),
    dstPort: dstPort(view, at),
    seq: seq(view, at),
    ack: ack(view, at),
    flags: flags(view, at),
    window: window(view, at),
    urgentPointer: urgentPointer(view, at),
    options,
    payload: copyOut(view, at + header, lengthBytes - header),
  };
}

/** Bytes that {@link emit} writes. */
export function lengthOf(repr: Repr): number {
  return HEADER_BYTES + optionsLength(repr.options) + repr.payload.length;
}

/** Write the segment with a checksum field of 0; returns its length. {@link fillChecksum} completes it. */
export function emit(repr: Repr, view: DataView, at: number): number {
  const header = HEADER_BYTES + optionsLength(repr.options);
  assert(header <= HEADER_BYTES_MAX, `TCP options take ${header - HEADER_BYTES} bytes, 40 fit`);
  setSrcPort(view, at, repr.srcPort);
  setDstPort(view, at, repr.dstPort);
  setSeq(view, at, repr.seq);
  setAck(view, at, repr.ack);
  setHeaderBytesAndFlags(view, at, header, repr.flags);
  setWindow(view, at, repr.window);
  setChecksum(view, at, 0);
  setUrgentPointer(view, at, repr.urgentPointer);
  emitOptions(repr.options, view, at + HEADER_BYTES);
  return header + copyIn(repr.payload, view, at + header);
}
