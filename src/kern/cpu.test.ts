import { expect, it } from 'vitest';
import { SeededRng } from '../base/rng.ts';
import { Arena } from '../mem/arena.ts';
import { Counters } from '../mem/counters.ts';
import { Heap } from '../mem/heap.ts';
import { Cpu } from './cpu.ts';
import { Sysctl } from './sysctl.ts';

it('a CPU counts its turns where the other CPUs of its kernel can read them', () => {
  const arena = Arena.create(1 << 20);
  const turnAt = arena.allocate(64);
  const shared = { arena, sysctl: new Sysctl() };
  const heap = new Heap(arena.allocate(65536, 4096), 65536);
  const cpu = new Cpu({
    shared,
    number: 3,
    heap,
    rng: new SeededRng(1),
    counters: Counters.open(arena, 'cpu3'),
    nowUs: () => 42,
    turnAt,
  });
  cpu.beginTurn();
  cpu.beginTurn();
  expect([cpu.number, cpu.turns, arena.words[turnAt >> 2], cpu.nowUs()]).toEqual([3, 2, 2, 42]);
  cpu.turns = 0x7fffffff;
  cpu.beginTurn();
  expect([cpu.turns, arena.words[turnAt >> 2]]).toEqual([-0x80000000, -0x80000000]);
});
