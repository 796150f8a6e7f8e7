/**
 * A kernel that sends by TCP and overwrites, at the same time and on a thread of its own, what it has sent: segments by the run
 * are read while their headers, lengths and data change. The receiver reads nothing outside the ring, its other
 * connection loses no byte, and in the end the channel to the bad peer is given up under a named reason.
 * The workers run the built files.
 */

import { Worker } from 'node:worker_threads';
import { afterEach, expect, it } from 'vitest';
import { createNetwork, networkBytes, ringOffset } from '../../src/link/network.ts';
import { Arena } from '../../src/mem/arena.ts';
import { RING_CONTROL_BYTES } from '../../src/mem/spsc-ring.ts';
import { until } from '../fixtures/fake-workers.ts';
import { writableBy } from '../fixtures/vandal.ts';

const ENTRY = new URL('./bad-peer-tcp-worker.js', import.meta.url);
const HEAP_BYTES = 16 * 1024 * 1024;
const GOOD_BYTES = 20_000_000;
/** Segments of the bad peer that must have been taken by the run. */
const BAD_RUNS = 3000;
const WATCHDOG_MS = 240_000;
const ROLES = ['send', 'receive', 'spoil'] as const;

let workers: Worker[] = [];
afterEach(async () => {
  await Promise.all(workers.map((worker) => worker.terminate()));
  workers = [];
});

it.each([
  [1, false],
  [2, true],
])(
  'a kernel that changes segments while they are read by the run harms itself only: seed %i, checksum as a flag %s',
  async (seed, partial) => {
    const options = { ports: 3, ringBytes: 256 * 1024 };
    const arena = Arena.create(networkBytes(options) + 3 * HEAP_BYTES + (8 << 20));
    const network = createNetwork(arena, options);
    const cells = arena.allocate(512, 128);
    const dataOf = (from: number): [number, number] => [
      ringOffset(network, from, 1) + RING_CONTROL_BYTES,
      network.ringBytes,
    ];
    const badRing = dataOf(2);
    const results: (Record<string, unknown> | undefined)[] = [];
    const failures: unknown[] = [];
    workers = ROLES.map((role, port) => {
      const heap = { at: arena.allocate(HEAP_BYTES, 4096), bytes: HEAP_BYTES };
      const shared = { memory: arena.memory, network, cells, seed, partial, goodBytes: GOOD_BYTES, badRuns: BAD_RUNS };
      const own = { role, port, heap, areas: writableBy(network, 2), badRing, rings: [dataOf(0), badRing] };
      const worker = new Worker(ENTRY, { workerData: { ...shared, ...own } });
      worker.on('message', (result: Record<string, unknown>) => {
        results[port] = result;
      });
      worker.on('error', (error) => failures.push(error));
      return worker;
    });
    await until(() => failures.length > 0 || results.filter((one) => one !== undefined).length === 3, WATCHDOG_MS);
    expect(failures).toEqual([]);
    const state = {
      bytes: GOOD_BYTES,
      error: 0,
      linkUp: true,
      downReason: expect.stringMatching(/^port 2: [a-z0-9, -]+$/),
    };
    const [sender, receiver] = results;
    expect(sender).toEqual(state);
    const { runsOfBad, runsOfGood, ...rest } = receiver as Record<string, unknown>;
    expect(rest).toEqual({ ...state, wrong: 0, outside: 0 });
    expect(runsOfBad).toBeGreaterThanOrEqual(BAD_RUNS);
    expect(runsOfGood).toBeGreaterThan(1000);
  },
  250_000,
);
