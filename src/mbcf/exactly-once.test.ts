/**
 * Atomics and FIFO writes of eight nodes to one, over wires that lose, double, reorder and damage packets and are cut, while nodes are killed and
 * come back: what was confirmed was executed once, what was not at most once, and the records of a writer are in their order.
 */

import { describe, expect, it } from 'vitest';
import { MbcfWorld } from '../../test/fixtures/mbcf-world.ts';
import { randomBelow, randomUnit, SeededRng } from '../base/rng.ts';
import type { MemoryAddress } from './protocol/task-record.ts';
import type { RemoteMemory } from './remote-memory.ts';
import type { LocalFifo } from './task.ts';

const OWNER = 100;
const WRITERS = 8;
const OPERATIONS = 12;
const FIFO_AT = 64;

interface Ledger {
  attempted: number;
  confirmed: number;
  /** Serial numbers of FIFO records, by what became of them. */
  sure: Set<number>;
  tried: Set<number>;
}

/** The owner's memory: a counter for each writer, and a FIFO. */
class OwnerLife {
  readonly words: Int32Array;
  readonly fifo: LocalFifo;
  readonly address: MemoryAddress;

  constructor(world: MbcfWorld) {
    world.boot(OWNER);
    const buffer = new SharedArrayBuffer(8192);
    this.words = new Int32Array(buffer);
    const task = world.task(OWNER, 1);
    const registered = task.register(buffer);
    this.fifo = task.declareFifo(registered, FIFO_AT, 4096 + 32);
    this.address = registered.address;
  }
}

async function writer(
  life: OwnerLife,
  number: number,
  ledger: Ledger,
  rng: SeededRng,
  attach: (address: MemoryAddress) => Promise<RemoteMemory>,
): Promise<void> {
  const remote = await attach(life.address);
  for (let i = 0; i < OPERATIONS; i++) {
    if (randomUnit(rng) < 0.5) {
      ledger.attempted++;
      await remote.fetchAdd(number * 4, 1);
      ledger.confirmed++;
      continue;
    }
    const serial = ledger.tried.size;
    ledger.tried.add(serial);
    await remote.fifoWrite(
      FIFO_AT,
      Uint8Array.of(number, serial, ...new Array<number>(randomBelow(rng, 20)).fill(serial)),
    );
    ledger.sure.add(serial);
  }
}

/** Take all records; each writer's are in order, once, and whole. */
function drained(life: OwnerLife): Map<number, number[]> {
  const records = new Map<number, number[]>();
  for (let record = life.fifo.read(); record !== null; record = life.fifo.read()) {
    const [number, serial, ...rest] = [...record] as [number, number, ...number[]];
    expect(rest.every((byte) => byte === serial)).toBe(true);
    records.set(number, [...(records.get(number) ?? []), serial]);
  }
  return records;
}

async function play(seed: number): Promise<void> {
  const rng = new SeededRng(seed);
  const chance = (most: number): number => (randomUnit(rng) < 0.3 ? 0 : randomUnit(rng) * most);
  const faults = { loss: chance(0.1), duplicate: chance(0.1), reorder: chance(0.1), corrupt: chance(0.02) };
  const ackEvery = randomBelow(rng, 3);
  const settings = { giveUpUs: 3_000_000, ackEvery, wide: randomUnit(rng) < 0.5 };
  const world = new MbcfWorld({ seed, faults, settings });
  let life = new OwnerLife(world);
  const ledgers: Ledger[] = [];
  const lives: Promise<unknown>[] = [];
  const start = (number: number): void => {
    world.boot(number);
    const ledger = { attempted: 0, confirmed: 0, sure: new Set<number>(), tried: new Set<number>() };
    ledgers[number] = ledger;
    const task = world.task(number, 1);
    const own = new SeededRng(seed * 100 + number);
    lives.push(writer(life, number, ledger, own, (address) => task.attach(address)).catch(() => {}));
  };
  for (let number = 1; number <= WRITERS; number++) start(number);
  for (let event = 0; event < 3; event++) {
    await world.advance(randomBelow(rng, 20_000));
    const victim = 1 + randomBelow(rng, WRITERS);
    const what = randomUnit(rng);
    if (what < 0.4) {
      world.cut(victim, OWNER);
      await world.advance(randomBelow(rng, 500_000));
      world.heal();
    } else if (what < 0.7) {
      world.kill(victim);
    } else if (what < 0.8) {
      // Everybody's operations end with it; a new life begins with memory of its own.
      check(life, ledgers);
      life = new OwnerLife(world);
      ledgers.length = 0;
      await world.run(Promise.all(lives));
      for (let number = 1; number <= WRITERS; number++) start(number);
    }
  }
  await world.run(Promise.all(lives));
  check(life, ledgers);
}

/** In a life of the owner: what was confirmed is there, what was only tried may be. */
function check(life: OwnerLife, ledgers: readonly Ledger[]): void {
  const records = drained(life);
  ledgers.forEach((ledger, number) => {
    const counted = life.words[number]!;
    expect(counted).toBeGreaterThanOrEqual(ledger.confirmed);
    expect(counted).toBeLessThanOrEqual(ledger.attempted);
    const serials = records.get(number) ?? [];
    expect(serials).toEqual([...serials].sort((a, b) => a - b));
    expect(new Set(serials).size).toBe(serials.length);
    expect(serials.filter((serial) => !ledger.tried.has(serial))).toEqual([]);
    expect([...ledger.sure].filter((serial) => !serials.includes(serial))).toEqual([]);
  });
}

describe('exactly once', () => {
  it.each(Array.from({ length: 10 }, (_, i) => i))(
    'hundred %i of a thousand seeds',
    { timeout: 120_000 },
    async (hundred) => {
      for (let seed = hundred * 100 + 1; seed <= (hundred + 1) * 100; seed++) {
        await play(seed).catch((error: unknown) => {
          throw new Error(`seed ${seed}`, { cause: error });
        });
      }
    },
  );
});
