/**
 * Traffic costs no memory: 10^5 frames of UDP and TCP through whole kernels and a router, sockets included, after warm-up,
 * without a collection.
 */

import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const FRAMES = 100_000;

interface Result {
  name: string;
  frames: number;
  turns: number;
  heapBytes: number;
  collections: number;
}

it('10^5 frames of datagrams and streams, to, from and both ways, allocate nothing', () => {
  const child = fileURLToPath(new URL('./kernel-allocation-child.js', import.meta.url));
  const results = JSON.parse(execFileSync(process.execPath, ['--expose-gc', child], { encoding: 'utf8' })) as Result[];
  expect(results).toHaveLength(6);
  for (const { name, frames, turns, heapBytes, collections } of results) {
    expect(frames, name).toBeGreaterThanOrEqual(FRAMES);
    // Many frames a turn, or it would be turns that are measured; but a byte there and back takes one each way.
    expect(turns, name).toBeLessThanOrEqual(FRAMES / 2);
    expect(collections, name).toBe(0);
    // The least that can be allocated is a number, 16 bytes: one for every third frame would be seen. What is left is
    // a view for each call that copies much from or to a program's array, and numbers once a round trip.
    expect(heapBytes, name).toBeLessThan(FRAMES * 6);
  }
});
