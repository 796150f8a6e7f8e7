/**
 * IPv4 headers (RFC 791).
 *
 * Thread: any; pure functions over `(view, at)`. Addresses are int32.
 */

export const HEADER_BYTES = 20;
export const HEADER_BYTES_MAX = 60;

export const PROTOCOL_ICMP = 1;
export const PROTOCOL_IGMP = 2;
export const PROTOCOL_TCP = 6;
export const PROTOCOL_UDP = 17;

export const FLAG_DONT_FRAGMENT = 0x4000;
export const FLAG_MORE_FRAGMENTS = 0x2000;
export const FRAGMENT_OFFSET_MASK = 0x1fff;

export function version(view: DataView, at: number): number {
  return view.getUint8(at) >> 4;
}

export function headerBytes(view: DataView, at: number): number {
  return (view.getUint8(at) & 15) << 2;
}

export function tos(view: DataView, at: number): number {
  return view.getUint8(at + 1);
}

export function totalLength(view: DataView, at: number): number {
  return view.getUint16(at + 2);
}

export function identification(view: DataView, at: number): number {
  return view.getUint16(at + 4);
}

/** Flags and fragment offset as they stand in the header. */
export function fragmentField(view: DataView, at: number): number {
  return view.getUint16(at + 6);
}

export function ttl(view: DataView, at: number): number {
  return view.getUint8(at + 8);
}

export function protocol(view: DataView, at: number): number {
  return view.getUint8(at + 9);
}

export function headerChecksum(view: DataView, at: number): number {
  return view.getUint16(at + 10);
}

export function src(view: DataView, at: number): number {
  return view.getInt32(at + 12);
}

export function dst(view: DataView, at: number): number {
  return view.getInt32(at + 16);
}

/** "10.0.0.11" → int32, or null when it is none. */
export function parseAddress(text: string): number | null {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return null;
  let address = 0;
  for (let i = 1; i <= 4; i++) {
    const octet = Number(match[i]);
    if (octet > 255) return null;
    address = (address << 8) | octet;
  }
  return address;
}

/** int32 → "10.0.0.11". */
export function formatAddress(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}
