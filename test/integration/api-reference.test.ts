/**
 * The reference of the API (docs/api) is the one that the docstrings give: written anew from the declarations in dist/ and compared.
 * Nothing is downloaded.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';

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

/** A public export, or a member of one, that has no docstring. */
const UNDOCUMENTED = /multikernel[\w/-]*\.\S+ \(\w+\), defined in .*, does not have any documentation$/;

describe.skipIf(!installed)('the reference, written anew', () => {
  let written = new Map<string, string>();
  let undocumented: string[] = [];
  let others: string[] = [];

  beforeAll(() => {
    const folder = mkdtempSync(join(tmpdir(), 'mk-api-'));
    const options = ['--out', folder, '--validation.notDocumented', '--treatValidationWarningsAsErrors', 'false'];
    const { status, stdout, stderr } = spawnSync(process.execPath, [TYPEDOC, ...options], {
      cwd: GENERATOR,
      encoding: 'utf8',
    });
    written = pagesIn(folder);
    rmSync(folder, { recursive: true });
    const lines = stripVTControlCharacters(stdout + stderr).split('\n');
    // The docstring of a field speaks for the fields of an object that has no name of its own.
    undocumented = lines.filter((line) => UNDOCUMENTED.test(line) && !line.includes('.__type.'));
    others = lines.filter(
      (line) => !UNDOCUMENTED.test(line) && !/^(\[warning\] Found \d+ errors and \d+ warnings)?$/.test(line),
    );
    expect(status).toBe(0);
  });

  it('is that of docs/api (npm run docs writes it)', () => {
    expect([...committed.keys()]).toEqual([...written.keys()]);
    const stale = [...written].filter(([path, text]) => committed.get(path) !== text).map(([path]) => path);
    expect(stale).toEqual([]);
  });

  it('leads nowhere that is not there', () => {
    expect(others).toEqual([]);
  });

  it('has a docstring for every export', () => {
    expect(undocumented).toEqual([]);
  });
});

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
