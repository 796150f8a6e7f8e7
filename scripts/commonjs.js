/**
 * Writes the CommonJS entries of package.json (`exports`, condition `require`): a .cjs and a .d.cts beside each module.
 *
 * An entry has Node itself load the module, so it is the one that `import` gives: there are no two copies of a class. jest runs tests in a
 * context of its own, whose `require` reads no ES modules; the main context has Node's. A module that needs the globals of the file that
 * requires it exports `inContext`.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';

const ROOT = new URL('../', import.meta.url);

const { exports } = JSON.parse(readFileSync(new URL('package.json', ROOT), 'utf8'));
for (const conditions of Object.values(exports)) {
  const entry = conditions.require;
  if (entry === undefined) continue;
  const name = basename(entry.default, '.cjs');
  const load = `require('node:vm').runInThisContext('process').getBuiltinModule('node:module').createRequire(__filename)('./${name}.js')`;
  const text = readFileSync(new URL(entry.default.replace(/cjs$/, 'js'), ROOT), 'utf8');
  const bound = /^export function inContext\b/m.test(text)
    ? `.inContext(globalThis, () => require('@jest/globals'))`
    : '';
  writeFileSync(new URL(entry.default, ROOT), `'use strict';\nmodule.exports = ${load}${bound};\n`);
  writeFileSync(new URL(entry.types, ROOT), `export * from './${name}.js';\n`);
}
