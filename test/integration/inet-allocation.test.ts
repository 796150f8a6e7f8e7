/**
 * Datagrams cost no memory: 10^5 of them, each way, through a router, after warm-up, without a collection.
 */

import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const FRAMES = 100_000;

interface Result {
  name: string;
  received: number;
  heapBytes: number;
  collections: number;
}

it('10^5 datagrams of each family through UDP, a router, fragments and ICMP errors allocate nothing', () => {
  const child = fileURLToPath(new URL('./inet-allocation-child.js', import.meta.url));
  const results = JSON.parse(execFileSync(process.execPath, ['--expose-gc', child], { encoding: 'utf8' })) as Result[];
  expect(results).toHaveLength(8);
  for (const { name, received, heapBytes, collections } of results) {
    expect(received, name).toBeGreaterThan(0.95 * FRAMES);
    expect(collections, name).toBe(0);
    // A byte per frame would be 100,000; what the engine itself writes meanwhile stays far below.
    expect(heapBytes, name).toBeLessThan(FRAMES / 2);
  }
});
