/**
 * The program's end of a connection: half-close, close, and reset on close.
 *
 * Thread: the one that runs the CPU.
 * Read first: RFC 9293 3.6, 3.10.4, 3.10.5; RFC 2525 section 2.17 (reset on close with unread data).
 */

import { Errno } from '../../base/errors.ts';
import { US_PER_MS } from '../../base/units.ts';
import type { Connection } from './connection/connection.ts';
import { DUE_RESET, endConnection } from './connection/due.ts';
import {
  CLOSE_WAIT,
  CLOSED,
  ESTABLISHED,
  FIN_WAIT_1,
  FIN_WAIT_2,
  LAST_ACK,
  SYN_RECEIVED,
  SYN_SENT,
  TIME_WAIT,
} from './connection/states.ts';
import { dispatch, push } from './dispatch.ts';

/**
 * No more data from the program; the FIN follows what is buffered, or the handshake when both opened (RFC 9293 3.10.4,
 * SYN-RECEIVED: queued until ESTABLISHED). Returns 0 or `-ENOTCONN`.
 */
export function shutdownWrite(c: Connection, nowUs: number): number {
  if (c.state === SYN_RECEIVED) {
    c.snd.finQueued = true;
    return 0;
  }
  if (c.state === ESTABLISHED) c.state = FIN_WAIT_1;
  else if (c.state === CLOSE_WAIT) c.state = LAST_ACK;
  else if (c.state > CLOSE_WAIT || c.snd.finQueued) return 0;
  else return -Errno.ENOTCONN;
  c.snd.finQueued = true;
  push(c, nowUs);
  return 0;
}

/** The program lets go of the socket. Unread data, or a linger time of 0, makes it a reset. */
export function closeConnection(c: Connection, nowUs: number): void {
  const { stack } = c;
  c.owner = null;
  switch (c.state) {
    case CLOSED:
    case TIME_WAIT:
      c.discardReceived();
      return;
    case SYN_SENT:
      endConnection(c, 0);
      dispatch(c, nowUs);
      return;
  }
  if (c.readableBytes > 0 || c.options.lingerMs === 0) {
    abortConnection(c, nowUs);
    return;
  }
  c.rcv.readClosed = true;
  stack.callouts.stop(c.slowTimer);
  c.discardReceived();
  shutdownWrite(c, nowUs);
  if (c.state === FIN_WAIT_2) {
    stack.callouts.schedule(c.slowTimer, nowUs + stack.settings.finTimeoutMs.value * US_PER_MS);
  }
}

/** End it with a reset (RFC 9293 3.10.5). */
export function abortConnection(c: Connection, nowUs: number = c.stack.nowUs()): void {
  c.owner = null;
  if (c.state > SYN_SENT && c.state !== TIME_WAIT && c.state !== CLOSED) c.due |= DUE_RESET;
  endConnection(c, -Errno.ECONNRESET);
  dispatch(c, nowUs);
  c.discardReceived();
}
