/**
 * Random worlds as a test, in shares so that test files run side by side. `npm run sim` runs more of them, or one.
 */

import { expect, it } from 'vitest';
import { checkSeed, replayCommand } from './world/seeds.ts';

const SEEDS = 1000;

/** The share `part` (from 1) of `parts`. */
export function describeSeeds(part: number, parts: number): void {
  const count = SEEDS / parts;
  const from = 1 + (part - 1) * count;
  it(`worlds ${from} to ${from + count - 1} end as they must, with the same packets again`, () => {
    const failed: string[] = [];
    for (let seed = from; seed < from + count; seed++) {
      const { problems } = checkSeed(seed);
      if (problems.length > 0) failed.push(`seed ${seed}: ${problems.join('\n  ')}\n  ${replayCommand(seed)}`);
    }
    expect(failed.join('\n')).toBe('');
  }, 900_000);
}
