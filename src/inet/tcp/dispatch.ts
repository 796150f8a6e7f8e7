/**
 * The one place that looks at what is due for a connection and sends it.
 *
 * Thread: the one that runs the CPU. A segment, a timer, an ICMP message or a call of the program changes the connection
 * and marks what is due (connection/due.ts); the driver of that procedure calls `dispatch` before it goes on. Segments that
 * can wait for the end of the batch are not marked: the work queue asks for `DUE_OUTPUT` then. A connection that is over ends
 * here, after its last segment.
 * Read first: connection/due.ts, send/output.ts, end.ts.
 */

import type { Connection } from './connection/connection.ts';
import {
  DUE_ACK,
  DUE_BATCH_ACK,
  DUE_END,
  DUE_END_CONNECT,
  DUE_KEEP_ALIVE,
  DUE_LOSS_PROBE,
  DUE_OUTPUT,
  DUE_RESET,
  DUE_RETRANSMIT,
  DUE_SYN,
  DUE_TIME_WAIT,
  DUE_WINDOW_PROBE,
} from './connection/due.ts';
import { finish, leaveToTimeWait } from './end.ts';
import { resendSyn, sendAck, sendKeepAlive, sendReset } from './send/control-segments.ts';
import { output } from './send/output.ts';
import { resendFirst, sendLossProbe } from './send/retransmit.ts';
import { probeWindow } from './send/window-probe.ts';

const DUE_TIMERS: number = DUE_SYN | DUE_RETRANSMIT | DUE_WINDOW_PROBE | DUE_LOSS_PROBE | DUE_KEEP_ALIVE;
const DUE_ENDS: number = DUE_RESET | DUE_TIME_WAIT | DUE_END | DUE_END_CONNECT;

/** Send what is marked, in the order of the marks; then end the connection if it is over. */
export function dispatch(c: Connection, nowUs: number): void {
  // Sending may find that there is no path any more, which ends a connection that is being opened.
  while (c.due !== 0) {
    const { due } = c;
    c.due = 0;
    if ((due & DUE_ACK) !== 0) sendAck(c, nowUs);
    if ((due & DUE_BATCH_ACK) !== 0) {
      c.acks.now = true;
      c.stack.work.enqueue(c);
    }
    if ((due & DUE_OUTPUT) !== 0) output(c, nowUs);
    if ((due & DUE_TIMERS) !== 0) sendForTimer(c, due, nowUs);
    if ((due & DUE_ENDS) !== 0) sendLast(c, due, nowUs);
  }
}

/** For user calls: segments that may be sent go now, unless the work queue is about to look anyway. */
export function push(c: Connection, nowUs: number): void {
  if (c.queued || c.waiting) return;
  c.due |= DUE_OUTPUT;
  dispatch(c, nowUs);
}

function sendForTimer(c: Connection, due: number, nowUs: number): void {
  if ((due & DUE_SYN) !== 0) resendSyn(c, nowUs);
  if ((due & DUE_RETRANSMIT) !== 0) resendFirst(c, nowUs);
  if ((due & DUE_WINDOW_PROBE) !== 0) probeWindow(c, nowUs);
  if ((due & DUE_LOSS_PROBE) !== 0) sendLossProbe(c, nowUs);
  if ((due & DUE_KEEP_ALIVE) !== 0) sendKeepAlive(c, nowUs);
}

function sendLast(c: Connection, due: number, nowUs: number): void {
  if ((due & DUE_RESET) !== 0) sendReset(c, nowUs);
  if ((due & DUE_TIME_WAIT) !== 0) {
    if (c.acks.now) sendAck(c, nowUs);
    leaveToTimeWait(c, nowUs);
  }
  if ((due & (DUE_END | DUE_END_CONNECT)) !== 0) finish(c, (due & DUE_END_CONNECT) !== 0);
}
