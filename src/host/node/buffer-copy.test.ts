import { expect, test } from 'vitest';
import { Arena } from '../../mem/arena.ts';
import { createBulk } from '../../mem/bulk.ts';
import { type BufferCopy, lendBufferCopy } from '../../mem/bulk-staging.ts';
import { lendNodeBufferCopy, nodeBufferCopy } from './buffer-copy.ts';

test('this Node has a copy between shared and ordinary buffers', () => {
  const copy = nodeBufferCopy();
  expect(copy).not.toBeNull();
  expect(lendBufferCopy(copy as BufferCopy)).toBe(true);
});

test('a copy that does something else is not taken', () => {
  expect(lendBufferCopy(() => {})).toBe(false);
});

test('arrays of any alignment go in and out by it, and nothing beside them changes', () => {
  lendNodeBufferCopy();
  const arena = Arena.create(1 << 20);
  const bulk = createBulk(arena);
  const at = arena.allocate(4096, 64);
  for (const length of [33, 64, 1000, 2047]) {
    for (let phase = 0; phase < 8; phase++) {
      const source = Uint8Array.from({ length: length + 20 }, (_, i) => (i * 7 + phase) & 0xff);
      arena.bytes.fill(0xee, at, at + 4096);
      bulk.copyIn(at + 8 + phase, source.subarray(3), 5, length);
      expect(arena.bytes[at + 7 + phase]).toBe(0xee);
      expect(arena.bytes[at + 8 + phase + length]).toBe(0xee);
      const back = new Uint8Array(length + 20).fill(0xdd);
      bulk.copyOut(back.subarray(1), 2, at + 8 + phase, length);
      expect(back.subarray(3, 3 + length)).toEqual(source.subarray(8, 8 + length));
      expect([back[2], back[3 + length]]).toEqual([0xdd, 0xdd]);
    }
  }
});

test('a range outside the array is refused, not copied', () => {
  lendNodeBufferCopy();
  const arena = Arena.create(1 << 20);
  const bulk = createBulk(arena);
  const at = arena.allocate(4096, 64);
  const small = new Uint8Array(100);
  expect(() => bulk.copyIn(at, small, 60, 41)).toThrow(RangeError);
  expect(() => bulk.copyOut(small, -1, at, 50)).toThrow(RangeError);
  expect(() => bulk.copyOut(small, Number.NaN, at, 50)).toThrow(RangeError);
});
