import { expect, it } from 'vitest';
import { bootSubject } from './boot.ts';

it.each([false, true])(
  'kernels come up in a process of their own and go down again, with programs: %s',
  async (withProgram) => {
    const subject = bootSubject(3, withProgram, 50);
    const { values } = await subject.run(new AbortController().signal);
    for (const { key } of subject.metrics) expect(values[key]).toBeGreaterThanOrEqual(0);
  },
);
