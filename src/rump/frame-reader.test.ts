import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameReader } from './frame-reader.ts';

const HEADER_BYTES = 8;

/** A frame with `length` in its header, which may be a lie about `payload`. */
function frame(payload: readonly number[], length: number = payload.length): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + payload.length);
  new DataView(bytes.buffer).setInt32(0, length, true);
  bytes.set(payload, HEADER_BYTES);
  return bytes;
}

/** Give the reader `all` in pieces of those sizes, again and again; the payloads that came out. */
function read(reader: FrameReader, all: Uint8Array, sizes: readonly number[]): number[][] {
  const got: number[][] = [];
  for (let at = 0, i = 0; at < all.length; i++) {
    const size = sizes[i % sizes.length] as number;
    reader.push(all.slice(at, at + size));
    for (let next = reader.next(); next !== null; next = reader.next()) got.push([...next.subarray(HEADER_BYTES)]);
    at += size;
  }
  return got;
}

const payloads = fc.array(fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 40 }), { maxLength: 12 });
const cuts = fc.array(fc.integer({ min: 1, max: 70 }), { minLength: 1, maxLength: 20 });

describe('frames', () => {
  it('come out whole and in order, wherever the stream is cut', () => {
    fc.assert(
      fc.property(payloads, cuts, (sent, sizes) => {
        const reader = new FrameReader(HEADER_BYTES, 40);
        expect(read(reader, Uint8Array.from(sent.flatMap((payload) => [...frame(payload)])), sizes)).toEqual(sent);
        expect(reader.bufferedBytes).toBe(0);
        expect(reader.fault).toBe(null);
      }),
    );
  });

  it('come out when cut at each byte', () => {
    const all = Uint8Array.from([...frame([1, 2, 3]), ...frame([]), ...frame([4])]);
    for (let at = 1; at < all.length; at++) {
      const reader = new FrameReader(HEADER_BYTES, 3);
      expect(read(reader, all, [at, all.length])).toEqual([[1, 2, 3], [], [4]]);
    }
  });

  it('leave what is behind them', () => {
    const reader = new FrameReader(HEADER_BYTES, 40);
    reader.push(Uint8Array.from([...frame([1]), 7, 8]));
    expect([...(reader.next() ?? [])].slice(HEADER_BYTES)).toEqual([1]);
    expect([...reader.rest()]).toEqual([7, 8]);
    expect([...reader.rest(), reader.bufferedBytes]).toEqual([0]);
    reader.push(frame([2]));
    expect([...(reader.next() ?? [])].slice(HEADER_BYTES)).toEqual([2]);
  });

  it('are not copied when they arrive whole', () => {
    const reader = new FrameReader(HEADER_BYTES, 10);
    const bytes = frame([1, 2]);
    reader.push(bytes);
    expect(reader.next()?.buffer).toBe(bytes.buffer);
  });
});

describe('a length', () => {
  it.each([
    [-1, 'negative length'],
    [-0x8000_0000, 'negative length'],
    [-HEADER_BYTES, 'negative length'],
    [11, 'frame too long'],
    [0x7fff_ffff, 'frame too long'],
  ])('of %i ends the stream, whether the header comes at once or byte by byte', (length, fault) => {
    for (const size of [1, 3, 100]) {
      const reader = new FrameReader(HEADER_BYTES, 10);
      const all = Uint8Array.from([...frame([7]), ...frame([1, 2, 3], length), ...frame([8])]);
      expect(read(reader, all, [size])).toEqual([[7]]);
      expect(reader.fault).toBe(fault);
      expect(reader.bufferedBytes).toBe(0);
      reader.push(frame([9]));
      expect(reader.next()).toBe(null);
    }
  });

  it('at the limit is taken, and the limit can be raised', () => {
    const reader = new FrameReader(HEADER_BYTES, 2);
    expect(read(reader, frame([1, 2]), [100])).toEqual([[1, 2]]);
    reader.limitBytes = 3;
    expect(read(reader, frame([1, 2, 3]), [100])).toEqual([[1, 2, 3]]);
  });
});

it('keeps no more than a header and a frame of anything, and always ends', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 30 }), (chunks) => {
      const limit = 64;
      const reader = new FrameReader(HEADER_BYTES, limit);
      for (const chunk of chunks) {
        reader.push(chunk);
        let frames = 0;
        while (reader.next() !== null) frames++;
        expect(frames).toBeLessThanOrEqual((chunk.length + HEADER_BYTES + limit) / HEADER_BYTES);
        expect(reader.bufferedBytes).toBeLessThan(HEADER_BYTES + limit);
      }
    }),
    { numRuns: 500 },
  );
});
