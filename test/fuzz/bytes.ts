/**
 * Frames under construction, and the checksums of frames that were changed: independent of src/wire.
 */

import type { Chance } from './chance.ts';

export const ETHERTYPE_IPV4 = 0x0800;
export const ETHERTYPE_ARP = 0x0806;
export const ETHERTYPE_IPV6 = 0x86dd;
const LONGEST_FRAME_BYTES = 66_000;

/** Bytes written one after the other; made once and used again. */
export class FrameWriter {
  readonly bytes: Uint8Array = new Uint8Array(LONGEST_FRAME_BYTES);
  readonly view: DataView = new DataView(this.bytes.buffer);
  length = 0;

  reset(): this {
    this.length = 0;
    return this;
  }

  u8(value: number): this {
    this.bytes[this.length++] = value;
    return this;
  }

  u16(value: number): this {
    this.view.setUint16(this.length, value);
    this.length += 2;
    return this;
  }

  u32(value: number): this {
    this.view.setInt32(this.length, value);
    this.length += 4;
    return this;
  }

  mac(address: readonly [hi: number, lo: number]): this {
    return this.u16(address[0]).u32(address[1]);
  }

  copy(from: Uint8Array): this {
    this.bytes.set(from, this.length);
    this.length += from.length;
    return this;
  }

  noise(chance: Chance, count: number): this {
    for (let i = 0; i < count; i++) this.bytes[this.length++] = chance.next32();
    return this;
  }

  /** Zero up to a multiple of four bytes from `from` on. */
  pad4(from: number): this {
    while ((this.length - from) % 4 !== 0) this.bytes[this.length++] = 0;
    return this;
  }

  take(): Uint8Array {
    return this.bytes.slice(0, this.length);
  }
}

/** Ones' complement sum of `[from, to)`, odd end padded with zero; not folded. */
export function sumOf(bytes: Uint8Array, from: number, to: number): number {
  let sum = 0;
  for (let i = from; i < to; i += 2) sum += ((bytes[i] as number) << 8) | (i + 1 < to ? (bytes[i + 1] as number) : 0);
  return sum;
}

export function fold(sum: number): number {
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return sum;
}

function put16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 8;
  bytes[at + 1] = value;
}

export function get16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
}

export function get32(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) << 24) |
    ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) |
    (bytes[at + 3] as number)
  );
}

export function set16(bytes: Uint8Array, at: number, value: number): void {
  put16(bytes, at, value);
}

export function set32(bytes: Uint8Array, at: number, value: number): void {
  put16(bytes, at, value >>> 16);
  put16(bytes, at + 2, value & 0xffff);
}

/** Where the checksum of a transport lies in its header, -1 when it has none we know. */
export function checksumOffset(protocol: number): number {
  switch (protocol) {
    case 6:
      return 16;
    case 17:
      return 6;
    case 1:
    case 2:
    case 58:
      return 2;
    default:
      return -1;
  }
}

/** Sum of the pseudo-header; ICMP and IGMP of IPv4 have none. `addresses` is where both begin. */
export function pseudoSum(
  frame: Uint8Array,
  addresses: number,
  addressBytes: number,
  protocol: number,
  length: number,
): number {
  if (protocol === 1 || protocol === 2) return 0;
  return sumOf(frame, addresses, addresses + 2 * addressBytes) + protocol + (length >>> 16) + (length & 0xffff);
}

/** Make the checksums of a frame right, as far as its headers can be followed. */
export function repair(frame: Uint8Array, at: number = 14): void {
  const type = frame.length >= 14 ? get16(frame, 12) : 0;
  if (type === ETHERTYPE_IPV4 && frame.length >= at + 20) repair4(frame, at);
  else if (type === ETHERTYPE_IPV6 && frame.length >= at + 40) repair6(frame, at);
}

function repair4(frame: Uint8Array, at: number): void {
  const headerBytes = ((frame[at] as number) & 15) * 4;
  if (headerBytes < 20 || at + headerBytes > frame.length) return;
  put16(frame, at + 10, 0);
  put16(frame, at + 10, ~fold(sumOf(frame, at, at + headerBytes)) & 0xffff);
  const total = get16(frame, at + 2);
  if (total < headerBytes || at + total > frame.length) return;
  if ((get16(frame, at + 6) & 0x3fff) !== 0) return;
  repairTransport(frame, at + 12, 4, frame[at + 9] as number, at + headerBytes, at + total);
}

function repair6(frame: Uint8Array, at: number): void {
  const end = Math.min(frame.length, at + 40 + get16(frame, at + 4));
  let next = frame[at + 6] as number;
  let o = at + 40;
  while ((next === 0 || next === 43 || next === 60) && o + 8 <= end) {
    next = frame[o] as number;
    o += 8 + 8 * (frame[o + 1] as number);
  }
  if (o < end) repairTransport(frame, at + 8, 16, next, o, end);
}

function repairTransport(
  frame: Uint8Array,
  addresses: number,
  addressBytes: number,
  protocol: number,
  from: number,
  to: number,
): void {
  const offset = checksumOffset(protocol);
  if (offset < 0 || from + offset + 2 > to) return;
  put16(frame, from + offset, 0);
  const sum = sumOf(frame, from, to) + pseudoSum(frame, addresses, addressBytes, protocol, to - from);
  const checksum = ~fold(sum) & 0xffff;
  put16(frame, from + offset, checksum === 0 && protocol === 17 ? 0xffff : checksum);
}
