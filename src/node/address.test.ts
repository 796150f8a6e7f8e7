import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { SocketDouble } from '../../test/fixtures/socket-double.ts';
import { SocketAddress } from '../socket/socket.ts';
import { canonicalText, destination, fillName, formatAddress, formatIpv4, parseInto, parseIpv4 } from './address.ts';
import { setFace } from './face.ts';
import { StaticNames } from './names.ts';

const LOOPBACK = 0x7f000001;

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
  const read = (text: string): string | null => {
    const address = new SocketAddress();
    return parseInto(address, text, 6) ? formatAddress(address) : null;
  };

  it.each([
    ['::', '::'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['::1', '::1'],
    ['::0001', '::1'],
    ['::ffff:127.0.0.1', '::ffff:127.0.0.1'],
    ['::FFFF:7f00:1', '::ffff:127.0.0.1'],
    ['127.0.0.1', null],
    ['nonsense', null],
    [':::', null],
  ])('%s', (text, shown) => {
    expect(read(text)).toBe(shown);
  });

  it.each([
    ['2001:DB8:0::1', '2001:db8::1'],
    ['fe80::1%lo0', 'fe80::1%lo0'],
    ['fe80::1%nowhere', 'fe80::1'],
    ['ff02::1%lo0', 'ff02::1'],
  ])('%s comes back as %s', (text, shown) => {
    expect(read(text)).toBe(shown);
  });

  it('is the name of a handle of family 6', () => {
    const name = {};
    fillName(name, SocketAddress.ipv6(0, 0, 0, 1, 80));
    expect(name).toEqual({ address: '::1', family: 'IPv6', port: 80 });
    fillName(name, SocketAddress.ipv6(0, 0, 0xffff, LOOPBACK, 80));
    expect(name).toEqual({ address: '::ffff:127.0.0.1', family: 'IPv6', port: 80 });
    fillName(name, SocketAddress.any(6));
    expect(name).toEqual({ address: '::', family: 'IPv6', port: 0 });
  });

  it('is shortest without zone, and IPv4 when mapped', () => {
    expect(canonicalText('fe80:0::1%eth0')).toBe('fe80::1');
    expect(canonicalText('::ffff:a00:1')).toBe('10.0.0.1');
    expect(canonicalText('10.0.0.1%eth0')).toBe(undefined);
    expect(canonicalText('fe80::1%')).toBe(undefined);
    expect(canonicalText('api')).toBe(undefined);
  });
});

describe('arguments', () => {
  it('are read into a socket address when they are of the family', () => {
    const parsed = new SocketAddress();
    expect(parseInto(parsed, '10.0.0.1', 4, 80)).toBe(true);
    expect(parsed.equals(SocketAddress.ipv4(0x0a000001, 80))).toBe(true);
    expect(parseInto(parsed, '10.0.0.1', 4, 65536 + 81)).toBe(true);
    expect(parsed.port).toBe(81);
    expect(parseInto(parsed, '10.0.0', 4)).toBe(false);
    expect(parseInto(parsed, '10.0.0.1', 6)).toBe(false);
  });

  it('mean this machine when a destination is any', () => {
    expect(destination(SocketAddress.any(4, 5)).equals(SocketAddress.ipv4(LOOPBACK, 5))).toBe(true);
    expect(destination(SocketAddress.any(6, 5)).equals(SocketAddress.ipv6(0, 0, 0, 1, 5))).toBe(true);
    expect(destination(SocketAddress.ipv4(0x0a000001, 5)).w3).toBe(0x0a000001);
  });
});
