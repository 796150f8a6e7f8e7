import { describe, expect, it } from 'vitest';
import { getopt, UsageError } from './getopt.ts';

describe('getopt', () => {
  it('takes clusters, joined and separate values, and stops at the first word', () => {
    const { flags, values, rest } = getopt(['-an', '-c3', '-i', '2', '-q', 'host', '-x'], 'anqc:i:');
    expect([[...flags], [...values], rest]).toEqual([
      ['a', 'n', 'q'],
      [
        ['c', '3'],
        ['i', '2'],
      ],
      ['host', '-x'],
    ]);
    expect(getopt(['-a', '--', '-n'], 'an').rest).toEqual(['-n']);
    expect(() => getopt(['-z'], 'a')).toThrow(new UsageError('unknown option -- z'));
    expect(() => getopt(['-c'], 'c:')).toThrow(new UsageError('option requires an argument -- c'));
  });
});
