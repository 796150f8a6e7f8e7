/**
 * TCP between whole kernels on the virtual clock, over links that lose, reorder, duplicate, corrupt and go away. A failing
 * seed is named; `SIM_FROM=<seed> SIM_SEEDS=1 npx vitest run test/sim/kernels` replays it.
 */

import { describe, expect, it } from 'vitest';
import { Errno } from '../../src/base/errors.ts';
import { Arena } from '../../src/mem/arena.ts';
import { type EndFigures, runScenario } from './scenario.ts';

const SEEDS = Number(process.env.SIM_SEEDS ?? 200);
const FROM = Number(process.env.SIM_FROM ?? 1);
const SEEDS_PER_ARENA = 20;
const ARENA_BYTES = 1_000_000_000;

describe.each([
  ['IPv4', false],
  ['IPv6', true],
] as const)('TCP of %s between kernels over bad links', (_family, ipv6) => {
  it(`delivers what was sent, once and in order, and forgets the connection: ${SEEDS} seeds`, () => {
    let arena = Arena.create(ARENA_BYTES);
    for (let seed = FROM; seed < FROM + SEEDS; seed++) {
      if (seed % SEEDS_PER_ARENA === 0) arena = Arena.create(ARENA_BYTES);
      const { ends, left } = runScenario(seed, arena, ipv6);
      for (const [index, end] of ends.entries()) {
        // A connect whose peer neither ARP nor neighbor discovery finds during a cut fails as on any host; then nothing may have gone either way.
        const unreachable = (ends[index & ~1] as EndFigures).error === -Errno.EHOSTUNREACH;
        if (unreachable) {
          expect([end.sent, end.received], `seed ${seed}`).toEqual([0, 0]);
          continue;
        }
        const story = `seed ${seed}: ${JSON.stringify(end)}`;
        expect(end.wrongAt, story).toBe(-1);
        expect(end.error, story).toBe(0);
        expect(end.received, story).toBe(end.expected);
      }
      expect(left, `seed ${seed}`).toEqual([]);
    }
  });

  it('does the same for the same seed', () => {
    const arena = Arena.create(ARENA_BYTES);
    for (const seed of [3, 7, 11]) expect(runScenario(seed, arena, ipv6)).toEqual(runScenario(seed, arena, ipv6));
  });
});
