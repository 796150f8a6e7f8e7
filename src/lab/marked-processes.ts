/**
 * Processes that programs of a lab started, wherever they stand by now (in groups and sessions of their own, below a shell that
 * ended): each has a mark in its environment.
 *
 * Thread: the supervisor's. Missing: other systems than Linux, where these processes end when they next use their kernel.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { MACHINE_VARIABLE } from '../rump/process-environment.ts';

/** Looks for processes that were started by others while these ended. */
const LOOKS_MAX = 5;

/** Whether the environment of a process, as the system shows it, has a mark that begins with `prefix`. */
function isMarked(pid: string, prefix: string): boolean {
  try {
    const environment = readFileSync(`/proc/${pid}/environ`, 'latin1');
    return `\0${environment}`.includes(`\0${MACHINE_VARIABLE}=${prefix}`);
  } catch {
    // It ended, or belongs to another user.
    return false;
  }
}

function marked(prefix: string): number[] {
  let entries: string[];
  try {
    entries = readdirSync('/proc');
  } catch {
    return [];
  }
  const pids = entries.filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  return pids.filter((pid) => isMarked(pid, prefix)).map(Number);
}

/** End every process whose mark begins with `prefix`. */
export function endMarked(prefix: string): void {
  if (process.platform !== 'linux') return;
  const told = new Set<number>();
  for (let look = 0; look < LOOKS_MAX; look++) {
    const fresh = marked(prefix).filter((pid) => !told.has(pid));
    if (fresh.length === 0) return;
    for (const pid of fresh) {
      told.add(pid);
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended.
      }
    }
  }
}
