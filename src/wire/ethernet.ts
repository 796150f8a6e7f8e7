/**
 * Ethernet II frames (IEEE 802.3 clause 3): destination, source, type. The FCS is never in memory.
 *
 * Thread: any; pure functions over `(view, at)`. An address is two numbers: `hi` 16 bits, `lo` int32.
 */

export const HEADER_BYTES = 14;

export const ETHERTYPE_IPV4 = 0x0800;
export const ETHERTYPE_ARP = 0x0806;
export const ETHERTYPE_VLAN = 0x8100;
export const ETHERTYPE_IPV6 = 0x86dd;

export interface Mac {
  hi: number;
  lo: number;
}

export function dstHi(view: DataView, at: number): number {
  return view.getUint16(at);
}

export function dstLo(view: DataView, at: number): number {
  return view.getInt32(at + 2);
}

export function srcHi(view: DataView, at: number): number {
  return view.getUint16(at + 6);
}

export function srcLo(view: DataView, at: number): number {
  return view.getInt32(at + 8);
}

export function type(view: DataView, at: number): number {
  return view.getUint16(at + 12);
}

export function setDst(view: DataView, at: number, hi: number, lo: number): void {
  view.setUint16(at, hi);
  view.setInt32(at + 2, lo);
}

export function setSrc(view: DataView, at: number, hi: number, lo: number): void {
  view.setUint16(at + 6, hi);
  view.setInt32(at + 8, lo);
}

export function setType(view: DataView, at: number, type: number): void {
  view.setUint16(at + 12, type);
}

/** "02:6d:6b:00:00:0b" → numbers. Throws SyntaxError. */
export function parseMac(text: string): Mac {
  if (!/^[0-9a-f]{1,2}(:[0-9a-f]{1,2}){5}$/i.test(text)) throw new SyntaxError(`not an Ethernet address: '${text}'`);
  const bytes = text.split(':').map((part) => Number.parseInt(part, 16)) as [number, number, number, number, number, number];
  return {
    hi: (bytes[0] << 8) | bytes[1],
    lo: (bytes[2] << 24) | (bytes[3] << 16) | (bytes[4] << 8) | bytes[5],
  };
}

/** Numbers → "02:6d:6b:00:00:0b". */
export function formatMac(hi: number, lo: number): string {
  const digits = (hi & 0xffff).toString(16).padStart(4, '0') + (lo >>> 0).toString(16).padStart(8, '0');
  return (digits.match(/../g) as string[]).join(':');
}
