import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SeededRng } from '../../base/rng.ts';
import { Sysctl } from '../../kern/sysctl.ts';
import { Arena } from '../../mem/arena.ts';
import { Counters } from '../../mem/counters.ts';
import { type Address6, formatAddress, parseAddress } from '../../wire/ipv6-address.ts';
import { AddressInterner, IP6_ANY, IP6_LOOPBACK, isIp6, isZoned } from './address-interner.ts';

const arena = Arena.create(4 << 20);
let made = 0;

function table(limit = 16384): AddressInterner {
  const sysctl = new Sysctl();
  const made6 = new AddressInterner({
    counters: Counters.open(arena, `t${made++}`, 8),
    sysctl,
    rng: new SeededRng(made),
  });
  expect(sysctl.set('net.inet6.ip6.maxaddresses', limit)).toBe(0);
  return made6;
}

function words(text: string): Address6 {
  return parseAddress(text) as Address6;
}

function intern(one: AddressInterner, text: string, zone = 0): number {
  return one.internAddress(words(text), zone);
}

describe('numbers for addresses', () => {
  it('gives :: and ::1 fixed numbers in 240.0.0.0/8', () => {
    const one = table();
    expect(IP6_ANY >>> 0).toBe(0xf0000000);
    expect(intern(one, '::')).toBe(IP6_ANY);
    expect(intern(one, '::1')).toBe(IP6_LOOPBACK);
    expect(isIp6(IP6_ANY)).toBe(true);
    expect([0, -1, 0x7f000001, 0xe0000001 | 0, 0xf1000000 | 0].some(isIp6)).toBe(false);
  });

  it('gives the same number for the same address and zone, another for another', () => {
    const one = table();
    const a = intern(one, '2001:db8::1');
    expect(intern(one, '2001:db8::1')).toBe(a);
    expect(intern(one, '2001:db8::2')).not.toBe(a);
    const here = intern(one, 'fe80::1', 1);
    expect(intern(one, 'fe80::1', 2)).not.toBe(here);
    expect(one.zone(here)).toBe(1);
    // A zone means nothing for an address that is the same everywhere.
    expect(intern(one, '2001:db8::1', 7)).toBe(a);
    expect(one.zone(a)).toBe(0);
  });

  it('knows which addresses have a zone', () => {
    const zoned = ['fe80::1', 'febf::1', 'ff02::1', 'ff01::1', 'ff12::5'];
    const others = ['::1', '2001:db8::1', 'fec0::1', 'fd00::1', 'ff05::2', 'ff0e::1'];
    expect(zoned.every((text) => isZoned(words(text)[0]))).toBe(true);
    expect(others.some((text) => isZoned(words(text)[0]))).toBe(false);
  });

  it('finds what was entered, writes its bytes and their sum', () => {
    const one = table();
    expect(one.find(0x20010db8, 0, 0, 1, 0)).toBe(0);
    const a = intern(one, '2001:db8::ff00:42:8329');
    expect(one.find(0x20010db8, 0, 0xff00, 0x00428329, 0)).toBe(a);
    expect(one.words(a)).toEqual([0x20010db8, 0, 0xff00, 0x00428329]);
    expect(one.word(a, 3)).toBe(0x00428329);
    const view = new DataView(new ArrayBuffer(16));
    one.write(a, view, 0);
    expect(Buffer.from(view.buffer).toString('hex')).toBe('20010db8000000000000ff0000428329');
    // 2001 + 0db8 + ff00 + 0042 + 8329 = 1b024, folded.
    expect(one.sum(a)).toBe(0xb025);
  });

  it('keeps every address through growth', () => {
    const address = fc.tuple(fc.nat(0xffffffff), fc.nat(3), fc.nat(3), fc.nat(0xffffffff));
    fc.assert(
      fc.property(fc.array(address, { maxLength: 400 }), (all) => {
        const one = table();
        const numbers = all.map((w) => one.intern(w[0] | 0, w[1], w[2], w[3] | 0, 0));
        for (const [i, w] of all.entries()) {
          expect(formatAddress(one.words(numbers[i] as number))).toBe(formatAddress([w[0] | 0, w[1], w[2], w[3] | 0]));
        }
        expect(new Set(numbers).size).toBe(new Set(all.map(String)).size);
      }),
      { numRuns: 50 },
    );
  });

  it('gives an address the same fingerprint whatever its number', () => {
    const one = table();
    const first = intern(one, '2001:db8::7');
    const print = one.fingerprint(first);
    intern(one, '2001:db8::8');
    one.sweep();
    intern(one, '2001:db8::9');
    intern(one, '2001:db8::a');
    const again = intern(one, '2001:db8::7');
    expect(again).not.toBe(first);
    expect(one.fingerprint(again)).toBe(print);
    expect(one.fingerprint(intern(one, '2001:db8::a'))).not.toBe(print);
  });
});

describe('a sweep', () => {
  it('frees what nobody marks, and only that', () => {
    const one = table();
    const held = intern(one, '2001:db8::1');
    const own = intern(one, '2001:db8::2');
    const lost = intern(one, '2001:db8::3');
    one.setLocal(own, true);
    one.addHolder({
      markAddresses: (mark) => {
        mark(held);
        mark(0x0a000001);
        mark(0);
      },
    });
    expect(one.sweep()).toBe(1);
    expect(one.find(0x20010db8, 0, 0, 3, 0)).toBe(0);
    expect(one.find(0x20010db8, 0, 0, 1, 0)).toBe(held);
    expect(one.find(0x20010db8, 0, 0, 2, 0)).toBe(own);
    expect(one.find(0, 0, 0, 1, 0)).toBe(IP6_LOOPBACK);
    expect([one.isLocal(own), one.isLocal(held)]).toEqual([true, false]);
    // The number that was freed is given again.
    expect(intern(one, '2001:db8::4')).toBe(lost);
    expect(one.count).toBe(5);
    one.setLocal(own, false);
    expect(one.sweep()).toBe(2);
  });

  it('is due at three quarters of the limit, or when an address found no room', () => {
    const one = table(256);
    for (let i = 2; i < 191; i++) one.intern(1, 2, 3, i, 0);
    expect(one.sweepDue).toBe(false);
    one.intern(1, 2, 3, 191, 0);
    expect(one.sweepDue).toBe(true);
    expect(one.sweep()).toBe(190);
    expect([one.count, one.sweepDue]).toEqual([2, false]);
  });

  it('refuses more than the limit, counted, and comes back after a sweep', () => {
    const one = table(256);
    const held: number[] = [];
    one.addHolder({ markAddresses: (mark) => held.forEach(mark) });
    for (let i = 2; i < 256; i++) held.push(one.intern(9, 9, 9, i, 0));
    expect(held.every(isIp6)).toBe(true);
    expect(one.intern(9, 9, 9, 999, 0)).toBe(0);
    expect(one.sweepDue).toBe(true);
    expect(one.sweep()).toBe(0);
    expect(one.sweepDue).toBe(false);
    expect(one.intern(9, 9, 9, 999, 0)).toBe(0);
    held.length = 10;
    one.sweep();
    expect(isIp6(one.intern(9, 9, 9, 999, 0))).toBe(true);
  });
});
