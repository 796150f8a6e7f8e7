/**
 * A lab by the hooks of a runner: for each test, or for all tests of a file or of the group in which the hooks are called.
 *
 * Thread: the test runner's.
 */

import type { Lab } from '../index.ts';
import { currentLab } from './current-lab.ts';
import { LabFixture } from './lab-fixture.ts';
import { type FixtureOptions, fixtureSettings, type LabSource } from './options.ts';
import type { TestCase } from './test-case.ts';

/** A lab comes up, or goes down and leaves a folder, within this time on a machine that has much else to do. */
const HOOK_MS = 60_000;

/** The test that is ending; `failure` null: it passed until now. */
export interface TestOutcome {
  test: TestCase;
  failure: { error: unknown } | null;
}

type Hook = (run: () => Promise<void>, limitMs: number) => unknown;

export interface RunnerHooks<Context> {
  beforeAll: Hook;
  beforeEach: Hook;
  afterEach(run: (context: Context) => Promise<void>, limitMs: number): unknown;
  afterAll: Hook;
  /** null: the runner does not tell. */
  outcomeOf(context: Context): TestOutcome | null;
}

/** Throws EINVAL for a wrong option. */
export function hookedLab<Context>(source: LabSource, options: FixtureOptions, hooks: RunnerHooks<Context>): Lab {
  const settings = fixtureSettings(options);
  let fixture: LabFixture | null = null;
  let up: Lab | null = null;
  const begin = async (): Promise<void> => {
    fixture = new LabFixture(source, settings);
    up = await fixture.up;
  };
  const look = async (context: Context): Promise<void> => {
    const outcome = hooks.outcomeOf(context);
    if (outcome !== null) await fixture?.ended(outcome.test, outcome.failure);
  };
  const end = async (): Promise<void> => {
    up = null;
    await fixture?.down();
  };
  if (settings.per === 'file') {
    hooks.beforeAll(begin, HOOK_MS);
    hooks.afterEach(look, HOOK_MS);
    hooks.afterAll(end, HOOK_MS);
  } else {
    hooks.beforeEach(begin, HOOK_MS);
    hooks.afterEach(async (context) => {
      await look(context);
      await end();
    }, HOOK_MS);
  }
  return currentLab(() => up);
}
