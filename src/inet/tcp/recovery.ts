/**
 * Loss detection and recovery: duplicate ACKs, SACK, fast retransmit and fast recovery, return from a timeout.
 *
 * Thread: the one that runs the kernel. With SACK this is RFC 6675; without it, NewReno written in the same terms: what
 * RFC 6582 does by inflating the window, is done here by counting the segments that duplicate ACKs report as no longer in
 * flight (`renoSackedBytes`), so that one rule, cwnd against pipe, governs sending.
 * Read first: RFC 5681 section 3.2, RFC 6582, RFC 6675. Missing: RACK-TLP (RFC 8985), PRR (RFC 6937), F-RTO (RFC 5682).
 */

import { type Connection, RECOVERY_FAST, RECOVERY_NONE, RECOVERY_TIMEOUT } from './connection.ts';
import type { Segment } from './options.ts';

const DUP_THRESHOLD = 3;

/** Enter the segment's SACK blocks in the scoreboard. Returns the bytes newly reported. */
export function receiveSacks(c: Connection, segment: Segment): number {
  const { scoreboard, stack } = c;
  let news = 0;
  stack.counters.add(stack.count.sackBlocksReceived, segment.sackCount);
  for (let b = 0; b < segment.sackCount; b++) {
    const start = segment.sackStart[b] as number;
    const end = segment.sackEnd[b] as number;
    if (((end - start) | 0) <= 0 || ((end - c.sndNxt) | 0) > 0) continue;
    // Below the cumulative ACK: a report of a duplicate (RFC 2883), not of a gap.
    if (((start - segment.ack) | 0) < 0 || ((start - c.sndUna) | 0) < 0) {
      stack.counters.add(stack.count.dsackReceived, 1);
      continue;
    }
    news += scoreboard.sack(start, end);
  }
  return news;
}

/** SND.UNA moved by `ackedBytes`; `flightBytes` were outstanding before. */
export function onAdvance(c: Connection, ackedBytes: number, flightBytes: number, nowUs: number): void {
  const { congestion } = c;
  if (c.recovery === RECOVERY_NONE) {
    c.dupAcks = 0;
    c.renoSackedBytes = 0;
    const { cwnd, ssthresh } = congestion;
    // A window that was not used has proved nothing (RFC 9438 section 5.8; in slow start as Linux judges it).
    if (c.windowLimited || (cwnd < ssthresh && cwnd < 2 * flightBytes)) grow(c, ackedBytes, nowUs);
    return;
  }
  const whole = ((c.sndUna - c.recoveryPoint) | 0) >= 0;
  if (c.recovery === RECOVERY_TIMEOUT) {
    c.dupAcks = 0;
    if (whole) c.recovery = RECOVERY_NONE;
    grow(c, ackedBytes, nowUs);
    return;
  }
  if (whole) {
    c.recovery = RECOVERY_NONE;
    c.dupAcks = 0;
    c.renoSackedBytes = 0;
    c.retransmitDue = false;
    // RFC 6582 section 3.2, full acknowledgement, option 1; with SACK the pipe limits the burst.
    const flight = (c.sndNxt - c.sndUna) | 0;
    if (!c.sackOk) congestion.cwnd = Math.min(congestion.ssthresh, Math.max(flight, c.mss) + c.mss);
    return;
  }
  if (!c.sackOk) {
    // Partial acknowledgement: the next hole is lost too; what was acknowledged had been counted by duplicates, except
    // the retransmission itself.
    c.renoSackedBytes = Math.max(0, c.renoSackedBytes - Math.max(0, ackedBytes - c.mss));
    c.scoreboard.markHeadLost();
    c.retransmitDue = true;
  }
}

function grow(c: Connection, ackedBytes: number, nowUs: number): void {
  c.congestion.onAck(ackedBytes, c.mss, c.rtt.srttUs, nowUs);
}

/** After every ACK: `newlySacked` bytes were reported; `duplicate` as RFC 5681 section 2 defines it. */
export function detectLoss(c: Connection, newlySacked: number, duplicate: boolean, nowUs: number): void {
  if (c.sackOk) {
    if (newlySacked > 0) c.scoreboard.detectLost(c.mss);
    if (c.recovery !== RECOVERY_NONE) return;
    if (newlySacked > 0 || (duplicate && c.dupAcks > 0)) c.dupAcks++;
    if (c.scoreboard.lostBytes > 0) enterRecovery(c, nowUs);
    else if (c.dupAcks >= DUP_THRESHOLD && c.scoreboard.sackedBytes > 0) {
      c.scoreboard.markHeadLost();
      enterRecovery(c, nowUs);
    } else if (newlySacked > 0) countLimitedTransmit(c);
    return;
  }
  if (!duplicate || c.recovery === RECOVERY_TIMEOUT) return;
  const outstanding = (c.sndNxt - c.sndUna) | 0;
  if (c.recovery === RECOVERY_FAST) {
    c.renoSackedBytes = Math.min(c.renoSackedBytes + c.mss, Math.max(0, outstanding - c.scoreboard.lostBytes));
    return;
  }
  c.dupAcks++;
  if (c.dupAcks < DUP_THRESHOLD) {
    countLimitedTransmit(c);
    return;
  }
  // RFC 6582 section 3.2 step 2: duplicates of what was resent after a timeout are no loss.
  if (c.dupAcks > DUP_THRESHOLD || (c.recoverValid && c.sndUna === c.recoveryPoint)) return;
  c.renoSackedBytes = Math.min(DUP_THRESHOLD * c.mss, Math.max(0, outstanding - c.mss));
  c.scoreboard.markHeadLost();
  enterRecovery(c, nowUs);
}

function countLimitedTransmit(c: Connection): void {
  const { stack } = c;
  if (!c.sendBufferIdle && stack.settings.limitedTransmit.value === 1) {
    stack.counters.add(stack.count.limitedTransmits, 1);
  }
}

/** RFC 6675 section 5 step 4, RFC 6582 section 3.2 step 2. */
function enterRecovery(c: Connection, _nowUs: number): void {
  const { congestion, stack } = c;
  c.recovery = RECOVERY_FAST;
  c.recoveryPoint = c.sndNxt;
  c.recoverValid = true;
  c.rescued = false;
  c.retransmitDue = true;
  congestion.onLoss(Math.min((c.sndNxt - c.sndUna) | 0, congestion.cwnd), c.mss);
  congestion.reset(congestion.ssthresh);
  stack.counters.add(stack.count.fastRetransmits, 1);
  stack.counters.add(c.sackOk ? stack.count.sackRecoveries : stack.count.newRenoRecoveries, 1);
}

/** Segments longer than the path now carries are lost; the congestion window stays. */
export function markOversized(c: Connection): void {
  if (c.scoreboard.markLonger(c.mss) && c.recovery === RECOVERY_NONE) {
    c.recovery = RECOVERY_FAST;
    c.recoveryPoint = c.sndNxt;
    c.recoverValid = true;
    c.rescued = true;
    c.congestion.ssthresh = Math.max(c.congestion.ssthresh, c.congestion.cwnd);
  }
  c.retransmitDue = true;
}
