/**
 * Arithmetic on 32-bit sequence numbers modulo 2^32 (RFC 9293 section 3.4): values are int32, compared by signed difference.
 * Used on every thread, also on the data path: small enough for the compiler to put in place of a call.
 */

/** a - b as int32: negative when `a` lies before `b`. */
export function seqDiff(a: number, b: number): number {
  return (a - b) | 0;
}

export function seqLt(a: number, b: number): boolean {
  return ((a - b) | 0) < 0;
}

export function seqLe(a: number, b: number): boolean {
  return ((a - b) | 0) <= 0;
}

export function seqGt(a: number, b: number): boolean {
  return ((a - b) | 0) > 0;
}

export function seqGe(a: number, b: number): boolean {
  return ((a - b) | 0) >= 0;
}
