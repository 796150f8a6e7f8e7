import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Arena } from './arena.ts';
import { createBulk } from './bulk.ts';

const arena = Arena.create(2 * 1024 * 1024);
const AREA = 512 * 1024;
const aAt = arena.allocate(AREA, 64);
const bAt = arena.allocate(AREA, 64);

function naiveSum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) {
    sum += ((bytes[i] as number) << 8) | (bytes[i + 1] ?? 0);
    sum = (sum & 0xffff) + (sum >>> 16);
  }
  return sum;
}

const content = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc.uint8Array({ maxLength: 3000, minLength: 1000 }),
  fc.nat(2000).map((n) => new Uint8Array(n).fill(0xff)),
);
const phase = fc.nat(63);

describe('the wasm module', () => {
  it('is what its source builds to', () => {
    const script = fileURLToPath(new URL('../../scripts/build-wasm.js', import.meta.url));
    execFileSync(process.execPath, [script, '--check'], { stdio: 'pipe' });
  });

  it('is what createBulk gives here, unless told otherwise', () => {
    expect(createBulk(arena).kind).toBe('wasm');
    expect(createBulk(arena, { simd: false }).kind).toBe('script');
  });
});

describe.each([true, false])('bulk, simd %s', (simd) => {
  const bulk = createBulk(arena, { simd });

  it('copies like memmove, whatever the alignment and the overlap', () => {
    fc.assert(
      fc.property(content, phase, phase, fc.integer({ min: -400, max: 400 }), (bytes, from, to, distance) => {
        arena.bytes.fill(7, aAt, aAt + 8192);
        arena.bytes.fill(9, bAt, bAt + 8192);
        arena.bytes.set(bytes, aAt + 512 + from);
        bulk.copy(bAt + to, aAt + 512 + from, bytes.length);
        expect(arena.bytes.slice(bAt + to, bAt + to + bytes.length)).toEqual(bytes);
        expect(arena.bytes[bAt + to + bytes.length]).toBe(9);
        bulk.copy(aAt + 512 + from + distance, aAt + 512 + from, bytes.length);
        expect(arena.bytes.slice(aAt + 512 + from + distance, aAt + 512 + from + distance + bytes.length)).toEqual(
          bytes,
        );
      }),
    );
  });

  it('sums as RFC 1071 says, at any alignment and length', () => {
    fc.assert(
      fc.property(content, phase, (bytes, from) => {
        arena.bytes.set(bytes, aAt + from);
        expect(bulk.sum(aAt + from, bytes.length)).toBe(naiveSum(bytes));
      }),
      { numRuns: 500 },
    );
  });

  it('sums the example of RFC 1071 section 3', () => {
    arena.bytes.set([0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7], aAt);
    expect(bulk.sum(aAt, 8)).toBe(0xddf2);
    expect(bulk.sum(aAt, 0)).toBe(0);
    arena.bytes[aAt] = 0xab;
    expect(bulk.sum(aAt, 1)).toBe(0xab00);
  });

  it('copies and sums in one pass', () => {
    fc.assert(
      fc.property(content, phase, phase, (bytes, from, to) => {
        arena.bytes.fill(5, bAt, bAt + 8192);
        arena.bytes.set(bytes, aAt + from);
        expect(bulk.copySum(bAt + to, aAt + from, bytes.length)).toBe(naiveSum(bytes));
        expect(arena.bytes.slice(bAt + to, bAt + to + bytes.length)).toEqual(bytes);
        expect(arena.bytes[bAt + to + bytes.length]).toBe(5);
      }),
    );
  });

  it('does not overflow its lanes on half a megabyte of ones', () => {
    arena.bytes.fill(0xff, aAt, aAt + AREA);
    expect(bulk.sum(aAt, AREA)).toBe(0xffff);
    arena.bytes[aAt + AREA - 1] = 0xfe;
    expect(bulk.sum(aAt, AREA)).toBe(0xfffe);
    expect(bulk.copySum(bAt, aAt, AREA)).toBe(0xfffe);
    expect(arena.bytes[bAt + AREA - 1]).toBe(0xfe);
  });

  it('fills exactly the range', () => {
    arena.bytes.fill(1, aAt, aAt + 64);
    bulk.fill(aAt + 3, 10, 0xee);
    expect([...arena.bytes.slice(aAt + 2, aAt + 14)]).toEqual([1, ...new Array(10).fill(0xee), 1]);
  });

  it('moves bytes between ordinary arrays and the arena, whatever the alignment', () => {
    fc.assert(
      fc.property(content, phase, phase, phase, (bytes, place, sourceOffset, viewOffset) => {
        const backing = new Uint8Array(4096);
        const source = new Uint8Array(backing.buffer, viewOffset, 4000);
        source.set(bytes, sourceOffset);
        arena.bytes.fill(3, aAt, aAt + 8192);
        bulk.copyIn(aAt + place, source, sourceOffset, bytes.length);
        expect(arena.bytes.slice(aAt + place, aAt + place + bytes.length)).toEqual(bytes);
        expect(arena.bytes[aAt + place + bytes.length]).toBe(3);
        const target = new Uint8Array(new Uint8Array(4096).fill(4).buffer, viewOffset, 4000);
        bulk.copyOut(target, sourceOffset, aAt + place, bytes.length);
        expect(target.slice(sourceOffset, sourceOffset + bytes.length)).toEqual(bytes);
        expect(target[sourceOffset + bytes.length]).toBe(4);
        if (sourceOffset > 0) expect(target[sourceOffset - 1]).toBe(4);
      }),
    );
  });

  it('moves more than the scratch holds', () => {
    const bytes = Uint8Array.from({ length: 200_001 }, (_, i) => (i * 31) >> 3);
    bulk.copyIn(aAt + 5, bytes, 0, bytes.length);
    const back = new Uint8Array(bytes.length);
    bulk.copyOut(back, 0, aAt + 5, bytes.length);
    expect(Buffer.compare(back, bytes)).toBe(0);
  });
});
