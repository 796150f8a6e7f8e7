import { describe, expect, it } from 'vitest';
import { Inet6Bed } from '../../../test/fixtures/inet6-bed.ts';
import { type AddressWords, NO_ADDRESS } from './address-boundary.ts';
import { IP6_ANY } from './address-interner.ts';

const MAPPED = 0xffff;
const LINK_LOCAL = 0xfe800000 | 0;

function words(family: number, w0: number, w1: number, w2: number, w3: number, scopeId = 0): AddressWords {
  return { family, w0, w1, w2, w3, scopeId };
}

function bed(): Inet6Bed {
  const one = new Inet6Bed();
  one.attach6(null);
  one.attach6(null);
  return one;
}

describe('the border of the interned addresses', () => {
  it('knows IPv4 addresses by themselves, plain and mapped', () => {
    const { addresses } = bed().inet;
    expect(addresses.numberOf(words(4, 0, 0, 0, 0x0a000001))).toBe(0x0a000001);
    expect(addresses.numberOf(words(6, 0, 0, MAPPED, 0x0a000001))).toBe(0x0a000001);
    expect(addresses.numberOf(words(4, 0, 0, 0, -1))).toBe(-1);
    expect(addresses.numberOf(words(4, 0, 0, 0, 0xf0000001 | 0))).toBe(NO_ADDRESS);
    expect(addresses.isFull(words(4, 0, 0, 0, 0xf0000001 | 0))).toBe(false);
  });

  it('gives back the words and the zone of IPv6 addresses', () => {
    const { addresses } = bed().inet;
    const out = words(4, 0, 0, 0, 0);
    for (const one of [words(6, 1, 2, 3, 4), words(6, LINK_LOCAL, 0, 0, 9, 2), words(6, 0, 0, 0, 0)]) {
      addresses.wordsOf(addresses.numberOf(one), 4, out);
      expect(out).toEqual(one);
    }
    expect(addresses.numberOf(words(6, 0, 0, 0, 0))).toBe(IP6_ANY);
  });

  it('refuses zones that are no interface, and drops zones that mean nothing', () => {
    const { addresses } = bed().inet;
    expect(addresses.numberOf(words(6, LINK_LOCAL, 0, 0, 1, 9))).toBe(NO_ADDRESS);
    expect(addresses.isFull(words(6, LINK_LOCAL, 0, 0, 1, 9))).toBe(false);
    expect(addresses.numberOf(words(6, 1, 0, 0, 1, 9))).toBe(addresses.numberOf(words(6, 1, 0, 0, 1)));
  });

  it('shows IPv4 to a socket of IPv6 as mapped, and any as any', () => {
    const { addresses } = bed().inet;
    const out = words(4, 0, 0, 0, 0);
    addresses.wordsOf(0x0a000001, 6, out);
    expect(out).toEqual(words(6, 0, 0, MAPPED, 0x0a000001));
    addresses.wordsOf(0, 6, out);
    expect(out).toEqual(words(6, 0, 0, 0, 0));
    addresses.wordsOf(0x0a000001, 4, out);
    expect(out).toEqual(words(4, 0, 0, 0, 0x0a000001));
  });

  it('does not give a number that was freed, or that another address has now', () => {
    const { inet } = bed();
    const { addresses } = inet;
    const { interner } = inet.shared;
    const before = addresses.numberOf(words(6, 1, 0, 0, 1));
    interner.sweep();
    const others = Array.from({ length: 100 }, (_, i) => addresses.numberOf(words(6, 1, 0, 0, 2 + i)));
    expect(others).toContain(before);
    const again = addresses.numberOf(words(6, 1, 0, 0, 1));
    expect(others).not.toContain(again);
    interner.sweep();
    const out = words(4, 0, 0, 0, 0);
    addresses.wordsOf(addresses.numberOf(words(6, 1, 0, 0, 1)), 6, out);
    expect(out).toEqual(words(6, 1, 0, 0, 1));
  });

  it('says so when the table is full', () => {
    const { inet } = bed();
    inet.sysctl.set('net.inet6.ip6.maxaddresses', 256);
    let last = 0;
    for (let i = 1; i < 400; i++) last = inet.addresses.numberOf(words(6, 1, 0, 0, i));
    expect(last).toBe(NO_ADDRESS);
    expect(inet.addresses.isFull(words(6, 1, 0, 0, 400))).toBe(true);
  });
});
