/**
 * Loss detection and recovery: duplicate ACKs, SACK, fast retransmit and fast recovery, return from a timeout.
 *
 * Thread: the one that runs the CPU. With SACK this is RFC 6675; without it, NewReno in the same terms: where RFC 6582
 * inflates the window, segments that duplicate ACKs report as no longer in flight are counted (`renoSackedBytes`), so that
 * one rule, cwnd against pipe, governs sending. The window comes down in a recovery as RFC 6937 says (PRR). RACK (rack.ts) finds losses by time instead of counting, undo.ts takes back mistakes.
 * Read first: RFC 5681 section 3.2, RFC 6582, RFC 6675, RFC 6937.
 */

import { seqGe, seqGt, seqLe, seqLt } from '../../../base/sequence.ts';
import { SSTHRESH_INITIAL } from '../connection/congestion/control.ts';
import { BURST_LIMIT_SEGMENTS, HyStart } from '../connection/congestion/hystart.ts';
import type { Connection } from '../connection/connection.ts';
import { DUP_THRESHOLD } from '../connection/loss-recovery.ts';
import { RECOVERY_FAST, RECOVERY_NONE, RECOVERY_TIMEOUT } from '../connection/states.ts';
import type { Segment } from '../shared/segment.ts';
import { mtuProbeLost } from './mtu-probe.ts';
import { noteDuplicateSegment, noteRecoveryEnd, rackDetect } from './rack.ts';
import { beginUndo, frtoAnswer, noteDuplicateReport } from './undo.ts';

/** Enter the segment's SACK blocks in the scoreboard. Returns the bytes newly reported. */
export function receiveSacks(c: Connection, segment: Segment, nowUs: number, echoUs: number): number {
  const { scoreboard, stack } = c;
  let news = 0;
  stack.counters.add(stack.count.sackBlocksReceived, segment.sackCount);
  for (let b = 0; b < segment.sackCount; b++) {
    const start = segment.sackStart[b] as number;
    const end = segment.sackEnd[b] as number;
    if (seqLe(end, start) || seqGt(end, c.snd.nxt)) continue;
    // Below the cumulative ACK: a report of a duplicate (RFC 2883), not of a gap.
    if (seqLt(start, segment.ack) || seqLt(start, c.snd.una)) {
      stack.counters.add(stack.count.dsackReceived, 1);
      noteDuplicateSegment(c);
      noteDuplicateReport(c, start);
      continue;
    }
    news += scoreboard.sack(start, end, nowUs, echoUs, c.rtt.minRttUs);
  }
  return news;
}

/** SND.UNA moved by `ackedBytes`; `flightBytes` were outstanding before. */
export function onAdvance(c: Connection, ackedBytes: number, flightBytes: number, nowUs: number): void {
  const { congestion } = c;
  if (c.loss.phase === RECOVERY_NONE) {
    c.loss.dupAcks = 0;
    c.loss.renoSackedBytes = 0;
    const { cwnd, ssthresh } = congestion;
    // A window that was not used has proved nothing (RFC 9438 section 5.8; in slow start as Linux judges it).
    // Nor does one grow for an echo of a mark (RFC 3168 section 6.1.2), or while the marked window is acknowledged.
    if (c.ecn.reduced || c.ecn.echoed) return;
    if (c.use.limited || (cwnd < ssthresh && cwnd < 2 * flightBytes)) grow(c, ackedBytes, nowUs);
    return;
  }
  const whole = seqGe(c.snd.una, c.loss.point);
  if (c.loss.phase === RECOVERY_TIMEOUT) {
    c.loss.dupAcks = 0;
    if (whole) endRecovery(c);
    grow(c, ackedBytes, nowUs);
    return;
  }
  if (whole) {
    endRecovery(c);
    return;
  }
  if (!c.sackOk) {
    // Partial acknowledgement: the next hole is lost too; duplicates had counted the bytes acknowledged, except those of
    // the retransmission.
    c.loss.renoSackedBytes = Math.max(0, c.loss.renoSackedBytes - Math.max(0, ackedBytes - c.size.mss));
    c.scoreboard.markHeadLost();
    c.loss.retransmitDue = true;
  }
}

function grow(c: Connection, ackedBytes: number, nowUs: number): void {
  if (c.congestion.cwnd < c.congestion.ssthresh) {
    ackedBytes = slowStartBytes(c, ackedBytes);
    if (ackedBytes <= 0) return;
  } else if (c.stack.settings.byteCounting.value === 0) {
    ackedBytes = Math.min(ackedBytes, c.size.mss);
  }
  c.congestion.onAck(ackedBytes, c.size.mss, c.rtt.srttUs, nowUs);
}

// cold: once per connection.
function makeHyStart(c: Connection): HyStart {
  c.hystart = new HyStart(c.snd.nxt);
  return c.hystart;
}

/** By how much slow start may grow for `ackedBytes` acknowledged: RFC 3465 section 2.2, RFC 9406. */
function slowStartBytes(c: Connection, ackedBytes: number): number {
  const { congestion, stack, rtt } = c;
  const { byteCounting, byteCountingAggressive, hystart, pacingMinRttUs } = stack.settings;
  if (byteCounting.value === 0) ackedBytes = Math.min(ackedBytes, c.size.mss);
  else if (byteCountingAggressive.value < 2)
    ackedBytes = Math.min(ackedBytes, (1 + byteCountingAggressive.value) * c.size.mss);
  // In memory a round trip tells who was running, not how long a queue is.
  if (rtt.minRttUs < pacingMinRttUs.value || congestion.ssthresh < SSTHRESH_INITIAL || hystart.value === 0)
    return ackedBytes;
  const hystartState = c.hystart ?? makeHyStart(c);
  if (!c.paced) ackedBytes = Math.min(ackedBytes, BURST_LIMIT_SEGMENTS * c.size.mss);
  const bytes = hystartState.onAck(ackedBytes, c.snd.una, c.snd.nxt, c.scoreboard.rackRttUs);
  if (bytes >= 0) return bytes;
  congestion.ssthresh = congestion.cwnd;
  stack.counters.add(stack.count.slowStartsLeft, 1);
  return 0;
}

/** Everything that was outstanding when the recovery began has arrived. */
function endRecovery(c: Connection): void {
  const { congestion } = c;
  const fast = c.loss.phase === RECOVERY_FAST;
  c.loss.phase = RECOVERY_NONE;
  c.loss.dupAcks = 0;
  c.loss.renoSackedBytes = 0;
  c.loss.retransmitDue = false;
  c.undo.frto = 0;
  noteRecoveryEnd(c);
  if (!fast) return;
  if (c.prr.flight > 0) {
    congestion.cwnd = congestion.ssthresh;
  } else if (!c.sackOk) {
    // RFC 6582 section 3.2, full acknowledgement, option 1; with SACK the pipe limits the burst.
    const flight = (c.snd.nxt - c.snd.una) | 0;
    congestion.cwnd = Math.min(congestion.ssthresh, Math.max(flight, c.size.mss) + c.size.mss);
  }
}

/** After every ACK: `newlySacked` bytes were reported; `duplicate` as RFC 5681 section 2 defines it. */
export function detectLoss(
  c: Connection,
  newlySacked: number,
  advanced: boolean,
  duplicate: boolean,
  nowUs: number,
): void {
  if (c.loss.phase === RECOVERY_TIMEOUT && frtoAnswer(c, advanced, newlySacked > 0, duplicate)) return;
  if (c.sackOk) {
    detectBySack(c, newlySacked, duplicate, nowUs);
    return;
  }
  if (!duplicate || c.loss.phase === RECOVERY_TIMEOUT) return;
  const outstanding = (c.snd.nxt - c.snd.una) | 0;
  if (c.loss.phase === RECOVERY_FAST) {
    c.loss.renoSackedBytes = Math.min(
      c.loss.renoSackedBytes + c.size.mss,
      Math.max(0, outstanding - c.scoreboard.lostBytes),
    );
    return;
  }
  c.loss.dupAcks++;
  if (c.loss.dupAcks < DUP_THRESHOLD) {
    countLimitedTransmit(c);
    return;
  }
  // RFC 6582 section 3.2 step 2: duplicates of what was resent after a timeout are no loss.
  if (c.loss.dupAcks > DUP_THRESHOLD || (c.loss.pointValid && c.snd.una === c.loss.point)) return;
  c.loss.renoSackedBytes = Math.min(DUP_THRESHOLD * c.size.mss, Math.max(0, outstanding - c.size.mss));
  c.scoreboard.markHeadLost();
  enterRecovery(c, nowUs);
}

/** With SACK: by time (RFC 8985), or by what was reported above (RFC 6675 section 4). */
function detectBySack(c: Connection, newlySacked: number, duplicate: boolean, nowUs: number): void {
  const { scoreboard, stack } = c;
  if (stack.settings.rack.value === 1) {
    rackDetect(c, nowUs);
  } else if (newlySacked > 0) {
    scoreboard.detectLost(c.size.mss);
  }
  if (c.loss.phase !== RECOVERY_NONE) return;
  if (newlySacked > 0 || (duplicate && c.loss.dupAcks > 0)) c.loss.dupAcks++;
  if (scoreboard.lostBytes > 0) {
    enterRecovery(c, nowUs);
  } else if (c.loss.dupAcks >= DUP_THRESHOLD && scoreboard.sackedBytes > 0 && stack.settings.rack.value === 0) {
    scoreboard.markHeadLost();
    enterRecovery(c, nowUs);
  } else if (newlySacked > 0) {
    countLimitedTransmit(c);
  }
}

function countLimitedTransmit(c: Connection): void {
  const { stack } = c;
  if (!c.sendBufferIdle && stack.settings.limitedTransmit.value === 1) {
    stack.counters.add(stack.count.limitedTransmits, 1);
  }
}

/**
 * FlightSize of RFC 5681: bytes in flight when the network gave its sign. The ACKs of one batch are processed before
 * anything is sent in return, so SND.NXT - SND.UNA is less by what they acknowledged: that counts, or the window would come
 * down for the batch as well. While the window is what limits, it is in use (RFC 9438 section 4.6).
 */
function flightBytes(c: Connection, nowUs: number): number {
  const { cwnd } = c.congestion;
  if (c.use.limited) return cwnd;
  const since = c.use.batchUs === nowUs ? c.use.batchUna : c.snd.una;
  return Math.min((c.snd.nxt - since) | 0, cwnd);
}

/** The window comes down for one congestion event, without a recovery (ECN, a tail loss that a probe repaired). */
export function congestionEvent(c: Connection, nowUs: number): void {
  const { congestion } = c;
  congestion.onLoss(Math.max(flightBytes(c, nowUs), c.size.mss), c.size.mss);
  // RFC 3168 6.1.2: the peer is told of every reduction, for any reason.
  c.ecn.cwrDue = c.ecn.ok;
  congestion.reset(Math.min(congestion.cwnd, congestion.ssthresh));
}

/** RFC 6675 section 5 step 4, RFC 6582 section 3.2 step 2, RFC 6937 section 3. */
export function enterRecovery(c: Connection, nowUs: number): void {
  if (c.mtuSearch !== null && mtuProbeLost(c)) {
    enterRepair(c);
    return;
  }
  const { congestion, stack } = c;
  beginUndo(c);
  const flight = flightBytes(c, nowUs);
  c.loss.phase = RECOVERY_FAST;
  c.loss.point = c.snd.nxt;
  c.loss.pointValid = true;
  c.loss.rescued = false;
  c.loss.retransmitDue = true;
  c.rack.probeOut = false;
  congestion.onLoss(flight, c.size.mss);
  c.ecn.cwrDue = c.ecn.ok;
  congestion.reset(congestion.ssthresh);
  c.prr.flight = stack.settings.proportionalReduction.value === 1 ? Math.max(flight, (c.snd.nxt - c.snd.una) | 0) : 0;
  c.prr.delivered = 0;
  c.prr.startBytes = c.totals.bytesSent + c.totals.bytesRetransmitted;
  stack.counters.add(stack.count.fastRetransmits, 1);
  stack.counters.add(c.sackOk ? stack.count.sackRecoveries : stack.count.newRenoRecoveries, 1);
}

/**
 * Proportional rate reduction (RFC 6937 section 3.1 with the slow-start reduction bound): the ACK delivered
 * `deliveredBytes`; how much may be sent in return.
 */
export function reduceRate(c: Connection, deliveredBytes: number): void {
  if (c.loss.phase !== RECOVERY_FAST || c.prr.flight === 0) return;
  const { congestion } = c;
  c.prr.delivered += deliveredBytes;
  const out = c.totals.bytesSent + c.totals.bytesRetransmitted - c.prr.startBytes;
  const pipe = c.pipeBytes;
  let count: number;
  if (pipe > congestion.ssthresh) {
    count = Math.ceil((c.prr.delivered * congestion.ssthresh) / c.prr.flight) - out;
  } else {
    const limit = Math.max(c.prr.delivered - out, deliveredBytes) + c.size.mss;
    count = Math.min(congestion.ssthresh - pipe, limit);
  }
  congestion.cwnd = Math.max(pipe + (count > 0 ? count : 0), c.size.mss);
}

/** Segments longer than the path now carries are lost; the congestion window stays. */
export function markOversized(c: Connection): void {
  if (c.scoreboard.markLonger(c.size.mss) && c.loss.phase === RECOVERY_NONE) enterRepair(c);
  c.loss.retransmitDue = true;
}

/** A recovery from losses that were no sign of congestion. */
function enterRepair(c: Connection): void {
  c.loss.phase = RECOVERY_FAST;
  c.loss.point = c.snd.nxt;
  c.loss.pointValid = true;
  c.loss.rescued = true;
  c.loss.retransmitDue = true;
  c.rack.probeOut = false;
  c.prr.flight = 0;
  c.undo.possible = false;
  c.congestion.ssthresh = Math.max(c.congestion.ssthresh, c.congestion.cwnd);
}
