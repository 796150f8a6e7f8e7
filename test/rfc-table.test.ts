/**
 * A link checker for docs/rfc.md: the files, functions and titles of tests that it names exist. It says nothing about behavior:
 * the tests that are named do.
 */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

interface Row {
  rule: string;
  /** Names of files, each with what is named behind it: functions of a source file, beginnings of titles of a test file. */
  files: [string, string[]][];
  tests: [string, string[]][];
}

/** `a.ts (`f`), b.ts` and `a.test.ts: *title*, *title*; b.test.ts`. */
function named(cell: string): [string, string[]][] {
  const parts = [...cell.matchAll(/([\w./-]+\.ts)([^;]*?)(?=,? [\w./-]+\.ts|;|$)/g)];
  return parts.map(([, file, rest]) => [
    file as string,
    [...(rest as string).matchAll(/\*([^*]+)\*|`([^`]+)`/g)].map((match) => (match[1] ?? match[2]) as string),
  ]);
}

/** The rows of each part, by its heading. */
function parts(): [string, Row[]][] {
  const found: [string, Row[]][] = [];
  for (const line of readFileSync(join(ROOT, 'docs/rfc.md'), 'utf8').split('\n')) {
    const heading = /^## (.*)/.exec(line);
    if (heading !== null) found.push([heading[1] as string, []]);
    const cells = line.split('|').map((cell) => cell.trim());
    if (cells.length !== 6 || cells[3] === 'file' || cells[3]?.startsWith('---')) continue;
    const [, rule, , files, tests] = cells as [string, string, string, string, string];
    found.at(-1)?.[1].push({ rule, files: named(files), tests: named(tests) });
  }
  return found;
}

/** Source of a file, named from src/ or from the root, or null. */
function read(name: string): string | null {
  const places = [join(ROOT, 'src', name), join(ROOT, name)];
  const place = places.find(existsSync);
  return place === undefined ? null : readFileSync(place, 'utf8');
}

describe.each(parts())('docs/rfc.md on %s', (_part, rows) => {
  it('has rows', () => {
    expect(rows.length).toBeGreaterThan(5);
  });

  it.each(rows)('$rule', ({ files, tests }) => {
    expect(files.length).toBeGreaterThan(0);
    for (const [name, functions] of files) {
      const source = read(name) ?? (name.endsWith('/') ? '' : null);
      expect(source, name).not.toBeNull();
      for (const word of functions) expect(source, `${word} in ${name}`).toContain(word);
    }
    expect(tests.length).toBeGreaterThan(0);
    for (const [name, titles] of tests) {
      expect(name).toMatch(/\.test\.ts$/);
      const source = read(name);
      expect(source, name).not.toBeNull();
      // A title is a text that begins so: of a test, of a group of them, or of a row of a table of them.
      const begins = (title: string): boolean =>
        ["'", '"', '`', '`%s', '\n  '].some((quote) => source?.includes(quote + title));
      for (const title of titles) expect(begins(title), `${title} in ${name}`).toBe(true);
    }
  });
});
