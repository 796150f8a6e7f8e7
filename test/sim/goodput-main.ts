/** `npm run goodput`: measure the table of goodput.txt and write it; two or three minutes. */

import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { makeTable } from './goodput-table.ts';

const file = resolve('test/sim/goodput.txt');
writeFileSync(
  file,
  makeTable((line) => process.stderr.write(`${line}\n`)),
);
process.stdout.write(`${file}\n`);
