import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { flowShare } from './flow-share.ts';

describe('flowShare', () => {
  it('gives every socket about as many peers, whatever differs between them', () => {
    const count = 4;
    for (const peers of [
      (i: number) => [0x7f000001, 50_000 + i],
      (i: number) => [0x0a000000 + i, 40_000],
      (i: number) => [0x0a000000 + (i << 8), 40_000],
      (i: number) => [0xf0000000 + i, 1024 + 2 * i],
    ]) {
      const shares = new Array<number>(count).fill(0);
      for (let i = 0; i < 4000; i++) {
        const [peer, port] = peers(i) as [number, number];
        (shares[flowShare(12345, peer | 0, port, count)] as number)++;
      }
      for (const share of shares) expect(Math.abs(share - 1000)).toBeLessThan(150);
    }
  });

  it('stays below the count and depends on the seed', () => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.integer(),
        fc.nat(65535),
        fc.integer({ min: 1, max: 64 }),
        (seed, peer, port, count) => {
          const share = flowShare(seed, peer, port, count);
          expect(share >= 0 && share < count).toBe(true);
          expect(flowShare(seed, peer, port, count)).toBe(share);
        },
      ),
    );
    const choices = new Set(Array.from({ length: 50 }, (_, seed) => flowShare(seed * 77_777, 1, 2, 16)));
    expect(choices.size).toBeGreaterThan(8);
  });
});
