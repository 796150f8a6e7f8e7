/** IPv6 addresses: text both ways, what is no address, kinds. */

import { isIPv6 } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as address from './ipv6-address.ts';

const parse = (text: string): address.Address6 => address.parseAddress(text) as address.Address6;

describe('IPv6 address text', () => {
  // RFC 4291 2.2 and RFC 5952: what is written, and the one way to print it.
  for (const [text, canonical, words] of [
    ['::', '::', [0, 0, 0, 0]],
    ['::1', '::1', [0, 0, 0, 1]],
    ['1::', '1::', [0x10000, 0, 0, 0]],
    ['2001:DB8:0:0:8:800:200C:417A', '2001:db8::8:800:200c:417a', [0x20010db8, 0, 0x00080800, 0x200c417a]],
    ['FF01:0:0:0:0:0:0:101', 'ff01::101', [0xff010000 | 0, 0, 0, 0x101]],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1', [0x20010db8, 1, 0x10001, 0x10001]],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1', [0x20010000, 1, 0, 1]],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1', [0x20010db8, 0, 0x10000, 1]],
    ['::13.1.68.3', '::d01:4403', [0, 0, 0, 0x0d014403]],
    ['::FFFF:129.144.52.38', '::ffff:129.144.52.38', [0, 0, 0xffff, 0x81903426 | 0]],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221', [0x0064ff9b, 0, 0, 0xc0000221 | 0]],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0', [0x10002, 0x30004, 0x50006, 0x70000]],
    ['fe80::1', 'fe80::1', [0xfe800000 | 0, 0, 0, 1]],
  ] as const) {
    it(text, () => {
      expect(address.parseAddress(text)).toEqual(words);
      expect(address.formatAddress(words)).toBe(canonical);
    });
  }

  for (const text of [
    '',
    ':',
    ':::',
    '1',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    '1::2::3',
    ':1::2',
    '1::2:',
    '12345::',
    'g::',
    ' ::1',
    '::1%eth0',
    '1.2.3.4',
    '::1.2.3',
    '::1.2.3.256',
    '1.2.3.4::',
    '::1.2.3.4:5',
    '1:2:3:4:5:6:7:1.2.3.4',
    '[::1]',
  ]) {
    it(`refuses '${text}'`, () => {
      expect(address.parseAddress(text)).toBeNull();
    });
  }

  const any = fc.tuple(fc.integer(), fc.integer(), fc.integer(), fc.integer());

  it('comes back from text, and Node takes the text for an address', () => {
    const withZeros = fc.oneof(
      any,
      fc.tuple(...[0, 1, 2, 3].map(() => fc.constantFrom(0, 1, 0x10000, -1))),
    ) as typeof any;
    fc.assert(
      fc.property(withZeros, (words) => {
        const text = address.formatAddress(words);
        expect(address.parseAddress(text)).toEqual(words);
        expect(isIPv6(text)).toBe(true);
        expect(address.formatAddress(parse(text.toUpperCase()))).toBe(text);
      }),
      { numRuns: 500 },
    );
  });

  it('is an address where Node says so, for text near one', () => {
    const letters = fc.constantFrom('0', '1', 'f', ':', ':', ':', '::', '.', '25', 'ffff', 'g');
    fc.assert(
      fc.property(fc.array(letters, { maxLength: 20 }), (parts) => {
        const text = parts.join('');
        expect(address.parseAddress(text) !== null).toBe(isIPv6(text));
      }),
      { numRuns: 5000 },
    );
  });
});

describe('IPv6 address kinds', () => {
  it('tells scopes and groups apart by the first word', () => {
    const kinds = (text: string): boolean[] => {
      const [word] = parse(text);
      return [address.isMulticast(word), address.isLinkLocal(word), address.isUniqueLocal(word)];
    };
    expect(kinds('ff02::1')).toEqual([true, false, false]);
    expect(kinds('fe80::1')).toEqual([false, true, false]);
    expect(kinds('febf::1')).toEqual([false, true, false]);
    expect(kinds('fec0::1')).toEqual([false, false, false]);
    expect(kinds('fc00::1')).toEqual([false, false, true]);
    expect(kinds('fdff::1')).toEqual([false, false, true]);
    expect(kinds('2001:db8::1')).toEqual([false, false, false]);
    expect(address.multicastScope(parse('ff05::1')[0])).toBe(5);
  });

  it('maps IPv4 addresses', () => {
    expect(address.formatAddress(address.mapped4(0x0a00000b))).toBe('::ffff:10.0.0.11');
    expect(address.isMapped4(parse('::ffff:a00:b'))).toBe(true);
    expect(address.isMapped4(parse('::a00:b'))).toBe(false);
  });

  it('derives the solicited-node group (the example of RFC 4291 2.7.1)', () => {
    const group = address.solicitedNode(parse('4037::01:800:200E:8C6C'));
    expect(address.formatAddress(group)).toBe('ff02::1:ff0e:8c6c');
  });

  it('knows the groups by name', () => {
    const text = [address.ALL_NODES, address.ALL_ROUTERS, address.ALL_MLDV2_ROUTERS].map(address.formatAddress);
    expect(text).toEqual(['ff02::1', 'ff02::2', 'ff02::16']);
    expect(address.equal(address.LOOPBACK, parse('::1'))).toBe(true);
    expect(address.equal(address.UNSPECIFIED, address.LOOPBACK)).toBe(false);
  });
});
