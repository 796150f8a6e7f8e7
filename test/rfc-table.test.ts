/** docs/rfc.md leads from a rule to its file and its test: what it names is there. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

interface Row {
  rule: string;
  files: string[];
  tests: string[];
}

/** The rows of each part, by the folder its heading names. */
function parts(): Map<string, Row[]> {
  const found = new Map<string, Row[]>();
  let rows: Row[] = [];
  for (const line of readFileSync(join(ROOT, 'docs/rfc.md'), 'utf8').split('\n')) {
    const folder = /^## .*\(`([^`]+)`\)/.exec(line)?.[1];
    if (folder !== undefined) {
      rows = [];
      found.set(folder, rows);
    }
    const cells = line.split('|').map((cell) => cell.trim());
    if (cells.length !== 6 || cells[3] === 'file' || cells[3] === '---') continue;
    const names = (cell: string): string[] => cell.match(/[\w./-]+\.ts/g) ?? [];
    rows.push({ rule: cells[1] as string, files: names(cells[3] as string), tests: names(cells[4] as string) });
  }
  return found;
}

describe.each([...parts()])('docs/rfc.md on %s', (folder, rows) => {
  it('has rows', () => {
    expect(rows.length).toBeGreaterThan(5);
  });

  it.each(rows)('$rule', ({ files, tests }) => {
    for (const name of [...files, ...tests]) {
      const places = [join(ROOT, 'src', folder, name), join(ROOT, 'src', name), join(ROOT, name)];
      expect(places.some(existsSync), name).toBe(true);
    }
    expect(tests.length).toBeGreaterThan(0);
    for (const name of tests) expect(name).toMatch(/\.test\.ts$/);
  });
});
