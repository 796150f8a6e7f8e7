/**
 * Finds out whether a process of this machine is gone: the probe that owner tables are given (mem/owner.ts).
 *
 * Thread: any. A process is gone when no process has its number, when the one that has it began at another time (Linux:
 * /proc/PID/stat, field 22, in clock ticks since boot), or when it is a zombie. Elsewhere the number decides alone. A
 * thread is as alive as its process: its own process sees it end, and buries it.
 */

import { readFileSync } from 'node:fs';
import { threadId } from 'node:worker_threads';
import { OWNER_PROCESS, OWNER_THREAD, type OwnerIdentity } from '../../mem/owner.ts';

/** Fields of /proc/PID/stat behind the name of the program, which may contain blanks and parentheses. */
const FIELD_STATE = 0;
const FIELD_START = 19;

/** State letter and start time of a process; null where the system does not tell. */
function statOf(pid: number): { state: string; startTime: number } | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { state: fields[FIELD_STATE] as string, startTime: Number(fields[FIELD_START]) };
  } catch {
    return null;
  }
}

/** The identity of the calling thread, or of its process as a whole. */
export function ownIdentity(kind: OwnerIdentity['kind']): OwnerIdentity {
  const startTime = statOf(process.pid)?.startTime ?? 0;
  return { kind, pid: process.pid, threadId: kind === OWNER_THREAD ? threadId : 0, startTime };
}

/** A `DeathProbe`. */
export function isGone(owner: OwnerIdentity): boolean {
  if (owner.pid === process.pid && owner.kind !== OWNER_PROCESS) return false;
  // Signals to 0 and below would go to groups of processes.
  if (!(owner.pid > 0)) return true;
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    // EPERM: it lives, and is another user's.
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return true;
  }
  const stat = statOf(owner.pid);
  if (stat === null) return false;
  return stat.state === 'Z' || stat.state === 'X' || (owner.startTime !== 0 && stat.startTime !== owner.startTime);
}
