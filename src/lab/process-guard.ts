/**
 * Ends the processes of programs, and those that these started, when the process of their lab is killed and can end nobody: a shell
 * that waits for the end of its input.
 *
 * Thread: the supervisor's. The shell leads a session of its own, begins with the first program and ends when there is none. Each
 * line tells it all that there is to guard: groups, by their leaders, and marks (marked-processes.ts). Missing: Windows; processes in
 * groups of their own on systems other than Linux.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { MACHINE_VARIABLE } from '../rump/process-environment.ts';

const SHELL = '/bin/sh';
/** A process may start another while it is looked for: the shell looks again until nobody is found. */
const SCRIPT = `
guarded=; while read -r line; do guarded=$line; done
for one in $guarded; do case $one in
  */) for look in 1 2 3 4 5; do
        found=$(grep -lF "${MACHINE_VARIABLE}=$one" /proc/[0-9]*/environ)
        [ -n "$found" ] || break
        for file in $found; do pid=\${file#/proc/}; kill -KILL "\${pid%/environ}"; done
      done ;;
  *) kill -KILL "-$one" ;;
esac; done 2>/dev/null`;

const guarded = new Set<string>();
let shell: ChildProcess | null = null;

/** End the group that `leader` leads, should this process end before it. */
export function guardGroup(leader: ChildProcess): void {
  const { pid } = leader;
  if (pid === undefined) return;
  change(() => guarded.add(`${pid}`));
  leader.once('exit', () => change(() => guarded.delete(`${pid}`)));
}

/** End the processes whose mark begins with `prefix`, should this process end before {@link unguardMarked}. */
export function guardMarked(prefix: string): void {
  if (!guarded.has(prefix)) change(() => guarded.add(prefix));
}

export function unguardMarked(prefix: string): void {
  if (guarded.has(prefix)) change(() => guarded.delete(prefix));
}

function change(what: () => void): void {
  what();
  if (guarded.size > 0) shell ??= startShell();
  shell?.stdin?.write(`${[...guarded].join(' ')}\n`);
  if (guarded.size > 0) return;
  shell?.stdin?.end();
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
