/** kyua and atf-sh, where they are installed, run the scripts too: the first case of each program, all of them with MK_KYUA=all. */

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { expect, it } from 'vitest';
import { libc } from '../../src/host/node/ffi/libc.ts';
import { ATF_FOLDER, atfCases, atfPrograms, commandFolder } from '../fixtures/atf-program.ts';
import { isInstalled } from '../fixtures/installed.ts';
import { pidsIn } from '../fixtures/marked-processes.ts';

it.skipIf(libc() === null || !isInstalled('kyua') || !isInstalled('atf-sh'))(
  'kyua finds and passes them',
  { timeout: 900_000 },
  async () => {
    const commands = commandFolder();
    const folder = mkdtempSync(join(tmpdir(), 'mk-kyua-'));
    const all = process.env.MK_KYUA === 'all';
    const chosen = atfPrograms().flatMap((program) =>
      atfCases(program)
        .slice(0, all ? undefined : 1)
        .map(({ name }) => `${basename(program)}:${name}`),
    );
    const args = ['-c', 'none', '-v', 'parallelism=2', 'test', '-k', join(ATF_FOLDER, 'Kyuafile')];
    const child = spawn('kyua', [...args, '-r', join(folder, 'results.db'), ...(all ? [] : chosen)], {
      env: { ...process.env, PATH: `${commands}:${process.env.PATH}`, MK_IN: folder },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      let out = '';
      for await (const text of child.stdout.setEncoding('utf8')) out += text;
      const results = out
        .split('\n')
        .flatMap((line) => /^(\S+) {2}-> {2}(passed|skipped|expected_failure|.*?)(?::.*| {2}\[.*)$/.exec(line) ?? []);
      const bad = out
        .split('\n')
        .filter((line) => line.includes('  ->  ') && !/-> {2}(passed|skipped|expected)/.test(line));
      expect(bad).toEqual([]);
      expect(chosen.filter((name) => !results.includes(name))).toEqual([]);
      // Servers that were halted last may still be on their way out.
      await expect.poll(() => pidsIn(folder), { timeout: 60_000 }).toEqual([]);
    } finally {
      for (const pid of pidsIn(folder)) process.kill(pid, 'SIGKILL');
      rmSync(folder, { recursive: true, force: true });
      rmSync(commands, { recursive: true, force: true });
    }
  },
);
