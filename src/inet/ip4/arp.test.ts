import { describe, expect, it } from 'vitest';
import { InetBed, ownMac, PEER_MAC } from '../../../test/fixtures/inet-bed.ts';
import { neighborRows } from '../../../test/fixtures/inet-text.ts';
import { arp, ether, hex, ip, ip4, toHex, udp } from '../../../test/fixtures/packets.ts';
import { Errno } from '../../base/errors.ts';
import type { UdpEndpoint } from '../udp/endpoint.ts';

const OWN = '10.0.0.1';
const PEER = '10.0.0.2';
const BROADCAST = 'ff:ff:ff:ff:ff:ff';
const OWN_HEX = toHex(hex(ownMac(1)));
const PEER_HEX = toHex(hex(PEER_MAC));
const SECOND = 1_000_000;

function bed(peer: string = ''): { bed: InetBed; endpoint: UdpEndpoint } {
  const one = new InetBed();
  one.attach(OWN);
  const endpoint = one.cpu.udp.open();
  endpoint.bind(0, 5000);
  if (peer !== '') endpoint.connect(ip(peer), 7);
  return { bed: one, endpoint };
}

function send(one: InetBed, endpoint: UdpEndpoint, text: string, to: string = PEER): number {
  const bytes = new TextEncoder().encode(text);
  const sent = endpoint.send(bytes, 0, bytes.length, ip(to), endpoint.connected ? 0 : 7);
  one.settle();
  return sent;
}

function reply(from: string = PEER_MAC): Uint8Array {
  const packet = arp({ operation: 2, senderMac: from, sender: PEER, targetMac: ownMac(1), target: OWN });
  return ether(ownMac(1), from, 0x0806, packet);
}

describe('ARP resolution (RFC 826, RFC 1122 2.3.2)', () => {
  it('asks by broadcast, keeps the packet, sends it when the answer comes', () => {
    const { bed: one, endpoint } = bed();
    expect(send(one, endpoint, 'hello')).toBe(5);
    const device = one.devices[0]!;
    expect(device.sent.map((frame) => toHex(frame.bytes))).toEqual([
      `ffffffffffff${OWN_HEX}0806${'0001080006040001'}${OWN_HEX}0a000001${'000000000000'}0a000002`,
    ]);
    device.take();
    const [packet] = one.receive(reply());
    expect(packet).toMatchObject({ dstMac: PEER_HEX, srcMac: OWN_HEX, src: OWN, dst: PEER, protocol: 17, ttl: 64 });
    expect(new TextDecoder().decode(packet!.payload.slice(8))).toBe('hello');
    expect(send(one, endpoint, 'again')).toBe(5);
    expect(one.sent()).toHaveLength(1);
  });

  it('keeps as many packets as configured, the latest ones (RFC 1122 2.3.2.2)', () => {
    const { bed: one, endpoint } = bed();
    one.sysctl('net.inet.arp.nd_maxqueuelen', 3);
    for (const text of ['a', 'b', 'c', 'd', 'e']) send(one, endpoint, text);
    expect(one.sent().filter((packet) => packet.arp)).toHaveLength(1);
    const texts = one.receive(reply()).map((packet) => String.fromCharCode(packet.payload[8]!));
    expect(texts).toEqual(['c', 'd', 'e']);
    expect(one.count('arp-pending-drops')).toBe(2);
    expect(one.heldBytes).toBe(0);
  });

  it('keeps the latest one alone when told to keep one', () => {
    const { bed: one, endpoint } = bed();
    one.sysctl('net.inet.arp.nd_maxqueuelen', 1);
    for (const text of ['a', 'b', 'c']) send(one, endpoint, text);
    one.sent();
    expect(one.receive(reply()).map((packet) => String.fromCharCode(packet.payload[8]!))).toEqual(['c']);
    expect([one.count('arp-pending-drops'), one.heldBytes]).toEqual([2, 0]);
  });

  it('bounds the memory of all that wait', () => {
    const { bed: one, endpoint } = bed();
    one.sysctl('net.inet.arp.maxqueuebytes', 65536);
    const big = new Uint8Array(30000);
    for (let host = 2; host < 6; host++) endpoint.send(big, 0, big.length, ip(`10.0.0.${host}`), 7);
    expect(one.inet.ip4.neighbors.pendingBytes).toBe(2 * 32768);
    expect(one.heldBytes).toBe(2 * 32768);
    expect(one.count('arp-pending-drops')).toBe(2);
    send(one, endpoint, 'x', '10.0.0.9');
    expect(one.count('arp-pending-drops')).toBe(3);
    one.advance(4 * SECOND);
    expect(one.inet.ip4.neighbors.pendingBytes).toBe(0);
  });

  it('repeats the request once a second, gives up after three, then says EHOSTDOWN to a connected socket', () => {
    const { bed: one, endpoint } = bed(PEER);
    send(one, endpoint, 'x');
    expect(one.sent()).toHaveLength(1);
    one.advance(0.9 * SECOND);
    expect(one.sent()).toHaveLength(0);
    one.advance(0.2 * SECOND);
    expect(one.sent()).toHaveLength(1);
    one.advance(SECOND);
    expect(one.sent()).toHaveLength(1);
    one.advance(SECOND);
    expect(one.sent()).toHaveLength(0);
    expect(one.count('arp-resolution-failures')).toBe(1);
    expect(send(one, endpoint, 'x')).toBe(-Errno.EHOSTDOWN);
    expect(one.heldBytes).toBe(0);
  });

  it('says EHOSTUNREACH when the silent neighbor is a gateway', () => {
    const { bed: one, endpoint } = bed();
    one.inet.addRoute(0, 0, ip(PEER), 2);
    endpoint.connect(ip('192.0.2.1'), 7);
    send(one, endpoint, 'x', '192.0.2.1');
    one.advance(4 * SECOND);
    expect(send(one, endpoint, 'x', '192.0.2.1')).toBe(-Errno.EHOSTUNREACH);
  });

  it('asks at most once a second while callers insist, and recovers at the first answer', () => {
    const { bed: one, endpoint } = bed(PEER);
    send(one, endpoint, 'x');
    one.advance(4 * SECOND);
    one.sent();
    for (let i = 0; i < 20; i++) {
      expect(send(one, endpoint, 'x')).toBe(-Errno.EHOSTDOWN);
      one.advance(SECOND / 10);
    }
    const requests = one.sent();
    expect(requests.length).toBeGreaterThanOrEqual(2);
    expect(requests.length).toBeLessThanOrEqual(3);
    one.receive(reply());
    expect(send(one, endpoint, 'x')).toBe(1);
    expect(one.sent()[0]?.protocol).toBe(17);
  });

  it('never says it to a socket that is not connected, whose latest packet waits', () => {
    for (const gateway of [false, true]) {
      const { bed: one, endpoint } = bed();
      if (gateway) one.inet.addRoute(0, 0, ip(PEER), 2);
      const to = gateway ? '192.0.2.1' : PEER;
      for (let i = 0; i < 24; i++) {
        expect(send(one, endpoint, String.fromCharCode(97 + i), to)).toBe(1);
        one.advance(SECOND / 4);
      }
      expect(one.count('arp-resolution-failures')).toBe(1);
      one.sent();
      expect(one.receive(reply()).map((packet) => String.fromCharCode(packet.payload[8]!))).toEqual(['x']);
      expect([one.count('arp-pending-drops'), one.heldBytes]).toEqual([23, 0]);
      // Silent for good: the failure is forgotten with what waits.
      const { bed: other, endpoint: sender } = bed();
      for (let second = 0; second < 5; second++) {
        expect(send(other, sender, 'x')).toBe(1);
        other.advance(SECOND);
      }
      other.advance(20 * SECOND);
      expect([other.inet.ip4.neighbors.count, other.inet.ip4.neighbors.pendingBytes, other.heldBytes]).toEqual([
        0, 0, 0,
      ]);
    }
  });

  it('forgets a failure after a while and tries again', () => {
    const { bed: one, endpoint } = bed();
    send(one, endpoint, 'x');
    one.advance(30 * SECOND);
    expect(one.inet.ip4.neighbors.count).toBe(0);
    one.sent();
    expect(send(one, endpoint, 'x')).toBe(1);
    expect(one.sent()).toHaveLength(1);
  });
});

describe('Neighbor unreachability (RFC 1122 2.3.2.1, RFC 4861 7.3)', () => {
  function known(): { bed: InetBed; endpoint: UdpEndpoint } {
    const made = bed();
    send(made.bed, made.endpoint, 'x');
    made.bed.receive(reply());
    return made;
  }

  const state = (one: InetBed): string => neighborRows(one.inet)[0]?.state ?? 'gone';

  it('is reachable, stale, then used for a while and asked by unicast', () => {
    const { bed: one, endpoint } = known();
    expect(state(one)).toBe('reachable');
    one.advance(31 * SECOND);
    expect(state(one)).toBe('stale');
    expect(send(one, endpoint, 'x')).toBe(1);
    expect(one.sent().map((packet) => packet.protocol)).toEqual([17]);
    expect(state(one)).toBe('delay');
    one.advance(5.5 * SECOND);
    expect(state(one)).toBe('probe');
    const [probe] = one.sent();
    expect(probe).toMatchObject({ dstMac: PEER_HEX, arp: { operation: 1, target: PEER } });
    one.receive(reply());
    expect(state(one)).toBe('reachable');
  });

  it('goes after three unanswered unicast requests, and is then asked by broadcast', () => {
    const { bed: one, endpoint } = known();
    one.advance(31 * SECOND);
    send(one, endpoint, 'x');
    one.advance(9 * SECOND);
    expect(one.sent().filter((packet) => packet.dstMac === PEER_HEX && packet.arp)).toHaveLength(3);
    expect(state(one)).toBe('gone');
    send(one, endpoint, 'y');
    expect(one.sent()[0]?.dstMac).toBe('ffffffffffff');
  });

  it('needs no request while a transport confirms', () => {
    const { bed: one } = known();
    const path = one.cpu.ip.openPath(ip(PEER), 0, 0);
    if (typeof path === 'number') throw new Error('no path');
    for (let i = 0; i < 100; i++) {
      one.advance(2 * SECOND);
      one.cpu.ip.confirm(path, one.nowUs);
    }
    expect(state(one)).toBe('reachable');
    expect(one.sent()).toHaveLength(0);
  });

  it('takes no confirmation for an address that is not known, nor for one entered by hand', () => {
    const { bed: one, endpoint } = bed();
    const path = one.cpu.ip.openPath(ip(PEER), 0, 0);
    if (typeof path === 'number') throw new Error('no path');
    one.cpu.ip.confirm(path, one.nowUs);
    send(one, endpoint, 'a');
    expect(state(one)).toBe('incomplete');
    expect(one.sent().every((packet) => packet.arp)).toBe(true);
    one.receive(reply());
    one.inet.ip4.neighbors.find(one.interfaces[0]!, ip(PEER))!.state = 'permanent';
    one.advance(100 * SECOND);
    one.cpu.ip.confirm(path, one.nowUs);
    expect(state(one)).toBe('permanent');
  });

  it('goes net.inet.arp.keep seconds after the last answer, believed or not', () => {
    const { bed: one } = known();
    one.advance(1199 * SECOND);
    expect(state(one)).toBe('stale');
    one.advance(2 * SECOND);
    expect(state(one)).toBe('gone');
    const { bed: other, endpoint } = bed();
    other.sysctl('net.inet.arp.keep', 5);
    send(other, endpoint, 'x');
    other.receive(reply());
    other.advance(4 * SECOND);
    expect(state(other)).toBe('reachable');
    other.advance(2 * SECOND);
    expect(state(other)).toBe('gone');
  });

  it('goes after 20 minutes when nothing was ever sent there', () => {
    const { bed: one } = bed();
    expect(one.cpu.ip.openPath(ip(PEER), 0, 0)).toBeTypeOf('object');
    expect(neighborRows(one.inet)).toMatchObject([{ state: 'incomplete', expiresSec: 1200 }]);
    one.advance(1199 * SECOND);
    expect(one.inet.ip4.neighbors.count).toBe(1);
    one.advance(SECOND);
    expect(one.inet.ip4.neighbors.count).toBe(0);
    expect(one.sent()).toEqual([]);
  });

  it('goes when nobody used it for 20 minutes', () => {
    const { bed: one } = known();
    one.advance(1100 * SECOND);
    expect(state(one)).toBe('stale');
    one.advance(200 * SECOND);
    expect(state(one)).toBe('gone');
  });

  it('follows a neighbor that changed its link-layer address, on the paths that are open', () => {
    const { bed: one, endpoint } = known();
    endpoint.connect(ip(PEER), 7);
    const other = '02:00:00:00:00:bb';
    one.receive(reply(other));
    endpoint.send(hex('61'), 0, 1, 0, 0);
    one.settle();
    expect(one.sent()[0]?.dstMac).toBe(toHex(hex(other)));
    expect(one.count('arp-address-moved')).toBe(1);
  });
});

describe('ARP requests', () => {
  function request(sender: string, target: string, from: string = PEER_MAC): Uint8Array {
    return ether(BROADCAST, from, 0x0806, arp({ operation: 1, senderMac: from, sender, target }));
  }

  it('are answered by unicast when they ask for us, and enter the sender', () => {
    const { bed: one } = bed();
    const [answer] = one.receive(request(PEER, OWN));
    expect(answer).toMatchObject({
      dstMac: PEER_HEX,
      arp: { operation: 2, senderMac: OWN_HEX, sender: OWN, targetMac: PEER_HEX, target: PEER },
    });
    expect(neighborRows(one.inet)).toMatchObject([{ address: PEER, mac: PEER_MAC, state: 'stale', interface: 'eth0' }]);
  });

  it('for others neither are answered nor enter anybody', () => {
    const { bed: one } = bed();
    expect(one.receive(request(PEER, '10.0.0.9'))).toEqual([]);
    expect(neighborRows(one.inet)).toEqual([]);
  });

  it('from a sender outside our subnets enter nobody', () => {
    const { bed: one } = bed();
    one.receive(request('192.0.2.7', OWN));
    expect(neighborRows(one.inet)).toEqual([]);
  });

  it('are answered at most so often a second', () => {
    const { bed: one } = bed();
    one.sysctl('net.inet.arp.replyppslimit', 3);
    let answers = 0;
    for (let i = 0; i < 10; i++) answers += one.receive(request(PEER, OWN)).length;
    expect([answers, one.count('arp-out-replies-limited')]).toEqual([3, 7]);
    one.advance(SECOND);
    expect(one.receive(request(PEER, OWN))).toHaveLength(1);
  });

  it('are answered for published addresses', () => {
    const { bed: one } = bed();
    one.inet.ip4.neighbors.addStatic(one.interfaces[0]!, ip('10.0.0.9'), 0x0200, 0x99, true, true);
    const [answer] = one.receive(request(PEER, '10.0.0.9'));
    expect(answer?.arp).toMatchObject({ operation: 2, sender: '10.0.0.9', senderMac: '020000000099' });
  });

  it('are answered for addresses published on another interface, and for those that are there for others only', () => {
    const { bed: one, endpoint } = bed();
    one.attach('10.0.1.1');
    const [eth0, eth1] = one.interfaces;
    const { neighbors } = one.inet.ip4;
    neighbors.addStatic(eth1!, ip('10.0.1.9'), 0x0200, 0x99, true, true);
    expect(neighbors.addStatic(eth0!, ip(PEER), 0x0200, 0x98, true, true, true)).toBe(0);
    expect(one.receive(request('10.0.0.7', '10.0.1.9'))[0]?.arp).toMatchObject({ senderMac: '020000000099' });
    expect(one.receive(request('10.0.0.7', PEER))[0]?.arp).toMatchObject({ senderMac: '020000000098' });
    expect(one.receive(request('10.0.0.7', '10.0.1.8'))).toEqual([]);
    // Our own packet has to ask.
    send(one, endpoint, 'x');
    expect(one.sent()).toMatchObject([{ arp: { operation: 1, target: PEER } }]);
    expect(neighborRows(one.inet)).toMatchObject([
      { address: PEER, state: 'incomplete', published: false },
      { address: '10.0.1.9', published: true },
      { address: PEER, mac: '02:00:00:00:00:98', published: true, proxyOnly: true },
    ]);
    neighbors.flush(eth0!, true);
    expect(neighborRows(one.inet)).toHaveLength(1);
  });

  it('are learned from on the interface that was asked for, whichever of a subnet our packets leave by', () => {
    const { bed: one } = bed();
    one.attach('10.0.0.5');
    const packet = arp({ operation: 1, senderMac: PEER_MAC, sender: PEER, target: '10.0.0.5' });
    expect(one.receive(ether(BROADCAST, PEER_MAC, 0x0806, packet), 1)).toHaveLength(1);
    expect(neighborRows(one.inet)).toMatchObject([{ address: PEER, interface: 'eth1' }]);
    one.receive(request(PEER, OWN));
    expect(neighborRows(one.inet)).toMatchObject([
      { address: PEER, interface: 'eth0' },
      { address: PEER, interface: 'eth1' },
    ]);
  });

  it('do not change permanent entries', () => {
    const { bed: one } = bed();
    one.neighbor(PEER, 0, '02:00:00:00:00:cc');
    one.receive(request(PEER, OWN));
    expect(neighborRows(one.inet)).toMatchObject([{ mac: '02:00:00:00:00:cc', state: 'permanent', expiresSec: null }]);
    expect(one.inet.ip4.neighbors.addStatic(one.interfaces[0]!, ip(PEER), 1, 1, true, false)).toBe(-Errno.EEXIST);
  });

  it('that are malformed are dropped under a name each', () => {
    const { bed: one } = bed();
    const good = arp({ operation: 1, senderMac: PEER_MAC, sender: PEER, target: OWN });
    const bad = (at: number, byte: number): Uint8Array => {
      const copy = good.slice();
      copy[at] = byte;
      return ether(BROADCAST, PEER_MAC, 0x0806, copy);
    };
    one.receive(ether(BROADCAST, PEER_MAC, 0x0806, good.slice(0, 27)));
    one.receive(bad(1, 6));
    one.receive(bad(2, 0x86));
    one.receive(bad(7, 3));
    one.receive(bad(8, 0x01));
    expect(one.sent()).toEqual([]);
    for (const name of [
      'arp-short',
      'arp-bad-hardware',
      'arp-bad-protocol',
      'arp-bad-operation',
      'arp-in-bad-sender',
    ]) {
      expect([name, one.count(name)]).toEqual([name, 1]);
    }
  });

  it('cannot make the cache grow beyond its limit', () => {
    const { bed: one } = bed();
    one.sysctl('net.inet.arp.maxentries', 16);
    for (let i = 2; i < 250; i++) one.receive(request(`10.0.0.${i}`, OWN));
    expect(one.inet.ip4.neighbors.count).toBe(16);
    expect(neighborRows(one.inet).at(-1)?.address).toBe('10.0.0.249');
  });

  it('makes room at the cost of those who never answered, and frees what waited for them', () => {
    const { bed: one, endpoint } = bed();
    one.sysctl('net.inet.arp.maxentries', 16);
    for (let i = 2; i < 10; i++) one.receive(request(`10.0.0.${i}`, OWN));
    for (let i = 10; i < 60; i++) send(one, endpoint, 'x', `10.0.0.${i}`);
    expect(one.inet.ip4.neighbors.count).toBe(16);
    const known = neighborRows(one.inet).filter((row) => row.state === 'stale');
    expect(known.map((row) => row.address)).toEqual([2, 3, 4, 5, 6, 7, 8, 9].map((i) => `10.0.0.${i}`));
    expect(one.count('arp-cache-evicted')).toBe(42);
    expect(one.inet.ip4.neighbors.pendingBytes).toBe(8 * 256);
    expect(one.heldBytes).toBe(8 * 256);
  });

  it('survives that the entry whose failure is being told is removed meanwhile', () => {
    const { bed: one } = bed();
    one.sysctl('net.inet.ip.forwarding', 1);
    one.sysctl('net.inet.arp.maxentries', 16);
    // Sixteen hosts on the link that send to hosts which are not there: telling them needs entries of their own.
    for (let i = 2; i < 18; i++) {
      const packet = ip4({ src: `10.0.0.${100 + i}`, dst: `10.0.0.${i}`, protocol: 17 }, hex('00'));
      one.receive(ether(ownMac(1), PEER_MAC, 0x0800, packet));
      one.receive(ether(ownMac(1), PEER_MAC, 0x0800, packet));
    }
    one.advance(60 * SECOND);
    expect(one.heldBytes).toBe(0);
  });
});

describe('a frame for somebody else', () => {
  it('is dropped when the device let it through', () => {
    const { bed: one } = bed();
    const packet = ip4({ src: PEER, dst: OWN, protocol: 17 }, udp(PEER, OWN, 7, 5000, hex('61')));
    one.receive(ether('02:00:00:00:00:dd', PEER_MAC, 0x0800, packet));
    one.receive(ether(ownMac(1), PEER_MAC, 0x88b5, packet));
    one.receive(hex('020000000001'));
    expect(one.count('udp-in')).toBe(0);
    expect(['ether-in-not-ours', 'ether-in-unknown-type', 'ether-in-short'].map((name) => one.count(name))).toEqual([
      1, 1, 1,
    ]);
  });
});
