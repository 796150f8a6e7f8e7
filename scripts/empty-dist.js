/**
 * Empties dist/, so that nothing stays there whose source is gone. Not dist/fuzz/ and dist/sim/, which other builds write.
 */

import { readdirSync, rmSync } from 'node:fs';

const DIST = new URL('../dist/', import.meta.url);
const OTHERS = ['fuzz', 'sim'];

let names = [];
try {
  names = readdirSync(DIST);
} catch (error) {
  if (error.code !== 'ENOENT') throw error;
}
for (const name of names) {
  if (!OTHERS.includes(name)) rmSync(new URL(name, DIST), { recursive: true });
}
