/**
 * Frames cost no memory: 10^5 of them through each device, after warm-up, without a collection.
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

it('10^5 frames through a device allocate nothing', () => {
  const child = fileURLToPath(new URL('./device-allocation-child.js', import.meta.url));
  const results = JSON.parse(execFileSync(process.execPath, ['--expose-gc', child], { encoding: 'utf8' })) as Result[];
  expect(results).toHaveLength(7);
  for (const { name, received, heapBytes, collections } of results) {
    expect(received, name).toBeGreaterThan(0.95 * FRAMES);
    expect(collections, name).toBe(0);
    // A byte per frame would be 100,000; what the engine itself writes meanwhile stays far below.
    expect(heapBytes, name).toBeLessThan(FRAMES / 2);
  }
});
