/** IPv6 addresses as numbers of 128 bits, for prefixes. Thread: any; pure functions. */

import { formatAddress, parseAddress } from '../wire/ipv6-address.ts';

/** An IPv6 address as a number, its zone left out. */
export function toBigInt6(text: string): bigint {
  const words = parseAddress(text.split('%', 1)[0] as string) ?? [];
  return words.reduce((sum, word) => (sum << 32n) | BigInt(word >>> 0), 0n);
}

/** Text of such a number. */
export function fromBigInt6(address: bigint): string {
  const word = (shift: bigint): number => Number(BigInt.asIntN(32, address >> shift));
  return formatAddress([word(96n), word(64n), word(32n), word(0n)]);
}
