/** Scripts in the manner of NetBSD's tests of its network (atf/t_*.sh), each case with servers of its own. kyua runs them in atf-kyua.test.ts. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { libc } from '../../src/host/node/ffi/libc.ts';
import { atfCases, atfPrograms, commandFolder, runAtfCase } from '../fixtures/atf-program.ts';

/** Cases that run at a time: each waits more than it computes. */
const PARALLEL = 2;

let commands: string;
beforeAll(() => {
  commands = commandFolder();
});
afterAll(() => rmSync(commands, { recursive: true, force: true }));

let free = PARALLEL;
const waiting: (() => void)[] = [];

async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (free > 0) free--;
  else await new Promise<void>((go) => waiting.push(go));
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    if (next === undefined) free++;
    else next();
  }
}

for (const program of libc() === null ? [] : atfPrograms()) {
  describe.concurrent(basename(program), () => {
    for (const atfCase of atfCases(program)) {
      it(`${atfCase.name}: ${atfCase.properties.get('descr') ?? ''}`, { timeout: 600_000 }, async (context) => {
        const { result, reason, output } = await inTurn(() => runAtfCase(program, atfCase, commands));
        if (result === 'skipped') context.skip(reason);
        context
          .expect(`${result}${reason === '' ? '' : `: ${reason}\n${output}`}`)
          .toMatch(/^(passed|expected_failure: .*)$/s);
      });
    }
  });
}

describe('the shell of the scripts', () => {
  /** Result and reason of a case whose body is `body`. */
  async function outcome(body: string, cleanup = ':'): Promise<string> {
    const folder = mkdtempSync(join(tmpdir(), 'mk-script-'));
    const program = join(folder, 't_one.sh');
    writeFileSync(
      program,
      `atf_test_case one cleanup\none_head() { atf_set timeout 2; }\none_body() {\n${body}\n}\none_cleanup() {\n${cleanup}\n}\natf_init_test_cases() { atf_add_test_case one; }\n`,
    );
    try {
      const { result, reason } = await runAtfCase(program, atfCases(program)[0]!, commands);
      return reason === '' ? result : `${result}: ${reason}`;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  it('has checks that hold and checks that fail', async () => {
    const holds = [
      'true',
      '-s exit:1 false',
      '-s not-exit:0 false',
      '-s signal:9 sh -c "kill -9 \\$\\$"',
      '-o inline:"a\\tb\\n" printf "a\\tb\\n"',
      '-o match:"^b+$" -o not-match:c -o not-empty printf "a\\nbb\\n"',
      '-e match:x -x "echo x >&2"',
      '-s ignore -o ignore -e ignore -x "echo x; false"',
      '-o save:out echo x; atf_check -o file:out echo x',
      '-o save:out echo x; atf_check -o not-file:out echo y',
    ];
    for (const check of holds) expect([check, await outcome(`atf_check ${check}`)]).toEqual([check, 'passed']);
    const fails = [
      'false',
      '-s exit:1 true',
      'echo x',
      '-x "echo x >&2"',
      '-o match:y echo x',
      '-o not-match:x echo x',
      '-o match:x -o match:y echo x',
      '-o not-empty true',
      '-o inline:"x" echo x',
    ];
    for (const check of fails) {
      expect([check, await outcome(`atf_check ${check}`)]).toEqual([check, expect.stringMatching(/^failed: a check/)]);
    }
  });

  it('tells results, and runs the cleanup in the same folder, whatever the body came to', async () => {
    expect(await outcome('atf_fail because')).toBe('failed: because');
    expect(await outcome('atf_skip "no such thing"; false')).toBe('skipped: no such thing');
    expect(await outcome('atf_pass; false')).toBe('passed');
    expect(await outcome('false')).toBe('failed: the body ended with status 1');
    expect(await outcome('atf_expect_fail "not yet"; atf_check false')).toMatch(/^expected_failure: not yet: a check/);
    expect(await outcome('atf_expect_fail "not yet"')).toBe('failed: no failure, where one was expected: not yet');
    expect(await outcome('atf_require_prog no-such-tool')).toBe('skipped: no-such-tool is not installed');
    expect(await outcome('touch here; atf_fail x', '[ -f here ] || exit 3')).toBe('failed: x');
    expect(await outcome(':', 'exit 3')).toBe('failed: the cleanup ended by 3');
    expect(await outcome('exec sleep 60')).toBe('failed: the body took longer than 2 s');
  });

  it('ends what a case left behind, and says so', async () => {
    expect(await outcome('sleep 61 >/dev/null 2>&1 &')).toMatch(/^failed: left behind: sleep 61$/);
  });
});
