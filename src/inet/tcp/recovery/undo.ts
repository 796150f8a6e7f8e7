/**
 * Recoveries that were not needed: the segments were late, not lost. Three ways to find out, and how to take it back.
 *
 * Thread: the one that runs the CPU. The echo of a timestamp older than the first retransmission (Eifel, RFC 3522);
 * every retransmission reported as a duplicate (RFC 2883, RFC 3708); after a timeout, data that was sent once only being
 * acknowledged (F-RTO, RFC 5682 with SACK and without).
 * Read first: RFC 4015, RFC 5682 section 2 and 3.
 */

import { seqGe, seqLt } from '../../../base/sequence.ts';
import type { Connection } from '../connection/connection.ts';
import { RECOVERY_NONE, RECOVERY_TIMEOUT } from '../connection/states.ts';

/** A recovery begins: remember what it changes. */
export function beginUndo(c: Connection): void {
  const { undo, congestion } = c;
  undo.possible = true;
  undo.cwnd = congestion.cwnd;
  undo.ssthresh = congestion.ssthresh;
  undo.startSeq = c.snd.una;
  undo.outstanding = 0;
  undo.anyRetransmitted = false;
  congestion.remember();
}

/** A segment was resent. */
export function noteRetransmission(c: Connection, nowUs: number): void {
  const { undo, stack } = c;
  if (!undo.possible) return;
  if (!undo.anyRetransmitted) {
    undo.anyRetransmitted = true;
    undo.tsValue = (stack.tsNow(nowUs) + c.ts.offset) | 0;
  }
  undo.outstanding++;
}

/** The peer reports that what begins at `seq` arrived twice. */
export function noteDuplicateReport(c: Connection, seq: number): void {
  const { undo } = c;
  if (undo.possible && undo.outstanding > 0 && seqGe(seq, undo.startSeq)) undo.outstanding--;
}

/**
 * After each ACK during, or just after, a recovery: `advanced` when it moved SND.UNA, `tsEcho` 0 without timestamps.
 * Returns true when the recovery was taken back.
 */
export function tryUndo(c: Connection, advanced: boolean, tsEcho: number): boolean {
  const { undo } = c;
  if (!undo.possible || !undo.anyRetransmitted) return false;
  const allDuplicates = undo.outstanding === 0;
  const olderEcho = advanced && c.ts.ok && tsEcho !== 0 && seqLt(tsEcho, undo.tsValue);
  if (!allDuplicates && !olderEcho) return false;
  takeBack(c);
  return true;
}

/** The windows are as they were; nothing counts as lost. */
function takeBack(c: Connection): void {
  const { undo, congestion, stack } = c;
  const { count, counters } = stack;
  counters.add(c.loss.phase === RECOVERY_TIMEOUT ? count.spuriousTimeouts : count.spuriousRecoveries, 1);
  congestion.restore();
  congestion.cwnd = Math.max(congestion.cwnd, undo.cwnd);
  congestion.ssthresh = Math.max(congestion.ssthresh, undo.ssthresh);
  undo.possible = false;
  undo.frto = 0;
  c.ecn.cwrDue = false;
  c.scoreboard.forgetLost();
  c.loss.renoSackedBytes = 0;
  c.loss.retransmitDue = false;
  c.loss.phase = RECOVERY_NONE;
  c.loss.dupAcks = 0;
  c.rtx.timeouts = 0;
  c.rtt.backoff = 0;
}

/** A timeout, the first of its kind: resend one segment and see (RFC 5682 section 2.1, step 1). */
export function beginFrto(c: Connection): void {
  c.undo.frto = c.stack.settings.frto.value === 1 && c.undo.possible ? 1 : 0;
  c.scoreboard.originalDelivered = false;
}

/**
 * F-RTO's steps 2 and 3, for an ACK after a timeout. `news`: it reported something selectively; `duplicate`: RFC 5681's.
 * Returns true when the timeout was spurious and has been taken back.
 */
export function frtoAnswer(c: Connection, advanced: boolean, news: boolean, duplicate: boolean): boolean {
  const { undo, scoreboard } = c;
  if (undo.frto === 0) return false;
  // Step 3b: a segment that was never resent has arrived, so the original transmissions are coming through.
  if (scoreboard.originalDelivered && (undo.frto === 2 || c.sackOk)) {
    takeBack(c);
    return true;
  }
  if (undo.frto === 2) {
    // Step 3a: the loss was real.
    if (duplicate || news) {
      undo.frto = 0;
      c.congestion.cwnd = Math.min(
        Math.max(c.congestion.cwnd, 3 * c.size.mss),
        Math.max(c.congestion.ssthresh, 3 * c.size.mss),
      );
    }
    return false;
  }
  const usable = (c.snd.una + c.snd.wnd - c.snd.nxt) | 0;
  const whole = seqGe(c.snd.una, c.loss.point);
  // Step 2b: go on with new data, if there is any; step 2a otherwise.
  undo.frtoSent = 0;
  undo.frto = advanced && !whole && !c.sendBufferIdle && usable > 0 ? 2 : 0;
  scoreboard.originalDelivered = false;
  return false;
}
