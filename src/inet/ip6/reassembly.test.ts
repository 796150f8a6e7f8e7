import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Inet6Bed } from '../../../test/fixtures/inet6-bed.ts';
import { type Bytes, be16, be32, counting, hex, join, toHex } from '../../../test/fixtures/packets.ts';
import { icmp6, type Packet6, packet6, udp6 } from '../../../test/fixtures/packets6.ts';
import type { UdpEndpoint } from '../udp/endpoint.ts';

const OWN = '2001:db8::1';
const PEER = '2001:db8::2';
const SECOND = 1_000_000;
const FRAGMENT = 44;
const UDP = 17;

function bed(): { one: Inet6Bed; endpoint: UdpEndpoint } {
  const one = new Inet6Bed();
  one.attach6(OWN);
  one.neighbor6(PEER);
  const endpoint = one.cpu.udp.open(true);
  endpoint.bind(one.number('::'), 7);
  return { one, endpoint };
}

/** A fragment header: offset in bytes. */
function header(next: number, offset: number, more: boolean, id: number): Bytes {
  return join(Uint8Array.of(next, 0), be16(offset | (more ? 1 : 0)), be32(id));
}

/** Receive the part of `whole` from `from` to `to` as a fragment. */
function piece(one: Inet6Bed, whole: Bytes, from: number, to: number, id = 1, next = UDP): Packet6[] {
  const more = to < whole.length;
  return one.receiveIp6(
    { src: PEER, dst: OWN, next: FRAGMENT },
    join(header(next, from, more, id), whole.slice(from, to)),
  );
}

function received(endpoint: UdpEndpoint): string | null {
  const into = new Uint8Array(70000);
  const length = endpoint.receive(into, 0, into.length);
  return length < 0 ? null : toHex(into.slice(0, length));
}

describe('fragments received (RFC 8200 4.5)', () => {
  const data = counting(3000);
  const whole = udp6(PEER, OWN, 5, 7, data);

  it.each([
    ['in order', [0, 1, 2]],
    ['backwards', [2, 1, 0]],
    ['the middle last', [0, 2, 1]],
    ['with one twice', [0, 1, 1, 2]],
  ])('become one datagram again: %s', (_what, order) => {
    const { one, endpoint } = bed();
    const cuts = [0, 1000, 2000, whole.length];
    for (const i of order) piece(one, whole, cuts[i]!, cuts[i + 1]!);
    expect(received(endpoint)).toBe(toHex(data));
    expect(one.count('ip6-reassembled')).toBe(1);
    expect(one.heldBytes).toBeLessThan(16385);
  });

  it('of any cut, in any order', () => {
    const { one, endpoint } = bed();
    let id = 0;
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 9000 }),
        fc.array(fc.integer({ min: 1, max: 150 }), { minLength: 1, maxLength: 40 }),
        fc.infiniteStream(fc.nat()),
        (length, sizes, shuffle) => {
          const content = counting(length);
          const datagram = udp6(PEER, OWN, 5, 7, content);
          const cuts: [number, number][] = [];
          for (let at = 0, i = 0; at < datagram.length; i++) {
            const to = Math.min(at + 8 * sizes[i % sizes.length]!, datagram.length);
            cuts.push([at, to]);
            at = to;
          }
          if (cuts.length > 60) return;
          id++;
          while (cuts.length > 0) {
            const [[from, to]] = cuts.splice(shuffle.next().value % cuts.length, 1) as [[number, number]];
            piece(one, datagram, from, to, id);
          }
          expect(received(endpoint)).toBe(toHex(content));
        },
      ),
      { numRuns: 100 },
    );
  });

  it('keep what stands before the fragment header and forget the header itself', () => {
    const { one } = bed();
    const seen: string[] = [];
    one.cpu.ip.register({
      protocol: 200,
      input: ({ headerAt, at, lengthBytes }) => {
        seen.push(toHex(one.arena.bytes.slice(headerAt, at + lengthBytes)));
      },
      icmpError: () => {},
    });
    const options = hex('2c00 0104 00000000');
    const parts = [counting(16).slice(0, 8), counting(16).slice(8)];
    one.receiveIp6({ src: PEER, dst: OWN, next: 60 }, join(options, header(200, 0, true, 9), parts[0]!));
    one.receiveIp6({ src: PEER, dst: OWN, next: 60 }, join(options, header(200, 8, false, 9), parts[1]!));
    const whole6 = packet6({ src: PEER, dst: OWN, next: 60 }, join(hex('c800 0104 00000000'), counting(16)));
    expect(seen).toEqual([toHex(whole6)]);
  });

  it('that is all there is goes straight on, whatever else has its number (RFC 6946)', () => {
    const { one, endpoint } = bed();
    piece(one, whole, 0, 1000, 5);
    const small = udp6(PEER, OWN, 5, 7, hex('aabb'));
    one.receiveIp6({ src: PEER, dst: OWN, next: FRAGMENT }, join(header(UDP, 0, false, 5), small));
    expect(received(endpoint)).toBe('aabb');
    piece(one, whole, 1000, whole.length, 5);
    expect(received(endpoint)).toBe(toHex(data));
  });

  it.each([
    [[2, 3], 3],
    [[3, 1], 3],
    [[2, 1], 2],
    [[3, 0], -1],
  ] as const)('with notifications of congestion %j (RFC 3168 5.3)', (codepoints, expected) => {
    const { one } = bed();
    const echo = icmp6(PEER, OWN, 128, 0, counting(28));
    const answers = codepoints.flatMap((codepoint, i) => {
      const fields = { src: PEER, dst: OWN, next: FRAGMENT, class: 0x60 | codepoint, label: 0x12345 };
      const part = echo.slice(16 * i, 16 * i + 16);
      return one.receiveIp6(fields, join(header(58, 16 * i, i === 0, 3), part)).map((packet) => packet.class);
    });
    expect(answers).toEqual(expected < 0 ? [] : [0x60 | expected]);
  });

  it('that overlap drop the whole datagram, also when they say the same (RFC 5722)', () => {
    const { one, endpoint } = bed();
    piece(one, whole, 0, 1000);
    piece(one, whole, 992, 2000);
    piece(one, whole, 2000, whole.length);
    piece(one, whole, 1000, 2000);
    expect(received(endpoint)).toBeNull();
    expect(one.count('ip6-fragment-overlaps')).toBe(1);
  });

  it('that come twice are one, and with other bytes the second time drop the whole datagram', () => {
    const { one, endpoint } = bed();
    piece(one, whole, 0, 1000);
    piece(one, whole, 0, 1000);
    expect(one.count('ip6-fragment-overlaps')).toBe(0);
    const other = whole.slice();
    other[500]! ^= 1;
    piece(one, other, 0, 1000);
    piece(one, whole, 1000, whole.length);
    expect(received(endpoint)).toBeNull();
    expect(one.count('ip6-fragment-overlaps')).toBe(1);
  });

  it('from others, or of another number, do not mix', () => {
    const { one, endpoint } = bed();
    piece(one, whole, 0, 1000, 1);
    piece(one, whole, 1000, whole.length, 2);
    expect(received(endpoint)).toBeNull();
    expect(one.cpu.ip6.input.reassembly.count).toBe(2);
  });

  it('whose length is no multiple of 8 are answered (pointer 4), beyond 65535 too (pointer 42)', () => {
    const { one } = bed();
    const short = one.receiveIp6({ src: PEER, dst: OWN, next: FRAGMENT }, join(header(UDP, 0, true, 1), counting(9)));
    const far = one.receiveIp6(
      { src: PEER, dst: OWN, next: FRAGMENT },
      join(header(UDP, 65528, false, 1), counting(9)),
    );
    const told = [short, far].map(([packet]) => toHex(packet!.payload.slice(0, 8)).replace(/^(....)..../, '$1'));
    expect(told).toEqual(['040000000004', '04000000002a']);
  });

  it('do not carry neighbor discovery (RFC 6980)', () => {
    const { one } = bed();
    const message = icmp6(PEER, OWN, 135, 0, join(be32(0), hex('20010db8000000000000000000000001')));
    const split = join(message, new Uint8Array(0));
    one.receiveIp6(
      { src: PEER, dst: OWN, next: FRAGMENT, hops: 255 },
      join(header(58, 0, true, 3), split.slice(0, 16)),
    );
    expect(
      one.receiveIp6(
        { src: PEER, dst: OWN, next: FRAGMENT, hops: 255 },
        join(header(58, 16, false, 3), split.slice(16)),
      ),
    ).toEqual([]);
    expect(one.count('nd6-in-solicitations')).toBe(0);
  });

  it('do not hold fragments again', () => {
    const { one, endpoint } = bed();
    const inner = join(header(UDP, 0, true, 8), counting(24));
    piece(one, inner, 0, 16, 4, FRAGMENT);
    piece(one, inner, 16, inner.length, 4, FRAGMENT);
    expect(received(endpoint)).toBeNull();
    expect(one.count('ip6-extension-misplaced')).toBe(1);
  });

  it('end after 60 seconds, and the sender is told when the first one had come', () => {
    const { one } = bed();
    piece(one, whole, 0, 1000);
    piece(one, whole, 1000, 2000, 2);
    one.advance(59 * SECOND);
    expect(one.sent6()).toEqual([]);
    one.advance(2 * SECOND);
    const told = one.sent6();
    expect(told).toMatchObject([{ src: OWN, dst: PEER, next: 58 }]);
    expect(toHex(told[0]!.payload.slice(0, 2))).toBe('0301');
    expect(one.count('ip6-fragment-timeouts')).toBe(2);
    expect(one.cpu.ip6.input.reassembly.bytes).toBe(0);
  });

  it('are bounded in number', () => {
    const { one } = bed();
    one.sysctl('net.inet6.ip6.maxfragpackets', 3);
    for (let id = 0; id < 10; id++) piece(one, whole, 0, 1000, id);
    expect(one.cpu.ip6.input.reassembly.count).toBe(3);
    expect(one.count('ip6-fragment-evicted')).toBe(7);
  });
});

describe('fragments sent', () => {
  it('carry a datagram that is longer than the link', () => {
    const { one } = bed();
    const endpoint = one.cpu.udp.open(true);
    endpoint.bind(one.number(OWN), 1000);
    const data = counting(4000);
    expect(endpoint.send(data, 0, data.length, one.number(PEER), 9)).toBe(4000);
    one.settle();
    const sent = one.sent6();
    expect(sent.map(({ next, payload }) => [next, payload.length])).toEqual([
      [FRAGMENT, 1456],
      [FRAGMENT, 1456],
      [FRAGMENT, 1120],
    ]);
    const heads = sent.map(({ payload }) => toHex(payload.slice(0, 4)));
    expect(heads).toEqual(['11000001', '110005a9', '11000b50']);
    const ids = new Set(sent.map(({ payload }) => toHex(payload.slice(4, 8))));
    expect(ids.size).toBe(1);
    const joined = join(...sent.map(({ payload }) => payload.slice(8)));
    expect(toHex(joined)).toBe(toHex(udp6(OWN, PEER, 1000, 9, data)));
  });

  it('go on where the ring was full', () => {
    const { one } = bed();
    const endpoint = one.cpu.udp.open(true);
    const device = one.devices[0]!;
    device.room = 1;
    const data = counting(4000);
    expect(endpoint.send(data, 0, data.length, one.number(PEER), 9)).toBe(4000);
    one.settle();
    expect(endpoint.send(data, 0, data.length, one.number(PEER), 9)).toBe(-11);
    device.room = Infinity;
    one.settle();
    const sent = one.sent6();
    const joined = join(...sent.map(({ payload }) => payload.slice(8)));
    expect(sent.map(({ payload }) => toHex(payload.slice(4, 8))).every((id, _i, all) => id === all[0])).toBe(true);
    expect(toHex(joined)).toBe(toHex(udp6(OWN, PEER, endpoint.port, 9, data)));
  });

  it('come back to ourselves whole, up to the longest datagram', () => {
    const { one, endpoint } = bed();
    const sender = one.cpu.udp.open(true);
    for (const length of [16336, 16337, 65527]) {
      const data = counting(length);
      expect(sender.send(data, 0, length, one.number('::1'), 7), String(length)).toBe(length);
      one.settle();
      expect(received(endpoint) === toHex(data), String(length)).toBe(true);
    }
    expect(sender.send(counting(65528), 0, 65528, one.number('::1'), 7)).toBe(-90);
  });
});
