import { describe, expect, it } from 'vitest';
import { ownMac, PEER_MAC } from '../../../test/fixtures/inet-bed.ts';
import { Inet6Bed } from '../../../test/fixtures/inet6-bed.ts';
import { type Bytes, be32, ether, hex, join, toHex } from '../../../test/fixtures/packets.ts';
import {
  advertisement,
  groupMac,
  icmp6,
  ip6,
  type NeighborMessage,
  type Packet6,
  packet6,
  solicitation,
  solicitedNode,
} from '../../../test/fixtures/packets6.ts';
import { Errno } from '../../base/errors.ts';
import type { Neighbor } from '../../net/neighbor-cache.ts';
import { type Address6, parseAddress } from '../../wire/ipv6-address.ts';

const OWN = '2001:db8::1';
const PEER = '2001:db8::2';
const OTHER_MAC = '02:00:00:00:00:bb';
const SECOND = 1_000_000;
const MAC = toHex(hex(PEER_MAC));

function ipv6Words(text: string): Address6 {
  return parseAddress(text) as Address6;
}

function bed(): Inet6Bed {
  const one = new Inet6Bed();
  one.attach6(OWN);
  return one;
}

function entry(one: Inet6Bed, address = PEER): Neighbor | null {
  return one.inet.ip6.neighbors.find(one.interfaces[0]!, one.number(address));
}

/** A solicitation for one of our addresses, as a neighbor sends it. */
function ask(one: Inet6Bed, message: NeighborMessage, src = PEER, hops = 255): Packet6[] {
  const group = solicitedNode(message.target);
  return one.receiveGroup6(groupMac(group), { src, dst: group, next: 58, hops }, solicitation(src, group, message));
}

/** A unicast advertisement. */
function tell(one: Inet6Bed, message: NeighborMessage, src = PEER, hops = 255): Packet6[] {
  return one.receiveIp6({ src, dst: OWN, next: 58, hops }, advertisement(src, OWN, message));
}

function send(one: Inet6Bed, to = PEER): number {
  return one.cpu.udp.open(true).send(hex('00'), 0, 1, one.number(to), 9);
}

/** Types of ICMPv6 messages, or protocols, and where they went. */
function story(packets: Packet6[]): string[] {
  return packets.map(({ next, payload, dst }) => `${next === 58 ? `icmp ${payload[0]}` : next} > ${dst}`);
}

describe('an address of another node that is answered for (RFC 4861 7.2.8)', () => {
  const FAR = '2001:db8::9';
  const answered = (packets: Packet6[]) =>
    packets
      .filter(({ payload }) => payload[0] === 136)
      .map(({ src, dst, dstMac, payload }) => [src, dst, dstMac, payload[4], toHex(payload.slice(24))]);

  function proxy(): Inet6Bed {
    const one = bed();
    one.sent6();
    const { neighbors } = one.inet.ip6;
    expect(neighbors.addStatic(one.interfaces[0]!, one.number(FAR), 0x0200, 0xbb, true, true)).toBe(0);
    one.settle();
    return one;
  }

  it('is advertised when it is entered, with its link-layer address, and overrides nothing', () => {
    const one = proxy();
    expect(answered(one.sent6())).toEqual([['fe80::ff:fe00:1', 'ff02::1', '333300000001', 0, '02010200000000bb']]);
  });

  it('is advertised to those who ask, also to one that probes it', () => {
    const one = proxy();
    one.sent6();
    expect(answered(ask(one, { target: FAR, mac: PEER_MAC }))).toEqual([[OWN, PEER, MAC, 0x40, '02010200000000bb']]);
    expect(answered(ask(one, { target: FAR }, '::'))).toEqual([
      ['fe80::ff:fe00:1', 'ff02::1', '333300000001', 0, '02010200000000bb'],
    ]);
    expect(answered(ask(one, { target: '2001:db8::1:9', mac: PEER_MAC }))).toEqual([]);
  });

  it('has its group as long as the entry is there', () => {
    const one = proxy();
    const group = one.inet.shared.interner.internAddress(ipv6Words(solicitedNode(FAR)), one.interfaces[0]!.index);
    expect(one.interfaces[0]!.groups.has(group)).toBe(true);
    one.inet.ip6.neighbors.remove(entry(one, FAR)!);
    expect(one.interfaces[0]!.groups.has(group)).toBe(false);
    one.sent6();
    expect(answered(ask(one, { target: FAR, mac: PEER_MAC }))).toEqual([]);
  });
});

describe('a new link-layer address', () => {
  it('is advertised to all nodes, from each address but anycast ones (RFC 4861 7.2.6)', () => {
    const one = bed();
    const iface = one.interfaces[0]!;
    one.inet.ip6.addAddress(iface, one.number('2001:db8::7'), 64, 'manual', true);
    one.sent6();
    expect(iface.addLinkAddress(0x0200, 0xbb, true)).toBe(0);
    one.inet.interfaceChanged(iface, false);
    one.settle();
    const told = one.sent6().filter(({ payload }) => payload[0] === 136);
    expect(told.map(({ src, dst, srcMac }) => [src, dst, srcMac])).toEqual([
      ['fe80::ff:fe00:1', 'ff02::1', '0200000000bb'],
      [OWN, 'ff02::1', '0200000000bb'],
    ]);
    one.inet.interfaceChanged(iface, false);
    expect(one.sent6()).toEqual([]);
  });
});

describe('the neighbors of an interface', () => {
  it('make room for others beyond net.inet6.ip6.neighborgcthresh, whatever their state', () => {
    const one = bed();
    const meet = (n: number): void => {
      const peer = `2001:db8::1${n}`;
      send(one, peer);
      tell(one, { target: peer, flags: 0x60, mac: PEER_MAC }, peer);
      expect(entry(one, peer)?.state).toBe('reachable');
    };
    for (let n = 0; n < 6; n++) meet(n);
    expect(one.inet.ip6.neighbors.count).toBe(6);
    one.sysctl('net.inet6.ip6.neighborgcthresh', 5);
    one.neighbor6(PEER);
    for (let n = 6; n < 10; n++) meet(n);
    expect(one.inet.ip6.neighbors.count).toBe(5);
    expect([entry(one)?.state, entry(one, '2001:db8::15')]).toEqual(['permanent', null]);
    one.sysctl('net.inet6.ip6.neighborgcthresh', -1);
    for (let n = 0; n < 6; n++) meet(n);
    expect(one.inet.ip6.neighbors.count).toBe(11);
  });

  it('are kept for a day after their answer is not believed any more', () => {
    const one = bed();
    send(one);
    tell(one, { target: PEER, flags: 0x60, mac: PEER_MAC });
    one.advance(46 * SECOND);
    expect(entry(one)?.state).toBe('stale');
    one.advance(86_340 * SECOND);
    expect(entry(one)?.state).toBe('stale');
    one.advance(60 * SECOND);
    expect(entry(one)).toBeNull();
  });
});

describe('a solicitation for one of our addresses', () => {
  it('is answered, and its sender entered as stale (RFC 4861 7.2.3)', () => {
    const one = bed();
    expect(ask(one, { target: OWN, mac: PEER_MAC })).toMatchObject([{ dstMac: MAC, src: OWN, dst: PEER, hops: 255 }]);
    expect(entry(one)).toMatchObject({ state: 'stale', macHi: 0x0200, macLo: 0xaa });
  });

  it('from nobody is answered to everybody', () => {
    const one = bed();
    const answer = ask(one, { target: OWN }, '::');
    expect(answer).toMatchObject([{ dstMac: '333300000001', src: OWN, dst: 'ff02::1', hops: 255 }]);
    // Override, not solicited.
    expect(answer[0]!.payload[4]).toBe(0x20);
  });

  it('is answered at most so often a second', () => {
    const one = bed();
    one.sysctl('net.inet6.icmp6.nd6_replyppslimit', 3);
    let answers = 0;
    for (let i = 0; i < 5; i++) answers += ask(one, { target: OWN, mac: PEER_MAC }).length;
    for (let i = 0; i < 5; i++) answers += ask(one, { target: OWN }, '::').length;
    expect([answers, one.count('nd6-out-replies-limited')]).toEqual([3, 7]);
    one.advance(SECOND);
    expect(story(ask(one, { target: OWN, mac: PEER_MAC }))).toContain(`icmp 136 > ${PEER}`);
  });

  it('says router when we forward', () => {
    const one = bed();
    one.sysctl('net.inet6.ip6.forwarding', 1);
    one.advance(SECOND);
    one.sent6();
    expect(ask(one, { target: OWN, mac: PEER_MAC })[0]!.payload[4]).toBe(0xe0);
  });

  it.each<[string, (one: Inet6Bed) => Packet6[]]>([
    ['with a hop limit below 255', (one) => ask(one, { target: OWN, mac: PEER_MAC }, PEER, 254)],
    ['for an address that is not ours', (one) => ask(one, { target: '2001:db8::9', mac: PEER_MAC })],
    [
      'sent to us for an address that is not ours',
      (one) => {
        const message = solicitation(PEER, OWN, { target: PEER, mac: PEER_MAC });
        one.number(PEER);
        return one.receiveIp6({ src: PEER, dst: OWN, next: 58, hops: 255 }, message);
      },
    ],
    [
      'for our address on another link',
      (one) => {
        one.attach6('2001:db8:2::1');
        const message = solicitation(PEER, OWN, { target: '2001:db8:2::1', mac: PEER_MAC });
        return one.receiveIp6({ src: PEER, dst: OWN, next: 58, hops: 255 }, message);
      },
    ],
    [
      'for an address that is not ours yet',
      (one) => {
        one.inet.ip6.addresses.find(one.number(OWN))!.state = 'tentative';
        return ask(one, { target: OWN, mac: PEER_MAC });
      },
    ],
    ['from nobody with a link-layer address', (one) => ask(one, { target: OWN, mac: PEER_MAC }, '::')],
    [
      'from nobody to one address',
      (one) => one.receiveIp6({ src: '::', dst: OWN, next: 58, hops: 255 }, solicitation('::', OWN, { target: OWN })),
    ],
    [
      'with a code',
      (one) =>
        one.receiveIp6({ src: PEER, dst: OWN, next: 58, hops: 255 }, icmp6(PEER, OWN, 135, 1, join(be32(0), ip6(OWN)))),
    ],
    [
      'with an option of length 0',
      (one) => {
        const rest = join(be32(0), ip6(OWN), hex('0100000000000000'));
        return one.receiveIp6({ src: PEER, dst: OWN, next: 58, hops: 255 }, icmp6(PEER, OWN, 135, 0, rest));
      },
    ],
    [
      'with a wrong checksum',
      (one) => {
        const message = solicitation(PEER, OWN, { target: OWN, mac: PEER_MAC });
        message[3]! ^= 1;
        return one.receiveIp6({ src: PEER, dst: OWN, next: 58, hops: 255 }, message);
      },
    ],
    [
      'cut short',
      (one) => one.receiveIp6({ src: PEER, dst: OWN, next: 58, hops: 255 }, icmp6(PEER, OWN, 135, 0, be32(0))),
    ],
  ])('%s is ignored', (_what, act) => {
    const one = bed();
    expect(act(one)).toEqual([]);
    expect(entry(one)).toBeNull();
  });
});

describe('resolution', () => {
  it('asks three times, a second apart, then tells a sender that is connected (RFC 4861 7.2.2)', () => {
    const one = bed();
    const endpoint = one.cpu.udp.open(true);
    endpoint.connect(one.number(PEER), 9);
    expect(endpoint.send(hex('00'), 0, 1, 0, 0)).toBe(1);
    const asked: string[][] = [];
    for (let i = 0; i < 4; i++) {
      one.settle();
      asked.push(story(one.sent6()));
      one.advance(SECOND);
    }
    const once = [`icmp 135 > ${solicitedNode(PEER)}`];
    expect(asked).toEqual([once, once, once, []]);
    expect(one.count('nd6-resolution-failures')).toBe(1);
    expect(endpoint.send(hex('00'), 0, 1, 0, 0)).toBe(-Errno.EHOSTDOWN);
    expect(one.cpu.udp.open(true).send(hex('00'), 0, 1, one.number(PEER), 9)).toBe(1);
  });

  it('keeps a limited number of packets, the newest ones', () => {
    const one = bed();
    one.sysctl('net.inet6.icmp6.nd6_maxqueuelen', 2);
    const endpoint = one.cpu.udp.open(true);
    for (const byte of ['01', '02', '03']) endpoint.send(hex(byte), 0, 1, one.number(PEER), 9);
    one.settle();
    one.sent6();
    const sent = tell(one, { target: PEER, flags: 0x60, mac: PEER_MAC });
    expect(sent.map(({ payload }) => payload[8])).toEqual([2, 3]);
    expect(one.count('nd6-pending-drops')).toBe(1);
  });

  it('takes no answer without a link-layer address, nor one from beyond a router', () => {
    const one = bed();
    send(one);
    one.settle();
    one.sent6();
    expect(tell(one, { target: PEER, flags: 0x60 })).toEqual([]);
    expect(tell(one, { target: PEER, flags: 0x60, mac: PEER_MAC }, PEER, 64)).toEqual([]);
    expect(entry(one)!.state).toBe('incomplete');
  });

  it('takes no answer to everybody that claims to be asked for, nor a link-layer address of another length', () => {
    const one = bed();
    send(one);
    one.settle();
    one.sent6();
    const all = 'ff02::1';
    const claim = advertisement(PEER, all, { target: PEER, flags: 0x60, mac: PEER_MAC });
    one.receiveGroup6(groupMac(all), { src: PEER, dst: all, next: 58, hops: 255 }, claim);
    expect([entry(one)!.state, one.count('nd6-in-bad')]).toEqual(['incomplete', 1]);
    const long = join(hex('60000000'), ip6(PEER), hex('0202'), new Uint8Array(14).fill(7));
    one.receiveIp6({ src: PEER, dst: OWN, next: 58, hops: 255 }, icmp6(PEER, OWN, 136, 0, long));
    expect(entry(one)!.state).toBe('incomplete');
    expect(story(tell(one, { target: PEER, flags: 0x60, mac: PEER_MAC }))).toEqual([`17 > ${PEER}`]);
  });

  it('becomes stale by an answer that was not asked for', () => {
    const one = bed();
    send(one);
    one.settle();
    one.sent6();
    expect(story(tell(one, { target: PEER, flags: 0x20, mac: PEER_MAC }))).toEqual([`17 > ${PEER}`]);
    // Using it began the delay.
    expect(entry(one)!.state).toBe('delay');
  });
});

describe('unreachability detection (RFC 4861 7.3.3)', () => {
  function resolved(): Inet6Bed {
    const one = bed();
    send(one);
    one.settle();
    tell(one, { target: PEER, flags: 0x60, mac: PEER_MAC });
    one.sent6();
    expect(entry(one)!.state).toBe('reachable');
    return one;
  }

  it('goes from reachable to stale after 15 to 45 seconds, at random', () => {
    const times = [1, 2, 3, 4, 5, 6].map((seed) => {
      const one = new Inet6Bed(seed);
      one.attach6(OWN);
      send(one);
      one.settle();
      tell(one, { target: PEER, flags: 0x60, mac: PEER_MAC });
      const fromUs = one.nowUs;
      while (entry(one)!.state === 'reachable') one.advance(100_000);
      return (one.nowUs - fromUs) / SECOND;
    });
    for (const seconds of times) {
      expect(seconds).toBeGreaterThanOrEqual(15);
      expect(seconds).toBeLessThanOrEqual(45.2);
    }
    expect(new Set(times).size).toBeGreaterThan(1);
  });

  it('probes by unicast five seconds after a stale entry was used, thrice, then forgets it', () => {
    const one = resolved();
    one.advance(50 * SECOND);
    expect(entry(one)!.state).toBe('stale');
    expect(send(one)).toBe(1);
    one.settle();
    expect(story(one.sent6())).toEqual([`17 > ${PEER}`]);
    expect(entry(one)!.state).toBe('delay');
    one.advance(5 * SECOND);
    const first = one.sent6();
    expect(first).toMatchObject([{ dstMac: MAC, dst: PEER, hops: 255 }]);
    expect(entry(one)!.state).toBe('probe');
    one.advance(2 * SECOND);
    expect(story(one.sent6())).toEqual([`icmp 135 > ${PEER}`, `icmp 135 > ${PEER}`]);
    one.advance(SECOND);
    expect(entry(one)).toBeNull();
  });

  it('is satisfied by an answer, or by a transport that hears the other end', () => {
    const one = resolved();
    one.advance(50 * SECOND);
    send(one);
    one.advance(5 * SECOND);
    tell(one, { target: PEER, flags: 0x60 });
    expect(entry(one)!.state).toBe('reachable');
    one.advance(50 * SECOND);
    const path = one.cpu.ip.openPath(one.number(PEER), 0, 0);
    if (typeof path === 'number') throw new Error(String(path));
    one.cpu.ip.confirm(path, one.nowUs);
    expect(entry(one)!.state).toBe('reachable');
  });

  // State before, flags and link-layer address of the advertisement, state and address after (RFC 4861 7.2.5, appendix C).
  it.each([
    ['reachable', 0x60, OTHER_MAC, 'reachable', 0xbb],
    ['reachable', 0x20, OTHER_MAC, 'stale', 0xbb],
    ['reachable', 0x40, OTHER_MAC, 'stale', 0xaa],
    ['reachable', 0x00, OTHER_MAC, 'stale', 0xaa],
    ['reachable', 0x00, PEER_MAC, 'reachable', 0xaa],
    ['stale', 0x40, OTHER_MAC, 'stale', 0xaa],
    ['stale', 0x40, PEER_MAC, 'reachable', 0xaa],
    ['stale', 0x40, undefined, 'reachable', 0xaa],
    ['stale', 0x00, PEER_MAC, 'stale', 0xaa],
    ['stale', 0x20, OTHER_MAC, 'stale', 0xbb],
    ['stale', 0x60, OTHER_MAC, 'reachable', 0xbb],
  ] as const)('%s, advertisement %i of %s: %s', (before, flags, mac, after, macLo) => {
    const one = resolved();
    if (before === 'stale') one.advance(50 * SECOND);
    tell(one, mac === undefined ? { target: PEER, flags } : { target: PEER, flags, mac });
    expect(entry(one)).toMatchObject({ state: after, macLo });
  });

  it('learns a new link-layer address from a solicitation', () => {
    const one = resolved();
    ask(one, { target: OWN, mac: OTHER_MAC });
    expect(entry(one)).toMatchObject({ state: 'stale', macLo: 0xbb });
  });

  it('remembers who is a router, and says when one is none any more', () => {
    const one = resolved();
    const ended: number[] = [];
    one.inet.autoconfiguration.routerGone = ({ address }) => ended.push(address);
    tell(one, { target: PEER, flags: 0xe0, mac: PEER_MAC });
    expect(entry(one)!.router).toBe(true);
    tell(one, { target: PEER, flags: 0x60, mac: PEER_MAC });
    expect([entry(one)!.router, ended]).toEqual([false, [one.number(PEER)]]);
  });
});

describe('the cache', () => {
  it('does not make an entry of an advertisement nobody asked for', () => {
    const one = bed();
    tell(one, { target: PEER, flags: 0x20, mac: PEER_MAC });
    expect(entry(one)).toBeNull();
  });

  it('is bounded', () => {
    const one = bed();
    one.sysctl('net.inet6.icmp6.nd6_maxentries', 16);
    for (let i = 0; i < 40; i++) {
      const src = `2001:db8::${(i + 256).toString(16)}`;
      ask(one, { target: OWN, mac: PEER_MAC }, src);
    }
    expect(one.inet.ip6.neighbors.count).toBe(16);
  });

  it('loses what it knows of a link that goes down', () => {
    const one = bed();
    ask(one, { target: OWN, mac: PEER_MAC });
    one.inet.changeFlags(one.interfaces[0]!, 0, 1);
    expect(one.inet.ip6.neighbors.count).toBe(0);
  });
});

describe('frames that claim more than they hold', () => {
  it.each<[string, Bytes]>([
    [
      'a payload longer than the frame',
      ether(ownMac(1), PEER_MAC, 0x86dd, packet6({ src: PEER, dst: OWN, next: 58 }, hex('8000')).slice(0, 41)),
    ],
    ['half a header', ether(ownMac(1), PEER_MAC, 0x86dd, hex('6000000000083aff'))],
    [
      'an empty message',
      ether(ownMac(1), PEER_MAC, 0x86dd, packet6({ src: PEER, dst: OWN, next: 58, hops: 255 }, hex(''))),
    ],
  ])('%s', (_what, frame) => {
    const one = bed();
    expect(one.receive6(frame)).toEqual([]);
  });
});
