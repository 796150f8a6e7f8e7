/**
 * Our own packetdrill scripts: those in packetdrill/pass must pass; those in packetdrill/fail must end as their first line
 * says: `// fail 12: words of the message`.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { drill } from '../src/drill/drill.ts';

const FOLDER: string = join(import.meta.dirname, 'packetdrill');

function scripts(folder: string): string[] {
  return readdirSync(join(FOLDER, folder)).sort();
}

describe('scripts that pass', () => {
  it.each(scripts('pass'))('%s', (name) => {
    const { report } = drill(name, readFileSync(join(FOLDER, 'pass', name), 'utf8'));
    expect(report.message).toBe('');
    expect(report.outcome).toBe('pass');
  });
});

describe('a byte order mark', () => {
  it('may begin a script, and counts for no column', () => {
    const text = readFileSync(join(FOLDER, 'pass', scripts('pass')[0] as string), 'utf8');
    expect(drill('a.pkt', `\ufeff${text}`).report.outcome).toBe('pass');
    expect(drill('a.pkt', '\ufeff--mtu=1400\n0 socket(..., SOCK_STREAM, 0) = 3\n').report.outcome).toBe('pass');
    expect(drill('a.pkt', '\ufeff\u00a7').report.message).toMatch(/^a\.pkt:1:1: /);
  });
});

describe('scripts that do not', () => {
  it.each(scripts('fail'))('%s', (name) => {
    const text = readFileSync(join(FOLDER, 'fail', name), 'utf8');
    const [, outcome, line, words] = /^\/\/ (fail|unsupported|error) (\d+): (.*)$/m.exec(text) as RegExpExecArray;
    const { report } = drill(name, text);
    expect([report.outcome, report.line]).toEqual([outcome, Number(line)]);
    expect(report.message).toContain(words);
  });
});
