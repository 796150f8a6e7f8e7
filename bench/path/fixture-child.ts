/**
 * Role: brings a lab of three nodes up as the fixture of a test, again and again, as a file of tests does; reports the median time from
 * the beginning to the lab in the hands of the test, once the threads are warm.
 * Thread: the main thread of a child of the harness. usage: fixture-child none|process PROGRAM
 */

import { LabFixture } from '#src/testing/lab-fixture';
import { fixtureSettings } from '#src/testing/options';

const WARM_LABS = 5;
const LABS = 15;
const NODES = ['a', 'b', 'c'];

const [, , programs = 'none', program = ''] = process.argv;
const node = programs === 'none' ? {} : { run: `node ${program}`, placement: 'process' as const };
const source = { nodes: Object.fromEntries(NODES.map((name) => [name, node])) };
const settings = fixtureSettings(programs === 'none' ? {} : { ready: NODES });
const times: number[] = [];
for (let round = 0; round < WARM_LABS + LABS; round++) {
  const startMs = performance.now();
  const fixture = new LabFixture(source, settings);
  await fixture.up;
  if (round >= WARM_LABS) times.push(performance.now() - startMs);
  await fixture.down();
}
times.sort((a, b) => a - b);
process.stdout.write(`${JSON.stringify({ ms: times[LABS >> 1] })}\n`);
