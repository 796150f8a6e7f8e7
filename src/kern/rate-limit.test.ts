import { expect, it } from 'vitest';
import { Arena } from '../mem/arena.ts';
import { Counters } from '../mem/counters.ts';
import { RateLimit } from './rate-limit.ts';
import { Sysctl } from './sysctl.ts';

const OPTIONS = {
  name: 'net.a.ppslimit',
  perSecond: 2,
  description: 'answers a second; -1: any',
  what: 'answers',
  counter: 'a-limited',
};

it('is its sysctl, counts what it refuses, and stands in the list of limits', () => {
  const sysctl = new Sysctl();
  const counters = Counters.open(Arena.create(1 << 16), 'k');
  const limit = new RateLimit(sysctl, counters, OPTIONS);
  expect([0, 1, 2].map((us) => limit.allow(us))).toEqual([true, true, false]);
  expect(limit.allow(1_000_000)).toBe(true);
  expect(counters.get(counters.index('a-limited'))).toBe(1);
  expect(sysctl.set('net.a.ppslimit', -1)).toBe(0);
  expect([1, 2, 3, 4].every((us) => limit.allow(1_000_000 + us))).toBe(true);
  expect(sysctl.set('net.a.ppslimit', 0)).toBe(0);
  expect(limit.allow(9_000_000)).toBe(false);
  expect(sysctl.limits.rates()).toMatchObject([{ what: 'answers', counter: 'a-limited', variable: { value: 0 } }]);
});

it('shares them with another limit of the same options, which counts its events apart', () => {
  const sysctl = new Sysctl();
  const counters = Counters.open(Arena.create(1 << 16), 'k');
  const inward = new RateLimit(sysctl, counters, OPTIONS);
  const outward = new RateLimit(sysctl, counters, OPTIONS);
  expect([0, 1, 2].map((us) => inward.allow(us))).toEqual([true, true, false]);
  expect([0, 1, 2].map((us) => outward.allow(us))).toEqual([true, true, false]);
  expect(counters.get(counters.index('a-limited'))).toBe(2);
  expect(sysctl.limits.rates()).toHaveLength(1);
});
