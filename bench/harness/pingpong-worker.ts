/**
 * Role: one side of the spin ping-pong: bounces a word of shared memory with the other side.
 * Thread: a worker of its own; asleep between runs. Every wait has a time limit, since the other side may be descheduled.
 */

import { parentPort, workerData } from 'node:worker_threads';
import { BATCHES, PING_WORD, type PingPongAnswer, type PingPongRun, PONG_WORD, ROUNDS_PER_BATCH } from './pingpong.ts';
import { median } from './statistics.ts';

const { words, side } = workerData as { words: Int32Array; side: 'ping' | 'pong' };

/** Waits until the word has the value; false when `untilMs` passed first. */
function spinUntil(word: number, value: number, untilMs: number): boolean {
  for (let turns = 1; Atomics.load(words, word) !== value; turns++) {
    if ((turns & 0x3ff) === 0 && performance.now() > untilMs) return false;
  }
  return true;
}

/** Median over the batches of the time for one round trip, in ns; null when the time limit was reached. */
function ping(first: number, untilMs: number): number | null {
  const batches: number[] = [];
  let value = first;
  for (let batch = 0; batch < BATCHES; batch++) {
    const startMs = performance.now();
    for (let round = 0; round < ROUNDS_PER_BATCH; round++, value++) {
      Atomics.store(words, PING_WORD, value);
      if (!spinUntil(PONG_WORD, value, untilMs)) return null;
    }
    batches.push(((performance.now() - startMs) * 1e6) / ROUNDS_PER_BATCH);
  }
  return median(batches);
}

function pong(first: number, untilMs: number): number | null {
  for (let value = first; value < first + BATCHES * ROUNDS_PER_BATCH; value++) {
    if (!spinUntil(PING_WORD, value, untilMs)) return null;
    Atomics.store(words, PONG_WORD, value);
  }
  return 0;
}

parentPort?.on('message', (run: PingPongRun) => {
  const untilMs = performance.now() + run.limitMs;
  const rttNs = side === 'ping' ? ping(run.first, untilMs) : pong(run.first, untilMs);
  parentPort?.postMessage({ rttNs } satisfies PingPongAnswer);
});
