/**
 * MBCF: remote memory operations. A packet holds operations that are executed in their order; it follows an Ethernet header (EtherType
 * 0x88b5) or is a datagram of its own.
 *
 *      0      1      2        4        8        12       16       20       24       28      30      32
 *     +------+------+--------+--------+--------+--------+--------+--------+--------+-------+-------+------------
 *     | ver  | flags| check- | source | dest.  | source | dest.  | sequ-  | acknow-| bytes | count | operations
 *     | type |      | sum    | node   | node   | epoch  | epoch  | ence   | ledged |       |       |
 *     +------+------+--------+--------+--------+--------+--------+--------+--------+-------+-------+------------
 *
 * An operation, each padded to a multiple of 4 bytes:
 *
 *      0      1      2        4        8        12             16 | 20
 *     +------+------+--------+--------+--------+--------------+---------------
 *     | code | flags| data   | handle | tag    | address      | data
 *     |      |      | bytes  |        |        | 32 | 64 bits |
 *     +------+------+--------+--------+--------+--------------+---------------
 *
 * So 48 bytes (52 with addresses of 64 bits) come before the data of a single operation: 1440 bytes of data fit in 1500. Numbers
 * are big-endian, data are the bytes of the memory. The checksum is the Internet checksum over the whole packet; 0 where
 * the carrier protects it.
 *
 * Thread: any; pure functions over `(view, at)`, `at` being where the packet, or the operation, begins. The protocol is ours, in the sense of Matsumoto,
 * "MBCF: A Protected and Virtualized High-Speed User-Level Memory-Based Communication Facility" (ICS '98); its layout was never published.
 * Read first: docs/layouts/mbcf.md.
 */

/** IEEE 802, local experimental EtherType 1. */
export const ETHERTYPE_MBCF = 0x88b5;

export const HEADER_BYTES = 32;
/** Bytes of an operation before its data, by the width of addresses. */
export const OPERATION_BYTES_32 = 16;
export const OPERATION_BYTES_64 = 20;

/** Version of the layout, in the high half of the first byte. */
export const VERSION = 1;

/** First contact of an incarnation: nothing is known of the other one. */
export const TYPE_HELLO = 0;
/** The answer; its destination epoch is that of the one who asked. */
export const TYPE_HELLO_ACK = 1;
/** Operations, with a number. */
export const TYPE_DATA = 2;
/** An acknowledgment alone. */
export const TYPE_ACK = 3;
/** The same, and the packet acknowledged next is missing: whatever came behind it was thrown away. */
export const TYPE_NAK = 4;

/** The sender wants an acknowledgment at once. */
export const FLAG_ACK_NOW = 1;
/** Addresses of the operations have 64 bits. */
export const FLAG_ADDRESS_64 = 2;
const FLAGS_KNOWN = 3;

/** Codes of operations. Atomics are {@link CODE_ATOMIC_32} or {@link CODE_ATOMIC_64} plus the number of the change. */
export const CODE_REPLY = 0;
export const CODE_NOP = 1;
export const CODE_WRITE = 2;
export const CODE_READ = 3;
export const CODE_FILL = 4;
export const CODE_WRITE_STRIDED = 5;
export const CODE_READ_STRIDED = 6;
export const CODE_WRITE_VECTOR = 7;
export const CODE_READ_VECTOR = 8;
export const CODE_COPY = 9;
export const CODE_FIFO_WRITE = 10;
export const CODE_FIFO_READ = 11;
export const CODE_FIFO_STATUS = 12;
export const CODE_SIGNAL = 13;
export const CODE_ATTACH = 14;
export const CODE_DETACH = 15;
export const CODE_ATOMIC_32 = 0x20;
export const CODE_ATOMIC_64 = 0x40;

/** The sender waits for a reply also when all goes well; without it only for a refusal. */
export const OPERATION_STATUS = 1;
/** The reply of an atomic carries the word as it was. */
export const OPERATION_FETCH = 2;
/** A FIFO without room keeps the record, and its reply, until there is. */
export const OPERATION_WAIT = 4;

/** Names of what {@link check} returns. */
export const CHECK_REASONS: readonly string[] = [
  '',
  'mbcf-short',
  'mbcf-bad-version',
  'mbcf-bad-type',
  'mbcf-bad-flags',
  'mbcf-bad-length',
];

/** 0 when the accessors may be used on the `lengthBytes` bytes at `at`, else an index of {@link CHECK_REASONS}. A frame may be longer than its packet. */
export function check(view: DataView, at: number, lengthBytes: number): number {
  if (lengthBytes < HEADER_BYTES) return 1;
  if (view.getUint8(at) >> 4 !== VERSION) return 2;
  const kind = type(view, at);
  if (kind > TYPE_NAK) return 3;
  if ((flags(view, at) & ~FLAGS_KNOWN) !== 0) return 4;
  const bytes = operationBytes(view, at);
  if (bytes % 4 !== 0 || HEADER_BYTES + bytes > lengthBytes) return 5;
  return (kind === TYPE_DATA) === bytes > 0 ? 0 : 5;
}

export function type(view: DataView, at: number): number {
  return view.getUint8(at) & 0xf;
}

export function flags(view: DataView, at: number): number {
  return view.getUint8(at + 1);
}

export function checksum(view: DataView, at: number): number {
  return view.getUint16(at + 2);
}

export function sourceNode(view: DataView, at: number): number {
  return view.getInt32(at + 4);
}

export function destinationNode(view: DataView, at: number): number {
  return view.getInt32(at + 8);
}

/** Epoch of the sender's incarnation; later ones have higher numbers, modulo 2^32. */
export function sourceEpoch(view: DataView, at: number): number {
  return view.getInt32(at + 12);
}

/** The incarnation that the packet is for; 0 when the sender knows none. */
export function destinationEpoch(view: DataView, at: number): number {
  return view.getInt32(at + 16);
}

/** Number of the packet among those with operations, from 1 on; modulo 2^32. */
export function sequence(view: DataView, at: number): number {
  return view.getInt32(at + 20);
}

/** The number that the sender expects next in the other direction. */
export function acknowledgment(view: DataView, at: number): number {
  return view.getInt32(at + 24);
}

/** Bytes of the operations, a multiple of 4. */
export function operationBytes(view: DataView, at: number): number {
  return view.getUint16(at + 28);
}

export function operationCount(view: DataView, at: number): number {
  return view.getUint16(at + 30);
}

export function setChecksum(view: DataView, at: number, value: number): void {
  view.setUint16(at + 2, value);
}

/** The header of a packet that is sent now; what its operations are was written when they were. The checksum is 0. */
export function writeHeader(
  view: DataView,
  at: number,
  kind: number,
  flagBits: number,
  fromNode: number,
  toNode: number,
  fromEpoch: number,
  toEpoch: number,
  number: number,
  acknowledged: number,
): void {
  view.setUint8(at, (VERSION << 4) | kind);
  view.setUint8(at + 1, flagBits);
  view.setUint16(at + 2, 0);
  view.setInt32(at + 4, fromNode);
  view.setInt32(at + 8, toNode);
  view.setInt32(at + 12, fromEpoch);
  view.setInt32(at + 16, toEpoch);
  view.setInt32(at + 20, number);
  view.setInt32(at + 24, acknowledged);
}

/** Number of operations that a packet holds, and their bytes. */
export function setOperations(view: DataView, at: number, bytes: number, count: number): void {
  view.setUint16(at + 28, bytes);
  view.setUint16(at + 30, count);
}

/** Bytes of an operation before its data. */
export function operationHeaderBytes(wide: boolean): number {
  return wide ? OPERATION_BYTES_64 : OPERATION_BYTES_32;
}

/** Bytes that an operation with so many bytes of data takes in a packet. */
export function paddedBytes(wide: boolean, dataBytes: number): number {
  return (operationHeaderBytes(wide) + dataBytes + 3) & ~3;
}

export function code(view: DataView, at: number): number {
  return view.getUint8(at);
}

export function operationFlags(view: DataView, at: number): number {
  return view.getUint8(at + 1);
}

export function dataBytes(view: DataView, at: number): number {
  return view.getUint16(at + 2);
}

/** A handle that ATTACH gave: the memory that the operation is for. The status, in a reply. */
export function handle(view: DataView, at: number): number {
  return view.getInt32(at + 4);
}

/** Given back in the reply; 0 when none is wanted in any case. */
export function tag(view: DataView, at: number): number {
  return view.getInt32(at + 8);
}

/** Place in the memory of the handle; a number below 2^53, or `NaN`. */
export function address(view: DataView, at: number, wide: boolean): number {
  if (!wide) return view.getUint32(at + 12);
  const high = view.getUint32(at + 12);
  return high < 0x20_0000 ? high * 0x1_0000_0000 + view.getUint32(at + 16) : Number.NaN;
}

/** Write an operation up to its data; returns where they go. */
export function writeOperation(
  view: DataView,
  at: number,
  wide: boolean,
  codeNumber: number,
  flagBits: number,
  bytes: number,
  handleNumber: number,
  tagNumber: number,
  addressNumber: number,
): number {
  view.setUint8(at, codeNumber);
  view.setUint8(at + 1, flagBits);
  view.setUint16(at + 2, bytes);
  view.setInt32(at + 4, handleNumber);
  view.setInt32(at + 8, tagNumber);
  if (!wide) {
    view.setUint32(at + 12, addressNumber);
    return at + OPERATION_BYTES_32;
  }
  view.setUint32(at + 12, Math.floor(addressNumber / 0x1_0000_0000));
  view.setUint32(at + 16, addressNumber % 0x1_0000_0000);
  return at + OPERATION_BYTES_64;
}
