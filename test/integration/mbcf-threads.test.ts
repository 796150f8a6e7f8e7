/** Remote memory between threads without a node in between: memory order, atomics, sleep and revocation. */

import { once } from 'node:events';
import { resolve } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { DirectMemory } from '../../src/mbcf/direct-memory.ts';
import { attachDirect, Mbcf } from '../../src/mbcf/open.ts';
import type { RegisteredMemory } from '../../src/mbcf/task.ts';

const PROGRAM = resolve(import.meta.dirname, '../fixtures/programs/mbcf-thread.mjs');
const ROUNDS = 1_000_000;
/** Words of the first round (fixtures/programs/mbcf-thread.mjs). */
const [X, Y] = [64, 68];

let node: Mbcf;
let registered: RegisteredMemory;
let memory: DirectMemory;
const threads: Worker[] = [];
beforeEach(async () => {
  node = await Mbcf.open({ number: 1 });
  registered = node.task(1).register(new SharedArrayBuffer(64 + 8 * ROUNDS));
  memory = attachDirect(registered.shared, registered.address.key);
});
afterEach(async () => {
  await Promise.all(threads.splice(0).map((thread) => thread.terminate()));
  await node.close();
});

function start(part: string, parts = 1): Worker {
  const { key } = registered.address;
  const workerData = { shared: registered.shared, key, part, parts, rounds: ROUNDS };
  const thread = new Worker(PROGRAM, { workerData });
  threads.push(thread);
  return thread;
}

/** What each part says of each round. */
async function litmus(...parts: string[]): Promise<Uint8Array[]> {
  return Promise.all(parts.map(async (part) => (await once(start(part, parts.length), 'message'))[0] as Uint8Array));
}

/** Rounds in which that holds. */
function count(holds: (round: number) => boolean): number {
  let found = 0;
  for (let round = 0; round < ROUNDS; round++) if (holds(round)) found++;
  return found;
}

it('shows no flag without its data (message passing)', { timeout: 120_000 }, async () => {
  const [, seen] = (await litmus('sender', 'receiver')) as [Uint8Array, Uint8Array];
  expect(count((round) => seen[round] === 1)).toBe(0);
});

it('lets one of two see what the other has stored (store buffering)', { timeout: 120_000 }, async () => {
  const [left, right] = (await litmus('left', 'right')) as [Uint8Array, Uint8Array];
  expect(count((round) => left[round] === 0 && right[round] === 0)).toBe(0);
});

it('shows two readers the same order of two writes (IRIW)', { timeout: 120_000 }, async () => {
  const [, , xy, yx] = (await litmus('writeX', 'writeY', 'readXY', 'readYX')) as Uint8Array[];
  // The first word that each reads is there already, and the second is not yet: they would disagree.
  expect(count((round) => xy![round] === 1 && yx![round] === 1)).toBe(0);
});

it('shows the values of a word in their order (coherence), and counts eight threads exactly', {
  timeout: 120_000,
}, async () => {
  const [observed] = (await litmus('observer', ...new Array<string>(8).fill('counter'))) as Uint8Array[];
  expect(count((round) => observed![round] !== 0)).toBe(0);
  expect(memory.load(X)).toBe(8 * ROUNDS);
});

it('wakes a thread that sleeps on a word, which finds the data', { timeout: 60_000 }, async () => {
  const thread = start('sleeper');
  await once(thread, 'message');
  const found = once(thread, 'message');
  memory.writeSignal(X, new TextEncoder().encode('data'), Y, 1);
  expect(await found).toEqual(['data']);
});

it('ends at once for a thread whose grant is revoked', { timeout: 60_000 }, async () => {
  const thread = start('watcher');
  await once(thread, 'message');
  const refused = once(thread, 'message');
  registered.revoke();
  expect(await refused).toEqual(['EKEYREVOKED']);
});
