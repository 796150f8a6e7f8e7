/**
 * A segment that IP did not take: no room on the link, no path, or a path that has become smaller.
 *
 * Thread: the one that runs the CPU.
 */

import { Errno } from '../../../base/errors.ts';
import type { Connection } from '../connection/connection.ts';
import { failPath } from '../connection/due.ts';
import { ESTABLISHED } from '../connection/states.ts';
import { armPersist } from '../connection/timers.ts';

/** IP took nothing: wait for room, or for a route. Returns `error`. */
export function refused(c: Connection, error: number, nowUs: number): number {
  const { stack } = c;
  c.blocked = true;
  if (error === -Errno.ENOBUFS) {
    stack.counters.add(stack.count.outputBlocked, 1);
    stack.work.awaitRoom(c);
    return error;
  }
  if (error === -Errno.EMSGSIZE) {
    // The path shrank inside `begin`; the next run sees the new size.
    stack.work.enqueue(c);
    return error;
  }
  failPath(c, error);
  // With data in flight the retransmission timer runs, or the sender of this segment arms it: it must go on counting.
  if (c.state >= ESTABLISHED && c.rtx.mode === 0 && c.scoreboard.empty) armPersist(c, nowUs);
  return error;
}
