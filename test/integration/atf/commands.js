/**
 * Fill a folder with the commands of package.json, as an installation does, from the built files. To run a script by hand:
 *
 *     node test/integration/atf/commands.js /tmp/commands
 *     PATH=/tmp/commands:$PATH kyua test -k test/integration/atf/Kyuafile
 */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '../../..');
const folder = process.argv[2];
if (folder === undefined) {
  console.error('usage: node commands.js FOLDER');
  process.exit(2);
}
const { bin } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
mkdirSync(folder, { recursive: true });
for (const [name, path] of Object.entries(bin)) {
  const file = join(ROOT, path);
  if (!existsSync(file)) {
    console.error(`${file} is missing: run npm run build`);
    process.exit(1);
  }
  writeFileSync(join(folder, name), `#!/bin/sh\nexec '${process.execPath}' '${file}' "$@"\n`, { mode: 0o755 });
}
