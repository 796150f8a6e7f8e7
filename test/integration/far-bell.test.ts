/**
 * Two event loops joined by a channel whose bells are rung through sockets only, as between two processes: no `Atomics.notify`
 * wakes either. Two threads, because Node maps no memory into two processes. The workers run the built files.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, expect, it } from 'vitest';
import { Arena } from '../../src/mem/arena.ts';
import { createChannel } from '../../src/mem/channel.ts';
import { spinBudgetBytes } from '../../src/mem/spin-budget.ts';
import { until } from '../fixtures/fake-workers.ts';

const ENTRY = new URL('./far-bell-worker.js', import.meta.url);
const WATCHDOG_MS = 60_000;
const HOPS = 500;

let folder = '';
let workers: Worker[] = [];
afterEach(async () => {
  await Promise.all(workers.map((worker) => worker.terminate()));
  workers = [];
  rmSync(folder, { recursive: true, force: true });
});

interface Result {
  last: number;
  wakes: number;
  sleeps: number;
}

it(
  `passes ${HOPS} tokens between event loops that only a socket wakes`,
  async () => {
    folder = mkdtempSync(join(tmpdir(), 'far-bell-'));
    const arena = Arena.create(1 << 20);
    const spinAt = arena.allocate(spinBudgetBytes(1), 128);
    const channel = createChannel(arena, { ringBytes: 4096 });
    const places = [0, 1].map((side) => ({ kind: 'unix', path: join(folder, `bell-${side}`) }));
    const failures: unknown[] = [];
    const results: Result[] = [];
    let listening = 0;
    workers = [0, 1].map((side) => {
      const bellAt = arena.allocateDoorbell();
      const [place, peerPlace] = [places[side], places[1 - side]];
      const workerData = { memory: arena.memory, bellAt, spinAt, place, peerPlace, channel, side, hops: HOPS };
      const worker = new Worker(ENTRY, { workerData });
      worker.on('error', (error) => failures.push(error));
      worker.on('message', (message: Result | 'listens') => {
        if (message === 'listens') listening++;
        else results.push(message);
      });
      return worker;
    });
    const reached = (done: () => boolean): Promise<void> =>
      until(() => {
        expect(failures).toEqual([]);
        return done();
      }, WATCHDOG_MS);
    await reached(() => listening === 2);
    for (const worker of workers) worker.postMessage('connect');
    await reached(() => results.length === 2);
    expect(results.map((one) => one.last).sort((a, b) => a - b)).toEqual([HOPS - 1, HOPS]);
    for (const one of results) {
      expect(one.sleeps).toBeGreaterThan(0);
      expect(one.wakes).toBeGreaterThan(0);
    }
  },
  2 * WATCHDOG_MS,
);
