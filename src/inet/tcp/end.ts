/**
 * The one place that ends connections: timers off, out of the tables, memory given back, the program told.
 *
 * Thread: the one that runs the CPU. Called by dispatch.ts for a connection whose end was marked (connection/due.ts).
 * Read first: RFC 9293 3.9.1.5 and 3.10.4.
 */

import type { Connection } from './connection/connection.ts';
import { stopTimers } from './connection/timers.ts';

/**
 * The connection is over, `c.error` says why. The memory of unsent data is given back; received data stays readable until the
 * program closes the socket. `connecting`: the program waits for the result of connect.
 */
export function finish(c: Connection, connecting: boolean): void {
  const { stack, owner, error } = c;
  stopTimers(c);
  leaveTables(c);
  c.reassembly.clear();
  c.scoreboard.clear();
  c.sendBuffer.begin(c.sendBuffer.endSeq);
  c.sendBuffer.ring.release();
  stack.counters.add(error === 0 ? stack.count.connectionsClosed : stack.count.connectionsDropped, 1);
  if (owner === null) {
    c.discardReceived();
  } else if (connecting) {
    owner.onConnected();
  } else if (error !== 0) {
    owner.onError();
  }
}

/** Both sides have closed, we first: a compact entry answers for the connection from now on. */
export function leaveToTimeWait(c: Connection, nowUs: number): void {
  const { stack } = c;
  stopTimers(c);
  c.scoreboard.clear();
  c.sendBuffer.ring.release();
  stack.timeWait.enter(c, nowUs);
  leaveTables(c);
  stack.counters.add(stack.count.connectionsClosed, 1);
  if (c.owner === null) c.discardReceived();
}

/** Out of the tables; port and path are given back. */
function leaveTables(c: Connection): void {
  const { stack } = c;
  if (c.index < 0) return;
  stack.tables.remove(c);
  stack.work.forgetRings(c);
  if (c.owner !== null) stack.tables.holdAddresses(c);
  if (c.portUse !== null) stack.releasePort(c.portUse);
  c.portUse = null;
  if (c.path !== null) stack.ip.closePath(c.path);
  c.path = null;
}
