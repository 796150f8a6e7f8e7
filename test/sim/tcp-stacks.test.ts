import { expect, it } from 'vitest';
import { world } from './tcp-world.ts';

const SEEDS = Number(process.env.SIM_SEEDS ?? 300);
const FROM = Number(process.env.SIM_FROM ?? 1);

it(`${SEEDS} random worlds: what arrives is what was sent, everything ends, nothing is left`, () => {
  for (let seed = FROM; seed < FROM + SEEDS; seed++) {
    try {
      world(seed);
    } catch (cause) {
      const replay = `SIM_SEEDS=1 SIM_FROM=${seed} npx vitest run test/sim/tcp-stacks.test.ts`;
      throw new Error(`seed ${seed} (${replay}): ${(cause as Error).message}`, { cause });
    }
  }
}, 600_000);

it('equal seeds give equal packets', () => {
  for (const seed of [3, 14, 15]) expect(world(seed)).toEqual(world(seed));
});
