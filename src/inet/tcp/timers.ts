/**
 * Timers: retransmission, persist, delayed ACK, keep-alive, and the ends of closed sockets.
 *
 * Thread: the one that runs the kernel. A connection has three callouts. Re-arming the retransmission timer on every ACK
 * stores a number (kern/callout.ts). What a timer finds to send, it sends at once; the stack flushes afterwards.
 * Read first: RFC 6298 section 5, RFC 9293 3.8.3, 3.8.4 and 3.8.6.1.
 */

import { Errno } from '../../base/errors.ts';
import {
  type Connection,
  ESTABLISHED,
  FIN_WAIT_2,
  RECOVERY_NONE,
  RECOVERY_TIMEOUT,
  SYN_RECEIVED,
  SYN_SENT,
  TIMER_PERSIST,
  TIMER_RETRANSMIT,
} from './connection/connection.ts';
import { onMtuTimeout } from './connection/mtu-search.ts';
import { dropConnection } from './icmp.ts';
import { probeInstead } from './recovery/rack.ts';
import { beginFrto, beginUndo } from './recovery/undo.ts';
import { sendAck, sendKeepAlive, sendReset, sendSyn } from './send/control-segments.ts';
import { sendForced, sendProbe } from './send/output.ts';
import { retransmit } from './send/retransmit.ts';

const US_PER_MS = 1000;
/** RFC 9293 3.8.6.1 leaves the bounds open; BSD's five seconds at least would make a stalled window slow to reopen. */
const PERSIST_MAX_US = 60_000_000;

/** Start the retransmission timer afresh (RFC 6298 5.1, 5.3). */
export function armRetransmit(c: Connection, nowUs: number): void {
  if (c.timerMode === TIMER_PERSIST) {
    c.timeouts = 0;
    c.rtt.backoff = 0;
  }
  c.timerMode = TIMER_RETRANSMIT;
  schedule(c, nowUs, c.rtt.rtoUs);
}

/** After `waitUs`; but the user timeout (RFC 5482) is not kept waiting for the end of a pause that doubles. */
function schedule(c: Connection, nowUs: number, waitUs: number): void {
  const { userTimeoutMs } = c.options;
  let deadlineUs = nowUs + waitUs;
  if (userTimeoutMs > 0 && c.timeouts > 0) deadlineUs = Math.min(deadlineUs, c.stalledUs + userTimeoutMs * US_PER_MS);
  c.stack.callouts.schedule(c.retransmitTimer, deadlineUs);
}

/** Start probing: the first probe after one timeout, then doubling. */
export function armPersist(c: Connection, nowUs: number): void {
  c.timerMode = TIMER_PERSIST;
  c.timeouts = 0;
  c.rtt.backoff = 0;
  schedule(c, nowUs, Math.min(c.rtt.rtoUs, PERSIST_MAX_US));
}

export function stopRetransmit(c: Connection): void {
  c.timerMode = 0;
  c.stack.callouts.stop(c.retransmitTimer);
}

export function onRetransmitTimer(c: Connection, nowUs: number): void {
  const mode = c.timerMode;
  c.timerMode = 0;
  if (mode === TIMER_PERSIST) onPersist(c, nowUs);
  else if (mode === TIMER_RETRANSMIT) {
    if (c.state === SYN_SENT || c.state === SYN_RECEIVED) onSynTimeout(c, nowUs);
    else if (!probeInstead(c, nowUs)) onTimeout(c, nowUs);
  }
}

/** The number of timeouts in a row, or the user timeout (RFC 5482), says that the peer is gone. */
function givenUp(c: Connection, limit: number, nowUs: number): boolean {
  // Nothing came since the timer was started.
  if (c.timeouts === 0) c.stalledUs = nowUs - c.rtt.rtoUs;
  c.timeouts++;
  if (c.options.userTimeoutMs > 0) return nowUs - c.stalledUs >= c.options.userTimeoutMs * US_PER_MS;
  return c.timeouts > limit;
}

function retryLimit(c: Connection): number {
  const { settings } = c.stack;
  return c.owner === null ? settings.orphanRetries.value : settings.retries.value;
}

function onSynTimeout(c: Connection, nowUs: number): void {
  const { settings, counters, count } = c.stack;
  counters.add(count.retransmitTimeouts, 1);
  const limit = c.state === SYN_SENT ? settings.synRetries.value : settings.synAckRetries.value;
  if (givenUp(c, limit, nowUs)) {
    counters.add(count.timeoutDrops, 1);
    dropConnection(c, c.softError !== 0 ? c.softError : -Errno.ETIMEDOUT);
    return;
  }
  c.rtt.backOff();
  c.synRetransmitted = true;
  c.retransmits++;
  sendSyn(c, nowUs);
  if (c.timerMode === 0 && c.state !== 0) armRetransmit(c, nowUs);
}

/** RFC 6298 section 5.4 to 5.6, RFC 5681 section 3.1 (equation 4), RFC 6675 section 5.1. */
function onTimeout(c: Connection, nowUs: number): void {
  const { scoreboard, congestion, stack } = c;
  if (scoreboard.empty) return;
  stack.counters.add(stack.count.retransmitTimeouts, 1);
  if (givenUp(c, retryLimit(c), nowUs)) {
    stack.counters.add(stack.count.timeoutDrops, 1);
    dropConnection(c, c.softError !== 0 ? c.softError : -Errno.ETIMEDOUT);
    return;
  }
  if (scoreboard.headSacked) {
    stack.counters.add(stack.count.sackReneges, 1);
    scoreboard.forgetSacks();
  }
  // A segment lost again says nothing new about the window (RFC 5681 section 3.1).
  if (c.timeouts === 1 && c.recovery !== RECOVERY_TIMEOUT) {
    if (c.recovery === RECOVERY_NONE) beginUndo(c);
    else c.undo.possible = false;
    congestion.onLoss((c.sndNxt - c.sndUna) | 0, c.mss);
    beginFrto(c);
  } else {
    c.undo.frto = 0;
  }
  onMtuTimeout(c);
  c.ecn.cwrDue = c.ecn.ok;
  congestion.reset(c.mss);
  c.recovery = RECOVERY_TIMEOUT;
  c.recoveryPoint = c.sndNxt;
  c.recoverValid = true;
  c.renoSackedBytes = 0;
  c.dupAcks = 0;
  c.retransmitDue = false;
  c.rack.probeOut = false;
  scoreboard.markAllLost();
  c.rtt.backOff();
  retransmit(c, scoreboard.nextLost(), nowUs);
  armRetransmit(c, nowUs);
}

/** Persist: the window is closed, or too small for a worthwhile segment (RFC 9293 3.8.6.1 and 3.8.6.2.1). */
function onPersist(c: Connection, nowUs: number): void {
  const { stack } = c;
  if (c.state < ESTABLISHED || c.sendBufferIdle || !c.scoreboard.empty) return;
  stack.counters.add(stack.count.persistTimeouts, 1);
  // The peer answers as long as it lives, so only silence counts; of a socket that nobody holds, any lack of progress.
  if (givenUp(c, stack.settings.retries.value, nowUs)) {
    stack.counters.add(stack.count.persistDrops, 1);
    if (c.owner === null) sendReset(c);
    dropConnection(c, c.softError !== 0 ? c.softError : -Errno.ETIMEDOUT);
    return;
  }
  // Still persisting, unless data goes.
  c.timerMode = TIMER_PERSIST;
  const usable = (c.sndUna + c.sndWnd - c.sndNxt) | 0;
  if (usable > 0) sendForced(c, usable, nowUs);
  else sendProbe(c, nowUs);
  if (c.timerMode === TIMER_PERSIST) {
    c.rtt.backOff();
    schedule(c, nowUs, Math.min(c.rtt.rtoUs, PERSIST_MAX_US));
  }
}

export function onAckTimer(c: Connection, nowUs: number): void {
  if (c.state < ESTABLISHED || c.lastAckSent === c.rcvNxt) return;
  // The program did not answer in time: it is not a conversation.
  c.interactive = false;
  c.stack.counters.add(c.stack.count.delayedAcksSent, 1);
  sendAck(c, nowUs);
}

/** The timer of slow things: keep-alive while a program holds the socket, FIN_WAIT_2 when none does. */
function armSlow(c: Connection, deadlineUs: number): void {
  c.stack.callouts.schedule(c.slowTimer, deadlineUs);
}

/** After the option changed, and when the connection is established. */
export function startKeepAlive(c: Connection, nowUs: number): void {
  c.keepProbes = 0;
  if (c.options.keepAlive && c.state >= ESTABLISHED && c.owner !== null) {
    armSlow(c, nowUs + c.options.keepIdleMs * US_PER_MS);
  } else if (c.owner !== null) {
    c.stack.callouts.stop(c.slowTimer);
  }
}

export function onSlowTimer(c: Connection, nowUs: number): void {
  if (c.owner === null) {
    // Closed by the program, and the peer had its time to close too.
    if (c.state === FIN_WAIT_2) dropConnection(c, -Errno.ETIMEDOUT);
    return;
  }
  if (c.options.keepAlive && c.state >= ESTABLISHED) onKeepAlive(c, nowUs);
}

/** RFC 9293 3.8.4: probe only an idle connection; the peer's every segment starts the idle time again. */
function onKeepAlive(c: Connection, nowUs: number): void {
  const { options, stack } = c;
  const idleUs = options.keepIdleMs * US_PER_MS;
  const dueUs = c.lastReceivedUs + idleUs;
  if (!c.scoreboard.empty || !c.sendBufferIdle) {
    // Data is under way: its own timer watches the peer.
    armSlow(c, nowUs + idleUs);
    return;
  }
  if (dueUs > nowUs) {
    c.keepProbes = 0;
    armSlow(c, dueUs);
    return;
  }
  stack.counters.add(stack.count.keepAliveTimeouts, 1);
  const { userTimeoutMs } = options;
  const lost =
    userTimeoutMs > 0
      ? nowUs - c.lastReceivedUs >= userTimeoutMs * US_PER_MS && c.keepProbes > 0
      : c.keepProbes >= options.keepCount;
  if (lost) {
    stack.counters.add(stack.count.keepAliveDrops, 1);
    sendReset(c);
    dropConnection(c, c.softError !== 0 ? c.softError : -Errno.ETIMEDOUT);
    return;
  }
  c.keepProbes++;
  stack.counters.add(stack.count.keepAliveProbes, 1);
  sendKeepAlive(c, nowUs);
  armSlow(c, nowUs + options.keepIntervalMs * US_PER_MS);
}

/** Disarm everything. */
export function stopTimers(c: Connection): void {
  const { callouts } = c.stack;
  callouts.stop(c.retransmitTimer);
  callouts.stop(c.probeTimer);
  callouts.stop(c.ackTimer);
  callouts.stop(c.slowTimer);
  if (c.pacer !== null) callouts.stop(c.pacer.timer);
  c.timerMode = 0;
}
