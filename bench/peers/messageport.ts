/**
 * Role: the MessagePort peer: two workers that talk over a MessageChannel.
 * Thread: started from the harness's main thread, which does not take part.
 */

import { MessageChannel, Worker } from 'node:worker_threads';
import { entryUrl } from '../harness/entry.ts';
import type { Measured, Subject } from '../harness/measure.ts';
import type { Unit } from '../harness/row.ts';

export interface MessagePortRun {
  ms: number;
  /** Up to 64 bytes: round trips; more: a stream, 16 messages on their way at once. */
  bytes: number;
  transfer: boolean;
}

const GRACE_MS = 60_000;

/** Round trip of 4 bytes, and streams of 64 KiB copied and transferred. */
export function messagePortSubjects({ ms }: { ms: number }): Subject[] {
  return [
    subject('MessagePort round trip 4 B, two workers', 'us', { ms, bytes: 4, transfer: false }),
    subject('MessagePort 64 KiB, cloned, two workers', 'Gbit/s', { ms, bytes: 65_536, transfer: false }),
    subject('MessagePort 64 KiB, transferred, two workers', 'Gbit/s', { ms, bytes: 65_536, transfer: true }),
  ];
}

function subject(name: string, unit: Unit, run: MessagePortRun): Subject {
  return {
    name,
    system: 'Node',
    metrics: [{ key: 'value', metric: name, unit }],
    placementMatters: false,
    run: async (signal): Promise<Measured> => ({ values: { value: await runOnce(run, signal) } }),
  };
}

async function runOnce(run: MessagePortRun, signal: AbortSignal): Promise<number> {
  const { port1, port2 } = new MessageChannel();
  const url = entryUrl('messageport-worker', import.meta.url);
  const start = (side: 'ask' | 'answer', port: typeof port1): Worker =>
    new Worker(url, { workerData: { port, side }, transferList: [port] });
  const asker = start('ask', port1);
  const answerer = start('answer', port2);
  let timer: NodeJS.Timeout | undefined;
  let onAbort = (): void => {};
  try {
    return await new Promise<number>((resolve, reject) => {
      timer = setTimeout(() => reject(new Error('MessagePort: no result in time')), run.ms + GRACE_MS);
      onAbort = () => reject(new Error('MessagePort: interrupted'));
      signal.addEventListener('abort', onAbort, { once: true });
      for (const worker of [asker, answerer]) worker.once('error', reject);
      asker.once('message', resolve);
      asker.postMessage(run);
    });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
    await Promise.all([asker.terminate(), answerer.terminate()]);
  }
}
