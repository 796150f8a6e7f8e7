/** The mixed load of `npm run soak`, two short rounds of it: nothing fails, and a round leaves nothing behind in the kernels. */

import { expect, it } from 'vitest';
import { Soak } from './soak.ts';

/** Exchanges of one round at least, by kind, of all programs. */
const ROUND: Readonly<Record<string, number>> = {
  keptAlive: 100,
  http: 40,
  tcp: 40,
  udp: 20,
  downloads: 4,
  forks: 1,
  threads: 1,
};
/** A kernel at rest has the ring of lo0 (1 MiB), places for packets and the first blocks of sockets. */
const AT_REST_BYTES = 1_280 * 1024;
/** Those that the clients keep alive, and those of the questions of the test. */
const AT_REST_CONNECTIONS = 16;

it('leaves nothing behind', async () => {
  await using soak = await Soak.begin();
  const { lab } = soak;
  for (let round = 1; round <= 2; round++) {
    await lab.until(
      async () => {
        const counts = await soak.counts();
        expect(soak.faults).toEqual([]);
        return Object.entries(ROUND).every(([kind, least]) => (counts[kind] ?? 0) >= round * least);
      },
      { timeoutMs: 240_000, everyMs: 200 },
    );
    await soak.rest();
    // Rings that nobody uses are given back after two seconds, connections that were closed stay for a while.
    await lab.until(
      async () => {
        const kernels = (await lab.counters()).filter(({ name }) => !name.includes('/'));
        return kernels.every(({ values }) => {
          const { 'memory-used': bytes = 0, 'tcp-connections-open': connections = 0 } = values;
          return bytes <= AT_REST_BYTES && connections <= AT_REST_CONNECTIONS;
        });
      },
      { timeoutMs: 120_000, everyMs: 200 },
    );
    await soak.go();
  }
  expect(soak.faults).toEqual([]);
});
