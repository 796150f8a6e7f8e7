/**
 * Deciding what to send: retransmissions first, then new data as far as the windows, Nagle and silly-window avoidance
 * allow, then a FIN, then an ACK alone if one is still owed.
 *
 * Thread: the one that runs the CPU. Data path: allocates nothing. Called by dispatch.ts: for the work queue, timers
 * and the user calls; never from the middle of segment arrival, so a batch of ACKs leads to one look.
 * Read first: RFC 9293 3.7.4, 3.8.6.2.1; RFC 5681 section 3; RFC 6675 section 5.
 */

import { seqGe, seqGt } from '../../../base/sequence.ts';
import { FLAG_ACK, FLAG_FIN, FLAG_PSH } from '../../../wire/tcp.ts';
import type { Connection } from '../connection/connection.ts';
import { initialWindow, refreshMss, sackBytesMax } from '../connection/mss.ts';
import { notePaced, paceEdge } from '../connection/pacing.ts';
import {
  ESTABLISHED,
  RECOVERY_FAST,
  RECOVERY_NONE,
  RECOVERY_TIMEOUT,
  SYN_RECEIVED,
  SYN_SENT,
  TIMER_PERSIST,
  TIMER_RETRANSMIT,
} from '../connection/states.ts';
import { armPersist, armProbe, armRetransmit } from '../connection/timers.ts';
import { nextMtuProbe } from '../recovery/mtu-probe.ts';
import { sendAck, sendSyn } from './control-segments.ts';
import { noteNew, sendMtuProbe } from './new-data.ts';
import { refused } from './refused.ts';
import { sendRescue, sendRetransmissions, sendTwoNew } from './retransmit.ts';
import { sendRun } from './run.ts';
import { sendSegment } from './segment-writer.ts';

/** Segments of one connection in one run; the others get their turn before it continues. */
const BURST_SEGMENTS = 512;

/** Everything that can be sent now. */
export function output(c: Connection, nowUs: number): void {
  if (c.state === SYN_SENT || c.state === SYN_RECEIVED) {
    if (c.snd.nxt === c.snd.iss) sendSyn(c, nowUs);
    else if (c.acks.now) sendAck(c, nowUs);
    return;
  }
  if (c.state < ESTABLISHED || c.path === null) return;
  c.blocked = false;
  c.use.batchUna = c.snd.una;
  refreshMss(c);
  // F-RTO sends new data, not the rest of what may be lost (RFC 5682 section 2.1, step 2b).
  const testing = c.loss.phase === RECOVERY_TIMEOUT && c.undo.frto === 2;
  if (testing ? sendTwoNew(c, nowUs) : c.loss.phase === RECOVERY_NONE || sendRetransmissions(c, nowUs)) {
    if (!c.sendBufferIdle && (c.mtuSearch === null || !waitsForMtuProbe(c, nowUs))) sendNew(c, nowUs);
    if (c.loss.phase === RECOVERY_FAST) while (sendRescue(c, nowUs));
  }
  if (c.acks.now && !c.blocked) sendAck(c, nowUs);
}

/** Sends the probe of the path's MTU that is due. Returns whether new data should wait for the room that it needs. */
function waitsForMtuProbe(c: Connection, nowUs: number): boolean {
  const payload = nextMtuProbe(c, nowUs);
  if (payload > 0) sendMtuProbe(c, payload, nowUs);
  return payload < 0;
}

/** RFC 5681 section 4.1: after an idle time of more than a timeout the window says nothing about the network any more. */
function restartAfterIdle(c: Connection, nowUs: number): void {
  if (c.times.dataSentUs < 0 || c.stack.settings.slowStartAfterIdle.value === 0) return;
  const idleUs = nowUs - c.times.dataSentUs;
  if (idleUs <= c.rtt.rtoUs) return;
  const { congestion } = c;
  congestion.onIdle(idleUs);
  const restart = initialWindow(c);
  if (congestion.cwnd > restart) congestion.cwnd = restart;
}

/** New data and the FIN. */
function sendNew(c: Connection, nowUs: number): void {
  const { sendBuffer, scoreboard } = c;
  if (scoreboard.empty) restartAfterIdle(c, nowUs);
  const first = c.snd.nxt;
  const paceUntil = c.paced ? paceEdge(c, nowUs) : 0;
  // Most of a bulk transfer: whole segments, nothing to report, nothing to decide.
  if (sackBytesMax(c) === 0 && c.loss.dupAcks === 0 && !sendWhole(c, paceUntil, nowUs)) return;
  for (;;) {
    const unsent = (sendBuffer.endSeq - c.snd.nxt) | 0;
    const finDue = c.snd.finQueued && unsent >= 0;
    if (unsent <= 0 && !finDue) break;
    const usable = usableBytes(c, paceUntil);
    const length = allowedBytes(c, unsent, usable);
    if (length < 0) break;
    const fin = finDue && length === unsent && length < usable;
    if (length === 0 && !fin) break;
    let flags = FLAG_ACK;
    if (fin) flags |= FLAG_FIN;
    if (length === unsent && length > 0) flags |= FLAG_PSH;
    const full = length >= c.size.mss - sackBytesMax(c);
    const error = sendSegment(c, c.snd.nxt, length, flags, nowUs);
    if (error < 0) {
      refused(c, error, nowUs);
      return;
    }
    noteNew(c, length, fin, full, nowUs);
  }
  c.use.limited = c.congestion.cwnd - c.pipeBytes < c.size.mss;
  if (c.paced && notePaced(c, paceUntil, (c.snd.nxt - first) | 0, nowUs)) c.use.limited = true;
  armProbe(c, nowUs);
  // Nothing in flight and yet data that may not go: the window must be probed (RFC 9293 3.8.6.1), and the override of
  // silly-window avoidance is the same timer.
  if (scoreboard.empty && !c.sendBufferIdle && c.rtx.mode !== TIMER_PERSIST) armPersist(c, nowUs);
}

/**
 * The longest segments, while there is more data after each and room in both windows. Returns false when output must
 * stop.
 */
function sendWhole(c: Connection, paceUntil: number, nowUs: number): boolean {
  const { stack, scoreboard } = c;
  const segmentMax = c.size.max;
  const windows = Math.min(usableBytes(c, paceUntil), c.congestion.cwnd - c.pipeBytes);
  const unsent = (c.sendBuffer.endSeq - c.snd.nxt) | 0;
  const many = Math.floor(Math.min(windows, unsent - 1) / segmentMax);
  const count = many < BURST_SEGMENTS ? many : BURST_SEGMENTS;
  if (count <= 0) return true;
  let seq = c.snd.nxt;
  let sent = 0;
  let error = 0;
  while (sent < count) {
    let segments = sendRun(c, seq, count - sent, nowUs);
    if (segments === 0) {
      error = sendSegment(c, seq, segmentMax, FLAG_ACK, nowUs);
      if (error < 0) break;
      segments = 1;
    }
    sent += segments;
    for (; segments > 0; segments--) {
      scoreboard.push(seq, segmentMax, nowUs);
      seq = (seq + segmentMax) | 0;
    }
  }
  if (sent > 0) {
    c.snd.nxt = seq;
    if (seqGt(seq, c.snd.max)) c.snd.max = seq;
    c.times.dataSentUs = nowUs;
    c.totals.bytesSent += sent * segmentMax;
    stack.counters.add(stack.count.dataPacketsSent, sent);
    stack.counters.add(stack.count.dataBytesSent, sent * segmentMax);
    if (c.rtx.mode !== TIMER_RETRANSMIT) armRetransmit(c, nowUs);
  }
  if (error < 0) {
    refused(c, error, nowUs);
    return false;
  }
  if (sent < BURST_SEGMENTS) return true;
  // The others get their turn before this connection goes on.
  stack.work.enqueue(c);
  return false;
}

/** Bytes left of the peer's window and of what the pace allows. */
function usableBytes(c: Connection, paceUntil: number): number {
  const usable = (c.snd.una + c.snd.wnd - c.snd.nxt) | 0;
  return c.paced ? Math.min(usable, (paceUntil - c.snd.nxt) | 0) : usable;
}

/**
 * Bytes of new data that may go in one segment now; -1 when none may, 0 when there are none (a FIN may go).
 * RFC 9293 3.8.6.2.1 (sender's silly-window avoidance), RFC 896 as Minshall amended it, RFC 5681 (cwnd).
 */
function allowedBytes(c: Connection, unsent: number, usable: number): number {
  if (usable <= 0) return -1;
  const sackBytes = sackBytesMax(c);
  const mss = c.size.mss - sackBytes;
  let length = Math.min(unsent, usable, c.size.max - sackBytes);
  const pipe = c.pipeBytes;
  let room = c.congestion.cwnd - pipe;
  // Limited transmit: one new segment for each of the first two duplicate ACKs (RFC 3042).
  if (c.loss.dupAcks > 0 && c.loss.dupAcks < 3 && c.loss.phase === RECOVERY_NONE) room += limitedTransmitBytes(c);
  if (length > room) {
    if (room < mss && pipe > 0) return -1;
    length = Math.min(length, room > mss ? room - (room % mss) : mss);
  }
  // A super-frame is whole segments, unless it ends the data.
  if (length > mss && length < unsent) length -= length % mss;
  if (length >= mss) return length;
  if (length === unsent) {
    if (c.options.noDelay || c.snd.finQueued || c.scoreboard.empty) return length;
    // Only one segment that is not full may be unacknowledged.
    return seqGe(c.snd.una, c.snd.smallEnd) ? length : -1;
  }
  return length > 0 && length >= c.snd.maxWnd >> 1 ? length : -1;
}

function limitedTransmitBytes(c: Connection): number {
  // With SACK the pipe has shrunk by what was sacked already.
  return c.sackOk || c.stack.settings.limitedTransmit.value === 0 ? 0 : c.loss.dupAcks * c.size.mss;
}
