import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Arena } from './arena.ts';
import { acquireLock, inheritLock, releaseLock } from './lock.ts';
import { anonymousOwner } from './owner.ts';
import { formatSlotPool, SlotPool, slotPoolBytes } from './slot-pool.ts';

const SHAPE = { slots: 24, contentBytes: 200, queues: 3 };

const slots = new Int32Array(32);
const length = new Int32Array(32);
const meta = new Int32Array(32);

function setUp() {
  const arena = Arena.create(512 * 1024);
  const at = arena.allocate(slotPoolBytes(SHAPE), 128);
  formatSlotPool(arena, at, SHAPE);
  const parties = [0, 1, 2].map((owner) => new SlotPool(arena, at, SHAPE, owner)) as [SlotPool, SlotPool, SlotPool];
  return { arena, at, parties };
}

function take(pool: SlotPool, want: number): number[] {
  pool.lock();
  const count = pool.take(slots, want);
  pool.unlock();
  return [...slots.slice(0, count)];
}

function post(pool: SlotPool, queue: number, slot: number, lengthBytes: number): void {
  pool.lock();
  pool.post(queue, slot, lengthBytes, -lengthBytes);
  pool.unlock();
}

function pop(pool: SlotPool, limit = 32): number[] {
  pool.lock();
  const count = pool.pop(slots, length, meta, limit);
  pool.unlock();
  return [...slots.slice(0, count)];
}

function giveBack(pool: SlotPool, own: number[]): void {
  pool.lock();
  pool.giveBack(Int32Array.from(own), 0, own.length);
  pool.unlock();
}

describe('slot pool', () => {
  it('hands slots on in order, with length and metadata', () => {
    const { at, parties } = setUp();
    const [a, b] = parties;
    const mine = take(a, 3);
    for (const slot of mine) {
      expect(a.contentAt(slot) % 8).toBe(2);
      expect(a.contentAt(slot) + SHAPE.contentBytes).toBeLessThanOrEqual(at + slotPoolBytes(SHAPE));
    }
    expect(b.pending).toBe(false);
    mine.forEach((slot, i) => {
      post(a, 1, slot, 100 + i);
    });
    expect(b.pending).toBe(true);
    expect(b.queued(1)).toBe(3);
    expect(pop(b, 2)).toEqual(mine.slice(0, 2));
    expect([length[1], meta[1]]).toEqual([101, -101]);
    expect(pop(b)).toEqual(mine.slice(2));
    expect(b.freeCount).toBe(21);
    giveBack(b, mine);
    expect(b.freeCount).toBe(24);
  });

  it('gives out every slot once, and takes back only what the giver has', () => {
    const { parties } = setUp();
    const [a, b] = parties;
    const all = [...take(a, 20), ...take(b, 20)];
    expect([...all].sort((x, y) => x - y)).toEqual(Array.from({ length: 24 }, (_, i) => i));
    expect(take(a, 1)).toEqual([]);
    giveBack(b, all.slice(0, 20));
    giveBack(b, [-1, 99]);
    expect(a.freeCount).toBe(0);
    giveBack(a, [...all.slice(0, 20), all[0] as number]);
    expect(a.freeCount).toBe(20);
  });

  it('remembers who waits', () => {
    const { parties } = setUp();
    parties[2].await();
    parties[0].await();
    expect(parties[1].takeWaiting(0)).toBe(0b101);
    expect(parties[1].takeWaiting(0)).toBe(0);
  });

  it('collects what a dead party held, had queued, or died in the middle of', () => {
    const { parties } = setUp();
    const [a, b, c] = parties;
    const held = take(b, 4);
    post(a, 1, take(a, 1)[0] as number, 10);
    const toC = take(b, 1)[0] as number;
    post(b, 2, toC, 10);
    b.lock();
    expect(held).toHaveLength(4);
    a.reclaim(1, anonymousOwner(1));
    expect(a.freeCount).toBe(23);
    expect(pop(c)).toEqual([toC]);
    giveBack(c, [toC]);
    expect(a.freeCount).toBe(24);
    expect(new Set(take(a, 32)).size).toBe(24);
  });

  it('never throws and never points outside, whatever is written over its tables', () => {
    const tables = slotPoolBytes(SHAPE) / 4;
    const write = fc.tuple(fc.nat(tables - 1), fc.oneof(fc.integer(), fc.nat(40)));
    fc.assert(
      fc.property(fc.array(write, { maxLength: 60 }), (writes) => {
        const { arena, at, parties } = setUp();
        const lock = 128 / 4;
        for (const [word, value] of writes) {
          // A scribbled lock is a dead stop by nature; it is not what this is about.
          if (word !== lock) arena.words[(at >> 2) + word] = value;
          const [a, b] = parties;
          for (const slot of take(a, 3)) {
            expect(slot).toBeGreaterThanOrEqual(0);
            expect(slot).toBeLessThan(SHAPE.slots);
            post(a, 1, slot, 50);
          }
          const got = pop(b, 8);
          got.forEach((slot, i) => {
            expect(slot).toBeGreaterThanOrEqual(0);
            expect(slot).toBeLessThan(SHAPE.slots);
            expect(length[i]).toBeGreaterThanOrEqual(0);
            expect(length[i]).toBeLessThanOrEqual(SHAPE.contentBytes);
          });
          giveBack(b, got);
        }
        parties[0].reclaim(1, anonymousOwner(1));
      }),
      { numRuns: 300 },
    );
  });
});

describe('lock', () => {
  it('is inherited only from the dead who held it', () => {
    const { words } = Arena.create(0);
    const index = words.length - 1;
    acquireLock(words, index, 7);
    expect(inheritLock(words, index, 6, 9)).toBe(false);
    expect(inheritLock(words, index, 7, 9)).toBe(true);
    releaseLock(words, index);
    acquireLock(words, index, 8);
    releaseLock(words, index);
    expect(inheritLock(words, index, 8, 9)).toBe(false);
    expect(words[index]).toBe(0);
  });

  it('tells the next owner that the last one died holding it', () => {
    const { words } = Arena.create(0);
    const index = words.length - 1;
    expect(acquireLock(words, index, 7)).toBe(false);
    const asked: number[] = [];
    const isDead = (owner: number): boolean => asked.push(owner) > 1;
    expect(acquireLock(words, index, 8, isDead)).toBe(true);
    expect(asked).toEqual([7, 7]);
    releaseLock(words, index);
    expect(acquireLock(words, index, 9, isDead)).toBe(false);
    releaseLock(words, index);
    expect(words[index]).toBe(0);
  });
});
