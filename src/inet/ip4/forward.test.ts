import { describe, expect, it } from 'vitest';
import { InetBed, ownMac, PEER_MAC } from '../../../test/fixtures/inet-bed.ts';
import { interfaceRows } from '../../../test/fixtures/inet-text.ts';
import {
  counting,
  ether,
  hex,
  type Ip4Fields,
  icmp,
  ip,
  ip4,
  join,
  type Packet,
  tcp,
  toHex,
  transportSound,
  udp,
} from '../../../test/fixtures/packets.ts';
import { foldSum } from '../../base/checksum.ts';
import {
  CAP_CHECKSUM_PARTIAL,
  CAP_SUPER_FRAMES,
  META_CHECKSUM_PARTIAL,
  META_SEGMENT_SHIFT,
} from '../../net/packet-meta.ts';
import { RTF_BLACKHOLE, RTF_GATEWAY, RTF_REJECT } from '../../net/route.ts';

const A = '10.0.0.2';
const B = '10.0.1.2';
const ROUTER = '10.0.0.1';
const B_MAC = '02:00:00:00:00:bb';
const SECOND = 1_000_000;

/** A router between 10.0.0/24 (device 0, host A) and 10.0.1/24 (device 1, host B). */
function router(): InetBed {
  const one = new InetBed();
  one.attach(ROUTER);
  one.attach('10.0.1.1');
  one.neighbor(A, 0);
  one.neighbor(B, 1, B_MAC);
  one.sysctl('net.inet.ip.forwarding', 1);
  return one;
}

function datagram(fields: Partial<Ip4Fields> = {}, bytes = 5): Uint8Array {
  const src = fields.src ?? A;
  const dst = fields.dst ?? B;
  return ip4({ src, dst, protocol: 17, ...fields }, udp(src, dst, 7, 9, counting(bytes)));
}

/** Receive from A; what goes back to A, and on to B. */
function pass(one: InetBed, packet: Uint8Array, meta = 0, to = ownMac(1)): { back: Packet[]; on: Packet[] } {
  const back = one.receive(ether(to, PEER_MAC, 0x0800, packet), 0, meta);
  return { back, on: one.sent(1) };
}

const kind = (packet: Packet | undefined): number[] => [...(packet?.payload.slice(0, 2) ?? [])];

describe('Forwarding (RFC 1812 5.2)', () => {
  it('sends a packet on with TTL one less and everything else as it was', () => {
    const one = router();
    const packet = datagram({ ttl: 17, tos: 0x28, id: 4711 });
    const { back, on } = pass(one, packet);
    expect(back).toEqual([]);
    expect(on).toHaveLength(1);
    expect(on[0]).toMatchObject({
      srcMac: toHex(hex(ownMac(2))),
      dstMac: toHex(hex(B_MAC)),
      ttl: 16,
      tos: 0x28,
      id: 4711,
    });
    expect(on[0]!.payload).toEqual(packet.slice(20));
    expect(one.count('ip-forwarded')).toBe(1);
  });

  it('keeps the checksum right for every TTL (RFC 1624)', () => {
    const one = router();
    for (let ttl = 2; ttl < 256; ttl++) expect(pass(one, datagram({ ttl, id: ttl * 257 })).on[0]?.ttl).toBe(ttl - 1);
  });

  it('is off unless switched on', () => {
    const one = router();
    one.sysctl('net.inet.ip.forwarding', 0);
    expect(pass(one, datagram())).toEqual({ back: [], on: [] });
    expect(one.count('ip-in-not-ours')).toBe(1);
  });

  it('answers TTL 1 with time exceeded, from the interface it came by', () => {
    const one = router();
    const packet = datagram({ ttl: 1 });
    const { back, on } = pass(one, packet);
    expect(on).toEqual([]);
    expect([back[0]?.src, back[0]?.dst, kind(back[0])]).toEqual([ROUTER, A, [11, 0]]);
    expect(back[0]!.payload.slice(8)).toEqual(packet.slice(0, 28));
  });

  it('answers with net or host unreachable where there is no way', () => {
    const one = router();
    expect(kind(pass(one, datagram({ dst: '192.0.2.1' })).back[0])).toEqual([3, 0]);
    one.inet.addRoute(ip('192.0.2.1'), 32, ip('127.0.0.1'), RTF_REJECT | RTF_GATEWAY);
    expect(kind(pass(one, datagram({ dst: '192.0.2.1' })).back[0])).toEqual([3, 1]);
    one.inet.addRoute(ip('192.0.2.2'), 32, ip('127.0.0.1'), RTF_BLACKHOLE | RTF_GATEWAY);
    expect(pass(one, datagram({ dst: '192.0.2.2' }))).toEqual({ back: [], on: [] });
  });

  it('keeps packets while it asks for the next hop, and says host unreachable when that is silent', () => {
    const one = router();
    const silent = datagram({ dst: '10.0.1.77' });
    expect(pass(one, silent).on.map((packet) => packet.arp?.target)).toEqual(['10.0.1.77']);
    one.advance(4 * SECOND);
    const errors = one.sent(0);
    expect(errors.map(kind)).toEqual([[3, 1]]);
    expect(errors[0]!.src).toBe(ROUTER);
    expect(errors[0]!.payload.slice(8, 28).slice(12, 16)).toEqual(silent.slice(12, 16));
    expect(kind(pass(one, silent).back[0])).toEqual([3, 1]);
    expect(one.heldBytes).toBe(0);
  });

  it('does not forward link-layer broadcasts, groups, or sources that cannot be', () => {
    const one = router();
    expect(pass(one, datagram(), 0, 'ff:ff:ff:ff:ff:ff').on).toEqual([]);
    expect(pass(one, datagram({ dst: '224.1.2.3' })).on).toEqual([]);
    expect(pass(one, datagram({ dst: '255.255.255.255' })).on).toEqual([]);
    expect(pass(one, datagram({ src: '127.0.0.1' })).on).toEqual([]);
    expect(pass(one, datagram({ dst: '127.0.0.1' })).on).toEqual([]);
    expect(one.count('ip-forwarded')).toBe(0);
  });

  it('forwards directed broadcasts only when told so', () => {
    const one = router();
    expect(pass(one, datagram({ dst: '10.0.1.255' })).on).toEqual([]);
    one.sysctl('net.inet.ip.directed-broadcast', 1);
    expect(pass(one, datagram({ dst: '10.0.1.255' })).on).toMatchObject([{ dstMac: 'ffffffffffff' }]);
  });

  it('drops under a counter when the link out is full', () => {
    const one = router();
    one.devices[1]!.room = 0;
    expect(pass(one, datagram())).toEqual({ back: [], on: [] });
    expect([one.count('ip-forward-no-room'), interfaceRows(one.inet)[2]?.outDrops]).toEqual([1, 1]);
  });
});

describe('Forwarding between links of different MTU', () => {
  function narrow(mtu: number): InetBed {
    const one = router();
    one.devices[1]!.mtuBytes = mtu;
    one.inet.interfaceChanged(one.interfaces[1]!, false);
    return one;
  }

  it('fragments what may be fragmented, and fragments of it again', () => {
    const one = narrow(576);
    const { on } = pass(one, datagram({ id: 5 }, 1400));
    expect(on.map((f) => [f.fragment, f.payload.length, f.id])).toEqual([
      [0x2000, 552, 5],
      [0x2000 | 69, 552, 5],
      [138, 304, 5],
    ]);
    const middle = ip4({ src: A, dst: B, protocol: 17, id: 6, fragment: 0x2000 | 100 }, counting(800));
    expect(pass(one, middle).on.map((f) => f.fragment)).toEqual([0x2000 | 100, 0x2000 | 169]);
  });

  it('repeats in later fragments only the options that say so (RFC 791 3.1)', () => {
    const one = narrow(576);
    // Record route (not copied), no-operation, security (copied).
    const options = hex('0707040000000001820b0000000000000000000000000000').slice(0, 20);
    const { on } = pass(one, datagram({ options }, 1000));
    expect(on).toHaveLength(2);
    expect(on[0]!.options.slice(0, 2)).toBe('07');
    expect(on[1]!.options).toBe('820b00000000000000000000');
  });

  it('says fragmentation needed, with the MTU, when it may not (RFC 1191 4)', () => {
    const one = narrow(576);
    const { back, on } = pass(one, datagram({ fragment: 0x4000 }, 1000));
    expect(on).toEqual([]);
    expect(toHex(back[0]!.payload.slice(0, 2))).toBe('0304');
    expect(toHex(back[0]!.payload.slice(4, 8))).toBe('00000240');
  });
});

describe('Forwarding between links of different capabilities', () => {
  function partialDatagram(): Uint8Array {
    const packet = datagram({}, 101);
    const bytes = packet.length - 20;
    const sum = [0x0a00, 2, 0x0a00, 0x0102, 17, bytes].reduce((a, b) => a + b, 0);
    packet.set([foldSum(sum) >> 8, foldSum(sum) & 0xff], 26);
    return packet;
  }

  it('completes a checksum that the next link does not vouch for', () => {
    const one = router();
    const { on } = pass(one, partialDatagram(), META_CHECKSUM_PARTIAL);
    expect(transportSound(on[0]!)).toBe(true);
  });

  it('completes none that the packet is too short to hold', () => {
    for (const [protocol, bytes] of [
      [6, 17],
      [17, 7],
    ] as const) {
      const one = router();
      const packet = ip4({ src: A, dst: B, protocol }, counting(bytes));
      // Bytes behind the packet in its frame are not the packet's.
      const frame = ether(ownMac(1), PEER_MAC, 0x0800, join(packet, hex('eeee')));
      one.receive(frame, 0, META_CHECKSUM_PARTIAL);
      expect(toHex(one.sent(1)[0]!.payload)).toBe(toHex(counting(bytes)));
      expect(frame.slice(-2)).toEqual(hex('eeee'));
    }
  });

  it('leaves it to a link that does', () => {
    const one = router();
    one.devices[1]!.capabilities = CAP_CHECKSUM_PARTIAL;
    one.receive(ether(ownMac(1), PEER_MAC, 0x0800, partialDatagram()), 0, META_CHECKSUM_PARTIAL);
    expect(one.devices[1]!.sent[0]?.meta).toBe(META_CHECKSUM_PARTIAL);
    expect(transportSound(one.sent(1)[0]!)).toBe(false);
  });

  const SEGMENT = 1000;
  const superMeta = META_CHECKSUM_PARTIAL | (SEGMENT << META_SEGMENT_SHIFT);
  const FIN_PSH_ACK_CWR = 0x99;

  function superFrame(fragment = 0x4000): Uint8Array {
    return ip4(
      { src: A, dst: B, protocol: 6, id: 0xfffe, fragment },
      tcp(A, B, [1, 2], 0xfffffff0, 7, FIN_PSH_ACK_CWR, counting(3500)),
    );
  }

  for (const capabilities of [0, CAP_CHECKSUM_PARTIAL]) {
    it(`cuts a super-frame into TCP segments for a link of capabilities ${capabilities}`, () => {
      const one = router();
      one.devices[1]!.capabilities = capabilities;
      one.receive(ether(ownMac(1), PEER_MAC, 0x0800, superFrame()), 0, superMeta);
      const metas = one.devices[1]!.sent.map((frame) => frame.meta);
      const on = one.sent(1);
      const views = on.map(({ payload }) => new DataView(payload.buffer, payload.byteOffset));
      expect(on.map((packet) => packet.payload.length)).toEqual([1020, 1020, 1020, 520]);
      expect(on.map((packet) => packet.id)).toEqual([0xfffe, 0xffff, 0, 1]);
      expect(views.map((view) => view.getUint32(4))).toEqual([0xfffffff0, 984, 1984, 2984]);
      expect(views.map((view) => view.getUint8(13))).toEqual([0x90, 0x10, 0x10, 0x19]);
      expect(join(...on.map((packet) => packet.payload.slice(20)))).toEqual(counting(3500));
      expect(on.every(transportSound)).toBe(capabilities === 0);
      expect(metas.every((meta) => meta === capabilities)).toBe(true);
      expect(on.every((packet) => packet.ttl === 63)).toBe(true);
    });
  }

  it('sends a super-frame whole where the link takes it', () => {
    const one = router();
    one.devices[1]!.capabilities = CAP_CHECKSUM_PARTIAL | CAP_SUPER_FRAMES;
    one.receive(ether(ownMac(1), PEER_MAC, 0x0800, superFrame()), 0, superMeta);
    expect(one.devices[1]!.sent.map((frame) => [frame.bytes.length, frame.meta])).toEqual([
      [14 + 20 + 20 + 3500, superMeta],
    ]);
  });

  it('sends segments that are short enough together as one on a plain link', () => {
    const one = router();
    const packet = ip4({ src: A, dst: B, protocol: 6, fragment: 0x4000 }, tcp(A, B, [1, 2], 0, 7, 0x10, counting(900)));
    one.receive(ether(ownMac(1), PEER_MAC, 0x0800, packet), 0, 300 << META_SEGMENT_SHIFT);
    expect(one.devices[1]!.sent.map((frame) => [frame.bytes.length, frame.meta])).toEqual([[14 + 20 + 20 + 900, 0]]);
  });

  it('says fragmentation needed when the segments do not fit either', () => {
    const one = router();
    one.devices[1]!.mtuBytes = 800;
    one.inet.interfaceChanged(one.interfaces[1]!, false);
    const { back, on } = pass(one, superFrame(), superMeta);
    expect(on).toEqual([]);
    expect(toHex(back[0]!.payload.slice(0, 8))).toMatch(/^0304....00000320$/);
  });

  it('drops a super-frame that is none', () => {
    const one = router();
    pass(one, datagram({ protocol: 200 }, 3000), superMeta);
    const short = ip4(
      { src: A, dst: B, protocol: 6 },
      join(hex('000100020000000000000000f010000000000000'), counting(3000)),
    );
    short[20 + 12] = 0x10;
    pass(one, short, superMeta);
    expect(one.count('ip-segments-malformed')).toBe(2);
  });
});

describe('Forwarding datagrams that share a frame', () => {
  const SEGMENT = 600;
  const segmentsMeta = META_CHECKSUM_PARTIAL | (SEGMENT << META_SEGMENT_SHIFT);

  /** As our own stack writes it: the checksum field holds the sum of the pseudo-header. */
  function segments(bytes: number): Uint8Array {
    const packet = datagram({ id: 7, fragment: 0x4000 }, bytes);
    const pseudo = [...hex('0a0000020a000102'), 0, 17, ...packet.slice(24, 26)];
    let sum = 0;
    for (let i = 0; i < pseudo.length; i += 2) sum += ((pseudo[i] as number) << 8) | (pseudo[i + 1] as number);
    packet.set([foldSum(sum) >> 8, foldSum(sum) & 255], 26);
    return packet;
  }

  for (const [capabilities, bytes] of [
    [0, 2000],
    [CAP_CHECKSUM_PARTIAL, 2000],
    // All of them would fit into one packet, which they are not.
    [0, 1300],
  ] as const) {
    it(`parts ${bytes} bytes for a link of capabilities ${capabilities}`, () => {
      const one = router();
      one.devices[1]!.capabilities = capabilities;
      one.receive(ether(ownMac(1), PEER_MAC, 0x0800, segments(bytes)), 0, segmentsMeta);
      const on = one.sent(1);
      const sizes = Array.from({ length: Math.ceil(bytes / SEGMENT) }, (_, i) =>
        Math.min(SEGMENT, bytes - i * SEGMENT),
      );
      expect(on.map((packet) => packet.payload.length - 8)).toEqual(sizes);
      expect(
        on.map((packet) => new DataView(packet.payload.buffer, packet.payload.byteOffset).getUint16(4) - 8),
      ).toEqual(sizes);
      expect(join(...on.map((packet) => packet.payload.slice(8)))).toEqual(counting(bytes));
      expect(on.every(transportSound)).toBe(capabilities === 0);
    });
  }

  it('leaves datagrams without a checksum without one', () => {
    const one = router();
    const packet = segments(2000);
    packet.set([0, 0], 26);
    one.receive(ether(ownMac(1), PEER_MAC, 0x0800, packet), 0, SEGMENT << META_SEGMENT_SHIFT);
    expect(one.sent(1).map((sent) => toHex(sent.payload.slice(6, 8)))).toEqual(['0000', '0000', '0000', '0000']);
  });

  it('sends the frame whole where the link takes it, and drops one of too many datagrams', () => {
    const one = router();
    one.devices[1]!.capabilities = CAP_CHECKSUM_PARTIAL | CAP_SUPER_FRAMES;
    one.receive(ether(ownMac(1), PEER_MAC, 0x0800, segments(2000)), 0, segmentsMeta);
    expect(one.devices[1]!.sent.splice(0).map((frame) => [frame.bytes.length, frame.meta])).toEqual([
      [14 + 28 + 2000, segmentsMeta],
    ]);
    one.devices[1]!.capabilities = 0;
    one.receive(
      ether(ownMac(1), PEER_MAC, 0x0800, segments(2000)),
      0,
      META_CHECKSUM_PARTIAL | (3 << META_SEGMENT_SHIFT),
    );
    expect([one.sent(1).length, one.count('ip-segments-malformed')]).toEqual([0, 1]);
  });
});

describe('ICMP redirects (RFC 1812 5.2.7.2)', () => {
  it('are sent when a packet leaves as it came, and the packet is forwarded all the same', () => {
    const one = router();
    one.neighbor('10.0.0.9', 0, '02:00:00:00:00:99');
    one.inet.addRoute(ip('192.0.2.0'), 24, ip('10.0.0.9'), RTF_GATEWAY);
    const [forwarded, redirect] = pass(one, datagram({ dst: '192.0.2.5' })).back;
    expect([redirect?.dst, kind(redirect), toHex(redirect!.payload.slice(4, 8))]).toEqual([A, [5, 1], '0a000009']);
    expect(forwarded).toMatchObject({ dstMac: '020000000099', dst: '192.0.2.5', ttl: 63 });
  });

  it('never lead a packet astray, whoever its sender is', () => {
    const one = router();
    one.sysctl('net.inet.icmp.errppslimit', -1);
    one.neighbor('10.0.0.9', 0, '02:00:00:00:00:99');
    one.inet.addRoute(ip('192.0.2.0'), 24, ip('10.0.0.9'), RTF_GATEWAY);
    for (let i = 10; i < 250; i++) {
      one.neighbor(`10.0.0.${i}`, 0, '02:00:00:00:00:cc');
      const [forwarded, redirect] = pass(one, datagram({ dst: '192.0.2.5', src: `10.0.0.${i}` })).back;
      expect(forwarded).toMatchObject({ dstMac: '020000000099', dst: '192.0.2.5' });
      expect(redirect).toMatchObject({ dstMac: '0200000000cc', dst: `10.0.0.${i}` });
    }
  });

  it('leave nothing behind when they take the place of the neighbor the packet waits for', () => {
    const one = router();
    one.sysctl('net.inet.icmp.errppslimit', -1);
    one.sysctl('net.inet.arp.maxentries', 16);
    one.inet.addRoute(ip('192.0.2.0'), 24, ip('10.0.0.9'), RTF_GATEWAY);
    for (let i = 10; i < 100; i++) pass(one, datagram({ dst: '192.0.2.5', src: `10.0.0.${i}` }));
    one.advance(60 * SECOND);
    expect(one.heldBytes).toBe(0);
  });

  it('are not sent to a sender that is not on the network of the next hop', () => {
    const one = router();
    one.inet.configure(one.interfaces[0]!, ip('10.0.5.1'), 24);
    one.neighbor('10.0.5.9', 0, '02:00:00:00:00:99');
    one.inet.addRoute(ip('192.0.2.0'), 24, ip('10.0.5.9'), RTF_GATEWAY);
    one.advance(5 * SECOND);
    one.sent();
    expect(pass(one, datagram({ dst: '192.0.2.5' })).back).toHaveLength(1);
  });

  it('are not sent when switched off, or to a sender from elsewhere', () => {
    const one = router();
    one.neighbor('10.0.0.9', 0, '02:00:00:00:00:99');
    // There is a way back to its sender.
    one.inet.addRoute(ip('0.0.0.0'), 0, ip('10.0.0.9'), RTF_GATEWAY);
    expect(pass(one, datagram({ dst: '192.0.2.5', src: '203.0.113.1' })).back).toHaveLength(1);
    expect(pass(one, datagram({ dst: '192.0.2.5' })).back).toHaveLength(2);
    one.sysctl('net.inet.ip.redirect', 0);
    expect(pass(one, datagram({ dst: '192.0.2.5' })).back).toHaveLength(1);
  });
});

describe('ICMP rate limit (RFC 1812 4.3.2.8)', () => {
  it('sends at most so many errors a second', () => {
    const one = router();
    one.sysctl('net.inet.icmp.errppslimit', 10);
    let errors = 0;
    for (let i = 0; i < 50; i++) errors += pass(one, datagram({ ttl: 1 })).back.length;
    expect([errors, one.count('icmp-out-rate-limited')]).toEqual([10, 40]);
    one.advance(SECOND);
    expect(pass(one, datagram({ ttl: 1 })).back).toHaveLength(1);
    one.sysctl('net.inet.icmp.errppslimit', -1);
    for (let i = 0; i < 50; i++) expect(pass(one, datagram({ ttl: 1 })).back).toHaveLength(1);
    one.sysctl('net.inet.icmp.errppslimit', 0);
    expect(pass(one, datagram({ ttl: 1 })).back).toHaveLength(0);
    expect(pass(one, ip4({ src: A, dst: B, protocol: 1 }, icmp(8, 0, 0))).on).toHaveLength(1);
  });
});
