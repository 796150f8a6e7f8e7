import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isInstalled } from '../fixtures/installed.ts';
import { MK, Terminal } from '../fixtures/mk.ts';

const OUTPUT = 'plain \x1b[2J\x1b]52;c;ZXZpbA==\x07\x1b[?1049h bottom\rOVER';
const SHOWN = 'plain \\x1b[2J\\x1b]52;c;ZXZpbA==\\x07\\x1b[?1049h bottom\\x0dOVER';

let terminal: Terminal;
beforeAll(async () => {
  terminal = new Terminal();
  writeFileSync(
    join(terminal.folder, 'multikernel.yml'),
    'name: t\nnodes:\n  a: { run: node a.js }\n  b: { run: node b.js }\n  c: { run: "node c.js \\e[2J\\r" }\n',
  );
  writeFileSync(join(terminal.folder, 'a.js'), "throw new Error('\\x1b[2J\\x1b]0;title\\x07gone')");
  writeFileSync(join(terminal.folder, 'b.js'), `console.log(${JSON.stringify(OUTPUT)}); setInterval(() => {}, 1000);`);
  writeFileSync(join(terminal.folder, 'c.js'), 'setInterval(() => {}, 1000);');
});
afterAll(() => terminal.close());

/** All that `mk ARGS` writes to a terminal of its own. */
function onTerminal(...args: string[]): string {
  return onTerminalOf(200, ...args);
}

function onTerminalOf(columns: number, ...args: string[]): string {
  const command = `stty cols ${columns} rows 50; ${[process.execPath, MK, ...args].join(' ')}`;
  const env = { ...process.env, XDG_RUNTIME_DIR: terminal.folder, TERM: 'xterm' };
  const options = { cwd: terminal.folder, env, encoding: 'utf8' as const, input: '' };
  return spawnSync('script', ['-qfec', command, '/dev/null'], options).stdout.replaceAll('\r\n', '\n');
}

/** The text without the sequences that redraw the table. */
function withoutRedraws(text: string): string {
  const parts = text.split('\x1b[J').map((part) => part.replace(/.\[\d+A\r$/, ''));
  return parts.join('');
}

function isHarmless(text: string): boolean {
  return [...text].every((char) => char >= ' ' || char === '\n');
}

const hasScript = process.platform === 'linux' && isInstalled('script');

describe.skipIf(!hasScript)('control characters of programs, files and errors (skipped without script)', () => {
  it('are shown on a terminal, and stay in a pipe', async () => {
    const up = terminal.start(['up']);
    await up.until(/OVER/);
    await up.until(/crashed 1/);
    expect(up.out).toContain(`b | ${OUTPUT}\n`);
    expect((await terminal.run('logs', 'b')).out).toBe(`b | ${OUTPUT}\n`);
    expect(onTerminal('logs', 'b')).toBe(`b | ${SHOWN}\n`);
    const ps = onTerminal('ps', '--errors');
    expect(ps).toMatch(/^a .* crashed 1: Error: \\x1b\[2J\\x1b\]0;title\\x07gone$/m);
    expect(ps).toSatisfy(isHarmless);
    expect(onTerminalOf(40, 'ps').split('\n').slice(0, 4)).toEqual([
      'NAME  STATE',
      'a     crashed 1: Error: \\x1b[2J\\x1b]0;title\\x07gone',
      'b     running',
      'c     running',
    ]);
    const top = withoutRedraws(onTerminal('top', '-n', '2', '-i', '0.2'));
    expect(top).toContain('\\x1b[2J');
    expect(top).toSatisfy(isHarmless);
    await terminal.run('down', 't');
    await up.done;
  });

  it('are shown by mk up, and in its failures', () => {
    const shown = withoutRedraws(onTerminal('up', '--for', '3s'));
    expect(shown).toContain(`b | ${SHOWN}\n`);
    expect(shown).toSatisfy(isHarmless);
    writeFileSync(join(terminal.folder, 'bad.yml'), 'nodes:\n  "\\e[2J": {}\n');
    const failure = onTerminal('up', 'bad.yml');
    expect(failure).toMatch(/^mk up: bad\.yml:2:3: nodes\.\\x1b\[2J: [^\n]*\n$/);
  });
});
