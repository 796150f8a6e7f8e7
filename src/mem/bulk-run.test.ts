import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checksumOf, foldSum } from '../base/checksum.ts';
import { Arena } from './arena.ts';
import { createBulk } from './bulk.ts';

const arena = Arena.create(1024 * 1024);
const { view, bytes } = arena;
const AREA = 128 * 1024;
const headerArea = arena.allocate(256, 64);
const dataAt = arena.allocate(AREA, 64);
const framesAt = arena.allocate(AREA, 64);
const outAt = arena.allocate(AREA, 64);

/** Distance of the checksum from the number. */
const CHECKSUM = 12;

interface Run {
  header: Uint8Array;
  numberAt: number;
  n: number;
  count: number;
  number: number;
  /** -1: the checksum is left alone. */
  sum: number;
  phase: number;
}

/** Ethernet and IPv4 or IPv6 before TCP's header, which is one without options or with timestamps and maybe SACK. */
const run: fc.Arbitrary<Run> = fc
  .record({
    before: fc.constantFrom(34, 54),
    transport: fc.constantFrom(20, 32, 44, 60),
    fill: fc.uint8Array({ minLength: 120, maxLength: 120 }),
    n: fc.integer({ min: 1, max: 1500 }),
    count: fc.integer({ min: 1, max: 20 }),
    number: fc.oneof(fc.integer(), fc.integer({ min: -5000, max: 5000 })),
    sum: fc.oneof(fc.constant(-1), fc.nat(0x7ff00000)),
    phase: fc.nat(15),
  })
  .map(({ before, transport, fill, ...rest }) => ({
    ...rest,
    header: fill.slice(0, before + transport),
    numberAt: before + 4,
  }));

function strideOf({ header, n }: Run): number {
  return (header.length + n + 10 + 63) & -64;
}

/** A segment's checksum by the book: its number, its data, and `sum` for the rest. */
function checksumFor(sum: number, number: number, data: Uint8Array): number {
  let total = foldSum(sum) + (number >>> 16) + (number & 0xffff);
  for (let i = 0; i < data.length; i += 2) total += ((data[i] as number) << 8) | (data[i + 1] ?? 0);
  return checksumOf(total);
}

describe.each([true, false])('runs, simd %s', (simd) => {
  const bulk = createBulk(arena, { simd });

  function write(one: Run): { headerAt: number; at: number; data: Uint8Array } {
    const { header, numberAt, n, count, number, sum, phase } = one;
    const headerAt = headerArea + phase;
    const at = framesAt + phase;
    bytes.set(header, headerAt);
    view.setInt32(headerAt + numberAt, number);
    for (let i = 0; i < n * count; i++) bytes[dataAt + i] = (i * 7 + (i >> 8)) & 0xff;
    bytes.fill(0x5a, framesAt, framesAt + AREA);
    bulk.writeRun(at, strideOf(one), headerAt, header.length, numberAt, dataAt, n, count, sum);
    return { headerAt, at, data: bytes.slice(dataAt, dataAt + n * count) };
  }

  it('are segments with the header, their number, their checksum and their data, and nothing beside them', () => {
    fc.assert(
      fc.property(run, (one) => {
        const { header, numberAt, n, count, sum } = one;
        const { at, data } = write(one);
        for (let i = 0; i < count; i++) {
          const frame = bytes.slice(at + i * strideOf(one), at + (i + 1) * strideOf(one));
          const payload = data.slice(i * n, (i + 1) * n);
          const number = (one.number + i * n) | 0;
          const expected = new DataView(new ArrayBuffer(frame.length));
          const whole = new Uint8Array(expected.buffer).fill(0x5a);
          whole.set(header);
          whole.set(payload, header.length);
          expected.setInt32(numberAt, number);
          if (sum >= 0) expected.setUint16(numberAt + CHECKSUM, checksumFor(sum, number, payload));
          expect(frame).toEqual(whole);
        }
        expect(bytes[at + count * strideOf(one)]).toBe(0x5a);
      }),
    );
  });

  it('are read up to the first segment that is not what continues the others', () => {
    fc.assert(
      fc.property(run, fc.nat(), fc.nat(), fc.boolean(), (one, frame, place, damage) => {
        const { header, numberAt, n, count, sum } = one;
        const { headerAt, at, data } = write(one);
        // The header is that of the segment before the first.
        view.setInt32(headerAt + numberAt, (one.number - n) | 0);
        const bad = damage ? frame % count : count;
        const offset = place % (header.length + n);
        const inChecksum = offset >= numberAt + CHECKSUM && offset < numberAt + CHECKSUM + 2;
        const seen = sum >= 0 || (offset < header.length && !inChecksum);
        if (damage) (bytes[at + bad * strideOf(one) + offset] as number) ^= 0x10;
        bytes.fill(0xa5, outAt, outAt + AREA);
        const taken = bulk.readRun(outAt, at, strideOf(one), headerAt, header.length, numberAt, n, count, sum);
        expect(taken).toBe(seen ? bad : count);
        const good = Math.min(taken, bad) * n;
        expect(bytes.slice(outAt, outAt + good)).toEqual(data.slice(0, good));
        // At most the one that was not taken lies behind them.
        const end = outAt + Math.min(taken + 1, count) * n;
        expect([...bytes.slice(end, end + 64)]).toEqual(new Array(64).fill(0xa5));
        expect(bytes.slice(headerAt, headerAt + numberAt)).toEqual(header.slice(0, numberAt));
      }),
      { numRuns: 200 },
    );
  });
});
