import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { SocketDouble } from '../../test/fixtures/socket-double.ts';
import { Errno } from '../base/errors.ts';
import { IP6_ANY, IP6_LOOPBACK } from '../inet/ip/address-interner.ts';
import {
  ANY,
  ANY6,
  canonicalText,
  destination,
  fillName,
  formatAddress,
  formatIpv4,
  LOOPBACK,
  LOOPBACK6,
  parseInto,
  parseIpv4,
  parseIpv6,
} from './address.ts';
import { setFace } from './face.ts';
import { StaticNames } from './names.ts';

beforeEach(() => setFace({ sockets: new SocketDouble(() => undefined), names: new StaticNames() }));

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
    ['::', ANY6],
    ['0:0:0:0:0:0:0:0', ANY6],
    ['::1', LOOPBACK6],
    ['::0001', LOOPBACK6],
    ['::ffff:127.0.0.1', LOOPBACK],
    ['::FFFF:7f00:1', LOOPBACK],
    ['127.0.0.1', null],
    ['nonsense', null],
    [':::', null],
  ])('%s', (text, address) => {
    expect(parseIpv6(text)).toBe(address);
  });

  it('has the fixed numbers of the kernel for any and loopback', () => {
    expect([ANY6, LOOPBACK6]).toEqual([IP6_ANY, IP6_LOOPBACK]);
  });

  it.each([
    ['2001:DB8:0::1', '2001:db8::1'],
    ['fe80::1%lo0', 'fe80::1%lo0'],
    ['fe80::1%nowhere', 'fe80::1'],
    ['ff02::1%lo0', 'ff02::1'],
  ])('%s comes back as %s', (text, shown) => {
    expect(formatAddress(parseIpv6(text) as number, 6)).toBe(shown);
  });

  it('is what a handle of family 6 says', () => {
    expect(formatAddress(ANY6, 6)).toBe('::');
    expect(formatAddress(ANY, 6)).toBe('::');
    expect(formatAddress(LOOPBACK6, 6)).toBe('::1');
    expect(formatAddress(LOOPBACK, 6)).toBe('::ffff:127.0.0.1');
    const name = {};
    fillName(name, LOOPBACK6, 80, 6);
    expect(name).toEqual({ address: '::1', family: 'IPv6', port: 80 });
  });

  it('is shortest without zone, and IPv4 when mapped', () => {
    expect(canonicalText('fe80:0::1%eth0')).toBe('fe80::1');
    expect(canonicalText('::ffff:a00:1')).toBe('10.0.0.1');
    expect(canonicalText('api')).toBe(undefined);
  });
});

describe('arguments', () => {
  it('have the error of a host that lacks the address', () => {
    const parsed = { address: 0, error: 0 };
    expect(parseInto(parsed, '10.0.0.1', 4, Errno.ENETUNREACH)).toBe(true);
    expect(parsed.address).toBe(0x0a000001);
    expect(parseInto(parsed, '240.0.0.1', 4, Errno.ENETUNREACH)).toBe(false);
    expect(parsed.error).toBe(-Errno.ENETUNREACH);
    expect(parseInto(parsed, '10.0.0', 4, Errno.ENETUNREACH)).toBe(false);
    expect(parsed.error).toBe(-Errno.EINVAL);
    expect(parseInto(parsed, '10.0.0.1', 6, Errno.ENETUNREACH)).toBe(false);
    expect(parsed.error).toBe(-Errno.EINVAL);
  });

  it('mean this machine when a destination is any', () => {
    expect(destination(ANY)).toBe(LOOPBACK);
    expect(destination(ANY6)).toBe(LOOPBACK6);
    expect(destination(0x0a000001)).toBe(0x0a000001);
  });
});
