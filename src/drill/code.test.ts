import { describe, expect, it } from 'vitest';
import { CodeRunner } from './code.ts';
import { CodeError, CodeUnknown } from './code-lexer.ts';

const INFO: ReadonlyMap<string, number> = new Map([
  ['tcpi_snd_cwnd', 10],
  ['tcpi_rtt', 100_000],
  ['tcpi_options', 5],
  ['TCP_CA_Open', 0],
]);

function run(...snippets: string[]): string[] {
  const lines: string[] = [];
  const runner = new CodeRunner((line) => lines.push(line));
  for (const code of snippets) runner.run(code, INFO, true);
  return lines;
}

function failure(code: string): string {
  try {
    run(code);
  } catch (error) {
    if (error instanceof CodeUnknown) return `unknown: ${error.message}`;
    if (error instanceof CodeError) return error.message;
  }
  return 'no error';
}

describe('expressions', () => {
  it.each([
    ['1 + 2 * 3 - 4', '3'],
    ['7 // 2, -7 // 2, 7 % 3, -7 % 3, 2 ** 10, 7 / 2', '3 -4 1 2 1024 3.5'],
    ['0x10 | 1 << 4 & ~1, 6 ^ 3, 1024 >> 3', '16 5 128'],
    ['1 < 2 < 3, 1 < 2 > 3, 1 == 1.0, 2 != 2', 'True False True False'],
    ['not 1 or 2 and 3', '3'],
    ['0 and nothing_known, 1 or nothing_known', '0 1'],
    ['1 if tcpi_snd_cwnd > 5 else 2', '1'],
    ['abs(-3), min(2, 1), max([4, 6]), int(3.7), float("2"), len("abc"), str(5), round(2.4)', '3 1 6 3 2 3 5 2'],
    ['"%d of %s, %.2f, %x %%" % (3, "four", 1.5, 255)', '3 of four, 1.50, ff %'],
    ['"a" "b" + \'c\'', 'abc'],
    ['2 in [1, 2], 3 not in (1, 2), "b" in "abc"', 'True True True'],
    ['True, None, (1, 2) == (1, 2), ()', 'True None True ()'],
    ['(tcpi_options & 4) != 0, 90000 <= tcpi_rtt <= 110000', 'True True'],
  ])('%s', (code, text) => {
    expect(run(`print(${code})`)).toEqual([text]);
  });

  it('may be printed as Python 2 did', () => {
    expect(run('print tcpi_snd_cwnd, "segments"')).toEqual(['10 segments']);
  });
});

describe('statements', () => {
  it('keep their variables from snippet to snippet', () => {
    expect(run('a = 1; b = 2', 'a += b * 2\nprint(a)')).toEqual(['5']);
  });

  it('branch in one line', () => {
    const code = (value: number): string =>
      `x = ${value}\nif x == 1: print("one")\nelif x == 2: print("two")\nelse: print("many")`;
    expect([run(code(1)), run(code(2)), run(code(3))]).toEqual([['one'], ['two'], ['many']]);
  });

  it('may span lines within brackets, and carry comments', () => {
    expect(run('# first (\nprint(1 +\n  2) # and "last"\npass')).toEqual(['3']);
  });

  it('say what was asserted, and of which values', () => {
    expect(failure('assert tcpi_snd_cwnd == 11, tcpi_snd_cwnd')).toBe(
      'assertion failed: tcpi_snd_cwnd == 11, tcpi_snd_cwnd (10); tcpi_snd_cwnd = 10',
    );
    expect(failure('assert tcpi_snd_cwnd == 10')).toBe('no error');
  });

  it.each([
    ['assert tcpi_pacing_rate', 'unknown: tcpi_pacing_rate is not known here'],
    ['import sys', 'unknown: import is not known here'],
    ['if 1:\n  print(1)', 'unknown: indented blocks are not supported'],
    ['print(sorted(1))', 'unknown: function sorted is not known here'],
    ['assert (1', 'expected ), not "end of line"'],
    ['assert 1 1', 'unexpected "1"'],
    ['print("a" + 1)', '+ needs numbers, not a'],
    ['1 / 0', 'division by zero'],
    ['else: pass', 'else without if'],
    ['a = $', 'unexpected "$"'],
  ])('%j is %s', (code, message) => {
    expect(failure(code)).toBe(message);
  });
});
