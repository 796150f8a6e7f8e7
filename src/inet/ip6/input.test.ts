import { describe, expect, it } from 'vitest';
import { ownMac, PEER_MAC } from '../../../test/fixtures/inet-bed.ts';
import { Inet6Bed } from '../../../test/fixtures/inet6-bed.ts';
import { type Bytes, be16, be32, ether, hex, join, toHex } from '../../../test/fixtures/packets.ts';
import { groupMac, icmp6, type Packet6, packet6, udp6 } from '../../../test/fixtures/packets6.ts';
import type { UdpEndpoint } from '../udp/endpoint.ts';

const OWN = '2001:db8::1';
const PEER = '2001:db8::2';
const HOP_BY_HOP = 0;
const ROUTING = 43;
const DESTINATION = 60;
const NONE = 59;
const UDP = 17;

function bed(): { one: Inet6Bed; endpoint: UdpEndpoint } {
  const one = new Inet6Bed();
  one.attach6(OWN);
  one.neighbor6(PEER);
  const endpoint = one.cpu.udp.open(true);
  endpoint.bind(one.number('::'), 7);
  return { one, endpoint };
}

const DATAGRAM = udp6(PEER, OWN, 5, 7, hex('aa'));

/** An extension header with that much data, padded to a multiple of 8. */
function extension(next: number, data: Bytes): Bytes {
  const bytes = Math.ceil((2 + data.length) / 8) * 8;
  return join(Uint8Array.of(next, bytes / 8 - 1), data, new Uint8Array(bytes - 2 - data.length));
}

function receive(one: Inet6Bed, next: number, payload: Bytes): Packet6[] {
  return one.receiveIp6({ src: PEER, dst: OWN, next }, payload);
}

/** Type, code and pointer of the parameter problem that was sent. */
function problem(packets: Packet6[]): [number, number, number] {
  expect(packets).toHaveLength(1);
  expect(packets[0]).toMatchObject({ src: OWN, dst: PEER, next: 58 });
  const { payload } = packets[0]!;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  return [payload[0]!, payload[1]!, view.getUint32(4)];
}

describe('addresses that no packet from a wire can have', () => {
  it.each([
    ['a group as source', 'ff02::5', OWN, 'ip6-in-bad-source'],
    ['::1 as source', '::1', OWN, 'ip6-in-bad-source'],
    ['an IPv4-mapped source', '::ffff:a00:1', OWN, 'ip6-in-bad-source'],
    ['::1 as destination', PEER, '::1', 'ip6-in-bad-destination'],
    [':: as destination', PEER, '::', 'ip6-in-bad-destination'],
    ['an IPv4-mapped destination', PEER, '::ffff:a00:1', 'ip6-in-bad-destination'],
    ['a group of interface scope', PEER, 'ff01::1', 'ip6-in-bad-destination'],
    ['a group of scope 0', PEER, 'ff00::1', 'ip6-in-bad-destination'],
    ['a group that nobody here is in', PEER, 'ff02::99', 'ip6-in-not-member'],
    ['somebody else', PEER, '2001:db8::9', 'ip6-in-not-ours'],
    ['a link-local address that is not ours', PEER, 'fe80::9', 'ip6-in-not-ours'],
  ])('%s', (_what, src, dst, counter) => {
    const { one, endpoint } = bed();
    expect(one.receiveIp6({ src, dst, next: UDP }, udp6(src, dst, 5, 7, hex('aa')))).toEqual([]);
    expect([one.count(counter), endpoint.queue.count]).toEqual([1, 0]);
  });

  it('our own address as source is heard from the wire: it is somebody else who has it', () => {
    const { one, endpoint } = bed();
    one.receiveIp6({ src: OWN, dst: OWN, next: UDP }, udp6(OWN, OWN, 5, 7, hex('aa')));
    expect(endpoint.queue.count).toBe(1);
  });

  it('one address in a frame to a group is not for us', () => {
    const { one, endpoint } = bed();
    one.receiveGroup6('333300000001', { src: PEER, dst: OWN, next: UDP }, DATAGRAM);
    expect([one.count('ip6-in-link-group'), endpoint.queue.count]).toEqual([1, 0]);
  });
});

describe('headers', () => {
  it.each([
    ['short', hex('60000000'), 'ip6-in-short'],
    [
      'of another version',
      packet6({ src: PEER, dst: OWN, next: UDP }, DATAGRAM).fill(0x40, 0, 1),
      'ip6-in-bad-version',
    ],
    ['longer than the frame', packet6({ src: PEER, dst: OWN, next: UDP }, DATAGRAM).slice(0, -1), 'ip6-in-bad-length'],
  ])('%s', (_what, packet, counter) => {
    const { one, endpoint } = bed();
    one.receive6(ether(ownMac(1), PEER_MAC, 0x86dd, packet));
    expect([one.count(counter), endpoint.queue.count]).toEqual([1, 0]);
  });

  it('padding of the link is no part of the packet', () => {
    const { one, endpoint } = bed();
    const packet = packet6({ src: PEER, dst: OWN, next: UDP }, DATAGRAM);
    one.receive6(ether(ownMac(1), PEER_MAC, 0x86dd, join(packet, new Uint8Array(20).fill(0xee))));
    expect(endpoint.queue.nextBytes).toBe(1);
  });

  it('traffic class and hop limit are told to the transport', () => {
    const { one } = bed();
    const seen: number[][] = [];
    one.cpu.ip.register({
      protocol: 200,
      input: ({ tos, ttl, lengthBytes }) => seen.push([tos, ttl, lengthBytes]),
      icmpError: () => {},
    });
    one.receiveIp6({ src: PEER, dst: OWN, next: 200, class: 0xb8, label: 0xfffff, hops: 3 }, hex('0102'));
    expect(seen).toEqual([[0xb8, 3, 2]]);
  });
});

describe('extension headers (RFC 8200 section 4)', () => {
  it.each([
    ['hop-by-hop with padding', HOP_BY_HOP, extension(UDP, hex('0104 00000000'))],
    ['hop-by-hop with a router alert', HOP_BY_HOP, extension(UDP, hex('0502 0000 0100'))],
    ['destination options', DESTINATION, extension(UDP, hex('0104 00000000'))],
    ['an unknown option that may be skipped', DESTINATION, extension(UDP, hex('1e04 00000000'))],
    ['routing without segments left', ROUTING, extension(UDP, hex('0000 00000000'))],
    ['routing of an unknown type without segments left', ROUTING, extension(UDP, hex('fd00 00000000'))],
    ['several', HOP_BY_HOP, join(extension(DESTINATION, hex('0104 00000000')), extension(UDP, hex('0104 00000000')))],
  ])('%s is stepped over', (_what, next, header) => {
    const { one, endpoint } = bed();
    expect(receive(one, next, join(header, DATAGRAM))).toEqual([]);
    expect(endpoint.queue.nextBytes).toBe(1);
  });

  it.each([
    // Type, code and pointer are of the parameter problem.
    ['an unknown next header', 253, hex('0102'), [4, 1, 6]],
    ['an unknown next header behind another', DESTINATION, join(extension(253, hex('0104 00000000'))), [4, 1, 40]],
    [
      'hop-by-hop in the second place',
      DESTINATION,
      join(extension(HOP_BY_HOP, hex('0104 00000000')), extension(UDP, hex('0104 00000000')), DATAGRAM),
      [4, 1, 40],
    ],
    [
      'an option that asks to be reported',
      DESTINATION,
      join(extension(UDP, hex('9e04 00000000')), DATAGRAM),
      [4, 2, 42],
    ],
    ['the same for one address only', HOP_BY_HOP, join(extension(UDP, hex('de04 00000000')), DATAGRAM), [4, 2, 42]],
    ['an option beyond its header', DESTINATION, join(extension(UDP, hex('1e09 00000000')), DATAGRAM), [4, 0, 42]],
    [
      'routing of type 0 with segments left (RFC 5095)',
      ROUTING,
      join(extension(UDP, hex('0001 00000000')), DATAGRAM),
      [4, 0, 42],
    ],
    [
      'routing of another type with segments left',
      ROUTING,
      join(extension(UDP, hex('fd01 00000000')), DATAGRAM),
      [4, 0, 42],
    ],
  ])('%s is answered by a parameter problem', (_what, next, payload, expected) => {
    const { one, endpoint } = bed();
    const answers = receive(one, next, payload);
    expect(problem(answers)).toEqual(expected);
    // The whole packet is quoted.
    expect(toHex(answers[0]!.payload.slice(8))).toBe(toHex(packet6({ src: PEER, dst: OWN, next }, payload)));
    expect(endpoint.queue.count).toBe(0);
  });

  it.each([
    ['an option that asks to be dropped', DESTINATION, join(extension(UDP, hex('5e04 00000000')), DATAGRAM)],
    ['headers beyond the end', DESTINATION, hex('1105')],
    ['nothing behind it (next header 59)', NONE, hex('ffff')],
    [
      'nine headers',
      DESTINATION,
      join(
        ...Array.from({ length: 9 }, (_, i) => extension(i < 8 ? DESTINATION : UDP, hex('0104 00000000'))),
        DATAGRAM,
      ),
    ],
  ])('%s: silence', (_what, next, payload) => {
    const { one, endpoint } = bed();
    expect(receive(one, next, payload)).toEqual([]);
    expect(endpoint.queue.count).toBe(0);
  });

  it('are not asked for by a group, except where the option says so', () => {
    const { one } = bed();
    const group = 'ff02::1';
    const to = { src: PEER, dst: group, next: DESTINATION };
    const tell = (option: string): Packet6[] =>
      one.receiveGroup6(groupMac(group), to, join(extension(NONE, hex(option))));
    expect(tell('de04 00000000')).toEqual([]);
    expect(tell('9e04 00000000')).toMatchObject([{ src: OWN, dst: PEER }]);
    expect(one.receiveGroup6(groupMac(group), { ...to, next: 253 }, hex('00'))).toEqual([]);
  });
});

describe('UDP over IPv6', () => {
  it('must have a checksum (RFC 8200 8.1)', () => {
    const { one, endpoint } = bed();
    const bare = udp6(PEER, OWN, 5, 7, hex('aa'));
    bare.set(be16(0), 6);
    receive(one, UDP, bare);
    expect([one.count('udp-in-no-checksum'), endpoint.queue.count]).toEqual([1, 0]);
    bare.set(be16(1), 6);
    receive(one, UDP, bare);
    expect([one.count('udp-in-bad-checksum'), endpoint.queue.count]).toEqual([1, 0]);
  });

  it('has one even where IPv4 does without, and 0xffff for 0', () => {
    const { one } = bed();
    one.sysctl('net.inet.udp.checksum', 0);
    const endpoint = one.cpu.udp.open(true);
    endpoint.bind(one.number(OWN), 1);
    // parse6 verifies.
    for (let i = 0; i < 300; i++)
      endpoint.send(
        hex('0000').map((_, n) => (n === 0 ? i >> 8 : i)),
        0,
        2,
        one.number(PEER),
        9,
      );
    one.settle();
    expect(one.sent6()).toHaveLength(300);
  });

  it('to a closed port is answered (ICMPv6 1.4)', () => {
    const { one } = bed();
    const datagram = udp6(PEER, OWN, 5, 99, hex('aa'));
    const answers = receive(one, UDP, datagram);
    const quote = packet6({ src: PEER, dst: OWN, next: UDP }, datagram);
    expect(answers).toMatchObject([{ src: OWN, dst: PEER, next: 58, hops: 255 }]);
    expect(toHex(answers[0]!.payload)).toBe(toHex(icmp6(OWN, PEER, 1, 4, join(be32(0), quote))));
  });
});

describe('IPv6 switched off', () => {
  it('hears nothing, says nothing, has no addresses that work', () => {
    const { one, endpoint } = bed();
    one.sysctl('net.inet6.ip6.enable', 0);
    one.sent6();
    expect(receive(one, UDP, DATAGRAM)).toEqual([]);
    expect([one.count('ip6-in-disabled'), endpoint.queue.count]).toEqual([1, 0]);
    expect(one.cpu.udp.open(true).send(hex('00'), 0, 1, one.number(PEER), 9)).toBeLessThan(0);
    one.sysctl('net.inet6.ip6.enable', 1);
    one.neighbor6(PEER);
    receive(one, UDP, DATAGRAM);
    expect(endpoint.queue.count).toBe(1);
  });

  it('on one interface leaves the others alone', () => {
    const { one } = bed();
    one.attach6('2001:db8:1::1');
    one.inet.ip6.setDisabled(one.interfaces[0]!, true);
    const { links } = one.inet.ip6;
    expect(one.interfaces.map((iface) => links.isActive(iface))).toEqual([false, true]);
  });

  it('on interfaces comes back when the machine is told to have it', () => {
    const { one } = bed();
    const { links } = one.inet.ip6;
    const [iface] = one.interfaces;
    one.inet.ip6.setDisabled(iface!, true);
    expect(links.isActive(iface!)).toBe(false);
    one.sysctl('net.inet6.ip6.enable', 1);
    expect(links.isActive(iface!)).toBe(true);
    expect(iface!.addresses6.map((entry) => entry.origin)).toContain('link-local');
  });

  it('needs a link of 1280 bytes (RFC 8200 section 5)', () => {
    const one = new Inet6Bed();
    one.attach6(null, { mtuBytes: 1279 });
    const { links } = one.inet.ip6;
    expect(links.isActive(one.interfaces[0]!)).toBe(false);
    one.inet.setMtu(one.interfaces[0]!, 1280);
    expect(links.isActive(one.interfaces[0]!)).toBe(true);
  });

  it('keeps no timer while nothing happens', () => {
    const { one } = bed();
    one.advance(100_000_000);
    expect(one.callouts.nextDeadlineUs()).toBe(Infinity);
  });
});
