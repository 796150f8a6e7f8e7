/**
 * The timers of a connection when they fire: retransmission, persist, loss probe, delayed ACK, keep-alive, pace, and the
 * ends of closed sockets.
 *
 * Thread: the one that runs the CPU. Segments that a timer finds due are sent at once (dispatch.ts); the kernel
 * flushes afterwards.
 * Read first: RFC 6298 section 5, RFC 9293 3.8.3, 3.8.4 and 3.8.6.1.
 */

import { Errno } from '../../base/errors.ts';
import { US_PER_MS } from '../../base/units.ts';
import type { Connection, ConnectionTimers } from './connection/connection.ts';
import {
  DUE_ACK,
  DUE_KEEP_ALIVE,
  DUE_OUTPUT,
  DUE_RESET,
  DUE_RETRANSMIT,
  DUE_SYN,
  DUE_WINDOW_PROBE,
  endConnection,
} from './connection/due.ts';
import {
  ESTABLISHED,
  FIN_WAIT_2,
  SYN_AGAIN_DUE,
  SYN_AGAIN_SENT,
  SYN_RECEIVED,
  SYN_SENT,
  TIMER_PERSIST,
  TIMER_RETRANSMIT,
} from './connection/states.ts';
import { armSlow } from './connection/timers.ts';
import { dispatch } from './dispatch.ts';
import { detectLateLoss } from './recovery/loss-probe.ts';
import { loseOutstanding } from './recovery/timeout.ts';

/** Set by every stack for its connections. */
export const CONNECTION_TIMERS: ConnectionTimers = {
  onRetransmit: onRetransmitTimer,
  onProbe: onProbeTimer,
  onAck: onAckTimer,
  onSlow: onSlowTimer,
  onPace: onPaceTimer,
};

function onRetransmitTimer(c: Connection, nowUs: number): void {
  const mode = c.rtx.mode;
  c.rtx.mode = 0;
  if (mode === TIMER_PERSIST) onPersist(c, nowUs);
  else if (mode === TIMER_RETRANSMIT) {
    if (c.state === SYN_SENT || c.state === SYN_RECEIVED) onSynTimeout(c, nowUs);
    else if (!probeInstead(c, nowUs)) onTimeout(c, nowUs);
  }
  dispatch(c, nowUs);
}

/**
 * A loss probe that is as late as the timeout goes in its place, and starts the timer afresh (RFC 8985 section 7.2).
 * False: none was due.
 */
function probeInstead(c: Connection, nowUs: number): boolean {
  if (c.probeTimer.deadlineUs > nowUs) return false;
  c.stack.callouts.stop(c.probeTimer);
  onProbeTimer(c, nowUs);
  return c.retransmitTimer.pending;
}

function onProbeTimer(c: Connection, nowUs: number): void {
  detectLateLoss(c, nowUs);
  dispatch(c, nowUs);
}

function onPaceTimer(c: Connection, nowUs: number): void {
  c.due |= DUE_OUTPUT;
  dispatch(c, nowUs);
}

/** The number of consecutive timeouts, or the user timeout (RFC 5482), says that the peer is gone. */
function givenUp(c: Connection, limit: number, nowUs: number): boolean {
  // Nothing came since the timer was started.
  if (c.rtx.timeouts === 0) c.rtx.stalledUs = nowUs - c.rtt.rtoUs;
  c.rtx.timeouts++;
  if (c.options.userTimeoutMs > 0) return nowUs - c.rtx.stalledUs >= c.options.userTimeoutMs * US_PER_MS;
  return c.rtx.timeouts > limit;
}

function retryLimit(c: Connection): number {
  const { settings } = c.stack;
  return c.owner === null ? settings.orphanRetries.value : settings.retries.value;
}

function onSynTimeout(c: Connection, nowUs: number): void {
  const { settings, counters, count } = c.stack;
  if (c.state === SYN_SENT && c.rtx.synAgain === SYN_AGAIN_DUE) {
    // No timeout: the first SYN was answered. The SYN-ACK may answer either, so it gives no sample (RFC 6298 section 3).
    c.rtx.synAgain = SYN_AGAIN_SENT;
    c.times.synSentUs = -0.5;
    c.totals.retransmits++;
    c.due |= DUE_SYN;
    return;
  }
  counters.add(count.retransmitTimeouts, 1);
  const limit = c.state === SYN_SENT ? settings.synRetries.value : settings.synAckRetries.value;
  if (givenUp(c, limit, nowUs)) {
    counters.add(count.timeoutDrops, 1);
    endConnection(c, c.softError !== 0 ? c.softError : -Errno.ETIMEDOUT);
    return;
  }
  c.rtt.backOff();
  c.rtx.synRetransmitted = true;
  c.totals.retransmits++;
  c.due |= DUE_SYN;
}

/** Retransmission timeout: RFC 6298 section 5.4 to 5.6. */
function onTimeout(c: Connection, nowUs: number): void {
  const { stack } = c;
  if (c.scoreboard.empty) return;
  stack.counters.add(stack.count.retransmitTimeouts, 1);
  if (givenUp(c, retryLimit(c), nowUs)) {
    stack.counters.add(stack.count.timeoutDrops, 1);
    endConnection(c, c.softError !== 0 ? c.softError : -Errno.ETIMEDOUT);
    return;
  }
  if (c.snd.wnd === 0) {
    // The peer took its window back (recovery/taken-back.ts): the oldest segment is the probe.
    c.scoreboard.markAllLost();
    c.rtt.backOff();
    c.due |= DUE_RETRANSMIT;
    return;
  }
  loseOutstanding(c);
}

/** Persist: the window is closed, or too small for a worthwhile segment (RFC 9293 3.8.6.1 and 3.8.6.2.1). */
function onPersist(c: Connection, nowUs: number): void {
  const { stack } = c;
  if (c.state < ESTABLISHED || c.sendBufferIdle || !c.scoreboard.empty) return;
  stack.counters.add(stack.count.persistTimeouts, 1);
  // The peer answers as long as it lives, so only silence counts; of a socket that nobody holds, any lack of progress.
  if (givenUp(c, stack.settings.retries.value, nowUs)) {
    stack.counters.add(stack.count.persistDrops, 1);
    if (c.owner === null) c.due |= DUE_RESET;
    endConnection(c, c.softError !== 0 ? c.softError : -Errno.ETIMEDOUT);
    return;
  }
  c.due |= DUE_WINDOW_PROBE;
}

function onAckTimer(c: Connection, nowUs: number): void {
  if (c.state < ESTABLISHED || c.rcv.lastAckSent === c.rcv.nxt) return;
  // The program did not answer in time: it is not a conversation.
  c.acks.interactive = false;
  c.stack.counters.add(c.stack.count.delayedAcksSent, 1);
  c.due |= DUE_ACK;
  dispatch(c, nowUs);
}

function onSlowTimer(c: Connection, nowUs: number): void {
  if (c.owner === null) {
    // Closed by the program, and the peer had its time to close too.
    if (c.state === FIN_WAIT_2) endConnection(c, -Errno.ETIMEDOUT);
  } else if (c.options.keepAlive && c.state >= ESTABLISHED) {
    onKeepAlive(c, nowUs);
  }
  dispatch(c, nowUs);
}

/** RFC 9293 3.8.4: probe only an idle connection; the peer's every segment starts the idle time again. */
function onKeepAlive(c: Connection, nowUs: number): void {
  const { options, stack } = c;
  const idleUs = options.keepIdleMs * US_PER_MS;
  const dueUs = c.times.receivedUs + idleUs;
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
      ? nowUs - c.times.receivedUs >= userTimeoutMs * US_PER_MS && c.keepProbes > 0
      : c.keepProbes >= options.keepCount;
  if (lost) {
    stack.counters.add(stack.count.keepAliveDrops, 1);
    c.due |= DUE_RESET;
    endConnection(c, c.softError !== 0 ? c.softError : -Errno.ETIMEDOUT);
    return;
  }
  c.keepProbes++;
  stack.counters.add(stack.count.keepAliveProbes, 1);
  c.due |= DUE_KEEP_ALIVE;
  armSlow(c, nowUs + options.keepIntervalMs * US_PER_MS);
}
