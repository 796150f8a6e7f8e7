import { expect, it } from 'vitest';
import { busyTicksOf, foreignCores, ownTicksOf, processTicksOf, readLoad } from './foreign-load.ts';

const STAT = `cpu  1000 20 300 99999 50 7 8 40 0 0
cpu0 500 10 150 49999 25 3 4 20 0 0
intr 12345
`;

it('counts user, nice, system and stolen time of all CPUs', () => {
  expect(busyTicksOf(STAT)).toBe(1000 + 20 + 300 + 40);
});

it('reads a process whose name has blanks and parentheses', () => {
  const line = '4711 (tmux: (x) y) S 17 4711 4711 0 -1 4194304 100 0 0 0 11 22 3 4 20 0 1 0 5555\n';
  expect(processTicksOf(line)).toEqual({ pid: 4711, parent: 17, name: 'tmux: (x) y', ticks: 40 });
  expect(processTicksOf('nonsense')).toBeNull();
});

it('takes the descendants, in whatever order they are listed, and the softirq threads as its own', () => {
  const processes = [
    { pid: 30, parent: 20, name: 'grandchild', ticks: 4 },
    { pid: 20, parent: 10, name: 'child', ticks: 2 },
    { pid: 10, parent: 1, name: 'self', ticks: 1 },
    { pid: 40, parent: 1, name: 'stranger', ticks: 100 },
    { pid: 50, parent: 2, name: 'ksoftirqd/0', ticks: 8 },
  ];
  expect(ownTicksOf(processes, 10)).toBe(15);
});

it('is what all did less what we did, in cores', () => {
  const before = { atMs: 1000, busyTicks: 500, ownTicks: 100 };
  expect(foreignCores(before, { atMs: 3000, busyTicks: 800, ownTicks: 200 })).toBe(1);
  // Own time is booked at other moments than the machine's: never below zero.
  expect(foreignCores(before, { atMs: 3000, busyTicks: 510, ownTicks: 120 })).toBe(0);
});

it('is unknown without both readings', () => {
  const reading = { atMs: 1, busyTicks: 0, ownTicks: 0 };
  expect(foreignCores(null, reading)).toBeNull();
  expect(foreignCores(reading, null)).toBeNull();
  expect(foreignCores(reading, reading)).toBeNull();
});

it.runIf(process.platform === 'linux')('reads this machine', () => {
  const reading = readLoad();
  expect(reading?.busyTicks).toBeGreaterThanOrEqual(reading?.ownTicks ?? Number.POSITIVE_INFINITY);
});
