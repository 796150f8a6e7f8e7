/** Worlds one after the other; a failing one is played again with a recorder. */

import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { interfaceBlock, packetBlock, sectionBlock } from '../../src/wire/pcapng.ts';
import { INTERFACES } from './cast.ts';
import { recordTraffic } from './recording.ts';
import { FRAMES_PER_WORLD, FuzzSites, type Trace, World } from './world.ts';

export interface FuzzOptions {
  frames: number;
  /** Seed of the first world; the others follow. */
  from: number;
  /** Directory for the pcapng of a failure; default: that for temporary files. */
  out?: string;
  onWorld?: (seed: number, framesDone: number) => void;
}

/** Null, or a report of the first failure. */
export function fuzz(options: FuzzOptions): string | null {
  const sites = new FuzzSites();
  const corpus = recordTraffic(sites.second);
  let done = 0;
  for (let seed = options.from; done < options.frames; seed++) {
    const world = new World(sites, seed, corpus);
    try {
      world.run(FRAMES_PER_WORLD);
    } catch (cause) {
      return report(sites, corpus, options, world, cause as Error);
    }
    done += world.frames;
    options.onWorld?.(seed, done);
  }
  return null;
}

function report(
  sites: FuzzSites,
  corpus: readonly Uint8Array[],
  options: FuzzOptions,
  failed: World,
  cause: Error,
): string {
  const blocks: Uint8Array[] = [sectionBlock({ application: 'multikernel fuzz', comment: `seed ${failed.seed}` })];
  for (const name of INTERFACES) blocks.push(interfaceBlock({ linkType: 1, snapBytes: 0, name }));
  const trace: Trace = (timeUs, n, direction, bytes) => {
    const timeNs = BigInt(Math.floor(timeUs * 1000));
    blocks.push(packetBlock({ interfaceIndex: n, timeNs, lengthBytes: bytes.length, bytes, direction }));
  };
  let again = 'it did not fail a second time: chance comes from somewhere else than the seed';
  try {
    new World(sites, failed.seed, corpus, trace).run(FRAMES_PER_WORLD);
  } catch (cause) {
    again = (cause as Error).message;
  }
  const file = join(options.out ?? tmpdir(), `fuzz-${failed.seed}.pcapng`);
  writeFileSync(file, Buffer.concat(blocks));
  return [
    `seed ${failed.seed}, frame ${failed.frames} at ${failed.clock.nowUs} us: ${cause.stack ?? cause.message}`,
    ...(again === cause.message ? [] : [`played again: ${again}`]),
    `frames: ${file}`,
    `replay: npm run fuzz -- --frames ${FRAMES_PER_WORLD} --from ${failed.seed}`,
  ].join('\n');
}
