import { describe, expect, it } from 'vitest';
import { IP6_ANY } from './address-interner.ts';
import { anyFamilies, FAMILY_4, FAMILY_6, familyOf, matchScore, overlap } from './any-address.ts';

const FOUR = 0x0a000001;
const OTHER_FOUR = 0x0a000002;
const SIX = 0xf0000010 | 0;
const OTHER_SIX = 0xf0000011 | 0;

const at = (address: number, only6 = false): { address: number; only6: boolean } => ({ address, only6 });

describe('"any address"', () => {
  it('is of one family, or with :: of both (RFC 3493 3.7, 5.3)', () => {
    expect(anyFamilies(0, false)).toBe(FAMILY_4);
    expect(anyFamilies(IP6_ANY, false)).toBe(FAMILY_4 | FAMILY_6);
    expect(anyFamilies(IP6_ANY, true)).toBe(FAMILY_6);
    expect(anyFamilies(SIX, false)).toBe(0);
    expect([FOUR, 0, SIX, IP6_ANY].map(familyOf)).toEqual([FAMILY_4, FAMILY_4, FAMILY_6, FAMILY_6]);
  });

  it.each([
    ['0.0.0.0 and ::', at(0), at(IP6_ANY), true],
    ['0.0.0.0 and :: alone', at(0), at(IP6_ANY, true), false],
    [':: and :: alone', at(IP6_ANY), at(IP6_ANY, true), true],
    [':: and an IPv4 address', at(IP6_ANY), at(FOUR), true],
    [':: alone and an IPv4 address', at(IP6_ANY, true), at(FOUR), false],
    [':: alone and an IPv6 address', at(IP6_ANY, true), at(SIX), true],
    ['0.0.0.0 and an IPv6 address', at(0), at(SIX), false],
    ['0.0.0.0 and an IPv4 address', at(0), at(FOUR), true],
    ['an address and itself', at(SIX), at(SIX), true],
    ['an address and another', at(SIX), at(OTHER_SIX), false],
    ['an IPv4 address and another', at(FOUR), at(OTHER_FOUR), false],
    ['addresses of both families', at(FOUR), at(SIX), false],
  ])('%s', (_what, a, b, expected) => {
    expect([overlap(a, b), overlap(b, a)]).toEqual([expected, expected]);
  });

  it('fits less than an address, and :: less than 0.0.0.0 for IPv4', () => {
    const score = (address: number, dst: number, only6 = false): number =>
      matchScore(address, anyFamilies(address, only6), dst, familyOf(dst));
    expect([FOUR, 0, IP6_ANY, OTHER_FOUR, SIX].map((address) => score(address, FOUR))).toEqual([3, 2, 1, 0, 0]);
    expect([SIX, IP6_ANY, 0, OTHER_SIX].map((address) => score(address, SIX))).toEqual([3, 2, 0, 0]);
    expect([score(IP6_ANY, FOUR, true), score(IP6_ANY, SIX, true)]).toEqual([0, 2]);
  });
});
