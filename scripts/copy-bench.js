/**
 * Puts what `tsc` does not take along beside the built benches in dist/bench/: the C sources of the peers and the plain
 * programs that are run as loads.
 */

import { cpSync } from 'node:fs';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';

const from = fileURLToPath(new URL('../bench', import.meta.url));
const to = fileURLToPath(new URL('../dist/bench', import.meta.url));
const COPIED = new Set(['', '.c', '.h', '.mjs']); // '' is a folder

cpSync(from, to, { recursive: true, filter: (path) => COPIED.has(extname(path)) });
