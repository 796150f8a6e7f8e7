import { describe, expect, it } from 'vitest';
import { PEER_MAC } from '../../../test/fixtures/inet-bed.ts';
import { routeRows } from '../../../test/fixtures/inet-text.ts';
import { Inet6Bed } from '../../../test/fixtures/inet6-bed.ts';
import { be32, hex, join, toHex } from '../../../test/fixtures/packets.ts';
import {
  advertisement,
  groupMac,
  icmp6,
  ip6,
  solicitation,
  solicitedNode,
  udp6,
} from '../../../test/fixtures/packets6.ts';

const OWN = '2001:db8::1';
const PEER = '2001:db8::2';
const GROUP = solicitedNode(OWN);
const SECOND = 1_000_000;

/** A bed with detection on whose link-local address was found free, and a further address being asked for. */
function probing(count = 2): Inet6Bed {
  const one = new Inet6Bed();
  one.sysctl('net.inet6.ip6.dad_count', count);
  one.attach6(null);
  expect(state(one, 0)).toBe('preferred');
  expect(one.inet.configure(one.interfaces[0]!, one.number(OWN), 64)).toBe(0);
  return one;
}

function state(one: Inet6Bed, index = 1): string {
  return one.interfaces[0]!.addresses6[index]!.state;
}

/** Until the first probe is out. */
function firstProbe(one: Inet6Bed): void {
  for (let i = 0; i < 11; i++) {
    if (one.sent6().some(({ payload }) => payload[0] === 135)) return;
    one.advance(SECOND / 10);
  }
  throw new Error('no probe within a second');
}

describe('Duplicate address detection (RFC 4862 5.4)', () => {
  it('asks as nobody, dad_count times, a second apart, and then uses the address', () => {
    const one = probing();
    expect(state(one)).toBe('tentative');
    expect(one.devices[0]!.groups).toContain(groupMac(GROUP));
    one.advance(5 * SECOND);
    const probes = one.sent6().filter(({ payload }) => payload[0] === 135);
    expect(probes).toHaveLength(2);
    expect(probes[0]).toMatchObject({ src: '::', dst: GROUP, hops: 255, dstMac: groupMac(GROUP) });
    expect(toHex(probes[0]!.payload)).toBe(toHex(icmp6('::', GROUP, 135, 0, join(be32(0), ip6(OWN)))));
    expect(state(one)).toBe('preferred');
  });

  it('has a route to the prefix at once, and one to the address once it is ours', () => {
    const one = probing();
    const rows = () =>
      routeRows(one.inet, 6)
        .map((row) => row.destination)
        .filter((destination) => destination.startsWith('2001:'));
    expect(rows()).toEqual(['2001:db8::']);
    one.advance(5 * SECOND);
    expect(rows().sort()).toEqual(['2001:db8::', '2001:db8::1']);
    one.inet.configure(one.interfaces[0]!, one.number('2001:db8::7'), 64);
    one.inet.unconfigure(one.interfaces[0]!, one.number(OWN));
    expect(rows()).toEqual(['2001:db8::']);
    one.inet.unconfigure(one.interfaces[0]!, one.number('2001:db8::7'));
    expect(rows()).toEqual([]);
  });

  it('begins after a random part of a second on a link that came up, and at once on one that has been', () => {
    const times = [1, 2, 3, 4].map((seed) => {
      const one = new Inet6Bed(seed);
      one.attach6(null);
      one.sysctl('net.inet6.ip6.dad_count', 1);
      one.inet.configure(one.interfaces[0]!, one.number(OWN), 64);
      expect(one.sent6().filter(({ payload }) => payload[0] === 135)).toHaveLength(1);
      one.inet.changeFlags(one.interfaces[0]!, 0, 1);
      one.inet.changeFlags(one.interfaces[0]!, 1, 0);
      const fromUs = one.nowUs;
      firstProbe(one);
      return one.nowUs - fromUs;
    });
    expect(new Set(times).size).toBeGreaterThan(1);
  });

  it('asks nobody for an address that an interface got while it was down, as NetBSD', () => {
    const one = new Inet6Bed();
    one.sysctl('net.inet6.ip6.dad_count', 1);
    one.attach6(null);
    const iface = one.interfaces[0]!;
    one.inet.changeFlags(iface, 0, 1);
    one.sent6();
    one.inet.configure(iface, one.number(OWN), 64);
    expect(state(one)).toBe('tentative');
    one.inet.changeFlags(iface, 1, 0);
    expect(state(one)).toBe('preferred');
    // Down once more, and others may have taken it.
    one.inet.changeFlags(iface, 0, 1);
    one.inet.changeFlags(iface, 1, 0);
    expect(state(one)).toBe('tentative');
  });

  it('neither hears nor answers for an address that is not certain yet', () => {
    const one = probing();
    firstProbe(one);
    const endpoint = one.cpu.udp.open(true);
    endpoint.bind(one.number('::'), 7);
    one.receiveIp6({ src: PEER, dst: OWN, next: 17 }, udp6(PEER, OWN, 5, 7, hex('00')));
    expect(endpoint.queue.count).toBe(0);
    const asked = solicitation(PEER, GROUP, { target: OWN, mac: PEER_MAC });
    expect(one.receiveGroup6(groupMac(GROUP), { src: PEER, dst: GROUP, next: 58, hops: 255 }, asked)).toEqual([]);
    // A host that believes to find us there is no sign that another one has the address.
    one.advance(5 * SECOND);
    expect(state(one)).toBe('preferred');
  });

  it('gives up when somebody says that the address is his', () => {
    const one = probing();
    firstProbe(one);
    const said = advertisement(OWN, 'ff02::1', { target: OWN, flags: 0x20, mac: PEER_MAC });
    one.receiveGroup6('333300000001', { src: OWN, dst: 'ff02::1', next: 58, hops: 255 }, said);
    one.advance(10 * SECOND);
    expect(state(one)).toBe('duplicated');
    expect(one.cpu.ip.isLocal(one.number(OWN))).toBe(false);
    expect(one.count('nd6-duplicate-addresses')).toBe(1);
  });

  it('gives up when somebody else asks for it too', () => {
    const one = probing();
    firstProbe(one);
    const probe = solicitation('::', GROUP, { target: OWN });
    one.receiveGroup6(groupMac(GROUP), { src: '::', dst: GROUP, next: 58, hops: 255 }, probe);
    one.advance(10 * SECOND);
    expect(state(one)).toBe('duplicated');
  });

  it('stops IPv6 on a link whose link-local address is taken (RFC 4862 5.4.5)', () => {
    const one = new Inet6Bed();
    one.sysctl('net.inet6.ip6.dad_count', 1);
    const link = 'fe80::ff:fe00:1';
    one.attach6(null);
    one.inet.ip6.setDisabled(one.interfaces[0]!, true);
    one.inet.ip6.setDisabled(one.interfaces[0]!, false);
    expect(state(one, 0)).toBe('tentative');
    firstProbe(one);
    const said = advertisement(link, 'ff02::1', { target: link, flags: 0x20, mac: PEER_MAC });
    one.receiveGroup6('333300000001', { src: link, dst: 'ff02::1', next: 58, hops: 255 }, said);
    expect(one.inet.ip6.links.isActive(one.interfaces[0]!)).toBe(false);
  });

  it('is over at once with dad_count 0, and begins anew when the link comes back', () => {
    const one = probing(0);
    expect(state(one)).toBe('preferred');
    one.sysctl('net.inet6.ip6.dad_count', 1);
    one.inet.changeFlags(one.interfaces[0]!, 0, 1);
    expect(state(one)).toBe('tentative');
    expect(one.cpu.ip.isLocal(one.number(OWN))).toBe(false);
    one.inet.changeFlags(one.interfaces[0]!, 1, 0);
    expect(state(one)).toBe('tentative');
    one.advance(5 * SECOND);
    expect(state(one)).toBe('preferred');
  });

  it('stops with the address', () => {
    const one = probing();
    one.sent6();
    one.inet.unconfigure(one.interfaces[0]!, one.number(OWN));
    one.advance(10 * SECOND);
    expect(one.sent6().filter(({ payload }) => payload[0] === 135)).toEqual([]);
  });
});
