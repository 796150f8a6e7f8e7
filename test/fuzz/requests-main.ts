/** `npm run fuzz:requests -- --minutes N --from SEED`: labs from a seed on, asked anything for so long. */

import { parseArgs } from 'node:util';
import { fuzzRequests } from './requests.ts';

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '60' }, from: { type: 'string', default: '1' } },
});
const untilMs = performance.now() + Number(values.minutes) * 60_000;
const first = Number(values.from);
if (!(untilMs > 0) || !Number.isInteger(first)) {
  process.stderr.write('usage: npm run fuzz:requests -- [--minutes N] [--from SEED]\n');
  process.exit(2);
}
const LAB = 500;
let seed = first;
for (; performance.now() < untilMs; seed++) {
  const fault = await fuzzRequests({ questions: LAB, from: seed });
  if (fault !== null) {
    process.stderr.write(`${fault}\n  npm run fuzz:requests -- --minutes 0.01 --from ${seed}\n`);
    process.exit(1);
  }
  if (process.stderr.isTTY) process.stderr.write(`seed ${seed}: ${(seed - first + 1) * LAB} questions\n`);
}
process.stdout.write(`${(seed - first) * LAB} questions: nothing failed\n`);
process.exit(0);
