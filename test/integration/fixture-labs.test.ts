/**
 * Labs as fixtures of test runners (multikernel/node-test, vitest, jest): real runs, their failures and time-outs, what those leave, and
 * that nothing else is left.
 */

import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { readPcapng } from '../../src/wire/index.ts';
import { until } from '../fixtures/fake-workers.ts';
import { RunnerFolder } from '../fixtures/runner-run.ts';

interface Runner {
  name: string;
  /** Test file with these tests: name, body in which `lab` stands, and milliseconds that it may take. */
  file: string;
  source(lab: string, tests: readonly [name: string, body: string, limitMs: number][]): string;
  command: string;
  args: readonly string[];
  /** Command that runs the test "has (a cause)" again. */
  repeats: string;
  /** Packages beside ours. */
  modules: Readonly<Record<string, string>>;
}

const ROOT = resolve(import.meta.dirname, '../..');
const JEST_MODULES = join(ROOT, 'test/package/node_modules');
const INSTALL = 'npm ci --prefix test/package --ignore-scripts';

const NODE_TEST: Runner = {
  name: 'node:test',
  file: 'labs.test.mjs',
  source: (lab, tests) => `
    import assert from 'node:assert/strict';
    import { labTest } from 'multikernel/node-test';
    const test = labTest(${lab});
    const equal = assert.equal;
    ${tests.map(([name, body, timeout]) => `test('${name}', { timeout: ${timeout} }, async ({ lab }) => { ${body} });`).join('\n')}`,
  command: process.execPath,
  args: ['--test', 'labs.test.mjs'],
  repeats: String.raw`node --test '--test-name-pattern=has \(a cause\)$' labs.test.mjs`,
  modules: {},
};

const VITEST: Runner = {
  name: 'vitest',
  file: 'labs.test.ts',
  source: (lab, tests) => `
    import { labTest } from 'multikernel/vitest';
    import { describe, expect } from 'vitest';
    const test = labTest(${lab});
    const equal = (a: unknown, b: unknown) => expect(a).toBe(b);
    ${tests.map(([name, body, timeout]) => `test('${name}', { timeout: ${timeout} }, async ({ lab }) => { ${body} });`).join('\n')}`,
  command: 'npx',
  args: ['vitest', 'run'],
  repeats: String.raw`npx vitest run labs.test.ts -t 'has \(a cause\)$'`,
  modules: { vitest: join(ROOT, 'node_modules/vitest'), '.bin/vitest': join(ROOT, 'node_modules/vitest/vitest.mjs') },
};

const JEST: Runner = {
  name: 'jest',
  file: 'labs.test.js',
  source: (lab, tests) => `
    const { useLab } = require('multikernel/jest');
    const lab = useLab(${lab});
    const equal = (a, b) => expect(a).toBe(b);
    ${tests.map(([name, body, timeout]) => `test('${name}', async () => { ${body} }, ${timeout});`).join('\n')}`,
  command: 'npx',
  args: ['jest'],
  repeats: String.raw`npx jest --runTestsByPath labs.test.js -t 'has \(a cause\)$'`,
  modules: { jest: join(JEST_MODULES, 'jest'), '.bin/jest': join(JEST_MODULES, 'jest/bin/jest.js') },
};

const jestInstalled = existsSync(JEST_MODULES);
if (!jestInstalled) console.log(`labs as fixtures of jest: skipped, ${INSTALL} installs it`);

const RUNNERS: readonly Runner[] = [NODE_TEST, VITEST, ...(jestInstalled ? [JEST] : [])];

const LIMIT_MS = 60_000;
const SERVER =
  "require('node:http').createServer((q, r) => { console.log('asked', q.url); r.end('hello'); }).listen(80);";
const LAB =
  '{ nodes: { client: {}, server: { run: "node server.cjs", placement: "process" } } }, { ready: ["server"] }';
const ASKS = "equal((await lab.node('client').fetch('http://server/first')).status, 200);";

/** Programs that do not want to end, or end at once; the last one says that it stands. */
const STUBBORN: Readonly<Record<string, string>> = {
  'loop.cjs': "process.stdout.write('stands\\n', () => { for (;;); });",
  'wait.cjs': "process.stdout.write('stands\\n', () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0));",
  'deaf.cjs':
    "for (const s of ['SIGTERM', 'SIGINT']) process.on(s, () => {}); setInterval(() => {}, 1000); console.log('stands');",
  'sync.cjs': "process.stdout.write('stands\\n', () => require('node:child_process').spawnSync('sleep', ['1000']));",
  'leaves.cjs': "process.stdout.write('stands\\n', () => process.exit(3));",
  'throws.cjs': "process.stdout.write('stands\\n', () => { setImmediate(() => { throw new Error('boom'); }); });",
};

let folder: RunnerFolder | null = null;
afterEach(() => {
  folder?.close();
  folder = null;
});

function hasText(capture: Uint8Array, text: string): boolean {
  return readPcapng(capture).some((block) => block.type === 'packet' && Buffer.from(block.bytes).includes(text));
}

describe.each(RUNNERS)('$name', (runner) => {
  const prepare = (
    lab: string,
    tests: [string, string, number][],
    files: Record<string, string> = {},
  ): RunnerFolder => {
    const all = { [runner.file]: runner.source(lab, tests), 'package.json': '{}', 'server.cjs': SERVER, ...files };
    folder = new RunnerFolder(all, runner.modules);
    return folder;
  };
  const run = (own: RunnerFolder): ReturnType<RunnerFolder['run']> => own.run(runner.command, runner.args);

  it('gives each test a lab; tests that pass leave nothing', async () => {
    const own = prepare(LAB, [
      ['answers', ASKS, LIMIT_MS],
      ['answers again', ASKS, LIMIT_MS],
    ]);
    const { code, text } = await run(own);
    expect([code, own.kept()], text).toEqual([0, {}]);
    expect(text).not.toContain('multikernel:');
    expect(own.processes).toEqual([]);
  });

  it('keeps frames, logs, sockets, seed and command of a test that fails, until it passes', async () => {
    const own = prepare(`${LAB.slice(0, -2)}, seed: 77 }`, [
      ['passes', ASKS, LIMIT_MS],
      ['has (a cause)', `${ASKS} equal(process.env.MEND, 'yes');`, LIMIT_MS],
    ]);
    const { code, text } = await run(own);
    expect(code, text).toBe(1);
    expect(text).toMatch(
      /multikernel: has \(a cause\): see \.multikernel\/failed\/has-a-cause-[0-9a-f]{4}\/ \(seed 77\)/,
    );
    const files = ['client', 'server'].flatMap((node) => [`${node}-eth0.pcapng`, `${node}.log`, `${node}.sockets.txt`]);
    expect(own.kept()).toEqual({ 'has-a-cause': [...files, 'error.txt', 'lab.yml', 'repeat.txt'].sort() });

    const read = (file: string): string => own.read('has-a-cause', file).toString('latin1');
    expect(read('server.log')).toMatch(/^20\S+Z stdout asked \/first$/m);
    expect(read('server.sockets.txt')).toMatch(/^tcp6 +0 +0 {2}\*\.80 +\*\.\* +LISTEN$/m);
    expect(read('error.txt')).toContain('yes');
    expect(read('lab.yml')).toMatch(/^seed: 77$/m);
    for (const node of ['client', 'server']) {
      expect(hasText(own.read('has-a-cause', `${node}-eth0.pcapng`), 'GET /first')).toBe(true);
    }

    const repeated = read('repeat.txt').trim();
    expect(repeated).toBe(`MK_SEED=77 ${runner.repeats}`);
    const again = await own.run('sh', ['-c', repeated]);
    expect(again.code, again.text).toBe(1);
    expect(own.kept()).toHaveProperty('has-a-cause');
    const mended = await own.run('sh', ['-c', repeated], { MEND: 'yes' });
    expect([mended.code, own.kept()], mended.text).toEqual([0, {}]);
  });

  it.each(['process', 'beside'])(
    'ends programs (%s) whatever they do, after failures and time-outs',
    async (placement) => {
      const nodes = Object.keys(STUBBORN).map((file) => `${file.slice(0, -4)}: { run: 'node ${file}' }`);
      const stand = `await lab.until(async () => {
      const lines = [];
      for await (const line of lab.logs()) if (line.text === 'stands') lines.push(line.node);
      return lines.length === ${nodes.length};
    });`;
      const own = prepare(
        `{ defaults: { node: { placement: '${placement}' } }, nodes: { ${nodes.join()} } }`,
        [
          ['fails', `${stand} equal(1, 2);`, LIMIT_MS],
          ['takes too long', 'await new Promise(() => {});', 3000],
          ['passes', stand, LIMIT_MS],
        ],
        STUBBORN,
      );
      const { code, text } = await run(own);
      expect([code, Object.keys(own.kept())], text).toEqual([1, ['fails', 'takes-too-long']]);
      await until(() => own.processes.length === 0);
    },
  );
});
