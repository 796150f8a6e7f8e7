/**
 * Payloads of `Repr` objects: bytes copied out of and into a view.
 *
 * Thread: any. Not for the data path (that copies with `Bulk`): a payload read here is a copy of its own, so that a Repr
 * stays what it was when the frame's slot is used again.
 */

/** A copy of `lengthBytes` bytes at `at`. */
export function copyOut(view: DataView, at: number, lengthBytes: number): Uint8Array {
  const bytes = new Uint8Array(lengthBytes);
  for (let i = 0; i < lengthBytes; i++) bytes[i] = view.getUint8(at + i);
  return bytes;
}

/** Write `bytes` at `at`; returns how many. */
export function copyIn(bytes: Uint8Array, view: DataView, at: number): number {
  for (let i = 0; i < bytes.length; i++) view.setUint8(at + i, bytes[i] as number);
  return bytes.length;
}

/** Zero `lengthBytes` bytes at `at`. */
export function zero(view: DataView, at: number, lengthBytes: number): void {
  for (let i = 0; i < lengthBytes; i++) view.setUint8(at + i, 0);
}
