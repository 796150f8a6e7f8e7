export const PERIOD: number;
export function pattern(extra: number): Buffer;
export function damage(expected: Buffer, chunk: Uint8Array, position: number): number;
