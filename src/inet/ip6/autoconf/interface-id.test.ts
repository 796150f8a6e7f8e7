import { describe, expect, it } from 'vitest';
import { SeededRng } from '../../../base/rng.ts';
import { type Address6, formatAddress, parseAddress } from '../../../wire/ipv6-address.ts';
import { idFromMac } from '../eui64.ts';
import { isReservedId, joinId, randomId, StableIds } from './interface-id.ts';

const ip6 = (text: string): Address6 => parseAddress(text) as Address6;
const LINK = ip6('fe80::');

describe('Interface identifiers', () => {
  it('from a MAC (RFC 2464 4)', () => {
    // 34-56-78-9A-BC-DE, the example there.
    expect(formatAddress(joinId(LINK, idFromMac(0x3456, 0x789abcde | 0)))).toBe('fe80::3656:78ff:fe9a:bcde');
    expect(formatAddress(joinId(LINK, idFromMac(0x026d, 0x00000001)))).toBe('fe80::6d:ff:fe00:1');
  });

  it('stable ones depend on prefix, interface, attempt and key, and on nothing else (RFC 7217 5)', () => {
    const make = (seed: number, prefix = '2001:db8::', name = 'eth0', attempt = 0): string =>
      formatAddress(joinId(LINK, new StableIds(new SeededRng(seed)).make(ip6(prefix), name, attempt)));
    expect(make(1)).toBe(make(1));
    const others = [
      make(1),
      make(2),
      make(1, '2001:db8:0:1::'),
      make(1, '2001:db8::', 'eth1'),
      make(1, '2001:db8::', 'eth0', 1),
    ];
    expect(new Set(others).size).toBe(5);
  });

  it('reserved ones are known (RFC 5453)', () => {
    const reserved = (text: string): boolean => {
      const address = ip6(text);
      return isReservedId([address[2], address[3]]);
    };
    expect(
      ['::', '::200:5eff:fe00:0', '::200:5eff:fe00:5213', '::fdff:ffff:ffff:ff80', '::fdff:ffff:ffff:ffff'].map(
        reserved,
      ),
    ).toEqual(Array(5).fill(true));
    expect(['::1', '::200:5eff:fd00:0', '::fdff:ffff:ffff:ff7f', '::200:5efe:fe00:0'].map(reserved)).toEqual(
      Array(4).fill(false),
    );
  });

  it('are never reserved ones', () => {
    const words = [0, 0, 0xfdffffff | 0, -1, 1, 2];
    expect(randomId({ next32: () => words.shift() as number })).toEqual([1, 2]);
  });
});
