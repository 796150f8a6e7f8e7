/**
 * A thread that overwrites what it may write of a network at full speed, between a look and the use of what was looked at, too: the
 * other two exchange their frames, all and in order, and give up the channel to it under a named reason.
 * The workers run the built files.
 */

import { Worker } from 'node:worker_threads';
import { afterEach, expect, it } from 'vitest';
import { createNetwork, networkBytes, ringOffset } from '../../src/link/network.ts';
import { Arena } from '../../src/mem/arena.ts';
import { RING_CONTROL_BYTES } from '../../src/mem/spsc-ring.ts';
import { until } from '../fixtures/fake-workers.ts';
import { writableBy } from '../fixtures/vandal.ts';

const ENTRY = new URL('./bad-peer-worker.js', import.meta.url);
const FRAMES = 200_000;
const WATCHDOG_MS = 240_000;

interface Result {
  sent: number;
  got: number;
  wrong: number;
  outside: number;
  linkUp: boolean;
  downReason: string;
}

let workers: Worker[] = [];
afterEach(async () => {
  await Promise.all(workers.map((worker) => worker.terminate()));
  workers = [];
});

it.each([1, 2, 3])('a thread that writes nonsense harms its own channels only: seed %i', async (seed) => {
  const options = { ports: 3, ringBytes: 64 * 1024 };
  const arena = Arena.create(networkBytes(options) + 2 * 1024 * 1024);
  const network = createNetwork(arena, options);
  const [readyAt, stopAt] = [arena.allocate(128, 128), arena.allocate(128, 128)];
  const results: (Result | undefined)[] = [];
  const failures: unknown[] = [];
  const shared = { memory: arena.memory, network, frames: FRAMES, readyAt, stopAt, seed };
  const ringsTo = (port: number): [number, number][] =>
    [1 - port, 2].map((from) => [ringOffset(network, from, port) + RING_CONTROL_BYTES, network.ringBytes]);
  workers = [0, 1, 2].map((port) => {
    const own =
      port === 2
        ? { role: 'spoil', areas: writableBy(network, 2) }
        : { role: 'exchange', peer: 1 - port, rings: ringsTo(port) };
    const worker = new Worker(ENTRY, { workerData: { ...shared, ...own, port } });
    worker.on('message', (result: Result) => {
      results[port] = result;
    });
    worker.on('error', (error) => failures.push(error));
    return worker;
  });
  await until(() => failures.length > 0 || results.filter((one) => one !== undefined).length === 3, WATCHDOG_MS);
  expect(failures).toEqual([]);
  for (const result of results.slice(0, 2)) {
    expect(result).toEqual({
      sent: FRAMES,
      got: FRAMES,
      wrong: 0,
      outside: 0,
      linkUp: true,
      downReason: expect.stringMatching(/^$|^port 2: [a-z0-9, -]+$/),
    });
  }
});
