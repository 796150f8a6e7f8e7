/**
 * The end of a connection: the peer's FIN, our own, half-close, reset on close, entering TIME_WAIT.
 *
 * Thread: the one that runs the kernel.
 * Read first: RFC 9293 3.6, 3.10.4, 3.10.5, 3.10.7.4 (eighth); RFC 2525 section 2.17 (reset on close with unread data).
 */

import { Errno } from '../../base/errors.ts';
import { FLAG_FIN } from '../../wire/tcp.ts';
import {
  CLOSE_WAIT,
  CLOSED,
  CLOSING,
  type Connection,
  ESTABLISHED,
  FIN_WAIT_1,
  FIN_WAIT_2,
  LAST_ACK,
  SYN_RECEIVED,
  SYN_SENT,
  TIME_WAIT,
} from './connection/connection.ts';
import { dropConnection } from './icmp.ts';
import { sendAck, sendReset } from './send/control-segments.ts';
import type { Segment } from './shared/options.ts';
import { stopTimers } from './timers.ts';

/** Eighth: the FIN bit, of this segment or of one that had arrived out of order. */
export function onPeerFin(c: Connection, segment: Segment, nowUs: number): void {
  const { reassembly, stack } = c;
  if (c.finReceived || c.state === CLOSED) return;
  if (segment.flags & FLAG_FIN) {
    reassembly.finKnown = true;
    reassembly.finSeq = (segment.seq + segment.dataBytes) | 0;
  }
  if (c.rcvNxt !== reassembly.finSeq) {
    // Data before it is missing; an empty FIN has not been answered yet. An ACK is not: two ends that both wait for what
    // stands before the other's FIN would answer each other's for ever.
    if (segment.dataBytes === 0 && segment.flags & FLAG_FIN) sendAck(c, nowUs);
    return;
  }
  reassembly.finKnown = false;
  c.rcvNxt = (c.rcvNxt + 1) | 0;
  c.finReceived = true;
  c.ackNow = true;
  stack.work.enqueue(c);
  if (c.state === ESTABLISHED) c.state = CLOSE_WAIT;
  else if (c.state === FIN_WAIT_1) c.state = CLOSING;
  else if (c.state === FIN_WAIT_2) {
    enterTimeWait(c, nowUs);
  }
  if (c.owner !== null) c.owner.onReadable();
}

/** Both sides have closed, we first: a compact entry answers for the connection from now on. */
export function enterTimeWait(c: Connection, nowUs: number): void {
  const { stack } = c;
  if (c.ackNow) sendAck(c, nowUs);
  if (c.state === CLOSED) return;
  c.state = TIME_WAIT;
  stopTimers(c);
  c.scoreboard.clear();
  c.sendBuffer.ring.release();
  stack.timeWait.enter(c, nowUs);
  stack.detach(c);
  stack.counters.add(stack.count.connectionsClosed, 1);
  if (c.owner === null) c.discardReceived();
}

/**
 * No more data from the program; the FIN follows what is buffered, or the handshake when both opened (RFC 9293 3.10.4,
 * SYN-RECEIVED: queued until ESTABLISHED). Returns 0 or `-ENOTCONN`.
 */
export function shutdownWrite(c: Connection, nowUs: number): number {
  if (c.state === SYN_RECEIVED) {
    c.finQueued = true;
    return 0;
  }
  if (c.state === ESTABLISHED) c.state = FIN_WAIT_1;
  else if (c.state === CLOSE_WAIT) c.state = LAST_ACK;
  else if (c.state > CLOSE_WAIT || c.finQueued) return 0;
  else return -Errno.ENOTCONN;
  c.finQueued = true;
  c.stack.work.push(c, nowUs);
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
      dropConnection(c, 0);
      return;
  }
  if (c.readableBytes > 0 || c.options.lingerMs === 0) {
    abortConnection(c);
    return;
  }
  c.readClosed = true;
  stack.callouts.stop(c.slowTimer);
  c.discardReceived();
  shutdownWrite(c, nowUs);
  if (c.state === FIN_WAIT_2) {
    stack.callouts.schedule(c.slowTimer, nowUs + stack.settings.finTimeoutMs.value * 1000);
  }
}

/** End it with a reset (RFC 9293 3.10.5). */
export function abortConnection(c: Connection): void {
  c.owner = null;
  if (c.state > SYN_SENT && c.state !== TIME_WAIT && c.state !== CLOSED) sendReset(c);
  dropConnection(c, -Errno.ECONNRESET);
  c.discardReceived();
}
