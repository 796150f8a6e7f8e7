import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InetBed } from '../../../test/fixtures/inet-bed.ts';
import { counting, hex, icmp, udp } from '../../../test/fixtures/packets.ts';

const OWN = '10.0.0.1';
const PEER = '10.0.0.2';
const SECOND = 1_000_000;

interface Piece {
  offset: number;
  bytes: Uint8Array;
  more: boolean;
}

function bed(): { bed: InetBed; received: Uint8Array[] } {
  const one = new InetBed();
  one.attach(OWN);
  one.neighbor(PEER);
  const endpoint = one.cpu.udp.open();
  endpoint.bind(0, 5000);
  const received: Uint8Array[] = [];
  endpoint.onDatagram = (at, lengthBytes) => received.push(one.arena.bytes.slice(at, at + lengthBytes));
  return { bed: one, received };
}

/** Cut at the given multiples of eight. */
function cut(whole: Uint8Array, at: readonly number[]): Piece[] {
  const marks = [...new Set([0, ...at.map((one) => one * 8).filter((one) => one < whole.length)])].sort(
    (a, b) => a - b,
  );
  return marks.map((offset, i) => {
    const end = marks[i + 1] ?? whole.length;
    return { offset, bytes: whole.slice(offset, end), more: end < whole.length };
  });
}

function feed(one: InetBed, piece: Piece, id = 9, src = PEER): void {
  const fragment = (piece.more ? 0x2000 : 0) | (piece.offset / 8);
  one.receiveIp({ src, dst: OWN, protocol: 17, id, fragment }, piece.bytes);
}

describe('Reassembly (RFC 791 3.2, RFC 815)', () => {
  it('puts any cut in any order together, with repetitions, and gives all memory back', () => {
    const cuts = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(
        cuts,
        fc.integer({ min: 9, max: 3000 }),
        fc.array(fc.nat(), { maxLength: 40 }),
        (at, bytes, order) => {
          const { bed: one, received } = bed();
          const payload = counting(bytes);
          const pieces = cut(udp(PEER, OWN, 7, 5000, payload), at);
          const shuffled = [...pieces].sort((a, b) => (order[a.offset % 37] ?? 0) - (order[b.offset % 37] ?? 0));
          const repeated = order.slice(0, 5).map((n) => shuffled[n % (shuffled.length - 1 || 1)]!);
          // Repetitions come before the last piece, so that the datagram is complete exactly once.
          for (const piece of [...shuffled.slice(0, -1), ...repeated.filter((p) => p !== shuffled.at(-1))])
            feed(one, piece);
          feed(one, shuffled.at(-1)!);
          expect(received).toEqual([payload]);
          expect(one.cpu.ip4.input.reassembly.count).toBe(0);
          expect(one.heldBytes).toBe(0);
        },
      ),
      { numRuns: 150 },
    );
  });

  it('never delivers anything from pieces that overlap with different bytes', () => {
    const piece = fc.record({
      at: fc.nat(40),
      units: fc.integer({ min: 1, max: 30 }),
      salt: fc.nat(1),
      last: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(piece, { minLength: 2, maxLength: 20 }), (pieces) => {
        const { bed: one, received } = bed();
        const whole = udp(PEER, OWN, 7, 5000, counting(8 * 60 - 8));
        for (const { at, units, salt, last } of pieces) {
          const bytes = whole.slice(at * 8, (at + units) * 8);
          if (salt === 1) bytes[0]! ^= 0xff;
          const more = !(last && at + units >= 60);
          feed(one, { offset: at * 8, bytes, more });
        }
        // Every payload that came out is the datagram itself: a mixture would have failed the checksum.
        expect(received.every((payload) => payload.length === 8 * 60 - 8)).toBe(true);
        expect(one.count('udp-in-bad-checksum') + received.length).toBe(one.count('ip-reassembled'));
        one.advance(60 * SECOND);
        expect(one.heldBytes).toBe(0);
      }),
      { numRuns: 150 },
    );
  });

  it('drops the whole datagram when pieces overlap (RFC 5722 in spirit)', () => {
    const { bed: one, received } = bed();
    const whole = udp(PEER, OWN, 7, 5000, counting(56));
    feed(one, { offset: 0, bytes: whole.slice(0, 32), more: true });
    feed(one, { offset: 24, bytes: whole.slice(24, 64), more: false });
    expect(received).toEqual([]);
    expect([one.count('ip-fragment-overlaps'), one.cpu.ip4.input.reassembly.count]).toEqual([1, 0]);
  });

  it('drops it too when the same piece comes again with other bytes', () => {
    const { bed: one, received } = bed();
    const whole = udp(PEER, OWN, 7, 5000, counting(56));
    const other = whole.slice(32, 48).map((byte) => byte ^ 1);
    feed(one, { offset: 0, bytes: whole.slice(0, 32), more: true });
    feed(one, { offset: 32, bytes: whole.slice(32, 48), more: true });
    feed(one, { offset: 32, bytes: whole.slice(32, 48), more: true });
    expect(one.count('ip-fragment-overlaps')).toBe(0);
    feed(one, { offset: 32, bytes: other, more: true });
    expect([one.count('ip-fragment-overlaps'), one.cpu.ip4.input.reassembly.count]).toEqual([1, 0]);
    feed(one, { offset: 48, bytes: whole.slice(48), more: false });
    expect(received).toEqual([]);
  });

  it('takes a datagram of 65,507 bytes', () => {
    const { bed: one, received } = bed();
    const payload = counting(65507);
    for (const piece of cut(
      udp(PEER, OWN, 7, 5000, payload),
      Array.from({ length: 44 }, (_, i) => 185 * i),
    )) {
      feed(one, piece);
    }
    expect(received).toEqual([payload]);
    expect(one.heldBytes).toBe(0);
  });

  it('keeps datagrams of different identification, protocol and source apart', () => {
    const { bed: one, received } = bed();
    const [a, b] = [counting(100), counting(100).reverse()];
    const [a0, a1] = cut(udp(PEER, OWN, 7, 5000, a), [5]);
    const [b0, b1] = cut(udp(PEER, OWN, 7, 5000, b), [5]);
    feed(one, a0!, 1);
    feed(one, b0!, 2);
    feed(one, b1!, 2);
    feed(one, a1!, 1);
    expect(received).toEqual([b, a]);
    const other = cut(udp('10.0.0.3', OWN, 7, 5000, a), [5]);
    feed(one, a0!, 3);
    feed(one, other[0]!, 3, '10.0.0.3');
    feed(one, other[1]!, 3, '10.0.0.3');
    expect(received).toEqual([b, a, a]);
  });

  const malformed: [string, Piece][] = [
    ['without data', { offset: 8, bytes: hex(''), more: true }],
    ['whose length is no multiple of eight', { offset: 0, bytes: counting(13), more: true }],
    ['that ends beyond 65,535 bytes', { offset: 65528, bytes: counting(16), more: false }],
  ];
  for (const [what, piece] of malformed) {
    it(`drops a fragment ${what}`, () => {
      const { bed: one } = bed();
      feed(one, piece);
      expect([one.count('ip-fragment-malformed'), one.cpu.ip4.input.reassembly.count]).toEqual([1, 0]);
    });
  }

  it.each([
    ['one mark of congestion is one on the whole', [2, 3, 2], 3],
    ['also when it comes first', [3, 1, 2], 3],
    ['without one the first fragment counts', [2, 1, 0], 2],
    ['a mark beside what is not capable of it drops the whole', [0, 3, 0], -1],
  ] as const)('keeps notifications of congestion (RFC 3168 5.3): %s', (_what, codepoints, expected) => {
    const { bed: one } = bed();
    const echo = icmp(8, 0, 7, counting(40));
    const answers = cut(echo, [2, 4]).flatMap(({ offset, bytes, more }, i) => {
      const fragment = (more ? 0x2000 : 0) | (offset / 8);
      const fields = { src: PEER, dst: OWN, protocol: 1, id: 9, fragment, tos: 0x60 | codepoints[i]! };
      return one.receiveIp(fields, bytes).map(({ tos }) => tos);
    });
    expect([answers, one.count('ip-fragment-malformed')]).toEqual(expected < 0 ? [[], 1] : [[0x60 | expected], 0]);
  });

  it('drops a datagram whose last fragment contradicts what came before', () => {
    const { bed: one } = bed();
    feed(one, { offset: 64, bytes: counting(16), more: false });
    feed(one, { offset: 0, bytes: counting(96), more: true });
    expect(one.count('ip-fragment-malformed')).toBe(1);
    feed(one, { offset: 0, bytes: counting(96), more: true });
    feed(one, { offset: 64, bytes: counting(16), more: false });
    expect(one.count('ip-fragment-malformed')).toBe(2);
    expect(one.heldBytes).toBe(0);
  });
});

describe('Reassembly time-out (RFC 1122 3.3.2)', () => {
  it('tells the sender when the first fragment had come', () => {
    const { bed: one } = bed();
    const whole = udp(PEER, OWN, 7, 5000, counting(100));
    feed(one, { offset: 0, bytes: whole.slice(0, 48), more: true });
    one.advance(29 * SECOND);
    expect(one.sent()).toEqual([]);
    one.advance(2 * SECOND);
    const [error] = one.sent();
    expect(error).toMatchObject({ src: OWN, dst: PEER, protocol: 1 });
    expect([...error!.payload.slice(0, 2)]).toEqual([11, 1]);
    expect(error!.payload.slice(28)).toEqual(whole.slice(0, 8));
    expect(one.count('ip-fragment-timeouts')).toBe(1);
  });

  it('comes to each datagram in its own time, counted from its first piece', () => {
    const { bed: one, received } = bed();
    const [a0, a1, a2] = cut(udp(PEER, OWN, 7, 5000, counting(100)), [5, 9]);
    feed(one, a0!, 1);
    one.advance(20 * SECOND);
    feed(one, a1!, 1);
    feed(one, a0!, 2);
    feed(one, a2!, 2);
    one.advance(11 * SECOND);
    expect([one.count('ip-fragment-timeouts'), one.cpu.ip4.input.reassembly.count]).toEqual([1, 1]);
    feed(one, a1!, 2);
    expect(received).toHaveLength(1);
    feed(one, a2!, 1);
    one.advance(29 * SECOND);
    expect(one.count('ip-fragment-timeouts')).toBe(1);
    one.advance(2 * SECOND);
    expect([one.count('ip-fragment-timeouts'), one.heldBytes]).toEqual([2, 0]);
  });

  it('keeps silent when only later fragments had come', () => {
    const { bed: one } = bed();
    feed(one, { offset: 48, bytes: counting(48), more: true });
    one.advance(31 * SECOND);
    expect(one.sent()).toEqual([]);
    expect([one.count('ip-fragment-timeouts'), one.heldBytes]).toEqual([1, 0]);
  });
});

describe('Reassembly limits', () => {
  it('bounds the number of datagrams: the oldest go', () => {
    const { bed: one, received } = bed();
    one.sysctl('net.inet.ip.maxfragpackets', 10);
    const whole = udp(PEER, OWN, 7, 5000, counting(100));
    const [first, second] = cut(whole, [5]);
    for (let id = 0; id < 30; id++) feed(one, first!, id);
    expect([one.cpu.ip4.input.reassembly.count, one.count('ip-fragment-evicted')]).toEqual([10, 20]);
    feed(one, second!, 25);
    expect(received).toHaveLength(1);
    feed(one, second!, 3);
    expect(received).toHaveLength(1);
  });

  it('bounds what one sender may keep open', () => {
    const { bed: one, received } = bed();
    one.sysctl('net.inet.ip.maxfragspersource', 5);
    for (let id = 0; id < 30; id++) feed(one, { offset: 0, bytes: counting(64), more: true }, id);
    expect([one.cpu.ip4.input.reassembly.count, one.count('ip-fragment-no-room')]).toEqual([5, 25]);
    for (const piece of cut(udp('10.0.0.3', OWN, 7, 5000, counting(100)), [3])) feed(one, piece, 1, '10.0.0.3');
    expect(received).toHaveLength(1);
  });

  it('bounds the memory, whatever comes', () => {
    const { bed: one } = bed();
    one.sysctl('net.inet.ip.maxfragbytes', 65536 * 2);
    one.sysctl('net.inet.ip.maxfragspersource', 1000);
    for (let id = 0; id < 100; id++) {
      feed(one, { offset: 65528 - 1480, bytes: counting(1480), more: true }, id);
      feed(one, { offset: 8 * id, bytes: counting(1480), more: true }, 1000 + id);
      expect(one.cpu.ip4.input.reassembly.bytes).toBeLessThanOrEqual(65536 * 2);
      expect(one.heldBytes).toBe(one.cpu.ip4.input.reassembly.bytes);
    }
    one.advance(31 * SECOND);
    expect(one.heldBytes).toBe(0);
  });

  it('bounds the holes of one datagram', () => {
    const { bed: one } = bed();
    for (let i = 0; i < 200; i++) feed(one, { offset: i * 16, bytes: counting(8), more: true });
    expect(one.cpu.ip4.input.reassembly.count).toBeLessThanOrEqual(1);
    expect(one.count('ip-fragment-no-room')).toBeGreaterThan(0);
  });

  it('counts pieces that a piece between them has joined as one', () => {
    const { bed: one, received } = bed();
    one.sysctl('net.inet.ip.maxfragpieces', 2);
    const payload = counting(72);
    const pieces = cut(udp(PEER, OWN, 7, 5000, payload), [2, 4, 6, 8]);
    for (const i of [0, 2, 1, 4, 3]) feed(one, pieces[i]!);
    expect(received).toEqual([payload]);
    expect(one.count('ip-fragment-no-room')).toBe(0);
  });

  it('takes no fragments at all when told so', () => {
    const { bed: one, received } = bed();
    one.sysctl('net.inet.ip.maxfragpackets', 0);
    for (const piece of cut(udp(PEER, OWN, 7, 5000, counting(100)), [5])) feed(one, piece);
    expect(received).toEqual([]);
    expect(one.count('ip-fragment-no-room')).toBe(2);
  });
});
