export const PERIOD: number;
/** Distance of the bytes that are looked at. */
export const STRIDE: number;
export function pattern(extra: number): Buffer;
export function damage(expected: Buffer, chunk: Uint8Array, position: number): number;
