/**
 * Labs as fixtures of jest. Public subpath `multikernel/jest`.
 *
 * ```js
 * const { useLab } = require('multikernel/jest');
 * const lab = useLab('multikernel.yml');
 * test('answers', async () => { ... });
 * ```
 *
 * Thread: that of the tests. jest runs each file in a context of its own and this module outside of it (scripts/commonjs.js), so it is handed
 * the globals of the file. jest-circus, its runner since version 27, keeps the running test and its errors in a global of the file; hooks
 * are told nothing. Missing: jest-jasmine2, under which nothing is kept of failed tests.
 *
 * @module multikernel/jest
 */

import { type Lab, MultikernelError } from '../index.ts';
import { hookedLab, type TestOutcome } from './hooked-lab.ts';
import type { FixtureOptions, LabSource } from './options.ts';
import { literalPattern } from './test-case.ts';

type Hook = (run: () => Promise<void>, limitMs: number) => void;

/** Functions of jest that a file of tests has as globals, or by `@jest/globals`. */
interface JestFunctions {
  beforeAll: Hook;
  beforeEach: Hook;
  afterEach: Hook;
  afterAll: Hook;
  expect: { getState(): { testPath?: string } };
}

/** The parts of jest-circus' state that are read here. */
interface CircusTest {
  name: string;
  /** `test.failing`: it passes when it fails. */
  failing?: boolean;
  /** Errors, or pairs of an error and the place of the test. */
  errors: unknown[];
  parent: CircusGroup | undefined;
}

interface CircusGroup {
  name: string;
  parent: CircusGroup | undefined;
}

const STATE = 'JEST_STATE_SYMBOL';

/** Fixtures of jest for one context of globals. */
export interface JestLabs {
  /**
   * A lab for each test of the file, or of the `describe` where it is called; with `{ per: 'file' }` one for all of them. It is there while
   * they run. Throws EINVAL for a wrong option, and outside of jest.
   */
  useLab(source: LabSource, options?: FixtureOptions): Lab;
}

function runningTest(globals: object): CircusTest | null {
  const symbol = Object.getOwnPropertySymbols(globals).find(({ description }) => description === STATE);
  if (symbol === undefined) return null;
  const state = (globals as Record<symbol, { currentlyRunningTest?: CircusTest | null }>)[symbol];
  return state?.currentlyRunningTest ?? null;
}

function outcome(globals: object, { expect }: JestFunctions): TestOutcome | null {
  const test = runningTest(globals);
  if (test === null) return null;
  const names = [test.name];
  // The outermost group is that of the file.
  for (let group = test.parent; group?.parent !== undefined; group = group.parent) names.unshift(group.name);
  const pattern = `${literalPattern(names.join(' '))}$`;
  const command = (file: string): string[] => ['npx', 'jest', '--runTestsByPath', file, '-t', pattern];
  const named = { file: expect.getState().testPath ?? '', names, command };
  const [first] = test.errors;
  if ((first !== undefined) === (test.failing === true)) return { test: named, failure: null };
  const error = Array.isArray(first) ? (first[0] ?? first[1]) : first;
  return { test: named, failure: { error: error ?? new Error('the test was expected to fail') } };
}

/** For the file of tests that has these globals; `injected`: the same functions where they are no globals. */
export function inContext(globals: object, injected: (() => unknown) | null = null): JestLabs {
  const functions = (): JestFunctions => {
    if ('beforeEach' in globals) return globals as JestFunctions;
    try {
      const found = injected?.();
      if (found !== undefined) return found as JestFunctions;
    } catch {
      // No jest, or one that injects no functions anywhere.
    }
    throw new MultikernelError('EINVAL', 'useLab: no jest here; call it in a file of tests');
  };
  return {
    useLab(source, options = {}) {
      const jest = functions();
      const { beforeAll, beforeEach, afterAll } = jest;
      return hookedLab<null>(source, options, {
        beforeAll,
        beforeEach,
        // A function with a parameter would be one that calls back.
        afterEach: (run, limitMs) => jest.afterEach(() => run(null), limitMs),
        afterAll,
        outcomeOf: () => outcome(globals, jest),
      });
    },
  };
}

/** As {@link JestLabs.useLab}, with the globals of this module. */
export const useLab: JestLabs['useLab'] = inContext(globalThis).useLab;
