/**
 * The ACK field: bytes acknowledged, the window offered, the loss revealed.
 *
 * Thread: the one that runs the CPU. Called for each acceptable segment of a synchronized connection; queues the
 * connection for output instead of sending.
 * Read first: RFC 9293 3.10.7.4 (fifth, check the ACK field), RFC 5961 section 5, RFC 6298 section 5, RFC 7323 section 4.
 */

import { seqGt, seqLt } from '../../../base/sequence.ts';
import { US_PER_MS, US_PER_S } from '../../../base/units.ts';
import type { Connection } from '../connection/connection.ts';
import { choosePacing } from '../connection/pacing.ts';
import { RECOVERY_NONE, TIMER_PERSIST } from '../connection/states.ts';
import { armProbe, armRetransmit, stopRetransmit } from '../connection/timers.ts';
import { onProbeAnswer } from '../recovery/loss-probe.ts';
import { detectLoss, onAdvance, receiveSacks, reduceRate } from '../recovery/recovery.ts';
import { onWindowTakenBack } from '../recovery/taken-back.ts';
import { tryUndo } from '../recovery/undo.ts';
import type { Segment } from '../shared/segment.ts';
import { challengeAck } from './challenge.ts';

const CONFIRM_INTERVAL_US = US_PER_S;

/** Returns false when the segment must be dropped. */
export function processAck(c: Connection, segment: Segment, nowUs: number): boolean {
  const { counters, count } = c.stack;
  const { ack } = segment;
  const advance = (ack - c.snd.una) | 0;
  if (seqGt(ack, c.snd.max)) {
    counters.add(count.acksForUnsentReceived, 1);
    challengeAck(c, nowUs);
    return false;
  }
  // RFC 5961 section 5.2: older than anything the peer could still be answering.
  if (advance < 0 && advance < -Math.max(c.snd.maxWnd, 65535)) {
    challengeAck(c, nowUs);
    return false;
  }
  counters.add(count.acksReceived, 1);
  if (advance < 0) return true;
  const flight = (c.snd.nxt - c.snd.una) | 0;
  const tsEcho = segment.timestamps ? segment.tsEcho : 0;
  const sackedBefore = c.scoreboard.sackedBytes;
  c.rack.dsackSeen = false;
  const echoUs = echoTime(c, tsEcho, nowUs);
  c.scoreboard.beginAck();
  const sacked = c.sackOk && segment.sackCount > 0 && flight > 0 ? receiveSacks(c, segment, nowUs, echoUs) : 0;
  if (advance > 0) {
    acknowledge(c, ack, tsEcho, nowUs);
    onAdvance(c, advance, flight, nowUs);
  }
  if (c.undo.possible) tryUndo(c, advance > 0, tsEcho);
  const windowBefore = c.snd.wnd;
  updateWindow(c, segment, advance > 0);
  if (c.snd.wnd === 0 && !c.scoreboard.empty) {
    onWindowTakenBack(c);
    return true;
  }
  const duplicate =
    advance === 0 &&
    segment.dataBytes === 0 &&
    c.snd.wnd === windowBefore &&
    flight > 0 &&
    (segment.flags & 0x07) === 0;
  if (duplicate) counters.add(count.duplicateAcksReceived, 1);
  const trouble = c.loss.phase !== RECOVERY_NONE || c.scoreboard.lostBytes > 0 || c.scoreboard.sackedBytes > 0;
  if (duplicate || sacked > 0 || trouble) {
    detectLoss(c, sacked, advance > 0, duplicate, nowUs);
    const delivered = advance + c.scoreboard.sackedBytes - sackedBefore;
    reduceRate(c, c.sackOk || !duplicate ? Math.max(delivered, 0) : c.size.mss);
  }
  if (c.rack.probeOut) onProbeAnswer(c, sacked > 0, duplicate, nowUs);
  if (advance > 0) armProbe(c, nowUs);
  if (c.rtx.mode === TIMER_PERSIST) onPersistAnswer(c);
  if (!c.sendBufferIdle || c.scoreboard.lostBytes > 0 || c.scoreboard.sackedBytes > 0) c.stack.work.enqueue(c);
  return true;
}

/** SND.UNA moves to `ack`: times, memory, timer. `tsEcho` is 0 without timestamps. */
export function acknowledge(c: Connection, ack: number, tsEcho: number, nowUs: number): void {
  const { scoreboard, sendBuffer, stack } = c;
  stack.counters.add(stack.count.ackBytesReceived, (ack - c.snd.una) | 0);
  if (nowUs !== c.use.batchUs) {
    c.use.batchUs = nowUs;
    c.use.batchUna = c.snd.una;
  }
  // The byte of a window probe was taken after all.
  if (seqGt(ack, c.snd.nxt)) c.snd.nxt = ack;
  scoreboard.acknowledge(ack, nowUs, echoTime(c, tsEcho, nowUs), c.rtt.minRttUs);
  c.snd.una = ack;
  // Data that arrived long ago and waited for a segment that was sent again has an age that is no round trip.
  if (scoreboard.sampleSentUs >= 0 && !scoreboard.ackedRetransmitted) {
    if (seqGt(ack, c.rtx.sampleSeq)) takeSample(c, nowUs - scoreboard.sampleSentUs);
  } else if (scoreboard.ackedRetransmitted) {
    // Karn's problem does not arise: the echo tells which transmission is acknowledged (RFC 7323 section 4.1).
    const ticks = c.ts.ok && tsEcho !== 0 ? (stack.tsNow(nowUs) + c.ts.offset - tsEcho) | 0 : -1;
    if (ticks >= 0) takeSample(c, Math.max(ticks, 1) * US_PER_MS);
    else stack.counters.add(stack.count.rttAttempts, 1);
  }
  c.rtx.timeouts = 0;
  c.softError = 0;
  if (scoreboard.empty) {
    if (c.rtx.mode !== TIMER_PERSIST) stopRetransmit(c);
  } else {
    armRetransmit(c, nowUs);
  }
  const end = sendBuffer.endSeq;
  if (sendBuffer.acknowledge(seqGt(ack, end) ? end : ack) && c.owner !== null) c.owner.onWritable();
  if (!sendBuffer.fixed) growSendBuffer(c);
  if (nowUs - c.times.confirmedUs > CONFIRM_INTERVAL_US && c.path !== null) {
    c.times.confirmedUs = nowUs;
    stack.ip.confirm(c.path, nowUs);
  }
}

/** When the timestamp that is echoed was made, to the tick; below 0 without one. */
function echoTime(c: Connection, tsEcho: number, nowUs: number): number {
  if (!c.ts.ok || tsEcho === 0) return -1;
  const ticks = (c.stack.tsNow(nowUs) + c.ts.offset - tsEcho) | 0;
  return (Math.floor(nowUs / US_PER_MS) - ticks) * US_PER_MS;
}

function takeSample(c: Connection, rttUs: number): void {
  c.rtt.sample(Math.max(rttUs, 0));
  c.rtx.sampleSeq = c.snd.nxt;
  choosePacing(c);
  c.stack.counters.add(c.stack.count.rttSamples, 1);
  c.stack.counters.add(c.stack.count.rttAttempts, 1);
}

/** Two windows: one in flight, one being written. */
function growSendBuffer(c: Connection): void {
  const { sendBuffer, congestion, stack } = c;
  const wanted = 2 * congestion.cwnd;
  if (wanted <= sendBuffer.limitBytes || stack.settings.sendSpaceAuto.value === 0) return;
  const most = stack.settings.sendSpaceMaxBytes.value;
  if (sendBuffer.limitBytes < most) sendBuffer.limitBytes = Math.min(wanted, most);
}

/**
 * SND.WND, unless an older segment would turn it back (SND.WL1, SND.WL2). An ACK that moved SND.UNA is no old duplicate, and
 * brings its window whatever its sequence number: the old one beside the new SND.UNA would reach beyond the edge offered.
 */
function updateWindow(c: Connection, segment: Segment, advanced: boolean): void {
  const newer = (segment.seq - c.snd.wl1) | 0;
  if (!advanced && (newer < 0 || (newer === 0 && seqLt(segment.ack, c.snd.wl2)))) return;
  const window = segment.window << c.snd.scale;
  if (window > c.snd.wnd && segment.dataBytes === 0 && segment.ack === c.snd.wl2) {
    c.stack.counters.add(c.stack.count.windowUpdatesReceived, 1);
  }
  c.snd.wnd = window;
  c.snd.wl1 = segment.seq;
  c.snd.wl2 = segment.ack;
  if (window > c.snd.maxWnd) c.snd.maxWnd = window;
}

/**
 * The peer lives. Probing ends when data goes out again (`armRetransmit`), not merely because the window is no longer
 * closed: it may still be too small for a segment.
 */
function onPersistAnswer(c: Connection): void {
  // A socket that nobody holds is not kept for ever by a peer that never reads.
  if (c.owner !== null) c.rtx.timeouts = 0;
  if (c.sendBufferIdle) stopRetransmit(c);
}
