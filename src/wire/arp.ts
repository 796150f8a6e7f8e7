/**
 * ARP for IPv4 over Ethernet (RFC 826, RFC 5227).
 *
 * Thread: any; pure functions over `(view, at)`, `at` being where the packet begins (after the Ethernet header).
 */

export const PACKET_BYTES = 28;

export const OPERATION_REQUEST = 1;
export const OPERATION_REPLY = 2;

export const HARDWARE_ETHERNET = 1;

export const CHECK_REASONS: readonly string[] = ['', 'arp-short', 'arp-bad-hardware', 'arp-bad-protocol', 'arp-bad-operation'];

/** 0 when the packet is a well-formed ARP packet for IPv4 over Ethernet, else an index of {@link CHECK_REASONS}. */
export function check(view: DataView, at: number, lengthBytes: number): number {
  if (lengthBytes < PACKET_BYTES) return 1;
  if (view.getUint16(at) !== HARDWARE_ETHERNET || view.getUint8(at + 4) !== 6) return 2;
  if (view.getUint16(at + 2) !== 0x0800 || view.getUint8(at + 5) !== 4) return 3;
  const op = view.getUint16(at + 6);
  return op === OPERATION_REQUEST || op === OPERATION_REPLY ? 0 : 4;
}

export function operation(view: DataView, at: number): number {
  return view.getUint16(at + 6);
}

export function senderHi(view: DataView, at: number): number {
  return view.getUint16(at + 8);
}

export function senderLo(view: DataView, at: number): number {
  return view.getInt32(at + 10);
}

export function senderAddress(view: DataView, at: number): number {
  return view.getInt32(at + 14);
}

export function targetHi(view: DataView, at: number): number {
  return view.getUint16(at + 18);
}

export function targetLo(view: DataView, at: number): number {
  return view.getInt32(at + 20);
}

export function targetAddress(view: DataView, at: number): number {
  return view.getInt32(at + 24);
}
