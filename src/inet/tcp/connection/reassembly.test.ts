import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { blockEnd, blockStart, ReassemblyQueue } from './reassembly.ts';

describe('ReassemblyQueue', () => {
  it('keeps the ranges a set of bytes would have, across the wrap of sequence numbers', () => {
    const range = fc.tuple(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 40 }), fc.boolean());
    fc.assert(
      fc.property(fc.array(range, { maxLength: 60 }), fc.constantFrom(0, 0x7fff_ff80, -60), (ranges, base) => {
        const reassembly = new ReassemblyQueue();
        const bytes = new Set<number>();
        let next = 0;
        for (const [offset, length, advance] of ranges) {
          const start = next + offset;
          expect(reassembly.covers((base + start) | 0, (base + start + length) | 0)).toBe(all(bytes, start, length));
          reassembly.add((base + start) | 0, (base + start + length) | 0, 1024);
          for (let i = 0; i < length; i++) bytes.add(start + i);
          // The first block reported holds the segment that came last.
          expect(reassembly.report(4)).toBeGreaterThan(0);
          const first = (blockStart[0] as number) - base;
          expect((first - start) | 0).toBeLessThanOrEqual(0);
          expect(((blockEnd[0] as number) - base - start - length) | 0).toBeGreaterThanOrEqual(0);
          if (!advance) continue;
          next += 10;
          while (bytes.has(next)) next++;
          expect((reassembly.advance((base + next) | 0) - base) | 0).toBe(next);
          for (const byte of bytes) if (byte < next) bytes.delete(byte);
        }
        let count = 0;
        for (const byte of bytes) if (!bytes.has(byte - 1)) count++;
        expect(reassembly.count).toBe(count);
      }),
      { numRuns: 300 },
    );
  });

  it('reports disjoint blocks, most recent first, each once', () => {
    const r = new ReassemblyQueue();
    r.add(10, 20, 1024);
    r.add(30, 40, 1024);
    r.add(50, 60, 1024);
    r.add(70, 80, 1024);
    r.add(90, 100, 1024);
    expect(r.report(3)).toBe(3);
    expect([...blockStart.subarray(0, 3)]).toEqual([90, 70, 50]);
    r.add(20, 30, 1024);
    expect(r.report(4)).toBe(4);
    expect([...blockStart]).toEqual([10, 90, 70, 50]);
    expect(blockEnd[0]).toBe(40);
  });

  it('refuses a range when there are too many', () => {
    const r = new ReassemblyQueue();
    let accepted = 0;
    for (let i = 0; i < 2000; i++) if (r.add(i * 10, i * 10 + 5, 1024)) accepted++;
    expect(accepted).toBe(1024);
    expect(r.add(5, 10, 1024)).toBe(true);
    expect(r.count).toBe(1023);
  });
});

function all(bytes: Set<number>, start: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (!bytes.has(start + i)) return false;
  return true;
}
