import { describe, expect, it } from 'vitest';
import { InetBed } from '../../../test/fixtures/inet-bed.ts';
import { hex, icmp, ip, type Packet, toHex } from '../../../test/fixtures/packets.ts';
import { RTF_GATEWAY } from '../../net/route.ts';

const OWN = '10.0.0.1';
const PEER = '10.0.0.2';
const B = '10.0.1.2';

/** A router between 10.0.0/24 and 10.0.1/24. */
function router(): InetBed {
  const one = new InetBed();
  one.attach(OWN);
  one.attach('10.0.1.1');
  one.neighbor(PEER, 0);
  one.neighbor(B, 1);
  one.sysctl('net.inet.ip.forwarding', 1);
  one.nowUs = 1_234_000;
  return one;
}

function pass(one: InetBed, options: string, dst = B): { back: Packet[]; on: Packet[] } {
  const back = one.receiveIp({ src: PEER, dst, protocol: 200, options: hex(options) }, hex('0102030405060708'));
  return { back, on: one.sent(1) };
}

const kind = (packet: Packet | undefined): string =>
  toHex(packet?.payload.slice(0, 8) ?? hex('')).replace(/^(....)..../, '$1 ');

describe('IP options on packets we forward (RFC 791 3.1, RFC 1812 5.2.4)', () => {
  it('record route: our address on the way out', () => {
    expect(pass(router(), '070b08 0a000063 00000000 00').on[0]?.options).toBe('070b0c0a0000630a00010100');
  });

  it('record route that is full: as it came', () => {
    expect(pass(router(), '070708 0a000063 00').on[0]?.options).toBe('0707080a00006300');
  });

  it('timestamp: our clock, without and with address', () => {
    expect(pass(router(), '44080500 00000000').on[0]?.options).toBe('44080900800004d2');
    expect(pass(router(), '440c0501 00000000 00000000').on[0]?.options).toBe('440c0d010a000101800004d2');
  });

  it('timestamp: only at prespecified addresses', () => {
    expect(pass(router(), '440c0503 0a000001 00000000').on[0]?.options).toBe('440c0d030a000001800004d2');
    expect(pass(router(), '440c0503 0a000099 00000000').on[0]?.options).toBe('440c05030a00009900000000');
  });

  it('timestamp that is full: the overflow counts', () => {
    expect(pass(router(), '44080910 00000000').on[0]?.options).toBe('4408092000000000');
    expect(kind(pass(router(), '440809f0 00000000').back[0])).toBe('0c00 17000000');
  });

  it('unknown ones and no-operation: left alone', () => {
    expect(pass(router(), '01 9e0400ff 01 00 00').on[0]?.options).toBe('019e0400ff010000');
  });

  it('malformed ones: parameter problem with a pointer', () => {
    expect(kind(pass(router(), '07000000').back[0])).toBe('0c00 15000000');
    expect(kind(pass(router(), '070c0400').back[0])).toBe('0c00 15000000');
    expect(kind(pass(router(), '01010107').back[0])).toBe('0c00 18000000');
    expect(kind(pass(router(), '07070300000000 00').back[0])).toBe('0c00 16000000');
    expect(kind(pass(router(), '44080400 00000000').back[0])).toBe('0c00 16000000');
    expect(kind(pass(router(), '44080502 00000000').back[0])).toBe('0c00 17000000');
    const one = router();
    pass(one, '07000000');
    expect(one.count('ip-in-bad-options')).toBe(1);
  });
});

describe('Source routes', () => {
  function loose(next: string, pointer = '04', type = '83'): string {
    return `${type}07${pointer}${(ip(next) >>> 0).toString(16).padStart(8, '0')}00`;
  }

  it('are refused by default', () => {
    expect(kind(pass(router(), loose(B), OWN).back[0])).toBe('0309 00000000');
  });

  it('to us may be allowed without forwarding them', () => {
    const one = router();
    one.sysctl('net.inet.ip.allowsrcrt', 1);
    expect(kind(pass(one, loose(B), OWN).back[0])).toBe('0305 00000000');
    expect(kind(pass(one, loose(B, '08'), OWN).back[0])).toBe('0302 00000000');
  });

  it('are followed when allowed: our address takes the place of the next hop', () => {
    const one = router();
    one.sysctl('net.inet.ip.allowsrcrt', 1);
    one.sysctl('net.inet.ip.forwsrcrt', 1);
    const { back, on } = pass(one, loose(B), OWN);
    expect(back).toEqual([]);
    expect(on).toMatchObject([{ dst: B, ttl: 63, options: '8307080a00010100' }]);
  });

  it('are followed by hosts too, as NetBSD does', () => {
    const one = router();
    one.sysctl('net.inet.ip.allowsrcrt', 1);
    one.sysctl('net.inet.ip.forwsrcrt', 1);
    one.sysctl('net.inet.ip.forwarding', 0);
    expect(pass(one, loose(B), OWN).on).toMatchObject([{ dst: B }]);
  });

  it('lead nowhere that a packet from a wire may not go', () => {
    const one = router();
    one.sysctl('net.inet.ip.allowsrcrt', 1);
    one.sysctl('net.inet.ip.forwsrcrt', 1);
    for (const next of ['127.0.0.1', '224.0.0.1', '0.0.0.1', '255.255.255.255']) {
      expect(kind(pass(one, loose(next), OWN).back[0])).toBe('0305 00000000');
    }
  });

  it('make no redirect when the packet leaves as it came (RFC 1812 5.2.7.2)', () => {
    const one = router();
    one.neighbor('10.0.0.9', 0, '02:00:00:00:00:99');
    one.sysctl('net.inet.ip.allowsrcrt', 1);
    one.sysctl('net.inet.ip.forwsrcrt', 1);
    expect(pass(one, loose('10.0.0.9'), OWN).back).toMatchObject([{ dst: '10.0.0.9', protocol: 200 }]);
  });

  it('are turned round in echo replies (RFC 1122 3.2.2.6)', () => {
    const one = router();
    one.sysctl('net.inet.ip.allowsrcrt', 1);
    // From 192.0.2.7 by way of 10.0.1.9 and 10.0.0.2, and a record of the route besides.
    const options = hex('830b0c 0a000109 0a000002 01 07070400000000 01');
    const [reply] = one.receiveIp({ src: '192.0.2.7', dst: OWN, protocol: 1, options }, icmp(8, 0, 0x10001));
    expect(reply).toMatchObject({
      src: OWN,
      dst: PEER,
      options: '830b040a000109c00002070707080a0000010000',
    });
    const away = hex('830708 7f000001 00');
    expect(one.receiveIp({ src: '192.0.2.7', dst: OWN, protocol: 1, options: away }, icmp(8, 0, 1))).toEqual([]);
  });

  it('strict ones fail where the next hop is not on the link, or we are not the hop', () => {
    const one = router();
    one.sysctl('net.inet.ip.allowsrcrt', 1);
    one.sysctl('net.inet.ip.forwsrcrt', 1);
    one.inet.addRoute(ip('192.0.2.0'), 24, ip(B), RTF_GATEWAY);
    expect(kind(pass(one, loose('192.0.2.1', '04', '89'), OWN).back[0])).toBe('0305 00000000');
    expect(kind(pass(one, loose('192.0.2.1', '04', '89'), B).back[0])).toBe('0305 00000000');
    expect(pass(one, loose('192.0.2.1'), OWN).on[0]?.dst).toBe('192.0.2.1');
  });
});
