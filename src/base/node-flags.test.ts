import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { parseProgramCommand } from '../lab/program-command.ts';
import { isScriptless, takesNextWord } from './node-flags.ts';

describe('flags of Node', () => {
  it('take the next word as their value where this Node has them with one', () => {
    const help = execFileSync(process.execPath, ['--help'], { encoding: 'utf8' });
    const shown = [...help.matchAll(/^ {2}(?:(-[a-zA-Z]), )?(--[a-z0-9-]+)=\.\.\./gm)];
    expect(shown.length).toBeGreaterThan(30);
    const flags = shown.flatMap(([, short, long]) => [short, long]).filter((flag) => flag !== undefined);
    expect(flags.filter((flag) => !takesNextWord(flag) && !isScriptless(flag))).toEqual([]);
    expect(['--inspect', '--no-warnings', '--max-old-space-size', '--expose-gc'].filter(takesNextWord)).toEqual([]);
  });

  it('stand before the script of a run line with their values', () => {
    expect(parseProgramCommand('node --cpu-prof --cpu-prof-interval 200 app.js --title x')).toEqual({
      executable: null,
      nodeFlags: ['--cpu-prof', '--cpu-prof-interval', '200'],
      script: 'app.js',
      argv: ['--title', 'x'],
    });
    expect(parseProgramCommand('node --disable-warning')).toBe('node --disable-warning: a value is missing');
  });
});
