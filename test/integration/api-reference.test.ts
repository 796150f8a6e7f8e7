/**
 * The reference of the API (docs/api) is the one that the docstrings give: written anew from the declarations in dist/ and compared.
 * Nothing is downloaded.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');
const GENERATOR = join(ROOT, 'scripts/api-docs');
const TYPEDOC = join(GENERATOR, 'node_modules/typedoc/bin/typedoc');
const INSTALL = 'npm ci --prefix scripts/api-docs --ignore-scripts';

const installed = existsSync(TYPEDOC);
if (!installed) console.log(`the reference of the API is current: skipped, ${INSTALL} installs its generator`);

/** Pages by their paths from the folder. */
function pagesIn(folder: string): Map<string, string> {
  const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.md'));
  return new Map(paths.sort().map((path) => [path.replaceAll('\\', '/'), readFileSync(join(folder, path), 'utf8')]));
}

const committed = pagesIn(join(ROOT, 'docs/api'));

it.skipIf(!installed)(
  'is current (npm run docs writes it)',
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'mk-api-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const { status, stdout, stderr } = spawnSync(process.execPath, [TYPEDOC, '--out', folder], {
      cwd: GENERATOR,
      encoding: 'utf8',
    });
    expect([status, stdout, stderr]).toEqual([0, '', '']);
    const written = pagesIn(folder);
    expect([...committed.keys()]).toEqual([...written.keys()]);
    const stale = [...written].filter(([path, text]) => committed.get(path) !== text).map(([path]) => path);
    expect(stale).toEqual([]);
  },
  120_000,
);

it('has a page for each entry of the package, which says what the entry is', () => {
  const { exports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { exports: object };
  const entries = Object.keys(exports)
    .filter((name) => name !== './package.json')
    .map((name) => `multikernel${name.slice(1)}`);
  expect(entries.length).toBeGreaterThan(8);
  const index = committed.get('README.md') as string;
  for (const entry of entries) {
    const page = committed.get(`${entry}.md`) ?? committed.get(`${entry}/README.md`) ?? '';
    expect(page.split('\n')).toEqual(expect.arrayContaining([`# ${entry}`]));
    expect(index).toMatch(new RegExp(`^\\| \\[${entry}\\]\\(\\S+\\) \\| \\S.{20}`, 'm'));
  }
});

it('names no path of the machine that wrote it', () => {
  const paths = /(?<![\w/.:-])\/(?:home|root|tmp|Users|work|var)\/|file:\/\/|node_modules|[A-Z]:\\/;
  const lines = [...committed].flatMap(([path, text]) =>
    text
      .split('\n')
      .filter((line) => paths.test(line) || line.includes(ROOT))
      .map((line) => `${path}: ${line}`),
  );
  expect(lines).toEqual([]);
});
