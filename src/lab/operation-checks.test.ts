import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MultikernelError } from '../base/errors.ts';
import { checkRequest, checkStream } from './operation-checks.ts';
import type { LabOperation, LabStreamOperation } from './operations.ts';

const RUN = { node: 'a', script: 's.js', argv: [], nodeFlags: [], env: {}, cwd: '/' };

describe('what a lab is asked', () => {
  it('is copied', () => {
    const env = { A: '1', constructor: 'x' };
    const given = { ...RUN, env };
    const checked = checkRequest('run', given);
    expect(checked).toEqual(given);
    expect(checked).not.toBe(given);
    expect(checked.env).not.toBe(env);
  });

  it.each([
    ['run', { ...RUN, argv: null }, 'EINVAL run: argv: not a list'],
    ['run', { ...RUN, argv: [1] }, 'EINVAL run: argv.0: not a text'],
    ['run', { ...RUN, env: { A: 1 } }, 'EINVAL run: env: not a map of texts'],
    ['run', { ...RUN, script: undefined }, 'EINVAL run: script: missing'],
    ['run', { ...RUN, more: 1 }, 'EINVAL run: more: unknown key'],
    ['run', null, 'EINVAL run: not an object'],
    [
      'partition',
      { a: ['x'], b: ['y'], oneWay: false, how: 'softly' },
      'EINVAL partition: how: not blackhole or reject',
    ],
    ['heal', { id: 5, between: null }, 'EINVAL heal: id: not a text'],
    ['constructor', {}, 'EOPNOTSUPP no operation constructor'],
    ['__proto__', {}, 'EOPNOTSUPP no operation __proto__'],
  ])('%s %j: %s', (operation, params, expected) => {
    let said = '';
    try {
      checkRequest(operation as LabOperation, params);
    } catch (error) {
      said = `${(error as MultikernelError).code} ${(error as Error).message}`;
    }
    expect(said).toBe(expected);
  });

  it('is a stream', () => {
    expect(checkStream('metrics', { intervalMs: 100 })).toEqual({ intervalMs: 100 });
    expect(() => checkStream('metrics', { intervalMs: Number.NaN })).toThrow('metrics: intervalMs: not an integer');
    expect(() => checkStream('logs', { nodes: [], lines: -1, follow: true })).toThrow('logs: lines: not an integer');
    expect(() => checkStream('toString' as never, {})).toThrow('no stream toString');
  });

  it('is refused with a code, whatever it is', () => {
    const operations: LabOperation[] = ['info', 'counters', 'partition', 'heal', 'run', 'kill', 'restart', 'stop'];
    const streams: LabStreamOperation[] = ['metrics', 'logs', 'states'];
    const refused = (check: () => unknown): void => {
      try {
        check();
      } catch (error) {
        expect(error).toBeInstanceOf(MultikernelError);
        expect((error as MultikernelError).code).toBe('EINVAL');
      }
    };
    fc.assert(
      fc.property(fc.constantFrom(...operations), fc.constantFrom(...streams), fc.anything(), (one, other, params) => {
        refused(() => checkRequest(one, params));
        refused(() => checkStream(other, params));
      }),
    );
  });
});
