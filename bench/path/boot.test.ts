import { availableParallelism } from 'node:os';
import { expect, it } from 'vitest';
import { bootSubject } from './boot.ts';
import { fixtureSubject } from './fixture.ts';
import { nodeShopSubject, shopSubject } from './shop.ts';

it.each(['none', 'beside', 'process'] as const)(
  'kernels come up in a process of their own and go down again, with programs: %s',
  async (programs) => {
    const subject = bootSubject(3, programs, 50);
    const { values } = await subject.run(new AbortController().signal);
    expect(Object.keys(values)).toEqual(subject.metrics.map(({ key }) => key));
    expect(values.bootMs).toBeGreaterThan(0);
    expect(values.rssMiB).toBeGreaterThan(1);
    expect(values.idlePercent).toBeGreaterThan(0);
    expect(values.idlePercent).toBeLessThan(100 * availableParallelism());
  },
);

it.each([shopSubject('process'), shopSubject('beside'), nodeShopSubject()])(
  '$name: the shop answers',
  async (subject) => {
    const { values } = await subject.run(new AbortController().signal);
    expect(values.ms).toBeGreaterThan(0);
  },
);

it.each(['none', 'process'] as const)(
  'three nodes come up again and again as a fixture, with programs: %s',
  async (programs) => {
    const { values } = await fixtureSubject(programs).run(new AbortController().signal);
    expect(values.ms).toBeGreaterThan(0);
  },
);
