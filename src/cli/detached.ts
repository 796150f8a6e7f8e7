/**
 * `mk up -d`: the lab in a process of its own, which outlives the command.
 *
 * Thread: the command's. The process is another `mk up` with a session of its own and nobody to read what it writes; its errors
 * go to a file until the lab is up.
 */

import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { attach, type Lab, labs } from '../index.ts';
import { CommandFailure } from './failure.ts';

const EVERY_MS = 30;

/** Start `mk up` with these arguments; the lab, once it is up. Throws what the process said when it ends before. */
export async function startDetached(args: readonly string[]): Promise<Lab> {
  const folder = mkdtempSync(join(tmpdir(), 'mk-up-'));
  const errors = join(folder, 'stderr');
  const fd = openSync(errors, 'w', 0o600);
  try {
    const main = process.argv[1] as string;
    const child = spawn(process.execPath, [...process.execArgv, main, 'up', ...args], {
      detached: true,
      stdio: ['ignore', 'ignore', fd],
    });
    let exitCode: number | null = null;
    child.on('error', () => {
      exitCode = 1;
    });
    child.on('exit', (code) => {
      exitCode = code ?? 1;
    });
    let lab: Lab | null = null;
    while (exitCode === null) {
      lab ??= await labOf(child.pid);
      if (lab !== null && (await isUp(lab))) {
        child.unref();
        return lab;
      }
      await new Promise((wake) => setTimeout(wake, EVERY_MS));
    }
    const said = readFileSync(errors, 'utf8').trim();
    throw new CommandFailure(said.replace(/^mk up: /, '') || 'the lab ended at once', exitCode);
  } finally {
    closeSync(fd);
    rmSync(folder, { recursive: true, force: true });
  }
}

async function labOf(process: number | undefined): Promise<Lab | null> {
  const found = (await labs()).find(({ pid }) => pid !== null && pid === process);
  return found === undefined ? null : attach(found.name);
}

/** Whether every kernel is up; false also when the lab is gone, whose process says why. */
async function isUp(lab: Lab): Promise<boolean> {
  try {
    return (await lab.info()).nodes.every(({ phase }) => phase !== 'booting');
  } catch {
    return false;
  }
}
