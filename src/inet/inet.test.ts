import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InetBed, ownMac, PEER_MAC } from '../../test/fixtures/inet-bed.ts';
import { interfaceRows, neighborRows, routeRows } from '../../test/fixtures/inet-text.ts';
import { arp, checksum, ether, hex, icmp, ip, ip4, tcp, udp } from '../../test/fixtures/packets.ts';
import { Errno } from '../base/errors.ts';
import { RTF_GATEWAY, RTF_STATIC } from '../net/route.ts';

const OWN = '10.0.0.1';
const PEER = '10.0.0.2';

function bed(): InetBed {
  const one = new InetBed();
  one.attach(OWN);
  return one;
}

describe('Inet: what tools show', () => {
  it('interfaces, as ifconfig', () => {
    const one = bed();
    expect(interfaceRows(one.inet)).toMatchObject([
      {
        name: 'lo0',
        index: 1,
        kind: 'loopback',
        flags: 0x8049,
        flagNames: ['UP', 'LOOPBACK', 'RUNNING', 'MULTICAST'],
        mtuBytes: 16384,
        mac: null,
        linkState: 'unknown',
        addresses: [{ address: '127.0.0.1', prefixLength: 8, broadcast: null }],
      },
      {
        name: 'eth0',
        index: 2,
        flags: 0x8843,
        flagNames: ['UP', 'BROADCAST', 'RUNNING', 'SIMPLEX', 'MULTICAST'],
        mac: '02:00:00:00:00:01',
        linkState: 'up',
        addresses: [{ address: OWN, prefixLength: 24, broadcast: '10.0.0.255' }],
      },
    ]);
    one.devices[0]!.linkUp = false;
    one.devices[0]!.downReason = 'cable';
    expect(interfaceRows(one.inet)[1]).toMatchObject({ flags: 0x8803, linkState: 'down', downReason: 'cable' });
  });

  it('routes, as netstat -rn', () => {
    const one = bed();
    expect(one.inet.addRoute(0, 0, ip(PEER), RTF_GATEWAY | RTF_STATIC)).toBe(0);
    const rows = routeRows(one.inet).map((row) => [
      row.destination,
      row.prefixLength,
      row.gateway,
      row.flags,
      row.interface,
    ]);
    expect(rows).toEqual([
      ['0.0.0.0', 0, PEER, 'UGS', 'eth0'],
      ['10.0.0.0', 24, 'link#2', 'UC', 'eth0'],
      ['10.0.0.1', 32, 'link#2', 'UHl', 'lo0'],
      ['127.0.0.0', 8, 'lo0', 'UC', 'lo0'],
      ['127.0.0.1', 32, 'lo0', 'UHl', 'lo0'],
    ]);
    one.cpu.ip.openPath(ip('192.0.2.1'), 0, 0);
    expect(routeRows(one.inet)[0]).toMatchObject({ uses: 1, mtuBytes: 1500 });
  });

  it('neighbors, as arp -an', () => {
    const one = bed();
    one.neighbor(PEER);
    const endpoint = one.cpu.udp.open();
    endpoint.send(hex('00'), 0, 1, ip('10.0.0.3'), 7);
    expect(neighborRows(one.inet)).toEqual([
      {
        address: PEER,
        mac: PEER_MAC,
        interface: 'eth0',
        state: 'permanent',
        published: false,
        router: false,
        expiresSec: null,
      },
      {
        address: '10.0.0.3',
        mac: null,
        interface: 'eth0',
        state: 'incomplete',
        published: false,
        router: false,
        expiresSec: 1,
      },
    ]);
  });
});

describe('Inet: configuration', () => {
  it('refuses addresses that cannot be', () => {
    const one = bed();
    const [lo, eth0] = [one.lo, one.interfaces[0]!];
    expect(one.inet.configure(eth0, ip(OWN), 24)).toBe(-Errno.EEXIST);
    expect(one.inet.configure(lo, ip(OWN), 32)).toBe(-Errno.EEXIST);
    for (const [address, prefixLength] of [
      ['10.0.9.0', 24],
      ['10.0.9.255', 24],
      ['127.0.0.2', 8],
      ['224.0.0.1', 4],
      ['0.0.0.0', 8],
      ['10.0.9.1', 0],
      ['10.0.9.1', 33],
      ['10.0.9.1', 24.5],
    ] as const) {
      expect([address, one.inet.configure(eth0, ip(address), prefixLength)]).toEqual([address, -Errno.EINVAL]);
    }
    expect(one.inet.configure(eth0, ip('10.0.9.0'), 31)).toBe(0);
    expect(interfaceRows(one.inet)[1]?.addresses[1]).toEqual({
      address: '10.0.9.0',
      prefixLength: 31,
      broadcast: null,
      state: 'valid',
    });
    expect(one.inet.unconfigure(eth0, ip('10.0.9.1'))).toBe(-Errno.EADDRNOTAVAIL);
  });

  it('hands the route of a subnet to another address on it when the first goes', () => {
    const one = bed();
    one.attach('10.0.0.7');
    const row = (): string | undefined =>
      routeRows(one.inet).find((route) => route.destination === '10.0.0.0')?.interface;
    expect(row()).toBe('eth0');
    one.inet.unconfigure(one.interfaces[0]!, ip(OWN));
    expect(row()).toBe('eth1');
    expect(one.cpu.ip.isLocal(ip(OWN))).toBe(false);
    one.inet.unconfigure(one.interfaces[1]!, ip('10.0.0.7'));
    expect(row()).toBeUndefined();
  });

  it('takes the next address for primary when the first goes', () => {
    const one = bed();
    one.inet.configure(one.interfaces[0]!, ip('10.0.0.9'), 24);
    one.inet.unconfigure(one.interfaces[0]!, ip(OWN));
    expect(one.interfaces[0]!.primary).toBe(ip('10.0.0.9'));
    expect(one.cpu.ip.isBroadcast(ip('10.0.0.255'))).toBe(true);
  });

  it('needs a gateway on one of its subnets', () => {
    const one = bed();
    expect(one.inet.addRoute(ip('192.0.2.0'), 24, ip('203.0.113.1'), RTF_GATEWAY)).toBe(-Errno.ENETUNREACH);
    expect(one.inet.addRoute(ip('192.0.2.0'), 24, ip(PEER), RTF_GATEWAY)).toBe(0);
    expect(one.inet.addRoute(ip('192.0.2.0'), 24, ip(PEER), RTF_GATEWAY)).toBe(-Errno.EEXIST);
    expect(one.inet.removeRoute(ip('192.0.2.0'), 24, ip('10.0.0.3'))).toBeNull();
    expect(one.inet.removeRoute(ip('192.0.2.0'), 24, ip(PEER))).not.toBeNull();
  });

  it('forgets neighbors with the route of their prefix, unless they were entered by hand or another one leads to them', () => {
    const one = bed();
    const eth0 = one.interfaces[0]!;
    const { neighbors } = one.inet.ip4;
    for (const host of [PEER, '10.0.0.129']) {
      neighbors.learn(neighbors.findOrCreate(eth0, ip(host))!, 0x0200, 2, true, one.nowUs);
    }
    neighbors.addStatic(eth0, ip('10.0.0.9'), 0x0200, 9, true, false);
    one.inet.addRoute(ip('10.0.0.128'), 25, 0, RTF_STATIC, eth0);
    one.inet.addRoute(0, 0, ip(PEER), RTF_GATEWAY | RTF_STATIC);
    one.inet.removeRoute(ip('10.0.0.0'), 24, 0);
    expect(neighborRows(one.inet).map((row) => row.address)).toEqual(['10.0.0.129', '10.0.0.9']);
  });

  it('announces its addresses when an interface comes up again', () => {
    const one = bed();
    one.inet.changeFlags(one.interfaces[0]!, 0, 1);
    one.inet.changeFlags(one.interfaces[0]!, 1, 0);
    one.inet.changeFlags(one.interfaces[0]!, 1, 0);
    one.settle();
    expect(one.sent().map((packet) => packet.arp?.sender)).toEqual([OWN]);
  });

  it('forgets an interface that is removed, with its routes, neighbors and timers', () => {
    const one = bed();
    one.inet.addRoute(0, 0, ip(PEER), RTF_GATEWAY);
    one.cpu.udp.open().send(hex('00'), 0, 1, ip('10.0.0.3'), 7);
    one.inet.interfaceTable.remove(one.interfaces[0]!);
    expect(interfaceRows(one.inet).map((row) => row.name)).toEqual(['lo0']);
    expect(routeRows(one.inet).map((row) => row.interface)).toEqual(['lo0', 'lo0']);
    expect([neighborRows(one.inet), one.heapBytes]).toEqual([[], 0]);
    expect(one.devices[0]!.linkUp).toBe(false);
    one.advance(60_000_000);
  });

  it('flushes a device once per turn, only when something was sent', () => {
    const one = bed();
    const device = one.devices[0]!;
    device.flushes = 0;
    one.cpu.flush();
    expect(device.flushes).toBe(0);
    one.neighbor(PEER);
    const endpoint = one.cpu.udp.open();
    for (let i = 0; i < 5; i++) endpoint.send(hex('00'), 0, 1, ip(PEER), 7);
    one.cpu.flush();
    expect(device.flushes).toBe(1);
    expect(one.cpu.pending).toBe(false);
    device.put(hex('00'));
    expect(one.cpu.pending).toBe(true);
  });
});

describe('Inet under random frames', () => {
  /** Sound frames of every kind, to be damaged. */
  const seeds: Uint8Array[] = [
    ether(
      ownMac(1),
      PEER_MAC,
      0x0800,
      ip4({ src: PEER, dst: OWN, protocol: 17 }, udp(PEER, OWN, 7, 5000, hex('414243'))),
    ),
    ether(
      ownMac(1),
      PEER_MAC,
      0x0800,
      ip4({ src: PEER, dst: '10.0.1.2', protocol: 17 }, udp(PEER, '10.0.1.2', 7, 9, new Uint8Array(900))),
    ),
    ether(
      ownMac(1),
      PEER_MAC,
      0x0800,
      ip4({ src: PEER, dst: OWN, protocol: 17, fragment: 0x2000 }, new Uint8Array(64)),
    ),
    ether(ownMac(1), PEER_MAC, 0x0800, ip4({ src: PEER, dst: OWN, protocol: 17, fragment: 8 }, new Uint8Array(64))),
    ether(
      ownMac(1),
      PEER_MAC,
      0x0800,
      ip4({ src: PEER, dst: OWN, protocol: 6 }, tcp(PEER, OWN, [1, 2], 1, 2, 0x12, hex('00'))),
    ),
    ether(ownMac(1), PEER_MAC, 0x0800, ip4({ src: PEER, dst: OWN, protocol: 1 }, icmp(8, 0, 1, hex('0102')))),
    ether(
      ownMac(1),
      PEER_MAC,
      0x0800,
      ip4(
        { src: PEER, dst: OWN, protocol: 1 },
        icmp(3, 4, 1000, ip4({ src: OWN, dst: PEER, protocol: 17 }, udp(OWN, PEER, 5000, 7, hex('')))),
      ),
    ),
    ether(
      ownMac(1),
      PEER_MAC,
      0x0800,
      ip4(
        { src: PEER, dst: OWN, protocol: 1 },
        icmp(5, 1, ip('10.0.0.9'), ip4({ src: OWN, dst: '192.0.2.1', protocol: 17 }, hex('0102030405060708'))),
      ),
    ),
    ether(
      ownMac(1),
      PEER_MAC,
      0x0800,
      ip4(
        {
          src: PEER,
          dst: '10.0.1.2',
          protocol: 1,
          options: hex('0707040000000000440c050100000000000000008307040a00010200'),
        },
        icmp(8, 0, 1),
      ),
    ),
    ether(
      '01:00:5e:00:00:01',
      PEER_MAC,
      0x0800,
      ip4({ src: PEER, dst: '224.0.0.1', protocol: 2 }, hex('1164ee9b00000000')),
    ),
    ether('ff:ff:ff:ff:ff:ff', PEER_MAC, 0x0806, arp({ operation: 1, senderMac: PEER_MAC, sender: PEER, target: OWN })),
  ];

  const damage = fc.record({
    seed: fc.nat(seeds.length - 1),
    at: fc.nat(90),
    byte: fc.nat(255),
    cut: fc.nat(1000),
    fix: fc.boolean(),
  });

  function damaged({
    seed,
    at,
    byte,
    cut,
    fix,
  }: {
    seed: number;
    at: number;
    byte: number;
    cut: number;
    fix: boolean;
  }): Uint8Array {
    const frame = seeds[seed]!.slice(0, cut < 800 ? undefined : cut % seeds[seed]!.length);
    if (at < frame.length) frame[at] = byte;
    // Half of them get a right IP checksum, so that they come further than the first test.
    if (fix && frame.length >= 34 && frame[12] === 8 && frame[13] === 0) {
      const header = Math.min((frame[14]! & 15) * 4, frame.length - 14);
      frame.set([0, 0], 24);
      let sum = 0;
      for (let i = 0; i < header; i += 2) sum += (frame[14 + i]! << 8) | (frame[15 + i] ?? 0);
      while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
      frame.set([~(sum >> 8) & 0xff, ~sum & 0xff], 24);
    }
    return frame;
  }

  it('never throws, sends no wrong checksum, keeps no memory', () => {
    const one = bed();
    one.attach('10.0.1.1');
    one.neighbor(PEER);
    one.neighbor('10.0.1.2', 1);
    const endpoint = one.cpu.udp.open();
    endpoint.bind(0, 5000);
    one.cpu.raw.open(1);
    one.inet.filter.add({ id: 'x', from: [ip('10.0.0.3')], action: 'reject' });
    for (const name of ['net.inet.ip.forwarding', 'net.inet.ip.allowsrcrt', 'net.inet.ip.forwsrcrt'])
      one.sysctl(name, 1);
    one.sysctl('net.inet.icmp.errppslimit', -1);
    const metas = fc.constantFrom(0, 0, 0, 1, 2, 1 | (100 << 16));
    fc.assert(
      fc.property(fc.array(fc.tuple(damage, metas), { minLength: 1, maxLength: 40 }), (frames) => {
        for (const [one_, meta] of frames) one.devices[0]!.put(damaged(one_), meta);
        one.advance(1_000_000);
        for (const packet of [...one.sent(0), ...one.sent(1)]) {
          const ours = packet.protocol === 1 && one.cpu.ip.isLocal(ip(packet.src)) && packet.fragment === 0;
          if (ours) expect(checksum(packet.payload)).toBe(0);
        }
      }),
      { numRuns: 2000 },
    );
    endpoint.close();
    one.advance(3_600_000_000);
    expect(one.cpu.ip4.input.reassembly.count).toBe(0);
    expect(one.inet.ip4.neighbors.pendingBytes).toBe(0);
  });

  it('never throws on noise', () => {
    const one = bed();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (noise, addressed) => {
        if (addressed && noise.length > 14) noise.set(hex('020000000001 0200000000aa 0800'));
        one.receive(noise);
      }),
      { numRuns: 3000 },
    );
  });
});
