import { availableParallelism } from 'node:os';
import { expect, it } from 'vitest';
import { bootSubject } from './boot.ts';

it.each([false, true])(
  'kernels come up in a process of their own and go down again, with programs: %s',
  async (withProgram) => {
    const subject = bootSubject(3, withProgram, 50);
    const { values } = await subject.run(new AbortController().signal);
    expect(Object.keys(values)).toEqual(subject.metrics.map(({ key }) => key));
    expect(values.bootMs).toBeGreaterThan(0);
    expect(values.rssMiB).toBeGreaterThan(1);
    expect(values.idlePercent).toBeGreaterThan(0);
    expect(values.idlePercent).toBeLessThan(100 * availableParallelism());
  },
);
