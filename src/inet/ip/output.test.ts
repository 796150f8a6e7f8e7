import { describe, expect, it } from 'vitest';
import { InetBed, PEER_MAC } from '../../../test/fixtures/inet-bed.ts';
import {
  counting,
  hex,
  icmp,
  ip,
  ip4,
  join,
  type Packet,
  parse,
  toHex,
  transportSound,
} from '../../../test/fixtures/packets.ts';
import { Errno } from '../../base/errors.ts';
import { META_CHECKSUM_PARTIAL } from '../../net/packet-meta.ts';
import { RTF_BLACKHOLE, RTF_GATEWAY, RTF_REJECT } from '../../net/route.ts';
import { IP_DONT_FRAGMENT, type Path } from './transport.ts';

const OWN = '10.0.0.1';
const PEER = '10.0.0.2';
const SECOND = 1_000_000;

function bed(): InetBed {
  const one = new InetBed();
  one.attach(OWN);
  one.neighbor(PEER);
  return one;
}

function path(one: InetBed, dst: string, src = '0.0.0.0', flags = 0): Path {
  const found = one.cpu.ip.openPath(ip(dst), ip(src), flags);
  if (typeof found === 'number') throw new Error(`no path: ${found}`);
  return found;
}

/** Send `payload` as protocol 200; what `begin` said when it refused, else 0. */
function send(one: InetBed, to: Path, payload: Uint8Array, flags = 0): number {
  const at = one.cpu.ip.begin(to, 200, payload.length, 9, 0x10, flags);
  if (at < 0) return at;
  expect(at % 4).toBe(0);
  one.arena.bytes.set(payload, at);
  one.cpu.ip.end(0);
  one.settle();
  return 0;
}

/** Put fragments together the simple way, checking that they fit. */
function assemble(fragments: Packet[]): Uint8Array {
  const sorted = [...fragments].sort((a, b) => (a.fragment & 0x1fff) - (b.fragment & 0x1fff));
  let at = 0;
  for (const [i, one] of sorted.entries()) {
    expect((one.fragment & 0x1fff) * 8).toBe(at);
    expect((one.fragment & 0x2000) !== 0).toBe(i < sorted.length - 1);
    at += one.payload.length;
  }
  return join(...sorted.map((one) => one.payload));
}

describe('IP output', () => {
  it('writes Ethernet and IP header straight into the ring', () => {
    const one = bed();
    expect(send(one, path(one, PEER), hex('0102030405'), IP_DONT_FRAGMENT)).toBe(0);
    const frame = one.devices[0]!.take()[0]!;
    expect(parse(frame).payload).toEqual(hex('0102030405'));
    expect(toHex(frame.slice(0, 14))).toBe('0200000000aa' + '020000000001' + '0800');
    expect(toHex(frame.slice(14))).toBe(
      '4510' + '0019' + '0000' + '4000' + '09c8' + '5d0b' + '0a000001' + '0a000002' + '0102030405',
    );
  });

  it('gives packets that may be fragmented an identification of their own, others none (RFC 6864)', () => {
    const one = bed();
    const to = path(one, PEER);
    for (let i = 0; i < 3; i++) send(one, to, hex('00'));
    send(one, to, hex('00'), IP_DONT_FRAGMENT);
    const [a, b, c, d] = one.sent();
    expect([(b!.id - a!.id) & 0xffff, (c!.id - b!.id) & 0xffff]).toEqual([1, 1]);
    expect([d!.id, d!.fragment]).toEqual([0, 0x4000]);
  });

  it('chooses the address on the subnet of the next hop, and honours the one asked for', () => {
    const one = bed();
    one.attach('10.0.1.1');
    one.neighbor('10.0.1.2', 1);
    one.inet.addRoute(ip('192.0.2.0'), 24, ip('10.0.1.2'), RTF_GATEWAY);
    expect(path(one, '192.0.2.9').src).toBe(ip('10.0.1.1'));
    expect(path(one, PEER).src).toBe(ip(OWN));
    expect(path(one, '192.0.2.9', OWN).src).toBe(ip(OWN));
    expect(one.cpu.ip.openPath(ip(PEER), ip('10.0.0.77'), 0)).toBe(-Errno.EADDRNOTAVAIL);
  });

  it('says why there is no path', () => {
    const one = bed();
    const error = (dst: string, flags = 0): Path | number => one.cpu.ip.openPath(ip(dst), 0, flags);
    expect(error('192.0.2.1')).toBe(-Errno.ENETUNREACH);
    expect(error('10.0.0.255')).toBe(-Errno.EACCES);
    expect(error('255.255.255.255')).toBe(-Errno.EACCES);
    expect(error('240.0.0.1')).toBe(-Errno.ENETUNREACH);
    one.inet.addRoute(ip('192.0.2.0'), 24, ip('127.0.0.1'), RTF_REJECT | RTF_GATEWAY);
    one.inet.addRoute(ip('198.51.100.7'), 32, ip('127.0.0.1'), RTF_REJECT | RTF_GATEWAY);
    expect(error('192.0.2.1')).toBe(-Errno.ENETUNREACH);
    expect(error('198.51.100.7')).toBe(-Errno.EHOSTUNREACH);
    one.inet.changeFlags(one.interfaces[0]!, 0, 1);
    expect(error(PEER)).toBe(-Errno.ENETUNREACH);
  });

  it('loses what goes into a blackhole without a word', () => {
    const one = bed();
    one.inet.addRoute(ip('192.0.2.0'), 24, ip('127.0.0.1'), RTF_BLACKHOLE | RTF_GATEWAY);
    expect(send(one, path(one, '192.0.2.1'), hex('00'))).toBe(0);
    expect(one.count('ip-out-discarded')).toBe(1);
    expect(one.sent()).toEqual([]);
  });

  it('renews a path when routes change under it', () => {
    const one = bed();
    one.neighbor('10.0.0.3', 0, '02:00:00:00:00:03');
    one.inet.addRoute(0, 0, ip(PEER), RTF_GATEWAY);
    const to = path(one, '192.0.2.1');
    send(one, to, hex('00'));
    one.inet.addRoute(ip('192.0.2.1'), 32, ip('10.0.0.3'), RTF_GATEWAY);
    send(one, to, hex('00'));
    one.inet.removeRoute(ip('192.0.2.1'), 32, 0);
    one.inet.removeRoute(0, 0, 0);
    expect(send(one, to, hex('00'))).toBe(-Errno.ENETUNREACH);
    expect(one.sent().map((packet) => packet.dstMac)).toEqual([toHex(hex(PEER_MAC)), '020000000003']);
  });

  it('keeps the source of a path that is open when a nearer route comes', () => {
    const one = bed();
    one.inet.addRoute(0, 0, ip(PEER), RTF_GATEWAY);
    const to = path(one, '10.1.0.9');
    expect(to.src).toBe(ip(OWN));
    one.attach('10.1.0.1');
    one.neighbor('10.1.0.9', 1);
    send(one, to, hex('00'));
    expect(one.sent(1)).toMatchObject([{ src: OWN, dst: '10.1.0.9' }]);
    expect(path(one, '10.1.0.9').src).toBe(ip('10.1.0.1'));
  });

  it('reports a full ring, and room when there is some again', () => {
    const one = bed();
    const to = path(one, PEER);
    one.devices[0]!.room = 1;
    expect(send(one, to, hex('00'))).toBe(0);
    expect(send(one, to, hex('00'))).toBe(-Errno.ENOBUFS);
    expect(one.cpu.ip.awaitRoom(to)).toBe(false);
    one.devices[0]!.room = 5;
    expect(one.cpu.ip.awaitRoom(to)).toBe(true);
    expect(send(one, to, hex('00'))).toBe(0);
  });

  it('sends nothing that was cancelled', () => {
    const one = bed();
    expect(one.cpu.ip.begin(path(one, PEER), 200, 10, 1, 0, 0)).toBeGreaterThan(0);
    one.cpu.ip.cancel();
    one.cpu.ip.end(0);
    expect(one.sent()).toEqual([]);
  });
});

describe('Loopback', () => {
  it('brings packets to our own addresses and all of 127/8 back through lo0', () => {
    const one = bed();
    const endpoint = one.cpu.udp.open();
    endpoint.bind(0, 5000);
    const seen: string[] = [];
    endpoint.onDatagram = (_at, lengthBytes, src) => seen.push(`${src >>> 0}:${lengthBytes}`);
    const sender = one.cpu.udp.open();
    for (const to of [OWN, '127.0.0.1', '127.9.9.9', '0.0.0.0']) sender.send(hex('00'), 0, 1, ip(to), 5000);
    one.settle();
    expect(seen).toEqual([`${ip(OWN)}:1`, `${ip('127.0.0.1')}:1`, `${ip('127.0.0.1')}:1`, `${ip('127.0.0.1')}:1`]);
    expect(one.sent()).toEqual([]);
    expect(path(one, OWN).mtuBytes).toBe(16384);
  });

  it('keeps 127/8 off the wire', () => {
    const one = bed();
    expect(one.cpu.ip.openPath(ip(PEER), ip('127.0.0.1'), 0)).toBe(-Errno.ENETUNREACH);
  });
});

describe('Broadcast', () => {
  it('goes to the link and comes back to us', () => {
    const one = bed();
    const endpoint = one.cpu.udp.open();
    endpoint.bind(0, 5000);
    endpoint.broadcast = true;
    for (const to of ['10.0.0.255', '255.255.255.255']) {
      expect(endpoint.send(hex('41'), 0, 1, ip(to), 5000)).toBe(1);
      one.settle();
      expect(one.sent()).toMatchObject([{ dstMac: 'ffffffffffff', src: OWN, dst: to }]);
      expect(endpoint.queue.count).toBe(1);
      endpoint.queue.shift();
    }
  });

  it('completes the checksum for the copy and for the wire alike', () => {
    const one = bed();
    one.devices[0]!.capabilities = 1;
    const endpoint = one.cpu.udp.open();
    endpoint.bind(0, 5000);
    endpoint.broadcast = true;
    endpoint.send(hex('4142'), 0, 2, ip('10.0.0.255'), 5000);
    one.settle();
    expect(one.sent().every(transportSound)).toBe(true);
    expect(endpoint.queue.count).toBe(1);
  });
});

describe('Fragmentation (RFC 791 3.2)', () => {
  it('cuts what is longer than the link takes, at multiples of eight', () => {
    const one = bed();
    const payload = counting(5000);
    expect(send(one, path(one, PEER), payload)).toBe(0);
    const fragments = one.sent();
    expect(fragments.map((f) => [f.fragment, f.payload.length])).toEqual([
      [0x2000, 1480],
      [0x2000 | 185, 1480],
      [0x2000 | 370, 1480],
      [555, 560],
    ]);
    expect(new Set(fragments.map((f) => f.id)).size).toBe(1);
    expect(fragments.every((f) => f.ttl === 9 && f.tos === 0x10)).toBe(true);
    expect(assemble(fragments)).toEqual(payload);
  });

  it('takes a packet of 65535 bytes, and nothing longer', () => {
    const one = bed();
    const payload = counting(65515);
    expect(send(one, path(one, PEER), payload)).toBe(0);
    expect(assemble(one.sent())).toEqual(payload);
    expect(send(one, path(one, PEER), counting(65516))).toBe(-Errno.EMSGSIZE);
  });

  it('refuses what must not be fragmented', () => {
    const one = bed();
    expect(send(one, path(one, PEER), counting(1480), IP_DONT_FRAGMENT)).toBe(0);
    expect(send(one, path(one, PEER), counting(1481), IP_DONT_FRAGMENT)).toBe(-Errno.EMSGSIZE);
  });

  it('completes a partial checksum before it cuts', () => {
    const one = bed();
    one.devices[0]!.capabilities = 1;
    const endpoint = one.cpu.udp.open();
    endpoint.send(counting(4001), 0, 4001, ip(PEER), 7);
    one.settle();
    const fragments = one.sent();
    const whole = { ...fragments[0]!, payload: assemble(fragments) };
    expect(transportSound(whole)).toBe(true);
    expect(fragments).toHaveLength(3);
    endpoint.send(counting(100), 0, 100, ip(PEER), 7);
    one.settle();
    expect(one.devices[0]!.sent[0]?.meta).toBe(META_CHECKSUM_PARTIAL);
  });

  it('waits for room amid a packet and loses no fragment', () => {
    const one = bed();
    const device = one.devices[0]!;
    device.room = 2;
    const payload = counting(6000);
    expect(send(one, path(one, PEER), payload)).toBe(0);
    expect(device.sent).toHaveLength(2);
    expect(one.cpu.ip.output.unfinished).toBe(true);
    expect(send(one, path(one, PEER), counting(3000))).toBe(-Errno.ENOBUFS);
    expect(one.cpu.ip.awaitRoom(path(one, PEER))).toBe(false);
    device.room = 100;
    one.settle();
    expect(one.cpu.ip.output.unfinished).toBe(false);
    expect(assemble(one.sent())).toEqual(payload);
    expect(send(one, path(one, PEER), counting(3000))).toBe(0);
  });

  it('fragments a packet that waited for its neighbor', () => {
    const one = bed();
    const payload = counting(3000);
    send(one, path(one, '10.0.0.3'), payload);
    expect(one.sent()).toHaveLength(1);
    one.inet.ip4.neighbors.learn(
      one.inet.ip4.neighbors.find(one.interfaces[0]!, ip('10.0.0.3'))!,
      2,
      3,
      true,
      one.nowUs,
    );
    expect(assemble(one.sent())).toEqual(payload);
  });
});

describe('Path MTU (RFC 1191)', () => {
  function tooBig(one: InetBed, mtu: number, packetBytes: number, src = OWN): void {
    const quoted = ip4({ src, dst: '192.0.2.1', protocol: 200, fragment: 0x4000 }, new Uint8Array(packetBytes - 20));
    one.receiveIp({ src: PEER, dst: OWN, protocol: 1 }, icmp(3, 4, mtu, quoted.slice(0, 28)));
  }

  function routed(): { one: InetBed; to: Path } {
    const one = bed();
    one.inet.addRoute(0, 0, ip(PEER), RTF_GATEWAY);
    return { one, to: path(one, '192.0.2.1') };
  }

  it('is lowered by an ICMP error, for that destination, and comes back after ten minutes', () => {
    const { one, to } = routed();
    expect(to.mtuBytes).toBe(1500);
    tooBig(one, 1400, 1500);
    expect([to.mtuBytes, path(one, '192.0.2.2').mtuBytes]).toEqual([1400, 1500]);
    expect(send(one, to, counting(1381), IP_DONT_FRAGMENT)).toBe(-Errno.EMSGSIZE);
    expect(send(one, to, counting(1381))).toBe(0);
    expect(one.sent().map((packet) => packet.payload.length)).toEqual([1376, 5]);
    one.advance(599 * SECOND);
    expect(to.mtuBytes).toBe(1400);
    one.advance(2 * SECOND);
    expect(to.mtuBytes).toBe(1500);
  });

  it('falls to the next plateau when the router does not say', () => {
    const { one, to } = routed();
    tooBig(one, 0, 1500);
    expect(to.mtuBytes).toBe(1492);
    tooBig(one, 0, 1492);
    expect(to.mtuBytes).toBe(1006);
  });

  it('never rises by an error, falls below the minimum, or listens to errors about packets that were not ours', () => {
    const { one, to } = routed();
    tooBig(one, 1400, 1500, '10.0.0.66');
    expect(to.mtuBytes).toBe(1500);
    tooBig(one, 1450, 1400);
    expect(to.mtuBytes).toBe(1500);
    tooBig(one, 68, 1500);
    expect(to.mtuBytes).toBe(552);
    tooBig(one, 1400, 1500);
    expect(to.mtuBytes).toBe(552);
  });

  it('lets routers fragment what is still too long at the minimum, and everything where it is switched off', () => {
    const { one, to } = routed();
    tooBig(one, 400, 552);
    expect(to.mtuBytes).toBe(552);
    send(one, to, counting(500), IP_DONT_FRAGMENT);
    send(one, path(one, '192.0.2.2'), counting(500), IP_DONT_FRAGMENT);
    one.sysctl('net.inet.ip.mtudisc', 0);
    send(one, path(one, '192.0.2.3'), counting(500), IP_DONT_FRAGMENT);
    expect(one.sent().map((packet) => [packet.fragment, packet.id !== 0])).toEqual([
      [0, true],
      [0x4000, false],
      [0, true],
    ]);
  });

  it('follows the MTU of the interface', () => {
    const { one, to } = routed();
    expect(one.inet.setMtu(one.interfaces[0]!, 900)).toBe(0);
    expect(to.mtuBytes).toBe(900);
    expect(one.inet.setMtu(one.interfaces[0]!, 67)).toBe(-Errno.EINVAL);
  });
});
