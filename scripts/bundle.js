/**
 * Puts the modules that start with a process or a thread into few files: `mk`, the threads of kernels and the preloads of programs.
 * Node needs half a millisecond for a file, and a lab starts hundreds of them per thread. The files of `tsc` stay for the façade
 * and the subpaths; what is bundled runs in processes and threads of its own, so that no module is there twice.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const DIST = join(ROOT, 'dist');

/** Commands beside the tools that start something by its URL, and stay one file per module. */
const STARTERS = ['rump-server'];

/** Entries that may be loaded into one thread share their modules, and so are bundled together. In one folder: URLs in them stay. */
const GROUPS = [
  { folder: 'cli', entries: ['early', 'program'] },
  { folder: 'worker', entries: ['main', 'preload', 'hijack', 'own-kernel', 'run-kernel', 'rump-kernel'] },
  { folder: 'tools/bin', entries: toolEntries() },
];

/** Folders of the packages whose modules went into a bundle. */
const packages = new Set();

for (const { folder, entries } of GROUPS) {
  const input = Object.fromEntries(entries.map((name) => [name, join(DIST, folder, `${name}.js`)]));
  const bundle = await rolldown({
    input,
    platform: 'node',
    external: ['koffi'],
    // A request that few commands make is imported by them where it is used, and by others at once.
    checks: { ineffectiveDynamicImport: false },
  });
  const { output } = await bundle.write({
    dir: join(DIST, folder),
    format: 'esm',
    entryFileNames: '[name].js',
    chunkFileNames: 'shared-[name].js',
    // White space stays: Node shows the line of an uncaught error.
    comments: false,
  });
  await bundle.close();
  for (const chunk of output) {
    if (chunk.type !== 'chunk') continue;
    for (const id of chunk.moduleIds) {
      const found = /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id);
      if (found !== null) packages.add(found[0]);
    }
  }
}

const licenses = [...packages].sort().map((folder) => {
  const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  return `${name} ${version}\n\n${licenseOf(folder)}`;
});
writeFileSync(join(DIST, 'LICENSES'), licenses.join(`\n${'-'.repeat(80)}\n\n`));

/** Commands of package.json that are a tool and the connection to a kernel. */
function toolEntries() {
  const { bin } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const names = Object.values(bin).map((path) => /^dist\/tools\/bin\/(.*)\.js$/.exec(path)?.[1]);
  return names.filter((name) => name !== undefined && !STARTERS.includes(name));
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
