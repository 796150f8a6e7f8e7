/**
 * TCP headers and options (RFC 9293 section 3.1, RFC 7323, RFC 2018).
 *
 * Thread: any; pure functions over `(view, at)`. Sequence numbers are int32.
 */

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

export const OPTION_END = 0;
export const OPTION_NOP = 1;
export const OPTION_MSS = 2;
export const OPTION_WINDOW_SCALE = 3;
export const OPTION_SACK_PERMITTED = 4;
export const OPTION_SACK = 5;
export const OPTION_TIMESTAMPS = 8;

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

export function window(view: DataView, at: number): number {
  return view.getUint16(at + 14);
}

export function checksum(view: DataView, at: number): number {
  return view.getUint16(at + 16);
}

export function urgentPointer(view: DataView, at: number): number {
  return view.getUint16(at + 18);
}

export function setChecksum(view: DataView, at: number, checksum: number): void {
  view.setUint16(at + 16, checksum);
}
