import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InetBed, ownMac, PEER_MAC } from '../../../test/fixtures/inet-bed.ts';
import { Inet6Bed } from '../../../test/fixtures/inet6-bed.ts';
import { counting, ether, ip, ip4, join, toHex, transportSound, udp } from '../../../test/fixtures/packets.ts';
import { sum6 } from '../../../test/fixtures/packets6.ts';
import { Errno } from '../../base/errors.ts';
import {
  CAP_CHECKSUM_PARTIAL,
  CAP_SUPER_FRAMES,
  META_CHECKSUM_VERIFIED,
  META_SEGMENT_SHIFT,
} from '../../net/packet-meta.ts';
import { IP6_LOOPBACK } from '../ip/address-interner.ts';
import type { UdpEndpoint } from './endpoint.ts';

const OWN = '10.0.0.1';
const PEER = '10.0.0.2';
const SUPER = CAP_CHECKSUM_PARTIAL | CAP_SUPER_FRAMES;

function bed(capabilities: number = 0): InetBed {
  const one = new InetBed();
  one.attach(OWN).capabilities = capabilities;
  one.neighbor(PEER);
  return one;
}

function bound(one: InetBed, port: number): UdpEndpoint {
  const endpoint = one.cpu.udp.open();
  expect(endpoint.bind(0, port)).toBe(0);
  return endpoint;
}

/** Datagrams of that size arrive in one frame; with 0 one datagram. */
function arrive(one: InetBed, payload: Uint8Array, segmentBytes: number, fromPort: number = 7): void {
  const packet = ip4({ src: PEER, dst: OWN, protocol: 17 }, udp(PEER, OWN, fromPort, 9, payload));
  const meta = segmentBytes === 0 ? 0 : META_CHECKSUM_VERIFIED | (segmentBytes << META_SEGMENT_SHIFT);
  one.devices[0]!.put(ether(ownMac(1), PEER_MAC, 0x0800, packet), meta);
  one.settle();
}

describe('sending datagrams of one size in one call', () => {
  it('sends them one by one where the link takes no super-frames', () => {
    const one = bed();
    const endpoint = bound(one, 9);
    expect(endpoint.sendSegments(counting(2500), 0, 2500, 1000, ip(PEER), 7)).toBe(2500);
    one.settle();
    const sent = one.sent();
    expect(sent.map((packet) => packet.payload.length - 8)).toEqual([1000, 1000, 500]);
    expect(sent.every(transportSound)).toBe(true);
    expect(join(...sent.map((packet) => packet.payload.slice(8)))).toEqual(counting(2500));
    expect(one.count('udp-out')).toBe(3);
  });

  it('sends one frame where the link takes it, with the size of a datagram beside it', () => {
    const one = bed(SUPER);
    const endpoint = bound(one, 9);
    expect(endpoint.sendSegments(counting(2500), 0, 2500, 1000, ip(PEER), 7)).toBe(2500);
    one.settle();
    const [frame, ...others] = one.devices[0]!.sent.splice(0);
    expect(others).toEqual([]);
    expect([frame?.bytes.length, frame?.meta]).toEqual([14 + 28 + 2500, 1 | (1000 << META_SEGMENT_SHIFT)]);
    expect(toHex(frame!.bytes.slice(14 + 20, 14 + 26))).toBe('0009000709cc');
    expect(one.count('udp-out')).toBe(3);
  });

  it('sends to a connected peer, in one frame or in several', () => {
    for (const capabilities of [0, SUPER]) {
      const one = bed(capabilities);
      const endpoint = bound(one, 9);
      expect(endpoint.connect(ip(PEER), 7)).toBe(0);
      expect(endpoint.sendSegments(counting(3000), 0, 3000, 1000, 0, 0)).toBe(3000);
      one.settle();
      const payloads = one.devices[0]!.sent.splice(0).map((frame) => frame.bytes.slice(14 + 28));
      expect(join(...payloads)).toEqual(counting(3000));
    }
  });

  it('waits with all of them for the neighbor', () => {
    const one = new InetBed();
    one.attach(OWN).capabilities = SUPER;
    const endpoint = bound(one, 9);
    expect(endpoint.sendSegments(counting(2500), 0, 2500, 1000, ip(PEER), 7)).toBe(2500);
    one.settle();
    expect(one.sent().map((packet) => packet.type)).toEqual([0x0806]);
    one.neighbor(PEER);
    one.settle();
    expect(one.devices[0]!.sent.splice(0).map((frame) => frame.bytes.length)).toEqual([14 + 28 + 2500]);
  });

  it('says what is wrong', () => {
    for (const capabilities of [0, SUPER]) {
      const one = bed(capabilities);
      const endpoint = bound(one, 9);
      const send = (length: number, segment: number): number =>
        endpoint.sendSegments(counting(length), 0, length, segment, ip(PEER), 7);
      expect(send(1000, 0)).toBe(-Errno.EINVAL);
      expect(send(1290, 10)).toBe(-Errno.EINVAL);
      expect(send(5000, 1473)).toBe(-Errno.EMSGSIZE);
      expect(send(5000, 1472)).toBe(5000);
      expect(send(0, 10)).toBe(0);
      expect(send(70_000, 1400)).toBe(capabilities === 0 ? 70_000 : 70_000);
      expect(endpoint.sendSegments(counting(10), 0, 10, 5, 0, 0)).toBe(-Errno.EDESTADDRREQ);
      expect(endpoint.sendSegments(counting(10), 0, 10, 5, ip('192.0.2.1'), 7)).toBe(-Errno.ENETUNREACH);
    }
  });

  it('tells how much went when the link filled up', () => {
    const one = bed();
    const endpoint = bound(one, 9);
    one.devices[0]!.room = 2;
    expect(endpoint.sendSegments(counting(5000), 0, 5000, 1000, ip(PEER), 7)).toBe(2000);
    expect(endpoint.sendSegments(counting(5000), 0, 5000, 1000, ip(PEER), 7)).toBe(-Errno.EAGAIN);
  });
});

describe('receiving datagrams of one size in one call', () => {
  it('gives them out one by one', () => {
    const one = bed();
    const endpoint = bound(one, 9);
    arrive(one, counting(2500), 1000);
    expect([endpoint.queue.nextBytes, endpoint.queue.queuedBytes, one.count('udp-in')]).toEqual([1000, 2500, 3]);
    const into = new Uint8Array(2000);
    const got: Uint8Array[] = [];
    for (let n = 0; n >= 0; ) {
      n = endpoint.receive(into, 0, 2000);
      if (n >= 0) got.push(into.slice(0, n));
    }
    expect(got.map((bytes) => bytes.length)).toEqual([1000, 1000, 500]);
    expect(join(...got)).toEqual(counting(2500));
    expect([endpoint.queue.queuedBytes, one.heapBytes >= 0]).toEqual([0, true]);
  });

  it('gives out together what belongs together, and no more than fits', () => {
    const one = bed();
    const endpoint = bound(one, 9);
    arrive(one, counting(2500), 1000);
    const into = new Uint8Array(4000);
    expect(endpoint.receiveSegments(into, 0, 2400)).toBe(2000);
    expect(endpoint.receiveSegments(into, 2000, 2000)).toBe(500);
    expect(into.slice(0, 2500)).toEqual(counting(2500));
    expect(endpoint.receiveSegments(into, 0, 4000)).toBe(-Errno.EAGAIN);
  });

  it('joins datagrams that arrived one by one: same sender, same size, a shorter one at the end', () => {
    const one = bed();
    const endpoint = bound(one, 9);
    for (const bytes of [100, 100, 100, 60, 100, 200]) arrive(one, counting(bytes), 0);
    arrive(one, counting(200), 0, 8);
    const into = new Uint8Array(4000);
    const counts = Array.from({ length: 5 }, () => endpoint.receiveSegments(into, 0, 4000));
    expect(counts).toEqual([360, 100, 200, 200, -Errno.EAGAIN]);
  });

  it('cuts a datagram that is too long for the place only when it stands alone', () => {
    const one = bed();
    const endpoint = bound(one, 9);
    arrive(one, counting(300), 0);
    arrive(one, new Uint8Array(0), 0);
    arrive(one, counting(10), 0);
    const into = new Uint8Array(100);
    expect(endpoint.receiveSegments(into, 0, 100)).toBe(100);
    expect(endpoint.receiveSegments(into, 0, 100)).toBe(0);
    expect(endpoint.receiveSegments(into, 0, 100)).toBe(10);
  });

  it('hands them over one by one where somebody takes them in place', () => {
    const one = bed();
    const endpoint = bound(one, 9);
    const seen: number[] = [];
    endpoint.onDatagram = (_at, lengthBytes) => seen.push(lengthBytes);
    arrive(one, counting(2500), 1000);
    arrive(one, new Uint8Array(0), 0);
    expect(seen).toEqual([1000, 1000, 500, 0]);
  });

  it('believes no frame of more than 128', () => {
    const one = bed();
    const endpoint = bound(one, 9);
    arrive(one, counting(1290), 10);
    arrive(one, counting(1290), 1);
    expect([endpoint.queue.count, one.count('udp-in-bad-length')]).toEqual([0, 2]);
    arrive(one, counting(1280), 10);
    expect(one.count('udp-in')).toBe(128);
  });

  it('counts each that a full socket loses', () => {
    const one = bed();
    const endpoint = bound(one, 9);
    endpoint.queue.limitBytes = 2048;
    arrive(one, counting(4000), 1000);
    expect(one.count('udp-full-socket-drops')).toBe(4);
  });

  it('carries datagrams of any size over loopback as they were', () => {
    const one = bed();
    const receiver = bound(one, 9);
    const sender = bound(one, 10);
    const into = new Uint8Array(70_000);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60_000 }), fc.integer({ min: 1, max: 9000 }), (length, segment) => {
        const lengthBytes = Math.min(length, 128 * segment);
        receiver.queue.limitBytes = 1 << 20;
        expect(sender.sendSegments(counting(lengthBytes), 0, lengthBytes, segment, ip('127.0.0.1'), 9)).toBe(
          lengthBytes,
        );
        one.settle();
        let received = 0;
        for (let n = 1; n > 0; ) {
          const next = receiver.queue.nextBytes;
          expect(next).toBe(received === lengthBytes ? -1 : Math.min(segment, lengthBytes - received));
          n =
            received % 2 === 0
              ? receiver.receive(into, received, 70_000)
              : receiver.receiveSegments(into, received, 70_000 - received);
          if (n > 0) received += n;
        }
        expect(received).toBe(lengthBytes);
        expect(Buffer.compare(into.subarray(0, received), counting(lengthBytes))).toBe(0);
      }),
      { numRuns: 50 },
    );
  });
});

describe('datagrams of one size over IPv6', () => {
  it('go as one frame where the link takes it, one by one elsewhere, and are parted on the way', () => {
    const one = new Inet6Bed();
    const device = one.attach6('2001:db8::1');
    one.neighbor6('2001:db8::2');
    const endpoint = one.cpu.udp.open(true);
    const send = (): number => endpoint.sendSegments(counting(2500), 0, 2500, 1000, one.number('2001:db8::2'), 7);
    expect(send()).toBe(2500);
    one.settle();
    expect(one.sent6().map((packet) => packet.payload.length - 8)).toEqual([1000, 1000, 500]);
    device.capabilities = SUPER;
    expect(send()).toBe(2500);
    one.settle();
    const [frame] = device.sent.splice(0);
    expect([frame?.bytes.length, frame?.meta]).toEqual([14 + 48 + 2500, 1 | (1000 << META_SEGMENT_SHIFT)]);
    // A datagram that waited for its neighbor finds a link that has lost the ability.
    expect(endpoint.sendSegments(counting(2500), 0, 2500, 1000, one.number('2001:db8::3'), 7)).toBe(2500);
    one.settle();
    device.sent.length = 0;
    device.capabilities = 0;
    one.neighbor6('2001:db8::3');
    one.settle();
    const parted = one.sent6();
    expect(parted.map((packet) => packet.payload.length - 8)).toEqual([1000, 1000, 500]);
    expect(join(...parted.map((packet) => packet.payload.slice(8)))).toEqual(counting(2500));
    for (const packet of parted) expect(sum6(packet.src, packet.dst, 17, packet.payload)).toBe(0);
  });

  it('arrive as they were sent over loopback', () => {
    const one = new Inet6Bed();
    const receiver = one.cpu.udp.open(true);
    expect(receiver.bind(IP6_LOOPBACK, 9)).toBe(0);
    const sender = one.cpu.udp.open(true);
    expect(sender.sendSegments(counting(9000), 0, 9000, 1400, IP6_LOOPBACK, 9)).toBe(9000);
    one.settle();
    const into = new Uint8Array(10_000);
    expect(receiver.queue.nextBytes).toBe(1400);
    expect(receiver.receiveSegments(into, 0, 10_000)).toBe(9000);
    expect(into.slice(0, 9000)).toEqual(counting(9000));
  });
});
