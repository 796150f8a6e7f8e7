import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameCutter } from './frame-cutter.ts';

const PREFACE = [...'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'].map((c) => c.charCodeAt(0));

/** An HTTP/2 frame of a type with that much payload. */
function frame(type: number, length: number): number[] {
  return [length >> 16, (length >> 8) & 255, length & 255, type, 0, 0, 0, 0, 1, ...Array(length).fill(type)];
}

function record(length: number): number[] {
  return [23, 3, 3, length >> 8, length & 255, ...Array(length).fill(7)];
}

/** Lengths of the pieces when `bytes` arrive in chunks of those sizes. */
function cut(cutter: FrameCutter, bytes: number[], chunkBytes = bytes.length): number[] {
  const pieces: number[] = [];
  for (let start = 0; start < bytes.length; start += chunkBytes) {
    const chunk = Uint8Array.from(bytes.slice(start, start + chunkBytes));
    for (let at = 0; at < chunk.length; ) {
      const end = cutter.next(chunk, at);
      expect(end).toBeGreaterThan(at);
      pieces.push(end - at);
      at = end;
    }
  }
  return pieces;
}

describe('HTTP/2', () => {
  it('is cut between frames, after the preface too', () => {
    const bytes = [...PREFACE, ...frame(4, 6), ...frame(1, 20), ...frame(3, 4)];
    expect(cut(new FrameCutter('http2'), bytes)).toEqual([24, 15, 29, 13]);
  });

  it('keeps data with the data before it', () => {
    const bytes = [...frame(1, 20), ...frame(0, 100), ...frame(0, 50), ...frame(8, 4), ...frame(0, 1)];
    expect(cut(new FrameCutter('http2'), bytes)).toEqual([29, 168, 13, 10]);
  });

  it('goes on where the last chunk ended, inside headers and payloads', () => {
    const bytes = [...PREFACE, ...frame(4, 6), ...frame(1, 70_000)];
    const pieces = cut(new FrameCutter('http2'), bytes, 10);
    expect(pieces.reduce((sum, piece) => sum + piece)).toBe(bytes.length);
    expect(pieces.slice(0, 6)).toEqual([10, 10, 4, 6, 9, 1]);
  });
});

describe('TLS', () => {
  it('is cut between records', () => {
    expect(cut(new FrameCutter('tls'), [...record(100), ...record(0), ...record(3)])).toEqual([105, 5, 8]);
  });
});

it('gives every byte once, whatever arrives', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('http2' as const, 'tls' as const),
      fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 1, maxLength: 300 }),
      fc.integer({ min: 1, max: 50 }),
      (protocol, bytes, chunkBytes) =>
        cut(new FrameCutter(protocol), bytes, chunkBytes).reduce((sum, piece) => sum + piece, 0) === bytes.length,
    ),
  );
});
