/** Addresses configured by hand that live for a time, and those that others have too. */

import { describe, expect, it } from 'vitest';
import { ownMac, PEER_MAC } from '../../../test/fixtures/inet-bed.ts';
import { Inet6Bed } from '../../../test/fixtures/inet6-bed.ts';
import { ether, hex, toHex } from '../../../test/fixtures/packets.ts';
import { icmp6, packet6, solicitation } from '../../../test/fixtures/packets6.ts';
import { Errno } from '../../base/errors.ts';
import type { InterfaceAddress6 } from '../../net/interface.ts';

const S = 1_000_000;
const ECHO_REPLY = 129;
const ADVERTISEMENT = 136;
const OWN = '2001:db8::1';
const OTHER = '2001:db8::2';
const PEER = '2001:db8::9';

function bed(): Inet6Bed {
  const one = new Inet6Bed();
  one.attach6(OWN);
  one.neighbor6(PEER);
  return one;
}

function add(one: Inet6Bed, text: string, anycast = false): InterfaceAddress6 {
  const { ip6 } = one.inet;
  expect(ip6.addAddress(one.interfaces[0]!, one.number(text), 64, 'manual', anycast)).toBe(0);
  return ip6.addresses.find(one.number(text))!;
}

function echo(one: Inet6Bed, dst: string): string[] {
  const answers = one.receiveIp6({ src: PEER, dst, next: 58 }, icmp6(PEER, dst, 128, 0, hex('00010001')));
  return answers.filter(({ payload }) => payload[0] === ECHO_REPLY).map((answer) => answer.src);
}

describe('an address with lifetimes (RFC 4862 5.5.4)', () => {
  it('is preferred, then deprecated, then gone', () => {
    const one = bed();
    const { ip6 } = one.inet;
    const entry = add(one, OTHER);
    ip6.lifetimes.set(entry, 10 * S, 30 * S);
    one.advance(10 * S - 1);
    expect(entry.state).toBe('preferred');
    one.advance(1);
    expect(entry.state).toBe('deprecated');
    expect(echo(one, OTHER)).toEqual([OTHER]);
    one.advance(20 * S);
    expect(ip6.addresses.find(one.number(OTHER))).toBeNull();
    expect(echo(one, OTHER)).toEqual([]);
    expect(echo(one, OWN)).toEqual([OWN]);
  });

  it('gets new ones, or lives for ever again', () => {
    const one = bed();
    const { lifetimes, addresses } = one.inet.ip6;
    const entry = add(one, OTHER);
    lifetimes.set(entry, 0, 30 * S);
    expect(entry.state).toBe('deprecated');
    lifetimes.set(entry, 20 * S, 30 * S);
    expect(entry.state).toBe('preferred');
    lifetimes.set(entry, Infinity, Infinity);
    one.advance(1000 * S);
    expect([entry.state, addresses.find(one.number(OTHER))]).toEqual(['preferred', entry]);
  });

  it('runs while the address is still tentative', () => {
    const one = bed();
    one.sysctl('net.inet6.ip6.dad_count', 1);
    const entry = add(one, OTHER);
    one.inet.ip6.lifetimes.set(entry, 0, 30 * S);
    expect(entry.state).toBe('tentative');
    one.advance(3 * S);
    expect(entry.state).toBe('deprecated');
  });

  it('belongs to one address: others stay, one taken away by hand leaves nothing', () => {
    const one = bed();
    const { ip6 } = one.inet;
    const entry = add(one, OTHER);
    ip6.lifetimes.set(entry, 5 * S, 5 * S);
    expect(ip6.removeAddress(one.interfaces[0]!, one.number(OTHER))).toBe(0);
    const again = add(one, OTHER);
    one.advance(10 * S);
    expect([again.state, ip6.removeAddress(one.interfaces[0]!, one.number('2001:db8::3'))]).toEqual([
      'preferred',
      -Errno.EADDRNOTAVAIL,
    ]);
  });
});

describe('an anycast address (RFC 4291 2.6)', () => {
  it('is used at once, without asking whether others have it', () => {
    const one = bed();
    one.sysctl('net.inet6.ip6.dad_count', 1);
    one.sent6();
    const entry = add(one, OTHER, true);
    expect(entry.state).toBe('preferred');
    one.advance(3 * S);
    expect(one.sent6().filter(({ next, payload }) => next === 58 && payload[0] === 135)).toEqual([]);
  });

  it('is never a source', () => {
    const one = bed();
    add(one, PEER.replace('9', '8'), true);
    expect(echo(one, '2001:db8::8')).toEqual([OWN]);
  });

  it('is advertised without overriding what is known (RFC 4861 7.2.4)', () => {
    const one = bed();
    add(one, OTHER, true);
    const flags = (target: string): string => {
      const message = solicitation(PEER, target, { target, mac: PEER_MAC.replaceAll(':', '') });
      const packet = packet6({ src: PEER, dst: target, next: 58, hops: 255 }, message);
      const answers = one.receive6(ether(ownMac(1), PEER_MAC, 0x86dd, packet));
      return toHex(answers.find(({ payload }) => payload[0] === ADVERTISEMENT)!.payload.slice(0, 5));
    };
    expect(flags(OWN).slice(8)).toBe('60');
    expect(flags(OTHER).slice(8)).toBe('40');
  });
});
