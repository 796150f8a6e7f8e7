import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Heap } from './heap.ts';

const KIB = 1024;

describe('heap', () => {
  it('gives blocks of powers of two, aligned, from its region', () => {
    const heap = new Heap(65536, 1024 * KIB);
    const at = heap.allocate(5000);
    expect(at).toBeGreaterThanOrEqual(65536);
    expect((at - 65536) % 8192).toBe(0);
    expect(heap.usedBytes).toBe(8192);
    expect(heap.blockBytes(5000)).toBe(8192);
    heap.free(at);
    expect(heap.usedBytes).toBe(0);
  });

  it('refuses what is too long, empty, or no longer there', () => {
    const heap = new Heap(0, 64 * KIB, { maxBytes: 32 * KIB });
    expect(heap.allocate(0)).toBe(-1);
    expect(heap.allocate(32 * KIB + 1)).toBe(-1);
    expect(heap.blockBytes(32 * KIB + 1)).toBe(0);
    expect(heap.allocate(32 * KIB)).toBe(0);
    expect(heap.allocate(32 * KIB)).toBe(32 * KIB);
    expect(heap.allocate(1)).toBe(-1);
  });

  it('joins neighbours again, so that the largest block comes back', () => {
    const heap = new Heap(4096, 8 * 1024 * KIB);
    const blocks = Array.from({ length: 2048 }, () => heap.allocate(4096));
    expect(new Set(blocks).size).toBe(2048);
    expect(heap.allocate(1)).toBe(-1);
    for (const at of blocks.filter((_, i) => i % 2 === 0)) heap.free(at);
    expect(heap.allocate(4097)).toBe(-1);
    for (const at of blocks.filter((_, i) => i % 2 === 1)) heap.free(at);
    expect(heap.allocate(8 * 1024 * KIB)).toBe(4096);
  });

  it('uses a region that is no power of two to the last block', () => {
    const heap = new Heap(0, 13 * 4096 + 100);
    let count = 0;
    while (heap.allocate(4096) >= 0) count++;
    expect(count).toBe(13);
    expect(heap.byteLength).toBe(13 * 4096);
  });

  it('says so when something else is freed', () => {
    const heap = new Heap(0, 64 * KIB);
    const at = heap.allocate(10_000);
    expect(() => heap.free(at + 4096)).toThrow('not an allocated block');
    expect(() => heap.free(-4096)).toThrow('not an allocated block');
    heap.free(at);
    expect(() => heap.free(at)).toThrow('not an allocated block');
  });

  it('hands out no more than its limit, and counts what it refuses', () => {
    const heap = new Heap(0, 64 * KIB);
    heap.limitBytes = 8 * KIB;
    expect(heap.allocate(4 * KIB)).toBe(0);
    expect(heap.allocate(8 * KIB)).toBe(-1);
    expect(heap.allocate(4 * KIB)).toBe(4 * KIB);
    expect(heap.allocate(1)).toBe(-1);
    expect(heap.refusals).toBe(2);
  });

  it('allows a buffer a quarter of what is free beyond the reserve, whatever it has of it', () => {
    const heap = new Heap(0, 1024 * KIB);
    // (1024 - 128) / 4 = 224.
    expect(heap.shareBytes(0)).toBe(128 * KIB);
    heap.allocate(512 * KIB);
    expect(heap.shareBytes(0)).toBe(64 * KIB);
    expect(heap.shareBytes(512 * KIB)).toBe(128 * KIB);
    heap.allocate(256 * KIB);
    expect(heap.shareBytes(0)).toBe(32 * KIB);
  });

  it('leaves the reserve to buffers of 4 KiB, its second half to those of 1 KiB', () => {
    const heap = new Heap(0, 1024 * KIB);
    heap.allocate(512 * KIB);
    heap.allocate(256 * KIB);
    heap.allocate(128 * KIB);
    expect(heap.shareBytes(0)).toBe(4 * KIB);
    heap.allocate(64 * KIB);
    expect(heap.shareBytes(0)).toBe(1 * KIB);
    heap.allocate(32 * KIB);
    heap.allocate(16 * KIB);
    heap.allocate(8 * KIB);
    heap.allocate(4 * KIB);
    heap.allocate(2 * KIB);
    heap.allocate(1 * KIB);
    expect(heap.shareBytes(0)).toBe(1 * KIB);
    heap.allocate(256);
    expect(heap.shareBytes(0)).toBe(0);
  });

  it('gives a buffer a block of what it needs, of its share, or of what is free, if that is more than it has', () => {
    const heap = new Heap(0, 1024 * KIB);
    expect([heap.allocateShare(300, 0), heap.allocatedBytes]).toEqual([0, 512]);
    expect(heap.refusals).toBe(0);
    expect([heap.allocateShare(512 * KIB, 0), heap.allocatedBytes]).toEqual([128 * KIB, 128 * KIB]);
    expect(heap.refusals).toBe(1);
    expect(heap.allocateShare(512 * KIB, 128 * KIB)).toBe(-1);
    // Every block of 4 KiB is in use, every other one of 2 KiB.
    const all = Array.from({ length: 512 }, () => heap.allocate(2 * KIB)).filter((at) => at >= 0);
    for (const at of all.filter((_, i) => i % 2 === 0)) heap.free(at);
    expect(heap.allocateShare(16 * KIB, 0)).toBeGreaterThan(0);
    expect(heap.allocatedBytes).toBe(2 * KIB);
  });

  it('leaves the reserve alone for what can be lost', () => {
    const heap = new Heap(0, 64 * KIB);
    heap.allocate(32 * KIB);
    heap.allocate(16 * KIB);
    expect(heap.allocateSpare(8 * KIB)).toBeGreaterThan(0);
    expect(heap.allocateSpare(256)).toBe(-1);
    expect(heap.allocate(256)).toBeGreaterThan(0);
  });

  it('never hands out the same byte twice', () => {
    const step = fc.oneof(
      fc.nat(40_000),
      fc.nat(20).map((i) => -1 - i),
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.array(step, { maxLength: 300 }), (blocks, steps) => {
        const heap = new Heap(512, blocks * 1024, { minBytes: 1024, maxBytes: 16_384 });
        const held: { at: number; end: number }[] = [];
        for (const n of steps) {
          if (n < 0) {
            const [block] = held.splice((-1 - n) % Math.max(1, held.length), 1);
            if (block !== undefined) heap.free(block.at);
            continue;
          }
          const at = heap.allocate(n);
          if (at < 0) continue;
          const end = at + heap.blockBytes(n);
          expect(at).toBeGreaterThanOrEqual(512);
          expect(end).toBeLessThanOrEqual(512 + blocks * 1024);
          expect(end - at).toBeGreaterThanOrEqual(n);
          expect(held.every((other) => end <= other.at || at >= other.end)).toBe(true);
          held.push({ at, end });
        }
        expect(heap.usedBytes).toBe(held.reduce((sum, block) => sum + block.end - block.at, 0));
        for (const block of held) heap.free(block.at);
        expect(heap.usedBytes).toBe(0);
        expect(heap.allocate(heap.maxBytes)).toBeGreaterThan(0);
      }),
      { numRuns: 300 },
    );
  });
});
