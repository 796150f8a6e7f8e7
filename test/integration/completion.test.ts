/** Completion as shells do it: the script of `mk completion` is sourced, and asked what a line may go on with while a lab is up. */

import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type * as Facade from '../../src/index.ts';
import { builtFacade } from '../fixtures/built.ts';
import { isInstalled } from '../fixtures/installed.ts';

const MK = resolve(import.meta.dirname, '../../dist/cli/main.js');
const run = promisify(execFile);

let folder = '';
let net: Facade.Lab | null = null;
const outside = process.env.XDG_RUNTIME_DIR;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mk-completion-'));
  mkdirSync(join(folder, 'bin'));
  symlinkSync(MK, join(folder, 'bin/mk'));
  process.env.XDG_RUNTIME_DIR = folder;
  const { lab } = await builtFacade();
  net = await lab({ name: 'shop', nodes: { api: {}, archive: {}, db: {} } }, { control: true });
});

afterAll(async () => {
  await net?.down();
  if (outside === undefined) delete process.env.XDG_RUNTIME_DIR;
  else process.env.XDG_RUNTIME_DIR = outside;
  rmSync(folder, { recursive: true, force: true });
});

async function ask(shell: string, args: string[], script: string): Promise<string[]> {
  const env = { ...process.env, PATH: `${join(folder, 'bin')}:${process.env.PATH}`, HOME: folder };
  const { stdout, stderr } = await run(shell, [...args, '-c', script], { cwd: folder, env });
  expect(stderr).toBe('');
  return stdout.split('\n').slice(0, -1);
}

/** What bash puts behind a line of these words, the last of which the cursor is at. */
function bash(...words: string[]): Promise<string[]> {
  const quoted = words.map((word) => `'${word}'`).join(' ');
  return ask(
    'bash',
    ['--norc'],
    `source <(mk completion bash)
COMP_WORDS=(${quoted}); COMP_CWORD=${words.length - 1}
$(complete -p mk | sed 's/.*-F \\([^ ]*\\) .*/\\1/') mk
for word in "\${COMPREPLY[@]}"; do echo "$word"; done`,
  );
}

it('bash: commands, options, nodes of the lab that is up, tools', async () => {
  expect(await bash('mk', 'rest')).toEqual(['restart']);
  expect(await bash('mk', 'break', '--o')).toEqual(['--one-way']);
  expect(await bash('mk', 'break', 'api', '')).toEqual(['api', 'archive', 'db']);
  expect(await bash('mk', 'ping', '-k', 'ar')).toEqual(['archive']);
  expect(await bash('mk', 'exec', 'api', '--', 'ifc')).toEqual(['ifconfig']);
  expect(await bash('mk', 'packetdrill', '')).toEqual([]);
});

it.skipIf(!isInstalled('fish'))('fish: nodes of the lab that is up', async () => {
  expect(await ask('fish', ['--no-config'], 'mk completion fish | source; complete -C "mk break a" | sort')).toEqual([
    'api',
    'archive',
  ]);
});

it.skipIf(!isInstalled('zsh'))('zsh: nodes of the lab that is up', async () => {
  // Completion of zsh needs a terminal; what the script would add is written instead.
  writeFileSync(
    join(folder, 'ask.zsh'),
    'compdef() { :; }; compadd() { shift; print -l -- "$@"; }; _files() { print files; }\n',
  );
  const script = 'source ./ask.zsh; source <(mk completion zsh); words=(mk break a); CURRENT=3; _mk_complete';
  expect(await ask('zsh', ['-f'], script)).toEqual(['api', 'archive']);
  expect(await ask('zsh', ['-f'], script.replace('break a', 'packetdrill a'))).toEqual(['files']);
});
