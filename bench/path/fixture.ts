/**
 * Role: time to bring a lab of three nodes up as the fixture of a test, in a process that has had some before.
 * Thread: the harness's main thread; each repetition is a fresh process (fixture-child.ts).
 */

import { fileURLToPath } from 'node:url';
import { entryUrl } from '../harness/entry.ts';
import type { Subject } from '../harness/measure.ts';
import { jsonLine, numberOf, runTool } from '../harness/tools.ts';
import { programUrl } from './stages.ts';

const LIMIT_MS = 120_000;
const KEY = 'ms';

/** Nodes without programs, as clients of a test have them, or with a process each, which listens. */
export type FixturePrograms = 'none' | 'process';

export function fixtureMetric(programs: FixturePrograms): string {
  return `lab of three warm nodes as a fixture${programs === 'none' ? '' : ', until a process on each listens'}`;
}

export function fixtureSubject(programs: FixturePrograms): Subject {
  return {
    name: fixtureMetric(programs),
    system: 'multikernel',
    placementMatters: false,
    metrics: [{ key: KEY, metric: fixtureMetric(programs), unit: 'ms' }],
    async run(signal) {
      const child = fileURLToPath(entryUrl('fixture-child', import.meta.url));
      const args = [child, programs, fileURLToPath(programUrl('idle'))];
      const result = jsonLine(await runTool(process.execPath, args, { limitMs: LIMIT_MS, signal }));
      return { values: { [KEY]: numberOf(result, KEY) } };
    },
  };
}
