import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Errno } from '../base/errors.ts';
import {
  ANY,
  destination,
  fillName,
  formatAddress,
  formatIpv4,
  LOOPBACK,
  LOOPBACK6,
  NO_ROUTE,
  NOT_AN_ADDRESS,
  parseInto,
  parseIpv4,
  parseIpv6,
} from './address.ts';

describe('IPv4 text', () => {
  it('is four decimal numbers', () => {
    expect(parseIpv4('127.0.0.1')).toBe(LOOPBACK);
    expect(parseIpv4('255.255.255.255')).toBe(-1);
    expect(parseIpv4('0.0.0.0')).toBe(0);
  });

  it.each([
    '',
    '1',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.256',
    '01.2.3.4',
    '1.2.3.4 ',
    '1..3.4',
    'a.b.c.d',
    '1.2.3.',
    '-1.2.3.4',
  ])('is not %j', (text) => {
    expect(parseIpv4(text)).toBeNaN();
  });

  it('comes back from every number', () => {
    fc.assert(fc.property(fc.integer(), (address) => parseIpv4(formatIpv4(address)) === (address | 0)));
  });
});

describe('IPv6 text', () => {
  it.each([
    ['::', ANY],
    ['0:0:0:0:0:0:0:0', ANY],
    ['::1', LOOPBACK6],
    ['::0001', LOOPBACK6],
    ['::ffff:127.0.0.1', LOOPBACK],
    ['::FFFF:7f00:1', LOOPBACK],
    ['2001:db8::1', NO_ROUTE],
    ['fe80::1%eth0', NO_ROUTE],
    ['127.0.0.1', NOT_AN_ADDRESS],
    ['nonsense', NOT_AN_ADDRESS],
    [':::', NOT_AN_ADDRESS],
  ])('%s', (text, address) => {
    expect(parseIpv6(text)).toBe(address);
  });

  it('is what a handle of family 6 says', () => {
    expect(formatAddress(ANY, 6)).toBe('::');
    expect(formatAddress(LOOPBACK6, 6)).toBe('::1');
    expect(formatAddress(LOOPBACK, 6)).toBe('::ffff:127.0.0.1');
    expect(formatAddress(LOOPBACK6, 4)).toBe('127.0.0.1');
    const name = {};
    fillName(name, LOOPBACK6, 80, 6);
    expect(name).toEqual({ address: '::1', family: 'IPv6', port: 80 });
  });
});

describe('arguments', () => {
  it('have the error of a host that lacks the address', () => {
    const parsed = { address: 0, error: 0 };
    expect(parseInto(parsed, '10.0.0.1', 4, Errno.ENETUNREACH)).toBe(true);
    expect(parsed.address).toBe(0x0a000001);
    expect(parseInto(parsed, '2001:db8::1', 6, Errno.ENETUNREACH)).toBe(false);
    expect(parsed.error).toBe(-Errno.ENETUNREACH);
    expect(parseInto(parsed, '10.0.0', 4, Errno.ENETUNREACH)).toBe(false);
    expect(parsed.error).toBe(-Errno.EINVAL);
  });

  it('mean this machine when a destination is any', () => {
    expect(destination(ANY, 4)).toBe(LOOPBACK);
    expect(destination(ANY, 6)).toBe(LOOPBACK6);
    expect(destination(0x0a000001, 4)).toBe(0x0a000001);
  });
});
