/**
 * UDP headers (RFC 768).
 *
 * Thread: any; pure functions over `(view, at)`.
 */

export const HEADER_BYTES = 8;

export function srcPort(view: DataView, at: number): number {
  return view.getUint16(at);
}

export function dstPort(view: DataView, at: number): number {
  return view.getUint16(at + 2);
}

export function length(view: DataView, at: number): number {
  return view.getUint16(at + 4);
}

export function checksum(view: DataView, at: number): number {
  return view.getUint16(at + 6);
}

export function setSrcPort(view: DataView, at: number, port: number): void {
  view.setUint16(at, port);
}

export function setDstPort(view: DataView, at: number, port: number): void {
  view.setUint16(at + 2, port);
}

export function setLength(view: DataView, at: number, lengthBytes: number): void {
  view.setUint16(at + 4, lengthBytes);
}

export function setChecksum(view: DataView, at: number, checksum: number): void {
  view.setUint16(at + 6, checksum);
}
