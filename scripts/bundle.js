/**
 * Puts the modules that start with a process or a thread into few files: `mk`, the threads of kernels and the preloads of programs;
 * each network tool into one. Node needs half a millisecond for a file, and a lab starts hundreds of them per thread. The files of
 * `tsc` stay for the façade and the subpaths; what is bundled runs in processes and threads of its own, so that no module is there
 * twice.
 */

import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const DIST = join(ROOT, 'dist');

/** Entries that may be loaded into one thread share their modules, and so are bundled together. In one folder: URLs in them stay. */
const GROUPS = [
  { folder: 'cli', entries: ['early', 'program'] },
  { folder: 'worker', entries: ['main', 'preload', 'hijack', 'own-kernel', 'run-kernel', 'rump-kernel'] },
];

/** Options of all bundles. A request that few commands make is imported by them where it is used, and by others at once. */
/** @type {import('rolldown').InputOptions} */
const INPUT_OPTIONS = { platform: 'node', external: ['koffi'], checks: { ineffectiveDynamicImport: false } };

/** Folders of the packages whose modules went into a bundle. */
const packages = new Set();

for (const { folder, entries } of GROUPS) {
  const input = Object.fromEntries(entries.map((name) => [name, join(DIST, folder, `${name}.js`)]));
  const bundle = await rolldown({ ...INPUT_OPTIONS, input });
  const { output } = await bundle.write({
    dir: join(DIST, folder),
    format: 'esm',
    entryFileNames: '[name].js',
    chunkFileNames: 'shared-[name].js',
    // White space stays: Node shows the line of an uncaught error.
    comments: false,
  });
  await bundle.close();
  notePackages(output);
}

// A tool runs alone and for a moment: CommonJS in one small file starts 30 ms sooner than modules.
for (const name of toolEntries()) {
  const module = join(DIST, 'tools/bin', `${name}.js`);
  const bundle = await rolldown({ ...INPUT_OPTIONS, input: module });
  const file = join(DIST, 'tools/bin', `${name}.cjs`);
  const { output } = await bundle.write({ file, format: 'cjs', codeSplitting: false, comments: false, minify: true });
  await bundle.close();
  notePackages(output);
  rmSync(module);
  rmSync(module.replace(/js$/, 'd.ts'));
}

const licenses = [...packages].sort().map((folder) => {
  const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  return `${name} ${version}\n\n${licenseOf(folder)}`;
});
writeFileSync(join(DIST, 'LICENSES'), licenses.join(`\n${'-'.repeat(80)}\n\n`));

function notePackages(output) {
  for (const chunk of output) {
    if (chunk.type !== 'chunk') continue;
    for (const id of chunk.moduleIds) {
      const found = /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id);
      if (found !== null) packages.add(found[0]);
    }
  }
}

/** Commands of package.json that are a tool and the connection to a kernel. */
function toolEntries() {
  const { bin } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const names = Object.values(bin).map((path) => /^dist\/tools\/bin\/(.*)\.cjs$/.exec(path)?.[1]);
  return new Set(names.filter((name) => name !== undefined));
}

function licenseOf(folder) {
  for (const name of ['LICENSE', 'LICENSE.md', 'license']) {
    try {
      return readFileSync(join(folder, name), 'utf8');
    } catch {
      // Under another name.
    }
  }
  throw new Error(`${relative(dirname(ROOT), folder)}: no license`);
}
