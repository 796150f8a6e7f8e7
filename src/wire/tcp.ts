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
 *
 * @module
 */

import { assert } from '../base/assert.ts';
import { checksumOf, foldSum, pseudoSum4, sumView } from '../base/checksum.ts';
import { copyIn, copyOut } from './bytes.ts';
import { PROTOCOL_TCP } from './ipv4.ts';
import { emitOptions, optionsLength, parseOptionList, type TcpOption } from './tcp-options.ts';

export * from './tcp-options.ts';

/** Length of a header without options (RFC 9293 3.1). */
export const HEADER_BYTES = 20;
/** Length of the longest header: the data offset counts 15 words of 4 bytes. */
export const HEADER_BYTES_MAX = 60;

/** No more data comes from the sender (RFC 9293 3.1). */
export const FLAG_FIN = 0x01;
/** Synchronize: the sequence number is the sender's initial one. */
export const FLAG_SYN = 0x02;
/** Reset the connection. */
export const FLAG_RST = 0x04;
/** Push: the data is to be handed to the application at once. */
export const FLAG_PSH = 0x08;
/** The acknowledgment number counts; set in all segments but the first SYN and some resets. */
export const FLAG_ACK = 0x10;
/** The urgent pointer counts. */
export const FLAG_URG = 0x20;
/** ECN echo: a congestion mark arrived, or in a SYN: the sender is capable of ECN (RFC 3168 6.1). */
export const FLAG_ECE = 0x40;
/** Congestion window reduced: the answer to {@link FLAG_ECE} (RFC 3168 6.1.2). */
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

/** Source port; never 0 once {@link check} has passed. */
export function srcPort(view: DataView, at: number): number {
  return view.getUint16(at);
}

/** Destination port; never 0 once {@link check} has passed. */
export function dstPort(view: DataView, at: number): number {
  return view.getUint16(at + 2);
}

/** Sequence number of the first byte of the segment, of its SYN when it has one (RFC 9293 3.1); int32. */
export function seq(view: DataView, at: number): number {
  return view.getInt32(at + 4);
}

/** Sequence number that the sender expects next, int32; without meaning unless {@link FLAG_ACK} is set. */
export function ack(view: DataView, at: number): number {
  return view.getInt32(at + 8);
}

/** Length of header and options in bytes, a multiple of 4: the data offset times 4. */
export function headerBytes(view: DataView, at: number): number {
  return (view.getUint8(at + 12) >> 4) << 2;
}

/** Control bits, any of `FLAG_*` (RFC 9293 3.1). */
export function flags(view: DataView, at: number): number {
  return view.getUint8(at + 13);
}

/** Window as it stands in the header, not scaled. */
export function window(view: DataView, at: number): number {
  return view.getUint16(at + 14);
}

/** Checksum over pseudo-header, header and data as it stands. */
export function checksum(view: DataView, at: number): number {
  return view.getUint16(at + 16);
}

/** Offset of the byte behind the urgent data, from the sequence number (RFC 9293 3.8.5); counts with {@link FLAG_URG}. */
export function urgentPointer(view: DataView, at: number): number {
  return view.getUint16(at + 18);
}

/** Write the source port. */
export function setSrcPort(view: DataView, at: number, port: number): void {
  view.setUint16(at, port);
}

/** Write the destination port. */
export function setDstPort(view: DataView, at: number, port: number): void {
  view.setUint16(at + 2, port);
}

/** Write the sequence number, int32 or uint32. */
export function setSeq(view: DataView, at: number, seq: number): void {
  view.setInt32(at + 4, seq);
}

/** Write the acknowledgment number, int32 or uint32; it counts when the flags have {@link FLAG_ACK}. */
export function setAck(view: DataView, at: number, ack: number): void {
  view.setInt32(at + 8, ack);
}

/** Header length, a multiple of 4, and flags; the reserved bits become 0. */
export function setHeaderBytesAndFlags(view: DataView, at: number, headerBytes: number, flags: number): void {
  view.setUint16(at + 12, ((headerBytes >> 2) << 12) | flags);
}

/** Write the control bits and leave the data offset as it is. */
export function setFlags(view: DataView, at: number, flags: number): void {
  view.setUint8(at + 13, flags);
}

/** Write the window as the field holds it, 0 to 65535: the caller has shifted it (RFC 7323 2.3). */
export function setWindow(view: DataView, at: number, window: number): void {
  view.setUint16(at + 14, window);
}

/** Write the checksum field; {@link fillChecksum} computes it. */
export function setChecksum(view: DataView, at: number, checksum: number): void {
  view.setUint16(at + 16, checksum);
}

/** Write the urgent pointer. */
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
  /** Source port, 1 to 65535. */
  srcPort: number;
  /** Destination port, 1 to 65535. */
  dstPort: number;
  /** Sequence number of the first byte or of the SYN, int32. */
  seq: number;
  /** Acknowledgment number, int32; counts when `flags` has {@link FLAG_ACK}. */
  ack: number;
  /** Control bits, any of `FLAG_*`. */
  flags: number;
  /** Window as the field holds it, not scaled. */
  window: number;
  /** Urgent pointer; counts when `flags` has {@link FLAG_URG}. */
  urgentPointer: number;
  /** Options in their order, no-operations included; the padding is not among them. */
  options: TcpOption[];
  /** Data of the segment. */
  payload: Uint8Array;
}

/**
 * The segment, or null when {@link check} or the list of options finds a fault. The checksum needs the addresses and is left to
 * {@link verify}; the reserved bits are ignored.
 */
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

/**
 * Write the segment with a checksum field of 0; returns its length. {@link fillChecksum} completes it. Options of more than 40
 * bytes throw an Error.
 */
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
