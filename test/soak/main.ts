/**
 * `npm run soak -- --minutes N`: mixed load for so long (docs/notes/soak.md). Fails when a program failed, or when the memory of
 * the process of the lab at rest is not within 5 % of what it was after two minutes.
 */

import { parseArgs } from 'node:util';
import { type Rest, Soak } from './soak.ts';

const MINUTE_MS = 60_000;
const MIB = 1_048_576;
const FIRST_MINUTE = 2;
const TOLERANCE = 0.05;

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '10' } } });
const minutes = Number(values.minutes);
if (!(minutes > FIRST_MINUTE && Number.isInteger(minutes))) {
  process.stderr.write(
    'usage: npm run soak -- [--minutes N], more than 2: memory after 2 minutes is what others are held against\n',
  );
  process.exit(2);
}

function mib(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}

function line(minute: number, { rssBytes, heapBytes, externalBytes }: Rest, counts: Record<string, number>): string {
  const done = Object.entries(counts).map(([kind, count]) => `${kind} ${count}`);
  return `minute ${minute}: ${mib(rssBytes)} at rest (heaps ${mib(heapBytes)}, outside ${mib(externalBytes)}); ${done.join(', ')}\n`;
}

const soak = await Soak.begin();
const began = performance.now();
let first: Rest | null = null;
let last: Rest | null = null;
for (let minute = 1; minute <= minutes && soak.faults.length === 0; minute++) {
  const restMs = began + minute * MINUTE_MS - performance.now();
  await new Promise((next) => setTimeout(next, Math.max(restMs, 0)));
  if (soak.faults.length > 0) break;
  last = await soak.rest();
  if (minute === FIRST_MINUTE) first = last;
  process.stdout.write(line(minute, last, await soak.counts()));
  await soak.go();
}
for (const fault of soak.faults) process.stderr.write(`${fault}\n`);
const failed = soak.faults.length > 0;
await soak.lab.down();
if (failed || first === null || last === null) process.exit(1);
const change = last.rssBytes / first.rssBytes - 1;
process.stdout.write(
  `${mib(first.rssBytes)} after ${FIRST_MINUTE} minutes, ${mib(last.rssBytes)} after ${minutes}: ${(100 * change).toFixed(1)} %\n`,
);
process.exit(Math.abs(change) <= TOLERANCE ? 0 : 1);
