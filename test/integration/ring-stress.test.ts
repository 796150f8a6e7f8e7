/**
 * Rings and networks between real threads: nothing is lost, repeated, torn or reordered, and no wake-up is missed.
 * The workers run the built files (Node 20 runs no TypeScript in a worker): `npm test` builds first.
 */

import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { createNetwork, FRAME_PAD_BYTES, networkBytes } from '../../src/link/network.ts';
import { Arena } from '../../src/mem/arena.ts';
import { formatRing, ringBytes, ringCapacity } from '../../src/mem/spsc-ring.ts';

const WATCHDOG_MS = 600_000;
const ENTRY = new URL('./ring-stress-worker.js', import.meta.url);

/** Run workers to their end; the first error of any of them ends all. */
async function run(workers: object[]): Promise<{ sleeps: number }[]> {
  const running = workers.map((workerData) => new Worker(ENTRY, { workerData }));
  try {
    return await Promise.all(
      running.map(
        (worker) =>
          new Promise<{ sleeps: number }>((resolve, reject) => {
            worker.once('message', resolve);
            worker.once('error', reject);
            worker.once('exit', (code) => reject(new Error(`worker ended with ${code} before it was done`)));
          }),
      ),
    );
  } finally {
    await Promise.all(running.map((worker) => worker.terminate()));
  }
}

interface Case {
  name: string;
  ring: number;
  frames: number;
  longest: number;
  eventLoop?: boolean;
}

const CASES: Case[] = [
  { name: 'a ring of 4 KiB, full and empty all the time', ring: 4096, frames: 1_000_000, longest: 1900 },
  { name: 'a ring of 64 KiB', ring: 65_536, frames: 5_000_000, longest: 9014 },
  { name: 'a ring of 392,200 bytes', ring: 392_200, frames: 8_000_000, longest: 65_549 },
  { name: 'a receiver on an event loop', ring: 32_768, frames: 500_000, longest: 1514, eventLoop: true },
];

it.each(CASES)('$name: $frames frames arrive whole, once and in order', { timeout: WATCHDOG_MS }, async (test) => {
  const capacity = ringCapacity(test.ring);
  const arena = Arena.create(ringBytes(capacity) + 1024 * 1024);
  const ringAt = arena.allocate(ringBytes(capacity), 128);
  formatRing(arena, ringAt, capacity, FRAME_PAD_BYTES);
  const bells = [arena.allocateDoorbell(), arena.allocateDoorbell()];
  const { frames, longest, eventLoop } = test;
  const padBytes = FRAME_PAD_BYTES;
  const both = { memory: arena.memory, ringAt, capacity, padBytes, frames, longest, bells, eventLoop };
  const [producer, consumer] = await run([
    { ...both, role: 'produce' },
    { ...both, role: 'consume' },
  ]);
  expect((producer?.sleeps ?? 0) + (consumer?.sleeps ?? 0)).toBeGreaterThan(0);
});

it.each([
  { ports: 3, kernels: 3, frames: 150_000, buffers: 'channels' as const },
  { ports: 40, kernels: 4, frames: 100_000, buffers: 'channels' as const },
  { ports: 3, kernels: 3, frames: 100_000, buffers: 'shared' as const },
])(
  '$kernels kernels on a network of $ports ports, $buffers buffers: every frame reaches its receiver, in order',
  { timeout: WATCHDOG_MS },
  async ({ ports, kernels, frames, buffers }) => {
    const options = { ports, ringBytes: 32_768, buffers, bufferBytes: 196_608 };
    const arena = Arena.create(networkBytes(options) + 1024 * 1024);
    const network = createNetwork(arena, options);
    const readyAt = arena.allocate(128, 128);
    const bells = Array.from({ length: kernels }, () => arena.allocateDoorbell());
    const results = await run(
      Array.from({ length: kernels }, (_, port) => ({
        memory: arena.memory,
        role: 'mesh',
        network,
        port,
        kernels,
        frames,
        bells,
        readyAt,
      })),
    );
    expect(results).toHaveLength(kernels);
  },
);
