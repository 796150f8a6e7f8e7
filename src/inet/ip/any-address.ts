/**
 * "Any" as a local address: the rules of binding and finding sockets of both families.
 *
 * Thread: any; pure functions. 0 is any address of IPv4; `::` is any of IPv6, and of IPv4 too unless the socket has
 * IPV6_V6ONLY. Read first: RFC 3493 sections 3.7 and 5.3.
 */

import { IP6_ANY, isIp6 } from './address-interner.ts';

export const FAMILY_4 = 1;
export const FAMILY_6 = 2;

/** `FAMILY_4` or `FAMILY_6`. */
export function familyOf(address: number): number {
  return isIp6(address) ? FAMILY_6 : FAMILY_4;
}

/** The families of which a local address is "any": `FAMILY_*` bits, 0 for one address. */
export function anyFamilies(address: number, only6: boolean): number {
  if (address === 0) return FAMILY_4;
  if (address !== IP6_ANY) return 0;
  return only6 ? FAMILY_6 : FAMILY_4 | FAMILY_6;
}

export function isAny(address: number): boolean {
  return address === 0 || address === IP6_ANY;
}

export interface LocalAddress {
  readonly address: number;
  /** IPV6_V6ONLY: matters where `address` is `::`. */
  readonly only6: boolean;
}

/** Whether a packet could be for both. */
export function overlap(a: LocalAddress, b: LocalAddress): boolean {
  const anyA = anyFamilies(a.address, a.only6);
  const anyB = anyFamilies(b.address, b.only6);
  if (anyA !== 0 && anyB !== 0) return (anyA & anyB) !== 0;
  if (anyA !== 0) return (anyA & familyOf(b.address)) !== 0;
  if (anyB !== 0) return (anyB & familyOf(a.address)) !== 0;
  return a.address === b.address;
}

/**
 * Rank of a local address for a packet to `dst`: 0 not at all, 1 `::` for IPv4, 2 any address of the family, 3 the
 * address itself. `any` is {@link anyFamilies} of `address`, `family` {@link familyOf} of `dst`.
 */
export function matchScore(address: number, any: number, dst: number, family: number): number {
  if (address === dst) return 3;
  if ((any & family) === 0) return 0;
  return address === 0 || family === FAMILY_6 ? 2 : 1;
}
