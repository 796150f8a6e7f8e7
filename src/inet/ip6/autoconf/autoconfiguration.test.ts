/** Router discovery and redirects byte by byte, and what is not believed. Between whole kernels: test/sim/ip6-autoconf.test.ts. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InetBed, ownMac, PEER_MAC } from '../../../../test/fixtures/inet-bed.ts';
import { be16, checksum, ether, hex, join, type Packet, toHex } from '../../../../test/fixtures/packets.ts';
import { RTF_GATEWAY } from '../../../net/route.ts';
import { routeFlagLetters } from '../../../tools/route-text.ts';
import { type Address6, formatAddress, parseAddress } from '../../../wire/ipv6-address.ts';

const S = 1_000_000;
const ROUTER = 'fe80::99';
const OWN_LINK = 'fe80::ff:fe00:1';

/** 16 bytes in hex. */
function bytes16(text: string): string {
  const words = parseAddress(text) as Address6;
  return words.map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
}

function bed(): InetBed {
  const one = new InetBed();
  one.attach('10.0.0.1');
  one.sysctl('net.inet6.ip6.enable', 1);
  one.advance(5 * S);
  one.sent();
  return one;
}

/** A host that listens to routers; what it asked is over. */
function host(): InetBed {
  const one = bed();
  one.sysctl('net.inet6.ip6.stableids', 0);
  one.sysctl('net.inet6.ip6.accept_rtadv', 1);
  one.advance(20 * S);
  one.sent();
  return one;
}

function number(one: InetBed, text: string): number {
  return one.inet.shared.interner.internAddress(parseAddress(text) as Address6, one.interfaces[0]!.index);
}

function name(one: InetBed, address: number): string {
  return address === 0 ? '-' : formatAddress(one.inet.shared.interner.words(address));
}

interface Fields {
  src?: string;
  dst?: string;
  hops?: number;
}

/** An ICMPv6 message arrives; its checksum is filled in. */
function receive(one: InetBed, message: string, { src = ROUTER, dst = 'ff02::1', hops = 255 }: Fields = {}): void {
  const body = hex(message);
  const addresses = hex(bytes16(src) + bytes16(dst));
  body.set(be16(checksum(join(addresses, hex('0000'), be16(body.length), hex('0000003a'), body))), 2);
  // Listener discovery wears the router alert.
  const alert = hex(hops === 1 ? '3a00050200000100' : '');
  const next = hops === 1 ? 0 : 58;
  const head = join(hex('60000000'), be16(alert.length + body.length), Uint8Array.of(next, hops));
  const packet = join(head, addresses, alert, body);
  const to = dst.startsWith('ff') ? '333300000001' : ownMac(1);
  one.devices[0]!.put(ether(to, PEER_MAC, 0x86dd, packet));
  one.settle();
}

/** A packet sent, as text: "source > destination hop-limit" and the ICMPv6 message without its checksum, which is right. */
function said({ payload }: Packet): [string, string] {
  const message = payload.slice(40);
  const pseudo = join(payload.slice(8, 40), hex('0000'), be16(message.length), hex('0000003a'));
  expect(checksum(join(pseudo, message))).toBe(0);
  const text = (at: number): string => {
    const view = new DataView(payload.buffer, payload.byteOffset);
    return formatAddress([0, 4, 8, 12].map((i) => view.getInt32(at + i)) as unknown as Address6);
  };
  return [`${text(8)} > ${text(24)} ${payload[7]}`, `${toHex(message.slice(0, 2))} ${toHex(message.slice(4))}`];
}

/** Messages of one ICMPv6 type among those sent. */
function sent(one: InetBed, type: number, n = 0): [string, string][] {
  const frames = one.sent(n).filter(({ type: ethertype, payload }) => ethertype === 0x86dd && payload[6] === 58);
  return frames.filter(({ payload }) => payload[40] === type).map(said);
}

function addresses(one: InetBed): string[] {
  return one.interfaces[0]!.addresses6.filter(({ origin }) => origin !== 'link-local').map((entry) => {
    const left = (us: number): number => (us - one.nowUs) / S;
    return `${name(one, entry.address)} ${left(entry.preferredUntilUs)} ${left(entry.validUntilUs)}`;
  });
}

function routes(one: InetBed): string[] {
  return one.inet.ip6.routes
    .list()
    .map(({ destination, prefixLength, gateway, flags }) => {
      return `${name(one, destination)}/${prefixLength} ${name(one, gateway)} ${routeFlagLetters(flags)}`;
    })
    .filter((line) => !line.includes('l') && !line.startsWith('fe80'));
}

/** Header of an advertisement with a lifetime of 1800 s, then a prefix of 3600 and 1800 s. */
const HEADER = '86000000 40 00 0708 00000000 00000000';
const PREFIX = `0304 40 c0 00000e10 00000708 00000000 ${bytes16('2001:db8::')}`;
const DEFAULT_ROUTE = '::/0 fe80::99 UGD';

describe('Router solicitations (RFC 4861 4.1)', () => {
  it('go to all routers, with our link-layer address', () => {
    const one = bed();
    one.sysctl('net.inet6.ip6.accept_rtadv', 1);
    one.advance(20 * S);
    expect(sent(one, 133)).toEqual(Array(3).fill([`${OWN_LINK} > ff02::2 255`, '8500 00000000' + '0101020000000001']));
  });
});

describe('Router advertisements received (RFC 4861 6.1.2, 6.3.4)', () => {
  it('make a default router, a prefix, an address', () => {
    const one = host();
    receive(one, HEADER + PREFIX);
    expect(addresses(one)).toEqual(['2001:db8::ff:fe00:1 1800 3600']);
    expect(routes(one)).toEqual([DEFAULT_ROUTE, '2001:db8::/64 - UC']);
    one.advance(1000 * S);
    receive(one, HEADER + PREFIX);
    expect(addresses(one)).toEqual(['2001:db8::ff:fe00:1 1800 3600']);
    one.advance(1801 * S);
    expect(routes(one)).toEqual(['2001:db8::/64 - UC']);
    expect(one.interfaces[0]!.addresses6.at(-1)?.state).toBe('deprecated');
    one.advance(1800 * S);
    expect([addresses(one), routes(one)]).toEqual([[], []]);
  });

  it.each<[string, string, Fields]>([
    ['not from a link-local address', HEADER + PREFIX, { src: '2001:db8::1' }],
    ['from beyond a router', HEADER + PREFIX, { hops: 254 }],
    ['of another code', `8601${HEADER.slice(4)}`, {}],
    ['too short', HEADER.slice(0, 26), {}],
    ['with an option of no length', `${HEADER}0500000000000000`, {}],
  ])('are not believed: %s', (_, message, fields) => {
    const one = host();
    receive(one, message, fields);
    expect([addresses(one), routes(one)]).toEqual([[], []]);
  });

  it.each<[string, string]>([
    ['on the link only', '0304 40 80 00000e10 00000708 00000000'],
    ['for addresses only', '0304 40 40 00000e10 00000708 00000000'],
    ['neither', '0304 40 00 00000e10 00000708 00000000'],
  ])('prefix: %s', (kind, option) => {
    const one = host();
    receive(one, HEADER + option + bytes16('2001:db8::'));
    expect(addresses(one)).toHaveLength(kind.includes('addresses') ? 1 : 0);
    expect(routes(one)).toEqual(kind.includes('link') ? [DEFAULT_ROUTE, '2001:db8::/64 - UC'] : [DEFAULT_ROUTE]);
  });

  it('bits behind a prefix do not count, prefixes of impossible length not at all', () => {
    const one = host();
    receive(one, `${HEADER}0304 30 80 00000e10 00000708 00000000 ${bytes16('2001:db8:1:ffff::7')}`);
    receive(one, `${HEADER}0304 81 c0 00000e10 00000708 00000000 ${bytes16('2001:db8:2::')}`);
    expect(routes(one)).toEqual([DEFAULT_ROUTE, '2001:db8:1::/48 - UC']);
  });

  it('more specific routes (RFC 4191 2.3)', () => {
    const one = host();
    receive(one, `${HEADER}1802 30 00 0000000a 20010db800070000`);
    receive(one, `86000000 40 00 0000 00000000 00000000 1801 00 00 00000014`, { src: 'fe80::98' });
    expect(routes(one)).toEqual([DEFAULT_ROUTE, '2001:db8:7::/48 fe80::99 UGD']);
    one.advance(11 * S);
    expect(routes(one)).toEqual([DEFAULT_ROUTE]);
  });

  it('link-layer address, MTU, times', () => {
    const one = host();
    const { ip6 } = one.inet;
    receive(one, `86000000 20 00 0708 00001388 000000fa 0101020000000099 0501000000000578`);
    const link = ip6.links.of(one.interfaces[0]!)!;
    expect([link.hopLimit, link.mtuBytes, link.reachableMs, link.retransMs]).toEqual([32, 1400, 5000, 250]);
    const neighbor = ip6.neighbors.find(one.interfaces[0]!, number(one, ROUTER));
    expect(neighbor).toMatchObject({ state: 'stale', router: true, macHi: 0x0200, macLo: 0x99 });
    for (const mtu of ['000004ff', '000005dd']) receive(one, `${HEADER}05010000${mtu}`);
    expect(link.mtuBytes).toBe(1400);
    receive(one, `86000000 00 00 0708 ffffffff ffffffff`);
    expect([link.hopLimit, link.reachableMs, link.retransMs]).toEqual([64, 3_600_000, 60_000]);
  });

  it('a router that says it is a host is none any more (RFC 4861 7.2.5)', () => {
    const one = host();
    receive(one, `${HEADER}0101020000000099`);
    expect(routes(one)).toEqual([DEFAULT_ROUTE]);
    receive(one, `88000000 20000000 ${bytes16(ROUTER)} 0201020000000099`);
    expect(routes(one)).toEqual([]);
  });
});

describe('Router advertisements sent (RFC 4861 6.2.3)', () => {
  function router(): InetBed {
    const one = bed();
    one.inet.ip6.addAddress(one.interfaces[0]!, number(one, '2001:db8:1::1'), 64);
    one.inet.ip6.addAddress(one.interfaces[0]!, number(one, '2001:db8:1::2'), 64);
    one.sysctl('net.inet6.ip6.forwarding', 1);
    one.advance(5 * S);
    one.sent();
    return one;
  }

  const OPTIONS = `0101020000000001${'05010000000005dc'}030440c000278d0000093a8000000000${bytes16('2001:db8:1::')}`;

  it('say what we are: to all nodes, from the link-local address', () => {
    const one = router();
    one.sysctl('net.inet6.ip6.rtadv', 1);
    one.settle();
    expect(sent(one, 134)).toEqual([[`${OWN_LINK} > ff02::1 255`, `8600 40000708${'0'.repeat(16)}${OPTIONS}`]]);
    one.advance(5 * S);
    one.sysctl('net.inet6.ip6.rtadv', 0);
    one.advance(60 * S);
    expect(sent(one, 134).map(([, message]) => message.slice(0, 13))).toEqual(Array(3).fill('8600 40000000'));
  });

  it('answer solicitations within half a second; from an unknown sender they have no address option', () => {
    const one = router();
    one.sysctl('net.inet6.ip6.rtadv', 1);
    one.advance(55 * S);
    one.sent();
    receive(one, '85000000 00000000 0101020000000099', { dst: 'ff02::2' });
    one.advance(S / 2);
    expect(sent(one, 134)).toHaveLength(1);
    expect(one.inet.ip6.neighbors.find(one.interfaces[0]!, number(one, ROUTER))?.state).toBe('stale');
    one.advance(10 * S);
    receive(one, '85000000 00000000 0101020000000099', { dst: 'ff02::2', src: '::' });
    one.advance(S / 2);
    expect([sent(one, 134), one.count('nd6-router-solicitations-bad')]).toEqual([[], 1]);
    receive(one, '85000000 00000000', { dst: 'ff02::2', src: '::' });
    one.advance(S / 2);
    expect(sent(one, 134)).toHaveLength(1);
  });

  it('are of routers only', () => {
    const one = router();
    one.sysctl('net.inet6.ip6.rtadv', 1);
    one.advance(5 * S);
    one.sysctl('net.inet6.ip6.forwarding', 0);
    one.advance(60 * S);
    one.sent();
    receive(one, '85000000 00000000', { dst: 'ff02::2' });
    one.advance(600 * S);
    expect(sent(one, 134)).toEqual([]);
  });
});

describe('Redirects received (RFC 4861 8.1, 8.3)', () => {
  const FAR = '2001:db8:9::1';

  function routed(): InetBed {
    const one = host();
    receive(one, `${HEADER}0101020000000099`);
    one.sent();
    return one;
  }

  function redirect(one: InetBed, target: string, destination: string, fields: Fields = {}): void {
    receive(one, `89000000 00000000 ${bytes16(target)} ${bytes16(destination)} 0201020000000098`, {
      dst: OWN_LINK,
      ...fields,
    });
  }

  it('make a route to that destination, and a neighbor', () => {
    const one = routed();
    redirect(one, 'fe80::98', FAR);
    expect(routes(one)).toEqual([DEFAULT_ROUTE, '2001:db8:9::1/128 fe80::98 UGHD']);
    const neighbor = one.inet.ip6.neighbors.find(one.interfaces[0]!, number(one, 'fe80::98'));
    expect(neighbor).toMatchObject({ state: 'stale', router: true, macLo: 0x98 });
    // That router may send us on.
    redirect(one, FAR, FAR);
    expect(one.count('nd6-redirects-ignored')).toBe(1);
    redirect(one, FAR, FAR, { src: 'fe80::98' });
    expect(routes(one)[1]).toBe('2001:db8:9::1/128 - UHDM');
  });

  it('are believed for ten minutes since the last one', () => {
    const one = routed();
    redirect(one, 'fe80::98', FAR);
    one.advance(400 * S);
    redirect(one, 'fe80::97', FAR, { src: 'fe80::98' });
    one.advance(599 * S);
    expect(routes(one)).toEqual([DEFAULT_ROUTE, '2001:db8:9::1/128 fe80::97 UGHDM']);
    one.advance(2 * S);
    expect(routes(one)).toEqual([DEFAULT_ROUTE]);
  });

  it('are looked at only so many times a second', () => {
    const one = routed();
    one.sysctl('net.inet6.icmp6.redirppslimit', 3);
    for (let i = 1; i <= 5; i++) redirect(one, 'fe80::98', `2001:db8:9::${i}`);
    expect([routes(one).length, one.count('nd6-redirects-rate-limited')]).toEqual([4, 2]);
    one.advance(1 * S);
    redirect(one, 'fe80::98', '2001:db8:9::6');
    expect(routes(one).length).toBe(5);
  });

  it('to the destination itself: it is on the link', () => {
    const one = routed();
    redirect(one, FAR, FAR);
    expect(routes(one)).toEqual([DEFAULT_ROUTE, '2001:db8:9::1/128 - UHD']);
  });

  it.each<[string, string, string, Fields]>([
    ['from another than the first hop', 'fe80::98', FAR, { src: 'fe80::66' }],
    ['not from a link-local address', 'fe80::98', FAR, { src: '2001:db8::99' }],
    ['from beyond a router', 'fe80::98', FAR, { hops: 254 }],
    ['for a group', 'fe80::98', 'ff0e::1', {}],
    ['to a router that has no link-local address', '2001:db8::98', FAR, {}],
    ['to ourselves', OWN_LINK, FAR, {}],
    ['to everybody', 'fe80::98', FAR, { dst: 'ff02::1' }],
  ])('are not believed: %s', (_, target, destination, fields) => {
    const one = routed();
    redirect(one, target, destination, fields);
    expect([routes(one), one.count('nd6-redirects-accepted')]).toEqual([[DEFAULT_ROUTE], 0]);
  });

  it('are not believed of the first hop itself, when it speaks from a global address', () => {
    const one = routed();
    const [iface] = one.interfaces;
    const router = '2001:db8::99';
    one.inet.addRoute(number(one, '2001:db8:9::'), 64, number(one, router), RTF_GATEWAY, iface!);
    redirect(one, 'fe80::98', FAR, { src: router });
    expect([one.count('nd6-redirects-ignored'), one.count('nd6-redirects-accepted')]).toEqual([1, 0]);
  });
});

describe('Redirects sent (RFC 4861 8.2)', () => {
  const HOST = '2001:db8:1::55';

  function router(): InetBed {
    const one = bed();
    const { ip6 } = one.inet;
    const [iface] = one.interfaces;
    ip6.addAddress(iface!, number(one, '2001:db8:1::1'), 64);
    one.sysctl('net.inet6.ip6.forwarding', 1);
    ip6.neighborInput.learn(iface!, number(one, 'fe80::98'), 0x0200, 0x98, one.nowUs);
    one.inet.addRoute(number(one, '2001:db8:9::'), 64, number(one, 'fe80::98'), RTF_GATEWAY, null);
    one.advance(5 * S);
    one.sent();
    return one;
  }

  /** A packet of protocol 200 with `bytes` of payload arrives to be forwarded. */
  function pass(one: InetBed, dst: string, src = HOST, bytes = 8): void {
    const addresses = hex(bytes16(src) + bytes16(dst));
    const packet = join(hex('60000000'), be16(bytes), Uint8Array.of(200, 64), addresses, new Uint8Array(bytes));
    one.devices[0]!.put(ether(ownMac(1), '02:00:00:00:00:55', 0x86dd, packet));
    one.settle();
  }

  it('name the better router, with its address and as much of the packet as fits', () => {
    const one = router();
    pass(one, '2001:db8:9::1');
    const quoted = `60000000 0008 c840 ${bytes16(HOST)} ${bytes16('2001:db8:9::1')} 0000000000000000`.replaceAll(
      ' ',
      '',
    );
    expect(sent(one, 137)).toEqual([
      [
        `${OWN_LINK} > ${HOST} 255`,
        `8900 00000000${bytes16('fe80::98')}${bytes16('2001:db8:9::1')}0201020000000098${'0407000000000000'}${quoted}`,
      ],
    ]);
    pass(one, '2001:db8:9::1', HOST, 1400);
    const [[, long] = ['', '']] = sent(one, 137);
    expect(long.replace(' ', '').length / 2 + 2 + 40).toBeLessThanOrEqual(1280);
    expect(one.count('ip6-forwarded')).toBe(2);
  });

  it('are not sent to senders from elsewhere, nor without a link-local address of the router', () => {
    const one = router();
    pass(one, '2001:db8:9::1', '2001:db8:77::1');
    one.inet.addRoute(number(one, '2001:db8:8::'), 64, number(one, '2001:db8:1::98'), RTF_GATEWAY, null);
    pass(one, '2001:db8:8::1');
    expect(sent(one, 137)).toEqual([]);
  });

  it('are so many a second at most', () => {
    const one = router();
    one.sysctl('net.inet6.icmp6.redirppslimit', 3);
    for (let i = 0; i < 10; i++) pass(one, '2001:db8:9::1');
    expect([sent(one, 137).length, one.count('nd6-redirects-rate-limited')]).toEqual([3, 7]);
  });
});

describe('Whatever arrives', () => {
  const SAMPLES = [
    `${HEADER}${PREFIX}0101020000000099 0501000000000578 1802 30 00 0000000a 20010db800070000`,
    `85000000 00000000 0101020000000099`,
    `89000000 00000000 ${bytes16('fe80::98')} ${bytes16('2001:db8:9::1')} 0201020000000098`,
    `88000000 20000000 ${bytes16(ROUTER)} 0201020000000099`,
    `82000000 03e8 0000 ${bytes16('ff05::7')} 027d 0001 ${bytes16('2001:db8::7')}`,
    `82000000 03e8 0000 ${bytes16('::')}`,
    `83000000 0000 0000 ${bytes16('ff05::7')}`,
  ].map(hex);

  it('nothing throws, tables keep their limits, and in the end nothing is left of it', () => {
    const change = fc.record({ at: fc.nat(), value: fc.nat(255) });
    const message = fc.record({
      sample: fc.nat(SAMPLES.length - 1),
      changes: fc.array(change, { maxLength: 3 }),
      cut: fc.nat(3),
      src: fc.constantFrom(ROUTER, 'fe80::98', '2001:db8::5'),
      listener: fc.boolean(),
      waitSec: fc.nat(30),
      /** Now and then a host becomes a router. */
      forward: fc.nat(5),
    });
    fc.assert(
      fc.property(fc.array(message, { minLength: 5, maxLength: 30 }), fc.boolean(), (messages, advertises) => {
        const one = host();
        for (const name of ['maxifdefrouters', 'maxdynroutes', 'maxifprefixes', 'maxifautoaddrs']) {
          one.sysctl(`net.inet6.ip6.${name}`, 3);
        }
        one.sysctl('net.inet6.icmp6.redirmax', 3);
        one.sysctl('net.inet6.ip6.use_tempaddr', 1);
        one.inet.ip6.groups.join(one.interfaces[0]!, number(one, 'ff05::7'));
        if (advertises) one.sysctl('net.inet6.ip6.rtadv', 1);
        for (const { sample, changes, cut, src, listener, waitSec, forward } of messages) {
          one.sysctl('net.inet6.ip6.forwarding', forward === 0 ? 1 : 0);
          const bytes = (SAMPLES[sample] as Uint8Array).slice();
          for (const { at, value } of changes) bytes[at % bytes.length] = value;
          const short = cut === 0 ? (changes[0]?.at ?? 0) % 20 : 0;
          const kept = bytes.slice(0, Math.max(8, bytes.length - short));
          receive(one, toHex(kept), { src, hops: listener ? 1 : 255 });
          one.advance(waitSec * S);
          for (const { table, variable, size } of one.inet.sysctl.limits.list()) {
            expect([table, size() <= variable.value]).toEqual([table, true]);
          }
          one.sent();
        }
        one.inet.interfaceTable.remove(one.interfaces[0]!);
        one.advance(1000 * S);
        expect([one.callouts.nextDeadlineUs(), addresses(one)]).toEqual([Infinity, []]);
      }),
      { numRuns: 60 },
    );
  });
});
