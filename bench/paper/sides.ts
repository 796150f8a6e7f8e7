/**
 * Role: runs the workers of one measurement and collects what each reports, under a time limit.
 * Thread: the harness's main thread, which does not take part.
 */

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

export type SideResult = Record<string, unknown>;

/** Time that workers may take beyond what they measure, ms. */
const GRACE_MS = 100_000;
/** Time limit of a worker: shorter than the harness's, so that the worker's own, more precise error comes first. */
export const WORKER_GRACE_MS = 90_000;

/** One worker per entry of `data`; their one message each, in order. Rejects when one fails, when `ms` and the grace passed, or when aborted. */
export async function runSides(
  entry: URL,
  data: readonly unknown[],
  { what, ms, signal }: { what: string; ms: number; signal: AbortSignal },
): Promise<SideResult[]> {
  const workers = data.map((workerData) => new Worker(entry, { workerData }));
  let timer: NodeJS.Timeout | undefined;
  let onAbort = (): void => {};
  const stopped = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: no result in time`)), ms + GRACE_MS);
    onAbort = () => reject(new Error(`${what}: interrupted`));
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    const answers = Promise.all(workers.map((worker) => once(worker, 'message')));
    const results = (await Promise.race([answers, stopped])).map(([value]) => value as SideResult);
    const damaged = results.reduce((sum, { damaged: n }) => sum + (typeof n === 'number' ? n : 0), 0);
    if (damaged > 0) throw new Error(`${what}: ${damaged} arrived damaged or out of order`);
    return results;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}
