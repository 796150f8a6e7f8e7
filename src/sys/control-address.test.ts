import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AddressText } from '../../test/fixtures/address-text.ts';
import { Inet6Bed } from '../../test/fixtures/inet6-bed.ts';
import { IP6_ANY, IP6_LOOPBACK } from '../inet/ip/address-interner.ts';

function bed(): Inet6Bed {
  const one = new Inet6Bed();
  one.attach6(null);
  one.attach6(null);
  return one;
}

describe('addresses from text to the numbers of inet/ and back', () => {
  const one = bed();
  const text = new AddressText(one.inet);

  it.each([
    ['10.0.0.1', '10.0.0.1'],
    ['255.255.255.255', '255.255.255.255'],
    ['2001:DB8:0:0::1', '2001:db8::1'],
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['::FFFF:a00:1', '10.0.0.1'],
    ['fe80::1%eth1', 'fe80::1%eth1'],
    ['fe80::1%2', 'fe80::1%eth0'],
    ['ff02::1%eth0', 'ff02::1%eth0'],
    ['fe80::1', 'fe80::1'],
    ['2001:db8::1%eth0', '2001:db8::1'],
    ['::', '::'],
    ['::1', '::1'],
  ])('%s is %s', (given, shown) => {
    const address = text.parse(given);
    expect(address === null ? null : text.format(address)).toBe(shown);
  });

  it.each([
    'hello',
    '10.0.0',
    '10.0.0.256',
    '240.0.0.1',
    '255.255.255.254',
    '::ffff:240.0.0.1',
    'fe80::1%nosuch',
    'fe80::1%',
    '2001:db8',
    ':::',
    '',
    '%eth0',
  ])('%s is no address', (given) => {
    expect(text.parse(given)).toBeNull();
  });

  it('keeps the fixed numbers', () => {
    expect([text.parse('::'), text.parse('::1'), text.parse('0.0.0.0')]).toEqual([IP6_ANY, IP6_LOOPBACK, 0]);
  });

  it('shows IPv4 to a socket of IPv6 as mapped', () => {
    expect(text.format(0x0a000001, 6)).toBe('::ffff:10.0.0.1');
    expect(text.format(0, 6)).toBe('::');
    expect(text.format(IP6_LOOPBACK, 6)).toBe('::1');
  });

  it('reads what it writes', () => {
    const word = fc.oneof(fc.constantFrom(0, 1, 0xffff), fc.nat(0xffff));
    fc.assert(
      fc.property(fc.array(word, { minLength: 8, maxLength: 8 }), (groups) => {
        const long = groups.map((group) => group.toString(16)).join(':');
        const address = text.parse(long);
        if (address === null) return;
        expect(text.parse(text.format(address))).toBe(address);
      }),
    );
  });
});
