/**
 * `npm run fuzz -- --frames N --from SEED`: worlds from a seed on until so many frames were thrown in.
 *
 * Prints what failed, the command that replays it, and where the pcapng of it lies.
 */

import { parseArgs } from 'node:util';
import { fuzz } from './fuzz.ts';

const { values } = parseArgs({
  options: {
    frames: { type: 'string', default: '1000000' },
    from: { type: 'string', default: '1' },
    out: { type: 'string', default: '.' },
  },
});
const frames = Number(values.frames);
const from = Number(values.from);
if (!(frames > 0) || !Number.isInteger(from)) {
  process.stderr.write('usage: npm run fuzz -- [--frames N] [--from SEED] [--out DIRECTORY]\n');
  process.exit(2);
}
const began = performance.now();
const failure = fuzz({
  frames,
  from,
  out: values.out,
  onWorld: (seed, done) => {
    if (!process.stderr.isTTY && done % 100_000 >= 2000) return;
    const perSecond = Math.round(done / ((performance.now() - began) / 1000));
    const megabytes = Math.round(process.memoryUsage().heapUsed / 2 ** 20);
    process.stderr.write(`seed ${seed}: ${done} frames, ${perSecond} a second, heap of ${megabytes} MB\n`);
  },
});
if (failure !== null) {
  process.stderr.write(`${failure}\n`);
  process.exit(1);
}
process.stdout.write(`${frames} frames in ${((performance.now() - began) / 1000).toFixed(1)} s: nothing failed\n`);
