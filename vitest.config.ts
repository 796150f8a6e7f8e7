import { defineConfig } from 'vitest/config';

const pool = 'forks' as const;

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts', 'test/*.test.ts', 'test/{conformance,interop,sim,fuzz}/**/*.test.ts'],
          pool,
          // Much of it computes on a virtual clock: what is slow is the machine.
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
      {
        // Real threads and processes, some of which spin: one file at a time, after everything else.
        test: {
          name: 'threads',
          include: ['test/{integration,soak}/**/*.test.ts', 'bench/**/*.test.ts'],
          pool,
          testTimeout: 300_000,
          hookTimeout: 300_000,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
