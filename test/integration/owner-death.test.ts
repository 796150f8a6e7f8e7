/**
 * Threads that are killed at random instants while they hold locks, slots, ports and ends of channels: somebody buries them,
 * and the others go on; nothing is torn, lost for good or taken twice. The workers run the built files.
 */

import { Worker } from 'node:worker_threads';
import { afterEach, expect, it } from 'vitest';
import {
  createNetwork,
  listPorts,
  networkBytes,
  networkHolder,
  poolOffset,
  poolShape,
} from '../../src/link/network.ts';
import { Arena } from '../../src/mem/arena.ts';
import { channelHolder, createChannel } from '../../src/mem/channel.ts';
import { OWNER_THREAD, OwnerTable } from '../../src/mem/owner.ts';
import { SlotPool } from '../../src/mem/slot-pool.ts';
import { until } from '../fixtures/fake-workers.ts';

const ENTRY = new URL('./owner-death-worker.js', import.meta.url);
const WATCHDOG_MS = 300_000;
/** Kills per case. */
const KILLS = 20;
/** Progress of the others between two kills. */
const STEPS = 200;

const [ROUNDS, STOP, TORN, INHERITED] = [3, 4, 5, 6];

let living: Victim[] = [];
afterEach(async () => {
  await Promise.all(living.map(({ worker }) => worker.terminate()));
  living = [];
});

interface Victim {
  worker: Worker;
  owner: number;
  ended: boolean;
}

class Scene {
  readonly arena: Arena;
  readonly owners: OwnerTable;
  readonly cells: number;
  readonly failures: unknown[] = [];
  #dice = 1;

  constructor(bytes: number) {
    this.arena = Arena.create(bytes + (8 << 20));
    this.owners = new OwnerTable(this.arena);
    this.cells = this.arena.allocate(16 * 128, 128);
  }

  cell(n: number): number {
    return Atomics.load(this.arena.words, (this.cells >> 2) + 32 * n);
  }

  set(n: number, value: number): void {
    Atomics.store(this.arena.words, (this.cells >> 2) + 32 * n, value);
  }

  random(below: number): number {
    this.#dice = (Math.imul(this.#dice, 1664525) + 1013904223) | 0;
    return (this.#dice >>> 8) % below;
  }

  async start(options: Record<string, unknown>): Promise<Victim> {
    const owner = this.owners.claim({ kind: OWNER_THREAD, pid: process.pid, threadId: 0, startTime: 0 });
    const workerData = { memory: this.arena.memory, cells: this.cells, owner, ...options };
    const worker = new Worker(ENTRY, { workerData });
    const victim: Victim = { worker, owner, ended: false };
    let begun = false;
    worker.on('error', (error) => this.failures.push(error));
    worker.on('exit', () => {
      victim.ended = true;
    });
    worker.on('message', () => {
      begun = true;
    });
    living.push(victim);
    await this.wait(() => begun);
    return victim;
  }

  wait(condition: () => boolean): Promise<void> {
    return until(() => {
      expect(this.failures).toEqual([]);
      return condition();
    }, WATCHDOG_MS);
  }

  /** Let the others work, then kill at some instant, and bury: at once, or when somebody has met the dead. */
  async kill(victim: Victim): Promise<void> {
    const from = this.cell(ROUNDS);
    await this.wait(() => this.cell(ROUNDS) - from > STEPS);
    for (let i = this.random(100_000); i > 0; i--);
    await victim.worker.terminate();
    living = living.filter((one) => one !== victim);
    this.owners.bury(victim.owner);
    // A second burial changes nothing.
    this.owners.bury(victim.owner);
  }
}

it('a lock passes from the dead to the living, who know of it', { timeout: WATCHDOG_MS }, async () => {
  const scene = new Scene(0);
  const victims: Victim[] = [];
  for (let i = 0; i < 3; i++) victims.push(await scene.start({ role: 'locked' }));
  for (let n = 0; n < KILLS; n++) {
    const at = scene.random(victims.length);
    await scene.kill(victims[at] as Victim);
    victims[at] = await scene.start({ role: 'locked' });
  }
  scene.set(STOP, 1);
  await scene.wait(() => living.every((one) => one.ended));
  expect(scene.cell(TORN)).toBe(0);
  expect(scene.cell(INHERITED)).toBeGreaterThan(0);
});

it.each(['channels', 'shared'] as const)(
  'a network with %s buffers loses its dead and nothing else',
  { timeout: WATCHDOG_MS },
  async (buffers) => {
    const ports = 3;
    const options = { ports, ringBytes: 16_384, buffers, bufferBytes: 128 * 1024 };
    const scene = new Scene(networkBytes(options));
    const network = createNetwork(scene.arena, options);
    scene.owners.add(networkHolder(scene.arena, network));
    const victims: Victim[] = [];
    const common = { role: 'frames', network, ports };
    for (let port = 0; port < ports; port++) victims.push(await scene.start({ ...common, port }));
    for (let n = 0; n < KILLS; n++) {
      const port = scene.random(ports);
      await scene.kill(victims[port] as Victim);
      expect(listPorts(scene.arena, network)[port]?.state).toBe('dead');
      victims[port] = await scene.start({ ...common, port });
    }
    scene.set(STOP, 1);
    await scene.wait(() => living.every((one) => one.ended));
    expect(scene.cell(TORN)).toBe(0);
    if (buffers === 'channels') return;
    // A frame posted just after its receiver left waits in the queue for the next owner of the port.
    const pool = new SlotPool(scene.arena, scene.arena.place(poolOffset(network)), poolShape(network), 0);
    const waiting = [0, 1, 2].reduce((sum, port) => sum + pool.queued(port), 0);
    expect(pool.freeCount + waiting).toBe(network.slots);
  },
);

it('a channel connects the living with the successor of the dead', { timeout: WATCHDOG_MS }, async () => {
  const scene = new Scene(0);
  const channel = createChannel(scene.arena, { ringBytes: 4096 });
  scene.owners.add(channelHolder(scene.arena, channel));
  const ends: Victim[] = [];
  for (const side of [0, 1]) ends.push(await scene.start({ role: 'records', channel, side }));
  for (let n = 0; n < KILLS; n++) {
    const side = scene.random(2);
    await scene.kill(ends[side] as Victim);
    ends[side] = await scene.start({ role: 'records', channel, side });
  }
  scene.set(STOP, 1);
  await scene.wait(() => living.every((one) => one.ended));
  expect(scene.cell(TORN)).toBe(0);
});
