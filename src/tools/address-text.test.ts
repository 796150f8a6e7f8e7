import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { IpAddress } from '../sys/control.ts';
import { formatAddress, formatLinkAddress, InterfaceNames, parseAddress, parseLinkAddress } from './address-text.ts';

const NAMES = new InterfaceNames([
  { index: 1, name: 'lo0' },
  { index: 2, name: 'eth0' },
]);
const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });

function address6(w0: number, w3: number, scopeId: number): IpAddress {
  return { family: 6, w0: w0 | 0, w1: 0, w2: 0, w3, scopeId };
}

describe('addresses', () => {
  it('of link scope have the name of their interface, or its number', () => {
    expect(formatAddress(address6(0xfe800000, 9, 2), NAMES)).toBe('fe80::9%eth0');
    expect(formatAddress(address6(0xfe800000, 9, 7), NAMES)).toBe('fe80::9%7');
    expect(parseAddress('fe80::9%eth0', NAMES)).toEqual(address6(0xfe800000, 9, 2));
    expect(parseAddress('fe80::9%2', NAMES)).toEqual(address6(0xfe800000, 9, 2));
    expect(parseAddress('ff02::1%eth0', NAMES)).toEqual(address6(0xff020000, 1, 2));
    expect(parseAddress('fe80::9', NAMES)).toEqual(address6(0xfe800000, 9, 0));
  });

  it('of other scopes have no zone, and one that is given is only checked', () => {
    expect(parseAddress('fd00::1%eth0', NAMES)).toEqual(address6(0xfd000000, 1, 0));
    expect(parseAddress('fd00::1%eth9', NAMES)).toBeNull();
  });

  it('that are mapped are IPv4', () => {
    expect(parseAddress('::ffff:10.0.0.1', NAMES)).toEqual(parseAddress('10.0.0.1', NAMES));
  });

  it('that no host has, or that are none, are refused', () => {
    for (const text of [
      '',
      'x',
      '1.2.3',
      '1.2.3.256',
      '01.2.3.4',
      '240.0.0.1',
      '::ffff:240.0.0.1',
      ':::',
      'fe80::1%',
      '10.0.0.1%eth0',
    ]) {
      expect(parseAddress(text, NAMES), text).toBeNull();
    }
    expect(parseAddress('255.255.255.255', NAMES)).toMatchObject({ w3: -1 });
  });

  it('survive text', () => {
    const global4 = word
      .filter((w3) => w3 >>> 28 !== 0xf)
      .map((w3): IpAddress => ({ family: 4, w0: 0, w1: 0, w2: 0, w3, scopeId: 0 }));
    const global6 = fc
      .tuple(word, word, word)
      .map(([w1, w2, w3]): IpAddress => ({ family: 6, w0: 0x20010db8, w1, w2, w3, scopeId: 0 }));
    const link6 = word.map((w3) => address6(0xfe800000, w3, 2));
    fc.assert(
      fc.property(fc.oneof(global4, global6, link6), (address) => {
        expect(parseAddress(formatAddress(address, NAMES), NAMES)).toEqual(address);
      }),
    );
  });
});

describe('link-layer addresses', () => {
  it('are six hexadecimal numbers', () => {
    expect(parseLinkAddress('0:1:2:A:b:ff')).toEqual([0, 1, 2, 10, 11, 255]);
    expect(formatLinkAddress([2, 0x6d, 0x6b, 0, 0, 11])).toBe('02:6d:6b:00:00:0b');
    for (const text of ['', '1:2:3:4:5', '1:2:3:4:5:6:7', '1:2:3:4:5:g', '100:2:3:4:5:6']) {
      expect(parseLinkAddress(text), text).toBeNull();
    }
  });
});
