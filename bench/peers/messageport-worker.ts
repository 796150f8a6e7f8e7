/**
 * Role: one side of the MessagePort peer: the asking side times round trips or streams messages, the other answers.
 * Thread: a worker of its own.
 */

import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { median } from '../harness/statistics.ts';
import type { MessagePortRun } from './messageport.ts';

const { port, side } = workerData as { port: MessagePort; side: 'ask' | 'answer' };

/** Messages on their way at once while streaming. */
const WINDOW = 16;
const WARMUP_ROUNDS = 200;

let reply: (message: unknown) => void = () => {};
port.on('message', (message) => reply(message));

function answer(): void {
  reply = (message) => {
    if (!(message instanceof Uint8Array)) return;
    // A small message comes back whole; of a large one, one byte per cache line is read and the sum returned.
    if (message.length <= 64) return port.postMessage(message);
    let sum = 0;
    for (let i = 0; i < message.length; i += 64) sum += message[i] as number;
    port.postMessage(sum);
  };
}

function roundTrips({ ms }: MessagePortRun): Promise<number> {
  return new Promise((resolve) => {
    const times: number[] = [];
    const endMs = performance.now() + ms;
    let sentMs = 0;
    let rounds = 0;
    const ask = (): void => {
      sentMs = performance.now();
      port.postMessage(new Uint8Array(4));
    };
    reply = () => {
      const now = performance.now();
      if (++rounds > WARMUP_ROUNDS) times.push((now - sentMs) * 1000);
      if (now < endMs || times.length === 0) ask();
      else resolve(median(times));
    };
    ask();
  });
}

/** Gbit/s of messages of `bytes`, copied (structured clone) or handed over (transfer). Throws when a sum is wrong. */
function stream({ ms, bytes, transfer }: MessagePortRun): Promise<number> {
  return new Promise((resolve) => {
    const data = new Uint8Array(bytes).fill(7);
    const expected = Math.ceil(bytes / 64) * 7;
    const startMs = performance.now();
    let outstanding = 0;
    let received = 0;
    const send = (): void => {
      const message = transfer ? new Uint8Array(data) : data;
      port.postMessage(message, transfer ? [message.buffer] : []);
      outstanding++;
    };
    reply = (sum) => {
      if (sum !== expected) throw new Error(`a message arrived damaged: ${String(sum)}`);
      outstanding--;
      received++;
      const seconds = (performance.now() - startMs) / 1000;
      if (seconds < ms / 1000) send();
      else if (outstanding === 0) resolve((received * bytes * 8) / seconds / 1e9);
    };
    for (let i = 0; i < WINDOW; i++) send();
  });
}

if (side === 'answer') answer();
parentPort?.on('message', async (run: MessagePortRun) => {
  const value = run.bytes <= 64 ? await roundTrips(run) : await stream(run);
  parentPort?.postMessage(value);
});
