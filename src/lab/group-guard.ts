/**
 * Ends the processes of programs when the process of their lab is killed and can end nobody: a shell that waits for the end of its input.
 *
 * Thread: the supervisor's. The shell leads a session of its own, begins with the first program and ends when there is none. Each
 * line tells it the groups that there are now. Missing: Windows.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';

const SHELL = '/bin/sh';
const SCRIPT =
  'groups=; while read -r line; do groups=$line; done; for group in $groups; do kill -KILL "-$group"; done 2>/dev/null';

const groups = new Set<number>();
let shell: ChildProcess | null = null;

/** End the group that `leader` leads, should this process end before it. */
export function guardGroup(leader: ChildProcess): void {
  const { pid } = leader;
  if (pid === undefined) return;
  groups.add(pid);
  tell();
  leader.once('exit', () => {
    groups.delete(pid);
    tell();
  });
}

function tell(): void {
  shell ??= startShell();
  shell.stdin?.write(`${[...groups].join(' ')}\n`);
  if (groups.size > 0) return;
  shell.stdin?.end();
  shell = null;
}

function startShell(): ChildProcess {
  const child = spawn(SHELL, ['-c', SCRIPT], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  // Programs are not guarded where there is no shell, or somebody ended it.
  child.on('error', () => undefined);
  child.stdin?.on('error', () => undefined);
  child.unref();
  (child.stdin as Socket | null)?.unref();
  return child;
}
