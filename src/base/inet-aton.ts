/** IPv4 addresses in all the forms that people write. Thread: any; pure functions. Read first: inet_aton(3), getaddrinfo(3). */

/** A number as strtoul(3) reads it with base 0: hexadecimal, octal or decimal. */
const INET_ATON_PART = /^(?:0x[0-9a-f]+|0[0-7]*|[1-9]\d*)$/i;
const OCTAL = /^0\d/;

/**
 * IPv4 text as inet_aton(3) takes it: one to four numbers, of which the last fills the bytes that are left. An int32, or NaN.
 * As in getaddrinfo, nothing may stand behind it.
 */
export function parseInetAton(text: string): number {
  const parts = text.split('.');
  if (parts.length > 4 || !parts.every((part) => INET_ATON_PART.test(part))) return Number.NaN;
  const values = parts.map((part) => (OCTAL.test(part) ? Number.parseInt(part, 8) : Number(part)));
  const last = values.pop() as number;
  if (values.some((value) => value > 255) || last >= 256 ** (4 - values.length)) return Number.NaN;
  return values.reduce((sum, value, index) => sum + value * 256 ** (3 - index), last) | 0;
}
