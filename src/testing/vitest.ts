/**
 * Labs as fixtures of vitest. Public subpath `multikernel/vitest`.
 *
 * ```ts
 * import { labTest } from 'multikernel/vitest';
 * const test = labTest('multikernel.yml');
 * test('answers', async ({ lab, expect }) => { ... });
 * ```
 *
 * Thread: that of the tests. vitest is an optional peer: whoever imports this has it, and its hooks belong to the copy that runs the tests.
 *
 * @module multikernel/vitest
 */

import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  type RunnerTestCase,
  type TestAPI,
  type TestContext,
  test as vitestTest,
} from 'vitest';
import { type Lab, type LabOptions, MultikernelError, readLab } from '../index.ts';
import { hookedLab, type TestOutcome } from './hooked-lab.ts';
import { LabFixture } from './lab-fixture.ts';
import { type FixtureOptions, fixtureSettings, type LabFixtures, type LabSource, type NodeNames } from './options.ts';
import { literalPattern, type TestCase } from './test-case.ts';

type Task = Readonly<RunnerTestCase>;

/** Names in the context of a test that are vitest's own; nodes of these names are reached by `lab.node()`. */
const TAKEN: readonly string[] = [
  'lab',
  'task',
  'expect',
  'signal',
  'skip',
  'annotate',
  'onTestFailed',
  'onTestFinished',
];

function testCase(task: Task): TestCase {
  const names = [task.name];
  for (let { suite } = task; suite !== undefined; suite = suite.suite) {
    if (suite.name !== '') names.unshift(suite.name);
  }
  const pattern = `${literalPattern(names.join(' '))}$`;
  return { file: task.file.filepath, names, command: (file) => ['npx', 'vitest', 'run', file, '-t', pattern] };
}

function outcomeOf({ task }: { task: Task }): TestOutcome {
  const test = testCase(task);
  const failed = (task.result?.state === 'fail') !== (task.fails === true);
  if (!failed) return { test, failure: null };
  return { test, failure: { error: task.result?.errors?.[0] ?? new Error('the test was expected to fail') } };
}

/** Names of the nodes; a wrong lab is told by the tests. */
function nodeNames(source: LabSource, folder: string): string[] {
  try {
    return readLab(source, folder).nodes.map(({ name }) => name);
  } catch {
    return typeof source === 'string' || source instanceof URL ? [] : Object.keys(source.nodes ?? {});
  }
}

/**
 * A lab for each test of the file, or of the `describe` where it is called; with `{ per: 'file' }` one for all of them. It is there while they
 * run. Tests that run concurrently want `labTest`. Throws EINVAL for a wrong option.
 */
export function useLab(source: LabSource, options: FixtureOptions = {}): Lab {
  return hookedLab<TestContext>(source, options, { beforeAll, beforeEach, afterEach, afterAll, outcomeOf });
}

type Use<Value> = (value: Value) => Promise<void>;

/** Fixture function of a lab for each test that uses it. */
function ownLab(source: LabSource, options: FixtureOptions) {
  return async ({ task, signal }: Pick<TestContext, 'task' | 'signal'>, use: Use<Lab>): Promise<void> => {
    const fixture = new LabFixture(source, fixtureSettings(options));
    try {
      const lab = await fixture.up;
      // Nobody uses it when the time of the test is over.
      if (signal.aborted) throw new MultikernelError('ECANCELED', 'the test ended before its lab was up');
      await use(lab);
    } finally {
      const { test, failure } = outcomeOf({ task });
      await fixture.ended(test, failure);
      await fixture.down();
    }
  };
}

/** Form of {@link labTest}. */
export interface ExtendByLab {
  /** `base`: the test that is extended, where it is not vitest's own. */
  <const Source extends LabOptions>(
    source: Source,
    options?: FixtureOptions,
    base?: TestAPI,
  ): TestAPI<LabFixtures<NodeNames<Source>>>;
  /** The nodes of a lab file can be named by type: `labTest<'api' | 'db'>('multikernel.yml')`. */
  <Node extends string = never>(
    source: string | URL,
    options?: FixtureOptions,
    base?: TestAPI,
  ): TestAPI<LabFixtures<Node>>;
}

/**
 * `test` of vitest, extended by the fixtures `lab` and its nodes by their names: a lab for each test that uses one of them, or one for the
 * file (`per`). Throws EINVAL for a wrong option.
 */
export const labTest: ExtendByLab = ((
  source: LabSource,
  options: FixtureOptions = {},
  base: TestAPI = vitestTest,
): unknown => {
  const { per, folder } = fixtureSettings(options);
  const shared = per === 'file' ? useLab(source, options) : null;
  // vitest reads from the text of these functions which fixtures they use.
  // biome-ignore lint/correctness/noEmptyPattern: none
  const sharedLab = async ({}, use: Use<unknown>): Promise<void> => use(shared);
  const fixtures: Record<string, unknown> = { lab: shared === null ? ownLab(source, options) : sharedLab };
  for (const name of nodeNames(source, folder).filter((node) => !TAKEN.includes(node))) {
    fixtures[name] = async ({ lab }: { lab: Lab }, use: Use<unknown>): Promise<void> => use(lab.node(name));
  }
  return base.extend(fixtures as never);
}) as ExtendByLab;
