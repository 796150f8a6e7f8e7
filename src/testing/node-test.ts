/**
 * Labs as fixtures of node:test. Public subpath `multikernel/node-test`.
 *
 * ```ts
 * import { labTest } from 'multikernel/node-test';
 * const test = labTest('multikernel.yml');
 * test('answers', async ({ lab, t }) => { ... });
 * ```
 *
 * Thread: that of the tests. The context of a test says in its `after` hooks whether it failed, a time-out included.
 *
 * @module multikernel/node-test
 */

import { execFileSync } from 'node:child_process';
import { after, afterEach, before, type TestContext, type TestOptions, test } from 'node:test';
import type { Lab, LabNode, LabOptions } from '../index.ts';
import { currentLab } from './current-lab.ts';
import { LabFixture } from './lab-fixture.ts';
import { type FixtureOptions, fixtureSettings, type LabFixtures, type LabSource, type NodeNames } from './options.ts';
import { literalPattern, type TestCase } from './test-case.ts';

/** Arguments of a test: the lab, its nodes by their names (those of a lab that is an object), and the context of node:test. */
export type LabTestContext<Node extends string> = LabFixtures<Node> & { t: TestContext };

type TestBody<Node extends string> = (context: LabTestContext<Node>) => unknown;

/** As `test` of node:test. */
export interface LabTest<Node extends string> {
  (name: string, body: TestBody<Node>): Promise<void>;
  (name: string, options: TestOptions, body: TestBody<Node>): Promise<void>;
  /** As `test.only`. */
  only(name: string, body: TestBody<Node>): Promise<void>;
  /** As `test.skip`. */
  skip(name: string, body: TestBody<Node>): Promise<void>;
  /** As `test.todo`. */
  todo(name: string, body: TestBody<Node>): Promise<void>;
}

/** Prints the flags of all options that have a value without being given; nothing before Node 24, whose runner passes given ones alone. */
const PRINT_DEFAULTS = "(require('internal/options').getOptionsAsFlagsFromBinding?.() ?? []).join('\\n')";

/**
 * Flags of Node that a test needs when it is run again; those of the runner are its own. The runner starts the file with every option
 * that has a value (`--inspect-port=127.0.0.1:9229` ...), so another Node is asked which of them nobody gave.
 */
function flagsOfNode(): string[] {
  const given = process.execArgv.filter((flag) => !/^--(?:test|experimental-test)/.test(flag));
  if (given.length === 0) return given;
  try {
    const env = { ...process.env, NODE_OPTIONS: '' };
    const args = ['--expose-internals', '-p', PRINT_DEFAULTS];
    const defaults = execFileSync(process.execPath, args, { env, encoding: 'utf8', stdio: 'pipe' }).split('\n');
    return given.filter((flag) => !defaults.includes(flag));
  } catch {
    return given;
  }
}

function testCase({ name, fullName }: Pick<TestContext, 'name' | 'fullName'>): TestCase {
  // Newer versions of Node match the names of the groups, too.
  const pattern = `${literalPattern(name)}$`;
  return {
    file: process.argv[1] ?? '',
    names: (fullName ?? name).split(' > '),
    command: (file) => ['node', ...flagsOfNode(), '--test', `--test-name-pattern=${pattern}`, file],
  };
}

/** Error of a test that has run; types of older versions do not know it. */
function failureOf(t: object): { error: unknown } | null {
  const { error } = t as { error?: unknown };
  if (error === null || error === undefined) return null;
  return { error: (error as Error).cause instanceof Error ? (error as Error).cause : error };
}

async function labFor(t: TestContext, source: LabSource, options: FixtureOptions): Promise<Lab> {
  const fixture = new LabFixture(source, fixtureSettings(options));
  // Also when the test's time is over before the lab is up.
  t.after(async () => {
    await fixture.ended(testCase(t), failureOf(t));
    await fixture.down();
  });
  return fixture.up;
}

function labForFile(source: LabSource, options: FixtureOptions): Lab {
  const settings = fixtureSettings(options);
  let fixture: LabFixture | null = null;
  let up: Lab | null = null;
  before(async () => {
    fixture = new LabFixture(source, settings);
    up = await fixture.up;
  });
  afterEach((t) => fixture?.ended(testCase(t as TestContext), failureOf(t)));
  after(() => fixture?.down());
  return currentLab(() => up);
}

/** Form of {@link useLab}. */
export interface UseLab {
  /** A lab for one test; it goes down after the test, however that ends. Rejects with what `lab()` throws, and ETIMEDOUT for `ready`. */
  (t: TestContext, source: LabSource, options?: FixtureOptions): Promise<Lab>;
  /** A lab for all tests of the file, or of the `describe` where it is called. */
  (source: LabSource, options?: FixtureOptions): Lab;
}

/** Throws EINVAL for a wrong option. */
export const useLab: UseLab = ((
  first: TestContext | LabSource,
  second?: LabSource | FixtureOptions,
  third?: FixtureOptions,
) => {
  if (typeof first === 'object' && 'after' in first) return labFor(first, second as LabSource, third ?? {});
  return labForFile(first as LabSource, (second ?? {}) as FixtureOptions);
}) as UseLab;

/** The lab and its nodes by their names. */
function fixturesOf(lab: Lab): Record<string, LabNode> & { lab: Lab } {
  return { ...Object.fromEntries(lab.nodes.map((node) => [node.name, node])), lab } as Record<string, LabNode> & {
    lab: Lab;
  };
}

/** Form of {@link labTest}. */
export interface MakeLabTest {
  <const Source extends LabOptions>(source: Source, options?: FixtureOptions): LabTest<NodeNames<Source>>;
  /** The nodes of a lab file can be named by type: `labTest<'api' | 'db'>('multikernel.yml')`. */
  <Node extends string = never>(source: string | URL, options?: FixtureOptions): LabTest<Node>;
}

/** `test` of node:test, with a lab for each test, or one for the file (`per`). Throws EINVAL for a wrong option. */
export const labTest: MakeLabTest = (source: LabSource, options: FixtureOptions = {}): LabTest<string> => {
  const shared = fixtureSettings(options).per === 'file' ? labForFile(source, options) : null;
  const wrapped = (body: TestBody<string>) => async (t: TestContext) => {
    const lab = shared ?? (await labFor(t, source, options));
    await body({ ...fixturesOf(lab), t } as LabTestContext<string>);
  };
  const run = (name: string, second: TestOptions | TestBody<string>, third?: TestBody<string>): Promise<void> =>
    typeof second === 'function' ? test(name, wrapped(second)) : test(name, second, wrapped(third as TestBody<string>));
  return Object.assign(run, {
    only: (name: string, body: TestBody<string>) => run(name, { only: true }, body),
    skip: (name: string, body: TestBody<string>) => run(name, { skip: true }, body),
    todo: (name: string, body: TestBody<string>) => run(name, { todo: true }, body),
  });
};
