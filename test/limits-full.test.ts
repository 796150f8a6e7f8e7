/**
 * Every row of docs/limits.md, tried: what would overfill the table does so while the limit stands as delivered, and does not
 * where the sysctl forbids it; the counter moves then, and only then. A row that is new needs an entry here.
 */

import { describe, expect, it } from 'vitest';
import { SocketAddress, type StreamSocket } from '../src/socket/socket.ts';
import { PEER_MAC } from './fixtures/inet-bed.ts';
import { GATEWAY, LimitRig, OWN, OWN6, PEER, PEER6, ROUTER6 } from './fixtures/limit-rig.ts';
import { arp, type Bytes, be16, be32, ether, hex, icmp, ip, ip4, join, udp } from './fixtures/packets.ts';
import { icmp6, ip6, solicitation, solicitedNode, udp6 } from './fixtures/packets6.ts';
import { addressOf } from './fixtures/socket-address.ts';

const GROUP = '239.1.2.3';
const GROUP6 = 'ff05::1234';
const FIN = 1;
const SYN = 2;
const ACK = 16;
const ZEROS = new Uint8Array(16);

/** 0, 1, ... */
function times(count: number, act: (i: number) => void): void {
  for (let i = 0; i < count; i++) act(i);
}

function prefixOption(i: number, flags: number): Bytes {
  const prefix = ip6(`fd00:${(i + 1).toString(16)}::`);
  return join(Uint8Array.of(3, 4, 64, flags), be32(1800), be32(1800), be32(0), prefix);
}

function quote(protocol: number, dst: string): Bytes {
  return ip4({ src: OWN, dst, protocol, fragment: 0x4000 }, join(be16(9), be16(9), be32(0)));
}

/** The quoted packet claims to be that long. */
function longQuote(dst: string): Bytes {
  const bytes = quote(17, dst);
  bytes.set(be16(1500), 2);
  return bytes;
}

interface Fill {
  limit: number;
  fill(rig: LimitRig): void;
}

const TABLES: Readonly<Record<string, Fill>> = {
  'memory of buffers and waiting packets, bytes; a node of a lab has what `memory:` says, or 64 MiB, or its part of 768 MiB':
    {
      limit: 2 << 20,
      fill: (rig) =>
        times(40, (i) => {
          rig.kernel.sockets.datagram().bind(SocketAddress.any(4, 5000 + i));
          times(30, () => rig.ip(PEER, 17, udp(PEER, OWN, 9, 5000 + i, new Uint8Array(1400))));
        }),
    },
  'packets waiting in one raw socket, bytes; its own buffer size may be less': {
    limit: 2048,
    fill: (rig) => {
      rig.kernel.sockets.raw(89);
      times(10, () => rig.ip(PEER, 89, new Uint8Array(500)));
    },
  },
  'datagrams waiting in one UDP socket, bytes; its own buffer size may be less': {
    limit: 2048,
    fill: (rig) => {
      rig.kernel.sockets.datagram().bind(SocketAddress.any(4, 5000));
      times(10, () => rig.ip(PEER, 17, udp(PEER, OWN, 9, 5000, new Uint8Array(500))));
    },
  },
  'IPv4 neighbors': {
    limit: 16,
    fill: (rig) =>
      times(24, (i) => {
        const request = arp({ operation: 1, senderMac: PEER_MAC, sender: `10.0.0.${10 + i}`, target: OWN });
        rig.put(ether('ffffffffffff', PEER_MAC, 0x0806, request));
      }),
  },
  'memory of packets waiting for IPv4 neighbors, bytes': {
    limit: 65536,
    fill: (rig) => times(8, (i) => rig.send(`10.0.0.${10 + i}`, 12)),
  },
  'packets waiting for one IPv4 neighbor': { limit: 4, fill: (rig) => rig.send('10.0.0.9', 10) },
  'routes made by ICMP redirects': {
    limit: 4,
    fill: (rig) => times(8, (i) => rig.ip(GATEWAY, 1, icmp(5, 1, ip('10.0.0.253'), quote(17, `8.8.8.${i + 1}`)))),
  },
  'IPv4 multicast groups of one interface': { limit: 4, fill: (rig) => rig.joinGroups(4, 8) },
  'sources that queries about one IPv4 group have asked for': {
    limit: 4,
    fill: (rig) => {
      rig.kernel.sockets.datagram().joinGroup(addressOf(GROUP), rig.interfaceIndex);
      const sources = Array.from({ length: 8 }, (_, i) => `10.9.9.${i + 1}`);
      rig.membershipQuery(GROUP, sources, 100);
    },
  },
  'memory of incomplete IPv4 datagrams, bytes': {
    limit: 65536,
    fill: (rig) => times(60, (i) => rig.ip(`10.0.0.${10 + i}`, 17, new Uint8Array(1400), { fragment: 0x2000 })),
  },
  'incomplete IPv4 datagrams': {
    limit: 4,
    fill: (rig) => times(8, (i) => rig.ip(`10.0.0.${10 + i}`, 17, new Uint8Array(16), { fragment: 0x2000 })),
  },
  'separate pieces of one incomplete IPv4 datagram': {
    limit: 4,
    fill: (rig) => times(8, (i) => rig.ip(PEER, 17, new Uint8Array(8), { fragment: 0x2000 | (4 * i) })),
  },
  'incomplete IPv4 datagrams of one sender': {
    limit: 4,
    fill: (rig) => times(8, (i) => rig.ip(PEER, 17, new Uint8Array(16), { id: i, fragment: 0x2000 })),
  },
  'IPv4 routes': { limit: 32, fill: (rig) => times(64, (i) => rig.route(`172.16.${i}.0`, 24, GATEWAY)) },
  'destinations with a learned path MTU': {
    limit: 4,
    fill: (rig) => times(8, (i) => rig.ip(GATEWAY, 1, icmp(3, 4, 1000, longQuote(`8.8.8.${i + 1}`)))),
  },
  'raw sockets': {
    limit: 4,
    fill: (rig) =>
      times(8, () => {
        rig.kernel.sockets.raw(89);
        rig.settle();
      }),
  },
  'TCP connections': {
    limit: 16,
    fill: (rig) =>
      times(24, () => {
        rig.kernel.sockets.stream().connect(addressOf(PEER, 80));
        rig.settle();
      }),
  },
  'pieces of data beyond a gap of one TCP connection': {
    limit: 4,
    fill: (rig) => {
      rig.listen(8);
      const ack = rig.open(1000);
      times(8, (i) => rig.tcp(1000, 80, 101 + 20 * i, ack, ACK, new Uint8Array(10)));
    },
  },
  'data that one TCP connection has received and nobody has read, bytes': {
    limit: 4096,
    fill: (rig) => {
      rig.listen(8);
      const ack = rig.open(1000);
      times(8, (i) => rig.tcp(1000, 80, 1 + 1000 * i, ack, ACK, new Uint8Array(1000)));
    },
  },
  'data that one TCP connection has to send, bytes': {
    limit: 4096,
    fill: (rig) => {
      const listener = rig.listen(8);
      rig.open(1000);
      const socket = listener.accept() as StreamSocket;
      times(8, () => {
        socket.send(new Uint8Array(1000), 0, 1000);
        rig.settle();
      });
    },
  },
  'TCP connections waiting for accept at one listener, after the first': {
    limit: 4,
    fill: (rig) => {
      rig.listen(100);
      times(12, (i) => rig.open(1000 + i));
    },
  },
  'half-open TCP connections': {
    limit: 8,
    fill: (rig) => {
      rig.listen(1000);
      times(20, (i) => rig.tcp(1000 + i, 80, 0, 0, SYN));
    },
  },
  'TCP connections in TIME_WAIT': {
    limit: 4,
    fill: (rig) => {
      const listener = rig.listen(100);
      times(8, (i) => {
        const ack = rig.open(1000 + i);
        (listener.accept() as StreamSocket).close();
        rig.settle();
        rig.tcp(1000 + i, 80, 1, (ack + 1) | 0, ACK | FIN);
      });
    },
  },
  'groups of one UDP socket': { limit: 4, fill: (rig) => rig.joinGroups(4, 8) },
  'bound UDP sockets': {
    limit: 16,
    fill: (rig) =>
      times(24, (i) => {
        rig.kernel.sockets.datagram().bind(SocketAddress.any(4, 5000 + i));
        rig.settle();
      }),
  },
  'sources of one membership of a UDP socket': {
    limit: 4,
    fill: (rig) => {
      const socket = rig.kernel.sockets.datagram();
      socket.bind(SocketAddress.any(4, 5000));
      times(8, (i) => {
        socket.joinSourceGroup(addressOf('232.1.1.1'), addressOf(`10.9.9.${i + 1}`), rig.interfaceIndex);
        rig.settle();
      });
    },
  },
  'IPv6 neighbors': { limit: 16, fill: (rig) => solicit(rig, 24) },
  'IPv6 neighbors of one interface': { limit: 8, fill: (rig) => solicit(rig, 24) },
  'memory of packets waiting for IPv6 neighbors, bytes': {
    limit: 65536,
    fill: (rig) => times(8, (i) => rig.send(`2001:db8::${10 + i}`, 12)),
  },
  'packets waiting for one IPv6 neighbor': { limit: 4, fill: (rig) => rig.send('2001:db8::9', 10) },
  'routes made by ICMPv6 redirects': { limit: 4, fill: (rig) => times(8, (i) => redirect6(rig, i)) },
  'IPv6 addresses known at a time': { limit: 256, fill: (rig) => solicit(rig, 300) },
  'more specific IPv6 routes that routers advertise': {
    limit: 4,
    fill: (rig) => {
      const options = [0, 1, 2, 3, 4, 5, 6, 7].map((i) =>
        join(hex('18033000'), be32(1800), ip6(`2001:db9:${i + 1}::`)),
      );
      rig.advertise(ROUTER6, join(...options));
    },
  },
  'memory of incomplete IPv6 datagrams, bytes': {
    limit: 65536,
    fill: (rig) => times(60, (i) => rig.fragment6(`2001:db8::${10 + i}`, 1, 0, 1400)),
  },
  'incomplete IPv6 datagrams': {
    limit: 4,
    fill: (rig) => times(8, (i) => rig.fragment6(`2001:db8::${10 + i}`, 1, 0, 16)),
  },
  'separate pieces of one incomplete IPv6 datagram': {
    limit: 4,
    fill: (rig) => times(8, (i) => rig.fragment6(PEER6, 1, 32 * i, 8)),
  },
  'incomplete IPv6 datagrams of one sender': {
    limit: 4,
    fill: (rig) => times(8, (i) => rig.fragment6(PEER6, i, 0, 16)),
  },
  'IPv6 addresses that one interface makes of advertised prefixes': {
    limit: 4,
    fill: (rig) => rig.advertise(ROUTER6, join(...[0, 1, 2, 3, 4, 5, 6, 7].map((i) => prefixOption(i, 0x40)))),
  },
  'IPv6 default routers': {
    limit: 4,
    fill: (rig) => times(8, (i) => rig.advertise(`fe80::${10 + i}`, new Uint8Array(0))),
  },
  'IPv6 prefixes on the link of one interface that routers advertise': {
    limit: 4,
    fill: (rig) => rig.advertise(ROUTER6, join(...[0, 1, 2, 3, 4, 5, 6, 7].map((i) => prefixOption(i, 0x80)))),
  },
  'IPv6 routes': { limit: 32, fill: (rig) => times(64, (i) => rig.route(`2001:db9:${i}::`, 48, PEER6)) },
  'IPv6 multicast groups of one interface': { limit: 8, fill: (rig) => rig.joinGroups(6, 16) },
  'sources that queries about one IPv6 group have asked for': {
    limit: 4,
    fill: (rig) => {
      rig.kernel.sockets.datagram(6).joinGroup(addressOf(GROUP6), 0);
      const sources = Array.from({ length: 8 }, (_, i) => `2001:db8::9${i}`);
      rig.listenerQuery(GROUP6, sources, 10_000);
    },
  },
};

function solicit(rig: LimitRig, count: number): void {
  const group = solicitedNode(OWN6);
  times(count, (i) => {
    const src = `2001:db8::${(0x100 + i).toString(16)}`;
    rig.ip6(src, 58, solicitation(src, group, { target: OWN6, mac: PEER_MAC }), group, 255);
  });
}

function redirect6(rig: LimitRig, i: number): void {
  rig.discovery(ROUTER6, OWN6, 137, join(be32(0), ip6('fe80::98'), ip6(`2001:db9::${i + 1}`)));
}

interface Rate {
  /** Ask ten times within a second. */
  act(rig: LimitRig): void;
  /** What was done of it; default: the frames that were sent. */
  done?(rig: LimitRig): number;
}

const TEN = 10;
const LIMIT = 3;

const RATES: Readonly<Record<string, Rate>> = {
  'ARP replies': {
    act: (rig) =>
      times(TEN, () => {
        const request = arp({ operation: 1, senderMac: PEER_MAC, sender: PEER, target: OWN });
        rig.put(ether('ffffffffffff', PEER_MAC, 0x0806, request));
      }),
  },
  'ICMP errors': { act: (rig) => times(TEN, () => rig.ip(PEER, 17, udp(PEER, OWN, 9, 9, ZEROS))) },
  'ICMP replies: echo, timestamp': {
    act: (rig) =>
      times(TEN, (i) => rig.ip(PEER, 1, i % 2 === 0 ? icmp(8, 0, i, ZEROS) : icmp(13, 0, i, ZEROS.slice(4)))),
  },
  'IGMP reports, which queries may ask for at once': {
    act: (rig) => {
      rig.kernel.sockets.datagram().joinGroup(addressOf(GROUP), rig.interfaceIndex);
      rig.advance(10_000_000);
      rig.device.sent.length = 0;
      times(TEN, () => rig.membershipQuery('0.0.0.0', [], 0));
    },
  },
  'challenge ACKs (RFC 5961)': {
    act: (rig) => {
      rig.listen(8);
      const ack = rig.open(1000);
      rig.device.sent.length = 0;
      times(TEN, () => rig.tcp(1000, 80, 500, ack, SYN));
    },
  },
  'TCP resets to nobody': { act: (rig) => times(TEN, (i) => rig.tcp(1000 + i, 9, 0, 0, SYN)) },
  'SYN-ACKs while the SYN queue is full, and to SYNs that come again': {
    act: (rig) => {
      rig.listen(8);
      rig.tcp(1000, 80, 0, 0, SYN);
      rig.device.sent.length = 0;
      times(TEN, () => rig.tcp(1000, 80, 0, 0, SYN));
    },
  },
  'ICMPv6 errors': { act: (rig) => times(TEN, () => rig.ip6(PEER6, 17, udp6(PEER6, OWN6, 9, 9, ZEROS))) },
  'router advertisements heeded': {
    act: (rig) => times(TEN, (i) => rig.advertise(`fe80::${10 + i}`, new Uint8Array(0))),
    done: (rig) => sizeOf(rig, 'IPv6 default routers'),
  },
  'ICMPv6 redirects sent, and as many believed': {
    act: (rig) => times(TEN, (i) => redirect6(rig, i)),
    done: (rig) => sizeOf(rig, 'routes made by ICMPv6 redirects'),
  },
  'ICMPv6 replies: echo': {
    act: (rig) => times(TEN, () => rig.ip6(PEER6, 58, icmp6(PEER6, OWN6, 128, 0, ZEROS))),
  },
  'answers to neighbor solicitations': {
    act: (rig) =>
      times(TEN, () => rig.ip6(PEER6, 58, solicitation(PEER6, OWN6, { target: OWN6, mac: PEER_MAC }), OWN6, 255)),
  },
  'MLD reports, which queries may ask for at once': {
    act: (rig) => times(TEN, () => rig.listenerQuery('::', [], 0)),
  },
};

function sizeOf(rig: LimitRig, table: string): number {
  return (rig.kernel.inet.sysctl.limits.list().find((row) => row.table === table) as { size(): number }).size();
}

const { limits } = new LimitRig('', '', null).kernel.inet.sysctl;
const ROWS = limits.list().map(({ table, variable, counter }) => [table, variable.name, counter] as const);
const RATE_ROWS = limits.rates().map(({ what, variable, counter }) => [what, variable.name, counter] as const);

function counted(rig: LimitRig, counter: string): number {
  return rig.kernel.cpus[0].cpu.counters.snapshot()[counter] as number;
}

describe('a full table', () => {
  it('is tried for every row, and for nothing else', () => {
    expect(Object.keys(TABLES).sort()).toEqual(ROWS.map(([table]) => table).sort());
    expect(Object.keys(RATES).sort()).toEqual(RATE_ROWS.map(([what]) => what).sort());
  });

  it.each(ROWS)('%s: %s, %s', (table, sysctl, counter) => {
    const { limit, fill } = TABLES[table] as Fill;
    const free = new LimitRig(table, sysctl, null);
    const before = counted(free, counter);
    fill(free);
    expect(free.peak).toBeGreaterThan(limit);
    expect(counted(free, counter)).toBe(before);

    const bound = new LimitRig(table, sysctl, limit);
    fill(bound);
    expect(bound.peak).toBeLessThanOrEqual(limit);
    expect(counted(bound, counter)).toBeGreaterThan(0);
  });

  it.each(RATE_ROWS)('%s: %s, %s', (what, sysctl, counter) => {
    const { act, done = (rig: LimitRig): number => rig.device.sent.length } = RATES[what] as Rate;
    const free = new LimitRig('', sysctl, null);
    act(free);
    expect(done(free)).toBe(TEN);
    expect(counted(free, counter)).toBe(0);

    const bound = new LimitRig('', sysctl, LIMIT);
    act(bound);
    expect(done(bound)).toBe(LIMIT);
    expect(counted(bound, counter)).toBe(TEN - LIMIT);
  });
});
