import { describe, expect, it } from 'vitest';
import { InetBed, ownMac, PEER_MAC } from '../../../test/fixtures/inet-bed.ts';
import { routeRows } from '../../../test/fixtures/inet-text.ts';
import { be32, checksum, ether, hex, icmp, ip, ip4, join, type Packet, toHex } from '../../../test/fixtures/packets.ts';
import { RTF_GATEWAY } from '../../net/route.ts';
import type { IcmpError, Transport } from '../ip/transport.ts';

const OWN = '10.0.0.1';
const PEER = '10.0.0.2';
const SECOND = 1_000_000;

function bed(): InetBed {
  const one = new InetBed();
  one.attach(OWN);
  one.neighbor(PEER);
  return one;
}

/** A transport of protocol 200 that remembers the errors it is told. */
function listener(one: InetBed): (IcmpError & { quoted: string })[] {
  const errors: (IcmpError & { quoted: string })[] = [];
  const transport: Transport = {
    protocol: 200,
    input: () => {},
    icmpError: (error) => {
      const quoted = toHex(one.arena.bytes.slice(error.quotedAt, error.quotedAt + error.quotedBytes));
      errors.push({ ...error, quoted });
    },
  };
  one.cpu.ip.register(transport);
  return errors;
}

describe('Echo (RFC 1122 3.2.2.6)', () => {
  it('is answered with the same identifier, sequence number and data', () => {
    const one = bed();
    const data = hex('00010203040506070809');
    const [reply] = one.receiveIp({ src: PEER, dst: OWN, protocol: 1, tos: 8 }, icmp(8, 0, 0x12340001, data));
    expect(reply).toMatchObject({ src: OWN, dst: PEER, protocol: 1, ttl: 64, tos: 8 });
    expect(toHex(reply!.payload)).toBe(toHex(icmp(0, 0, 0x12340001, data)));
  });

  it('has the right checksum too when all of the answer is zero, or its sum is', () => {
    for (const data of ['', '0000', 'ffff', 'f7ff']) {
      const one = bed();
      const [reply] = one.receiveIp({ src: PEER, dst: OWN, protocol: 1 }, icmp(8, 0, 0, hex(data)));
      expect(toHex(reply!.payload)).toBe(toHex(icmp(0, 0, 0, hex(data))));
    }
  });

  it('of any size up to the largest is answered, in fragments if need be', () => {
    const one = bed();
    const whole = icmp(8, 0, 1, new Uint8Array(3000).fill(7));
    one.receiveIp({ src: PEER, dst: OWN, protocol: 1, id: 3, fragment: 0x2000 }, whole.slice(0, 1480));
    const reply = one.receiveIp(
      { src: PEER, dst: OWN, protocol: 1, id: 3, fragment: 185 | 0x2000 },
      whole.slice(1480, 2960),
    );
    reply.push(...one.receiveIp({ src: PEER, dst: OWN, protocol: 1, id: 3, fragment: 370 }, whole.slice(2960)));
    expect(reply).toHaveLength(3);
    expect(checksum(join(...reply.map((packet) => packet.payload)))).toBe(0);
  });

  it('is answered at most so often a second', () => {
    const one = bed();
    one.sysctl('net.inet.icmp.replyppslimit', 3);
    let answers = 0;
    for (let i = 0; i < 10; i++) {
      answers += one.receiveIp({ src: PEER, dst: OWN, protocol: 1 }, icmp(8, 0, i)).length;
    }
    expect([answers, one.count('icmp-out-replies-limited')]).toEqual([3, 7]);
    one.advance(SECOND);
    expect(one.receiveIp({ src: PEER, dst: OWN, protocol: 1 }, icmp(8, 0, 0))).toHaveLength(1);
  });

  it('to a broadcast or a group is answered only when switched on', () => {
    const one = bed();
    const frame = ether(
      'ff:ff:ff:ff:ff:ff',
      PEER_MAC,
      0x0800,
      ip4({ src: PEER, dst: '10.0.0.255', protocol: 1 }, icmp(8, 0, 1)),
    );
    expect(one.receive(frame)).toEqual([]);
    one.sysctl('net.inet.icmp.bmcastecho', 1);
    expect(one.receive(frame)).toMatchObject([{ src: OWN, dst: PEER }]);
    const group = ether(
      '01:00:5e:00:00:01',
      PEER_MAC,
      0x0800,
      ip4({ src: PEER, dst: '224.0.0.1', protocol: 1 }, icmp(8, 0, 1)),
    );
    expect(one.receive(group)).toMatchObject([{ src: OWN, dst: PEER }]);
  });

  it('is answered from the address that was asked', () => {
    const one = bed();
    one.attach('10.0.7.1');
    expect(one.receiveIp({ src: PEER, dst: '10.0.7.1', protocol: 1 }, icmp(8, 0, 1))[0]?.src).toBe('10.0.7.1');
  });

  it('brings record route and timestamps back', () => {
    const one = bed();
    const recordRoute = hex('07 0b 04 00000000 00000000 00');
    const [reply] = one.receiveIp(
      { src: PEER, dst: OWN, protocol: 1, options: recordRoute },
      icmp(8, 0, 1, hex('abcd')),
    );
    expect(reply?.options).toBe('070b080a0000010000000000');
    expect(toHex(reply!.payload)).toBe(toHex(icmp(0, 0, 1, hex('abcd'))));
  });

  it('with other options is answered without them', () => {
    const one = bed();
    const [reply] = one.receiveIp({ src: PEER, dst: OWN, protocol: 1, options: hex('94040000') }, icmp(8, 0, 1));
    expect(reply?.options).toBe('');
  });
});

describe('Timestamp (RFC 792)', () => {
  it('is answered with our time, marked as not counting from midnight', () => {
    const one = bed();
    one.nowUs = 5_000_000;
    const [reply] = one.receiveIp(
      { src: PEER, dst: OWN, protocol: 1 },
      icmp(13, 0, 0x00010002, hex('0000007b 00000000 00000000')),
    );
    expect(toHex(reply!.payload)).toBe(
      toHex(icmp(14, 0, 0x00010002, join(hex('0000007b'), be32(0x80001388), be32(0x80001388)))),
    );
  });
});

describe('ICMP input: what is malformed is dropped under a name', () => {
  it('short, wrong checksum, unknown type', () => {
    const one = bed();
    const bad = icmp(8, 0, 1);
    bad[7]! ^= 1;
    expect(one.receiveIp({ src: PEER, dst: OWN, protocol: 1 }, hex('0800f7'))).toEqual([]);
    expect(one.receiveIp({ src: PEER, dst: OWN, protocol: 1 }, bad)).toEqual([]);
    expect(one.receiveIp({ src: PEER, dst: OWN, protocol: 1 }, icmp(99, 0, 1))).toEqual([]);
    const names = ['icmp-in-short', 'icmp-in-bad-checksum', 'icmp-in-ignored'];
    expect(names.map((name) => one.count(name))).toEqual([1, 1, 1]);
  });
});

describe('ICMP errors about our packets (RFC 1122 3.2.2)', () => {
  const quoted = (src = OWN, payload = hex('0102030405060708')): Uint8Array =>
    ip4({ src, dst: PEER, protocol: 200 }, payload);

  for (const [type, code] of [
    [3, 0],
    [3, 1],
    [3, 3],
    [3, 13],
    [11, 0],
    [11, 1],
    [12, 0],
  ] as const) {
    it(`type ${type} code ${code} reaches the transport`, () => {
      const one = bed();
      const errors = listener(one);
      expect(one.receiveIp({ src: '192.0.2.9', dst: OWN, protocol: 1 }, icmp(type, code, 0, quoted()))).toEqual([]);
      expect(errors).toMatchObject([
        { type, code, src: ip(OWN), dst: ip(PEER), from: ip('192.0.2.9'), quoted: '0102030405060708' },
      ]);
    });
  }

  it('carry the MTU of the next hop', () => {
    const one = bed();
    const errors = listener(one);
    one.receiveIp({ src: PEER, dst: OWN, protocol: 1 }, icmp(3, 4, 1280, quoted()));
    expect(errors).toMatchObject([{ type: 3, code: 4, nextHopMtuBytes: 1280 }]);
  });

  it('that quote too little, no IPv4, or a packet of somebody else are dropped', () => {
    const one = bed();
    const errors = listener(one);
    const version6 = quoted();
    version6[0] = 0x65;
    const options = quoted();
    options[0] = 0x4f;
    for (const quote of [quoted().slice(0, 27), quoted().slice(0, 12), version6, options, quoted('10.0.0.9')]) {
      one.receiveIp({ src: PEER, dst: OWN, protocol: 1 }, icmp(3, 1, 0, quote));
    }
    expect(errors).toEqual([]);
    expect(one.count('icmp-in-bad-quote')).toBe(5);
  });

  it('are made here when the next hop does not answer', () => {
    const one = bed();
    const errors = listener(one);
    const path = one.cpu.ip.openPath(ip('10.0.0.77'), 0, 0);
    if (typeof path === 'number') throw new Error('no path');
    const at = one.cpu.ip.begin(path, 200, 8, 64, 0, 0);
    one.arena.bytes.set(hex('a1a2a3a4a5a6a7a8'), at);
    one.cpu.ip.end(0);
    one.advance(4 * SECOND);
    expect(errors).toMatchObject([
      { type: 3, code: 1, src: ip(OWN), dst: ip('10.0.0.77'), quoted: 'a1a2a3a4a5a6a7a8' },
    ]);
  });
});

describe('ICMP errors we send (RFC 1122 3.2.2)', () => {
  const about = (packet: Uint8Array, to = ownMac(1)): Packet[] => bed().receive(ether(to, PEER_MAC, 0x0800, packet));
  const data = hex('0102030405060708');

  it('are never about ICMP errors', () => {
    const one = bed();
    one.inet.addRoute(0, 0, ip(PEER), RTF_GATEWAY);
    one.sysctl('net.inet.ip.forwarding', 1);
    const inner = ip4({ src: '192.0.2.1', dst: '192.0.2.2', protocol: 17 }, data);
    const sent = one.receiveIp({ src: PEER, dst: '192.0.2.7', protocol: 1, ttl: 1 }, icmp(3, 3, 0, inner));
    expect(sent).toEqual([]);
    expect(one.count('icmp-out-suppressed')).toBe(1);
    expect(one.receiveIp({ src: PEER, dst: '192.0.2.7', protocol: 1, ttl: 1 }, icmp(8, 0, 0))).toHaveLength(1);
    // A packet that begins like one but is of another protocol.
    expect(one.receiveIp({ src: PEER, dst: '192.0.2.7', protocol: 200, ttl: 1 }, hex('0301000000000000'))).toHaveLength(
      1,
    );
  });

  it('are never about later fragments', () => {
    const one = bed();
    one.inet.addRoute(0, 0, ip(PEER), RTF_GATEWAY);
    one.sysctl('net.inet.ip.forwarding', 1);
    expect(one.receiveIp({ src: PEER, dst: '192.0.2.7', protocol: 200, ttl: 1, fragment: 8 }, data)).toEqual([]);
    expect(one.receiveIp({ src: PEER, dst: '192.0.2.7', protocol: 200, ttl: 1, fragment: 0x2000 }, data)).toHaveLength(
      1,
    );
  });

  it('never go to broadcasts or networks', () => {
    for (const src of ['10.0.0.255', '0.0.0.0']) expect(about(ip4({ src, dst: OWN, protocol: 200 }, data))).toEqual([]);
  });

  it('quote the header with its options, and as much payload as configured', () => {
    const one = bed();
    one.sysctl('net.inet.icmp.returndatabytes', 64);
    const packet = ip4({ src: PEER, dst: OWN, protocol: 200, options: hex('01010100') }, new Uint8Array(100).fill(9));
    const [error] = one.receive(ether(ownMac(1), PEER_MAC, 0x0800, packet));
    expect(error!.payload.slice(8)).toEqual(packet.slice(0, 24 + 64));
  });
});

describe('Redirects from others (RFC 1122 3.2.2.2)', () => {
  const NEW_GATEWAY = '10.0.0.9';

  function redirect(one: InetBed, fields: { from?: string; to?: string; gateway?: string } = {}): void {
    const inner = ip4({ src: OWN, dst: fields.to ?? '192.0.2.1', protocol: 200 }, hex('0102030405060708'));
    const message = icmp(5, 1, ip(fields.gateway ?? NEW_GATEWAY), inner);
    one.receiveIp({ src: fields.from ?? PEER, dst: OWN, protocol: 1 }, message);
  }

  function routed(): InetBed {
    const one = bed();
    one.inet.addRoute(0, 0, ip(PEER), RTF_GATEWAY);
    one.neighbor(NEW_GATEWAY, 0, '02:00:00:00:00:99');
    return one;
  }

  const row = (one: InetBed): object | undefined =>
    routeRows(one.inet).find((route) => route.destination === '192.0.2.1');

  it('make a route to that host, for ten minutes', () => {
    const one = routed();
    redirect(one);
    expect(row(one)).toMatchObject({ prefixLength: 32, gateway: NEW_GATEWAY, flags: 'UGHD', interface: 'eth0' });
    const path = one.cpu.ip.openPath(ip('192.0.2.1'), 0, 0);
    expect(typeof path !== 'number' && one.cpu.ip.begin(path, 200, 1, 1, 0, 0)).toBeGreaterThan(0);
    one.cpu.ip.end(0);
    one.settle();
    expect(one.sent()[0]?.dstMac).toBe('020000000099');
    one.advance(599 * SECOND);
    expect(row(one)).toBeDefined();
    one.advance(2 * SECOND);
    expect(row(one)).toBeUndefined();
  });

  it('end with the configured time', () => {
    const one = routed();
    one.sysctl('net.inet.icmp.redirtimeout', 5);
    redirect(one);
    one.advance(4 * SECOND);
    redirect(one, { from: NEW_GATEWAY, gateway: '10.0.0.8' });
    expect(row(one)).toMatchObject({ gateway: '10.0.0.8', flags: 'UGHDM' });
    one.advance(4 * SECOND);
    expect(row(one)).toBeDefined();
    one.advance(2 * SECOND);
    expect(row(one)).toBeUndefined();
  });

  it('go when the new gateway is silent', () => {
    const one = routed();
    redirect(one, { gateway: '10.0.0.8' });
    const path = one.cpu.ip.openPath(ip('192.0.2.1'), 0, 0);
    if (typeof path === 'number') throw new Error('no path');
    one.cpu.ip.begin(path, 200, 1, 1, 0, 0);
    one.cpu.ip.end(0);
    one.advance(4 * SECOND);
    expect(row(one)).toBeUndefined();
  });

  it('are not believed from anybody but the present gateway, for gateways off the link, or by a router', () => {
    const one = routed();
    redirect(one, { from: '10.0.0.66' });
    redirect(one, { gateway: '192.0.2.66' });
    redirect(one, { gateway: OWN });
    redirect(one, { to: '10.0.0.5' });
    one.sysctl('net.inet.icmp.rediraccept', 0);
    redirect(one);
    one.sysctl('net.inet.icmp.rediraccept', 1);
    one.sysctl('net.inet.ip.forwarding', 1);
    redirect(one);
    expect(row(one)).toBeUndefined();
    expect(one.count('icmp-redirect-ignored')).toBe(6);
    one.sysctl('net.inet.icmp.redirrouter', 1);
    redirect(one);
    expect(row(one)).toBeDefined();
  });

  it('cannot fill the route table', () => {
    const one = routed();
    one.sysctl('net.inet.icmp.redirmax', 10);
    const before = one.inet.ip4.routes.count;
    for (let i = 1; i < 100; i++) redirect(one, { to: `192.0.2.${i}` });
    expect(one.inet.ip4.routes.count).toBe(before + 10);
  });
});
