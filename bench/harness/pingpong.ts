/**
 * Role: the round trip of a spinning ping-pong between two workers, the yardstick of placement (see placement.ts).
 * Thread: started and asked from the harness's main thread; the two workers sleep between measurements.
 */

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { entryUrl } from './entry.ts';

/** Words of the shared array, far enough apart not to share a pair of cache lines. */
export const PING_WORD = 64;
export const PONG_WORD = 128;
const WORDS = 192;

export const ROUNDS_PER_BATCH = 400;
export const BATCHES = 21;

/** A near measurement takes about 2 ms and a far one 5 ms; a longer one was disturbed and tells nothing. */
const LIMIT_MS = 250;

export interface PingPongRun {
  /** First value to send; values never repeat, so that a run that was given up cannot disturb the next. */
  first: number;
  limitMs: number;
}

export interface PingPongAnswer {
  rttNs: number | null;
}

export class PingPong {
  private readonly workers: Worker[];
  private next = 1;

  constructor() {
    const words = new Int32Array(new SharedArrayBuffer(WORDS * 4));
    const url = entryUrl('pingpong-worker', import.meta.url);
    this.workers = ['ping', 'pong'].map((side) => {
      const worker = new Worker(url, { workerData: { words, side } });
      worker.unref();
      return worker;
    });
  }

  /** Round trip in ns, the median of {@link BATCHES} batches; null when a side made no progress within the time limit. */
  async measure(): Promise<number | null> {
    const run: PingPongRun = { first: this.next, limitMs: LIMIT_MS };
    this.next = (this.next + BATCHES * ROUNDS_PER_BATCH) & 0x3fffffff;
    const answers = this.workers.map(async (worker) => {
      worker.ref();
      const [answer] = (await once(worker, 'message')) as [PingPongAnswer];
      worker.unref();
      return answer.rttNs;
    });
    for (const worker of this.workers) worker.postMessage(run);
    const [rttNs, echoed] = await Promise.all(answers);
    return echoed === null ? null : (rttNs ?? null);
  }

  async close(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.terminate()));
  }
}
