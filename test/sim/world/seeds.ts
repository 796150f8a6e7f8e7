/**
 * What is checked of a seed: its world ends as it must, and (of every eighth) once more with the very same packets.
 */

import { runWorld } from './world.ts';

const TWICE_EVERY = 8;

export interface SeedReport {
  seed: number;
  digest: string;
  frames: number;
  endedUs: number;
  elapsedMs: number;
  problems: string[];
}

/** The one command that shows a world again, with a capture of its frames. */
export function replayCommand(seed: number): string {
  return `npm run sim -- --seed ${seed} --verbose --pcapng sim-${seed}.pcapng`;
}

export function checkSeed(seed: number, once: boolean = false): SeedReport {
  const startMs = performance.now();
  const { digest, frames, endedUs, problems } = runWorld(seed);
  if (!once && seed % TWICE_EVERY === 0) {
    const again = runWorld(seed);
    if (again.digest !== digest || again.frames !== frames || again.endedUs !== endedUs) {
      problems.push(`not the same packets again: ${digest} and ${again.digest}`);
    }
  }
  return { seed, digest, frames, endedUs, elapsedMs: performance.now() - startMs, problems };
}
