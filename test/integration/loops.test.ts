/**
 * The two loops that run kernels, on real threads: beside an event loop, and blocking. Both keep the same promises. The
 * workers run the built files.
 */

import { MessageChannel, Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import { Arena } from '../../src/mem/arena.ts';
import { ringDoorbell } from '../../src/mem/bell.ts';
import { createChannel } from '../../src/mem/channel.ts';
import { Doorbell } from '../../src/mem/doorbell.ts';
import { spinBudgetBytes } from '../../src/mem/spin-budget.ts';
import { until } from '../fixtures/fake-workers.ts';

const ENTRY = new URL('./loop-worker.js', import.meta.url);
const WATCHDOG_MS = 60_000;
const HOPS = 2000;

let workers: Worker[] = [];
afterEach(async () => {
  await Promise.all(workers.map((worker) => worker.terminate()));
  workers = [];
});

interface Result extends Record<string, unknown> {
  sleeps: number;
  spinners: number;
}

class Bed {
  readonly arena: Arena = Arena.create(1 << 20);
  readonly spinAt: number = this.arena.allocate(spinBudgetBytes(1), 128);
  readonly #failures: unknown[] = [];

  /** A worker; the promise resolves with what its agent found. */
  start(options: Record<string, unknown>): { bellAt: number; result: Promise<Result> } {
    const bellAt = this.arena.allocateDoorbell();
    const { port } = options;
    const workerData = { memory: this.arena.memory, spinAt: this.spinAt, seats: 1, pollUs: 0, bellAt, ...options };
    const worker = new Worker(ENTRY, { workerData, transferList: port === undefined ? [] : [port as never] });
    workers.push(worker);
    let found: Result | null = null;
    worker.once('message', (message: Result) => {
      found = message;
    });
    worker.once('error', (error) => this.#failures.push(error));
    const result = until(() => {
      expect(this.#failures).toEqual([]);
      return found !== null;
    }, WATCHDOG_MS).then(() => found as unknown as Result);
    return { bellAt, result };
  }
}

describe.each(['event', 'thread'])('the %s loop', (kind) => {
  it('wakes for a deadline that no bell announces, not before it', async () => {
    const bed = new Bed();
    const found = await bed.start({ kind, role: 'deadline' }).result;
    expect(found.late).toBe(true);
    expect(found.sleeps).toBeGreaterThan(0);
  });

  it('looks once more after it armed the bell, and does not sleep on work', async () => {
    const bed = new Bed();
    const found = await bed.start({ kind, role: 'lastLook' }).result;
    expect(found).toMatchObject({ armed: true, sleeps: 0, spinners: 0 });
  });

  it.each(['event', 'thread'])(
    `passes ${HOPS} tokens to and from an %s loop, each hop asleep`,
    async (other) => {
      const bed = new Bed();
      const channel = createChannel(bed.arena, { ringBytes: 4096 });
      const both = { role: 'token', channel, hops: HOPS };
      const ends = [bed.start({ ...both, kind, side: 0 }), bed.start({ ...both, kind: other, side: 1 })];
      const [one, two] = await Promise.all(ends.map((end) => end.result));
      expect([one?.last, two?.last].sort()).toEqual([HOPS - 1, HOPS]);
      expect((one?.sleeps ?? 0) + (two?.sleeps ?? 0)).toBeGreaterThan(0);
    },
    2 * WATCHDOG_MS,
  );

  it('polls with a seat in the budget, and gives the seat back when it sleeps', async () => {
    const bed = new Bed();
    const channel = createChannel(bed.arena, { ringBytes: 4096 });
    const both = { role: 'token', channel, hops: HOPS, pollUs: 100 };
    const ends = [0, 1].map((side) => bed.start({ ...both, kind, side }));
    await Promise.all(ends.map((end) => end.result));
    // An ended loop has no seat, a sleeping one neither.
    await until(() => bed.arena.words[bed.spinAt >> 2] === 0, WATCHDOG_MS);
  });
});

it('the thread loop hears messages while it sleeps, when the sender rings after it has posted', async () => {
  const bed = new Bed();
  const { port1, port2 } = new MessageChannel();
  const { bellAt, result } = bed.start({ kind: 'thread', role: 'messages', port: port2 });
  const bell = new Doorbell(bed.arena, bellAt);
  for (const message of ['one', 'two', 'stop']) {
    await until(() => bell.sleeping, WATCHDOG_MS);
    port1.postMessage(message);
    ringDoorbell(bed.arena.words, bellAt);
  }
  const found = await result;
  expect(found.heard).toEqual(['one', 'two', 'stop']);
  expect(found.sleeps).toBeGreaterThanOrEqual(3);
  port1.close();
});

it('the event loop flushes and takes a turn when work is asked for outside one', async () => {
  const bed = new Bed();
  const found = await bed.start({ kind: 'event', role: 'outside' }).result;
  expect(found.flushed).toBe(2);
});
