/**
 * Makes the commands of package.json (`bin`) executable: `npm link` and `npx` do so once, and a build writes the files anew.
 */

import { chmodSync, readFileSync } from 'node:fs';

const ROOT = new URL('../', import.meta.url);

const { bin } = JSON.parse(readFileSync(new URL('package.json', ROOT), 'utf8'));
for (const path of Object.values(bin)) chmodSync(new URL(String(path), ROOT), 0o755);
