/** The address that a kernel speaks from, and the order in which it tries those of a peer. */

import { describe, expect, it } from 'vitest';
import { InetBed } from '../../../test/fixtures/inet-bed.ts';
import { ip } from '../../../test/fixtures/packets.ts';
import { RTF_GATEWAY } from '../../net/route.ts';
import { type Address6, formatAddress, parseAddress } from '../../wire/ipv6-address.ts';
import { isIp6 } from '../ip/address-interner.ts';

const S = 1_000_000;

/** eth0 in 2001:db8:1::/64 with a default router, eth1 in fd00:2::/64. */
function bed(): InetBed {
  const one = new InetBed();
  one.attach('10.0.0.1');
  one.attach('10.0.1.1');
  one.sysctl('net.inet6.ip6.enable', 1);
  add(one, '2001:db8:1::1');
  add(one, 'fd00:2::1', 1);
  one.inet.addRoute(number(one, '::'), 0, number(one, 'fe80::99'), RTF_GATEWAY, null);
  one.advance(2 * S);
  return one;
}

function add(one: InetBed, address: string, n = 0, origin: 'manual' | 'temporary' = 'manual'): void {
  expect(one.inet.ip6.addAddress(one.interfaces[n]!, number(one, address), 64, origin)).toBe(0);
}

function number(one: InetBed, text: string, n = 0): number {
  return one.inet.shared.interner.internAddress(parseAddress(text) as Address6, one.interfaces[n]!.index);
}

function source(one: InetBed, destination: string, n = 0): string | number {
  const path = one.cpu.ip.openPath(number(one, destination, n), 0, 0);
  return typeof path === 'number' ? path : formatAddress(one.inet.shared.interner.words(path.src));
}

describe('The source address of a packet (RFC 6724 5)', () => {
  it('has the scope of the destination, and is of the link', () => {
    const one = bed();
    expect(source(one, 'fe80::55')).toBe('fe80::ff:fe00:1');
    expect(source(one, 'fe80::55', 1)).toBe('fe80::ff:fe00:2');
    expect(source(one, 'ff02::5', 1)).toBe('fe80::ff:fe00:2');
    expect(source(one, '2001:db8:9::1')).toBe('2001:db8:1::1');
    expect(source(one, '::1')).toBe('::1');
  });

  it('is of the interface that the packet leaves by, then of the same label, then of the longest match', () => {
    const one = bed();
    add(one, 'fd00:1::1');
    add(one, '2001:db8:9:1::1');
    expect(source(one, 'fd00:2::7')).toBe('fd00:2::1');
    expect(source(one, 'fd00:9::7')).toBe('fd00:1::1');
    expect(source(one, '2001:db8:9::7')).toBe('2001:db8:9:1::1');
    expect(source(one, '2001:db8:1:5::7')).toBe('2001:db8:1::1');
  });

  it('changes when an address is deprecated, but not under a path that is open', () => {
    const one = bed();
    const path = one.cpu.ip.openPath(number(one, '2001:db8:1::9'), 0, 0);
    if (typeof path === 'number') throw new Error('no path');
    add(one, '2001:db8:7::1');
    expect(source(one, '2001:db8:1::9')).toBe('2001:db8:1::1');
    const { ip6 } = one.inet;
    ip6.setDeprecated(ip6.addresses.find(number(one, '2001:db8:1::1'))!, true);
    expect(source(one, '2001:db8:1::9')).toBe('2001:db8:7::1');
    expect([path.mtuBytes, path.src]).toEqual([1500, number(one, '2001:db8:1::1')]);
  });

  it('is temporary, unless that is not wanted', () => {
    const one = bed();
    add(one, '2001:db8:1::abcd', 0, 'temporary');
    expect(source(one, '2001:db8:1::9')).toBe('2001:db8:1::abcd');
    one.sysctl('net.inet6.ip6.prefer_tempaddr', 0);
    expect(source(one, '2001:db8:1::9')).toBe('2001:db8:1::1');
  });
});

describe('The order of destinations (RFC 6724 6)', () => {
  function order(one: InetBed, ...destinations: string[]): string[] {
    const { interner } = one.inet.shared;
    const numbers = destinations.map((text) => (text.includes(':') ? number(one, text) : ip(text)));
    const sorted = one.cpu.orderDestinations(numbers);
    return sorted.map((one) => (isIp6(one) ? formatAddress(interner.words(one)) : destinations[numbers.indexOf(one)]!));
  }

  it('IPv6 before IPv4, where there is a way', () => {
    const one = bed();
    expect(order(one, '10.0.0.7', '2001:db8:9::1')).toEqual(['2001:db8:9::1', '10.0.0.7']);
    one.inet.removeRoute(number(one, '::'), 0, 0);
    expect(order(one, '2001:db8:9::1', '10.0.0.7')).toEqual(['10.0.0.7', '2001:db8:9::1']);
    expect(order(one, '192.0.2.1', '2001:db8:9::1')).toEqual(['192.0.2.1', '2001:db8:9::1']);
  });

  it('IPv4 before unique local addresses; what is near before what is far', () => {
    const one = bed();
    expect(order(one, 'fd00:2::7', '10.0.0.7')).toEqual(['10.0.0.7', 'fd00:2::7']);
    expect(order(one, '2001:db8:77::1', '2001:db8:1:7::1')).toEqual(['2001:db8:1:7::1', '2001:db8:77::1']);
  });
});
