/**
 * Arming and stopping the timers of a connection. Their handlers are in tcp/timers.ts.
 *
 * Thread: the one that runs the CPU. Re-arming the retransmission timer on every ACK stores a number (kern/callout.ts).
 * Read first: RFC 6298 section 5, RFC 9293 3.8.3, 3.8.4 and 3.8.6.1, RFC 8985 section 7.2.
 */

import { US_PER_MS, US_PER_S } from '../../../base/units.ts';
import type { Connection } from './connection.ts';
import { ESTABLISHED, RECOVERY_NONE, TIMER_PERSIST, TIMER_RETRANSMIT } from './states.ts';

/** RFC 9293 3.8.6.1 leaves the bounds open; BSD's five seconds at least would make a stalled window slow to reopen. */
const PERSIST_MAX_US = 60_000_000;
/** Added to two round trips: the peer's thread may be busy for a while, and a probe is work for it too. */
const PROBE_SLACK_US = 10_000;
/** Section 7.2: before anything was measured. */
const PROBE_INITIAL_US = US_PER_S;
/** Worst case of a delayed acknowledgement (section 7.2, TLP.max_ack_delay). */
const MAX_ACK_DELAY_US = 200_000;

/** Start the retransmission timer afresh (RFC 6298 5.1, 5.3). */
export function armRetransmit(c: Connection, nowUs: number): void {
  if (c.rtx.mode === TIMER_PERSIST) {
    c.rtx.timeouts = 0;
    c.rtt.backoff = 0;
  }
  c.rtx.mode = TIMER_RETRANSMIT;
  schedule(c, nowUs, c.rtt.rtoUs);
}

/** After `waitUs`; but the user timeout (RFC 5482) is not kept waiting for the end of a pause that doubles. */
function schedule(c: Connection, nowUs: number, waitUs: number): void {
  const { userTimeoutMs } = c.options;
  let deadlineUs = nowUs + waitUs;
  if (userTimeoutMs > 0 && c.rtx.timeouts > 0)
    deadlineUs = Math.min(deadlineUs, c.rtx.stalledUs + userTimeoutMs * US_PER_MS);
  c.stack.callouts.schedule(c.retransmitTimer, deadlineUs);
}

/** Start probing: the first probe after one timeout, then doubling. */
export function armPersist(c: Connection, nowUs: number): void {
  c.rtx.mode = TIMER_PERSIST;
  c.rtx.timeouts = 0;
  c.rtt.backoff = 0;
  schedule(c, nowUs, Math.min(c.rtt.rtoUs, PERSIST_MAX_US));
}

/** After a probe: the next one after a pause that doubles. */
export function continuePersist(c: Connection, nowUs: number): void {
  c.rtt.backOff();
  schedule(c, nowUs, Math.min(c.rtt.rtoUs, PERSIST_MAX_US));
}

/** The retransmission timer, which runs, fires at `deadlineUs` at the latest. */
export function hastenRetransmit(c: Connection, deadlineUs: number): void {
  if (deadlineUs < c.retransmitTimer.deadlineUs) c.stack.callouts.schedule(c.retransmitTimer, deadlineUs);
}

export function stopRetransmit(c: Connection): void {
  c.rtx.mode = 0;
  c.stack.callouts.stop(c.retransmitTimer);
}

/** The timer of slow things: keep-alive while a program holds the socket, FIN_WAIT_2 when none does. */
export function armSlow(c: Connection, deadlineUs: number): void {
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

/** Disarm everything. */
export function stopTimers(c: Connection): void {
  const { callouts } = c.stack;
  callouts.stop(c.retransmitTimer);
  callouts.stop(c.probeTimer);
  callouts.stop(c.ackTimer);
  callouts.stop(c.slowTimer);
  if (c.pacer !== null) callouts.stop(c.pacer.timer);
  c.rtx.mode = 0;
}

/** Section 7.2: after sending new data, and after each ACK that leaves some outstanding. */
export function armProbe(c: Connection, nowUs: number): void {
  const { scoreboard, stack, rtt } = c;
  if (!c.sackOk || stack.settings.lossProbe.value === 0) return;
  if (scoreboard.sackedBytes > 0 || c.loss.phase !== RECOVERY_NONE) return;
  if (scoreboard.empty || c.rack.probeOut || c.state < ESTABLISHED) {
    if (c.probeTimer.pending) stack.callouts.stop(c.probeTimer);
    return;
  }
  let waitUs = rtt.srttUs < 0 ? PROBE_INITIAL_US : 2 * rtt.srttUs + PROBE_SLACK_US;
  // A lone segment may wait for a delayed acknowledgement.
  if (scoreboard.count === 1 && scoreboard.lengthOf(scoreboard.last) <= c.size.mss) waitUs += MAX_ACK_DELAY_US;
  stack.callouts.schedule(c.probeTimer, Math.min(nowUs + waitUs, c.retransmitTimer.deadlineUs));
}
