/**
 * More busy threads than cores: never more of them poll at a time than there are cores, and nobody polls without a seat
 * in the budget. The workers run the built files.
 */

import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { afterEach, expect, it } from 'vitest';
import { createNetwork, networkBytes } from '../../src/link/network.ts';
import { Arena } from '../../src/mem/arena.ts';
import { SpinBudget, spinBudgetBytes } from '../../src/mem/spin-budget.ts';
import { until } from '../fixtures/fake-workers.ts';

const ENTRY = new URL('./spin-worker.js', import.meta.url);
const CORES = availableParallelism();
const THREADS = 2 * CORES + 1;
const TOKENS = CORES + 1;
const HOPS = 3000;
const WATCHDOG_MS = 90_000;

interface Stats {
  busyTurns: number;
  idleTurns: number;
  sleeps: number;
  most: number;
  unseated: number;
}

let workers: Worker[] = [];
afterEach(async () => {
  await Promise.all(workers.map((worker) => worker.terminate()));
  workers = [];
});

it(`${THREADS} busy threads on ${CORES} cores: at most as many poll as there are cores`, async () => {
  const options = { ports: THREADS, ringBytes: 16_384 };
  const arena = Arena.create(networkBytes(options) + 2 * 1024 * 1024);
  const network = createNetwork(arena, options);
  const spinAt = arena.allocate(spinBudgetBytes(CORES), 128);
  const marksAt = arena.allocate(4 * THREADS, 128);
  const bells = Array.from({ length: THREADS }, () => arena.allocateDoorbell());
  const messages: unknown[] = [];
  const failures: unknown[] = [];
  workers = bells.map((_, port) => {
    const workerData = { memory: arena.memory, network, port, bells, spinAt, seats: CORES, marksAt, hops: HOPS };
    const worker = new Worker(ENTRY, { workerData });
    worker.on('message', (message) => messages.push(message));
    worker.on('error', (error) => failures.push(error));
    return worker;
  });
  const count = (message: string): number => messages.filter((one) => one === message).length;
  const wait = (condition: () => boolean): Promise<void> =>
    until(() => {
      expect(failures).toEqual([]);
      return condition();
    }, WATCHDOG_MS);
  await wait(() => count('ready') === THREADS);
  for (let i = 0; i < TOKENS; i++) workers[i]?.postMessage('token');

  const budget = new SpinBudget(arena.words, spinAt, CORES);
  const seen: number[] = [];
  await wait(() => {
    seen.push(budget.spinners);
    return count('arrived') === TOKENS;
  });
  expect(Math.max(...seen)).toBeLessThanOrEqual(CORES);

  // Who sleeps leaves its seat to others.
  await wait(() => budget.spinners === 0);
  for (const worker of workers) worker.postMessage('stop');
  const stats = (): Stats[] => messages.filter((one): one is Stats => typeof one === 'object');
  await wait(() => stats().length === THREADS);
  const sum = (key: keyof Stats): number => stats().reduce((total, one) => total + one[key], 0);
  expect(Math.max(...stats().map((one) => one.most))).toBeLessThanOrEqual(CORES);
  expect(sum('unseated')).toBe(0);
  expect(sum('busyTurns')).toBeGreaterThan(0);
  // There was something to be seen: they polled, and they slept.
  expect(sum('idleTurns')).toBeGreaterThan(0);
  expect(sum('sleeps')).toBeGreaterThan(0);
  expect(budget.spinners).toBe(0);
});
