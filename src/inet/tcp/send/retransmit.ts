/**
 * Sending again: lost segments, the probes of F-RTO, RFC 6675 and RFC 8985.
 *
 * Thread: the one that runs the CPU. Data path: allocates nothing. Called from output.ts and dispatch.ts.
 * Read first: RFC 6675 section 4 (NextSeg), RFC 5682 section 2.1, RFC 8985 section 7.3.
 */

import { seqGt, seqLe, seqLt } from '../../../base/sequence.ts';
import { FLAG_ACK, FLAG_FIN, FLAG_PSH } from '../../../wire/tcp.ts';
import type { Connection } from '../connection/connection.ts';
import { refreshMss, sackBytesMax } from '../connection/mss.ts';
import { TIMER_RETRANSMIT } from '../connection/states.ts';
import { armRetransmit } from '../connection/timers.ts';
import { noteRetransmission } from '../recovery/undo.ts';
import { sendForced } from './new-data.ts';
import { refused } from './refused.ts';
import { sendSegment } from './segment-writer.ts';

/**
 * Lost segments again, as far as the congestion window allows; the rules of NextSeg (RFC 6675 section 4) that concern
 * retransmissions. Returns false when output must stop.
 */
export function sendRetransmissions(c: Connection, nowUs: number): boolean {
  const { scoreboard, congestion } = c;
  for (;;) {
    const index = scoreboard.nextLost();
    if (index < 0) break;
    if (outsideWindow(c, index)) return false;
    const room = congestion.cwnd - c.pipeBytes;
    if (!c.loss.retransmitDue && room < Math.min(c.size.mss, scoreboard.lengthOf(index))) return false;
    if (retransmit(c, index, nowUs) < 0) return false;
    c.loss.retransmitDue = false;
  }
  return true;
}

/** The peer took its window back: the next ACK that opens it leads here again. The oldest segment needs one byte of window. */
function outsideWindow(c: Connection, index: number): boolean {
  const { scoreboard, snd } = c;
  const seq = scoreboard.seqOf(index);
  const room = (snd.una + snd.wnd - seq) | 0;
  return room <= 0 || (seq !== snd.una && room < Math.min(scoreboard.lengthOf(index), c.size.mss));
}

/** Send record `index` again, split to what a segment may hold now. Returns 0 or a negative errno. */
function retransmit(c: Connection, index: number, nowUs: number): number {
  const { scoreboard, stack } = c;
  const seq = scoreboard.seqOf(index);
  const sackBytes = sackBytesMax(c);
  const mss = c.size.mss - sackBytes;
  // Limit: the room of both windows, but always one segment.
  const room = Math.min(c.congestion.cwnd - c.pipeBytes, (c.snd.una + c.snd.wnd - seq) | 0, c.size.max - sackBytes);
  const most = room > mss ? room - (room % mss) : mss;
  if (scoreboard.lengthOf(index) < mss) scoreboard.joinLost(index, Math.min(room, mss));
  const length = scoreboard.lengthOf(index);
  let fin = c.finSent && seqGt(seq + length, c.sendBuffer.endSeq);
  let dataBytes = fin ? length - 1 : length;
  if (dataBytes > most) {
    scoreboard.split(index, most);
    dataBytes = most;
    fin = false;
  }
  let flags = fin ? FLAG_ACK | FLAG_FIN : FLAG_ACK;
  // RFC 9293 3.9.1.2: nothing is queued behind it, be it the first time that it goes or not.
  if (dataBytes > 0 && ((seq + dataBytes) | 0) === c.sendBuffer.endSeq) flags |= FLAG_PSH;
  const sent = sendSegment(c, seq, dataBytes, flags, nowUs);
  if (sent < 0) return refused(c, sent, nowUs);
  scoreboard.retransmitted(index, nowUs);
  c.times.dataSentUs = nowUs;
  c.totals.retransmits++;
  c.totals.bytesRetransmitted += dataBytes;
  noteRetransmission(c, nowUs);
  stack.counters.add(stack.count.dataPacketsRetransmitted, 1);
  stack.counters.add(stack.count.dataBytesRetransmitted, dataBytes);
  // The timer waits for the oldest segment: that one has another round trip to go (RFC 6298 section 5).
  if (c.rtx.mode !== TIMER_RETRANSMIT || index === scoreboard.first) armRetransmit(c, nowUs);
  return 0;
}

/** Rules (3) and (4) of NextSeg, when there was no new data to send: returns true when something was sent. */
export function sendRescue(c: Connection, nowUs: number): boolean {
  if (!c.sackOk || c.blocked) return false;
  const { scoreboard, congestion } = c;
  if (congestion.cwnd - c.pipeBytes < c.size.mss) return false;
  let index = scoreboard.nextUnsacked();
  if (index < 0) {
    index = scoreboard.last;
    if (c.loss.rescued || scoreboard.empty || scoreboard.sackedBytes === 0) return false;
    if (seqLt(scoreboard.seqOf(index), scoreboard.highSackedSeq)) return false;
    if (scoreboard.everRetransmitted(index)) return false;
    c.loss.rescued = true;
  }
  return retransmit(c, index, nowUs) >= 0;
}

/** F-RTO's two new segments, beyond the congestion window of one. Returns false: nothing else goes. */
export function sendTwoNew(c: Connection, nowUs: number): boolean {
  for (let i = 0; i < 2 && c.undo.frtoSent < 2; i++) {
    const usable = (c.snd.una + c.snd.wnd - c.snd.nxt) | 0;
    if (usable <= 0 || seqLe(c.sendBuffer.endSeq, c.snd.nxt)) break;
    c.undo.frtoSent++;
    sendForced(c, usable, nowUs);
    if (c.blocked) break;
  }
  return false;
}

/** After a timeout: the first lost record, without regard to the windows (RFC 6298 section 5.4). */
export function resendFirst(c: Connection, nowUs: number): void {
  retransmit(c, c.scoreboard.nextLost(), nowUs);
  armRetransmit(c, nowUs);
}

/** A tail loss probe (RFC 8985 section 7.3), unless the link takes nothing. */
export function sendLossProbe(c: Connection, nowUs: number): void {
  const { rack, stack } = c;
  const before = c.snd.nxt;
  if (!sendProbeSegment(c, nowUs)) return;
  rack.probeOut = true;
  rack.probeIsRetransmission = c.snd.nxt === before;
  rack.probeEndSeq = c.snd.nxt;
  stack.counters.add(stack.count.lossProbesSent, 1);
  armRetransmit(c, nowUs);
}

/** RFC 8985 section 7.3: one new segment if there is one, else the last one again. Returns whether anything was sent. */
function sendProbeSegment(c: Connection, nowUs: number): boolean {
  refreshMss(c);
  const usable = (c.snd.una + c.snd.wnd - c.snd.nxt) | 0;
  if (usable > 0 && seqGt(c.sendBuffer.endSeq, c.snd.nxt)) {
    sendForced(c, usable, nowUs);
    return !c.blocked;
  }
  const { scoreboard } = c;
  // The last segment's worth of what was sent last.
  const last = scoreboard.last;
  const length = scoreboard.lengthOf(last);
  if (length > c.size.mss) scoreboard.split(last, length - c.size.mss);
  return retransmit(c, scoreboard.last, nowUs) >= 0;
}
