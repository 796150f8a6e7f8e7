import { describe, expect, it } from 'vitest';
import { SpinBudget, spinBudgetBytes } from './spin-budget.ts';

function budget(seats: number): (owner: number) => SpinBudget {
  const words = new Int32Array(new SharedArrayBuffer(16 + spinBudgetBytes(seats)));
  return (owner) => new SpinBudget(words, 16, seats, owner);
}

describe('spin budget', () => {
  it('lets as many spin as there are seats', () => {
    const make = budget(2);
    const [a, b, c] = [make(8), make(16), make(24)];
    expect([a.acquire(), a.acquire(), b.acquire(), c.acquire()]).toEqual([true, true, true, false]);
    expect(c.spinners).toBe(2);
    a.release();
    a.release();
    expect([c.acquire(), a.acquire(), a.spinners]).toEqual([true, false, 2]);
  });

  it('frees the seat of a thread that died in it, and of nobody else', () => {
    const make = budget(2);
    const [a, b, c] = [make(8), make(16), make(24)];
    a.acquire();
    b.acquire();
    c.evict(8);
    c.evict(99);
    expect([c.spinners, c.acquire(), c.spinners]).toEqual([1, true, 2]);
  });

  it('with no seats lets nobody spin', () => {
    expect(budget(0)(8).acquire()).toBe(false);
  });
});
