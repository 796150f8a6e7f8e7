/**
 * First checks of an arriving segment: timestamp and window. Data outside the window is trimmed.
 *
 * Thread: the one that runs the CPU. Unacceptable segments are answered by an ACK that is marked as due.
 * Read first: RFC 9293 3.10.7.4 (first), RFC 7323 section 5, RFC 5961 section 5.
 */

import { seqGe } from '../../../base/sequence.ts';
import { US_PER_S } from '../../../base/units.ts';
import { FLAG_ACK, FLAG_FIN, FLAG_RST, FLAG_SYN } from '../../../wire/tcp.ts';
import type { Connection } from '../connection/connection.ts';
import { CLOSED, SYN_RECEIVED } from '../connection/states.ts';
import type { Segment } from '../shared/segment.ts';
import { processAck } from './ack.ts';
import { answerUnacceptable } from './challenge.ts';
import { afterOwnFin } from './fin.ts';

/** RFC 7323 section 5.5: an older TS.Recent is no longer compared. */
const TS_RECENT_MAX_US = 24 * 86_400 * US_PER_S;

/** PAWS (RFC 7323 section 5.3): R1, and the treatment of a segment without a timestamp (section 3.2). */
export function acceptableTimestamp(c: Connection, segment: Segment, nowUs: number): boolean {
  if (!c.ts.ok || segment.flags & FLAG_RST) return true;
  const { stack } = c;
  if (!segment.timestamps) {
    if (segment.flags & FLAG_SYN || c.ts.optional) return true;
    stack.counters.add(stack.count.droppedNoTimestamp, 1);
    return false;
  }
  if (seqGe(segment.tsValue, c.ts.recent) || nowUs - c.ts.recentUs > TS_RECENT_MAX_US) return true;
  stack.counters.add(stack.count.droppedOldTimestamp, 1);
  answerUnacceptable(c, segment.dataBytes > 0, nowUs);
  return false;
}

/**
 * First: the segment must touch the window; what lies outside is trimmed. An unacceptable one is answered by an ACK
 * and dropped; with the window closed, its ACK still counts (RFC 9293 3.10.7.4).
 */
export function acceptableSequence(c: Connection, segment: Segment, nowUs: number): boolean {
  const { stack } = c;
  const { counters, count } = stack;
  const before = (c.rcv.nxt - segment.seq) | 0;
  const fin = segment.flags & FLAG_FIN ? 1 : 0;
  const window = (c.rcv.adv - c.rcv.nxt) | 0;
  if (before > 0) {
    if (before >= segment.dataBytes + fin && (segment.flags & (FLAG_SYN | FLAG_RST)) === 0) {
      onOldSegment(c, segment, before, fin, nowUs);
      return false;
    }
    if ((segment.flags & FLAG_RST) !== 0) return ignoreReset(c);
    if (segment.flags & FLAG_SYN) return true;
    counters.add(count.partialDuplicatePackets, 1);
    counters.add(count.partialDuplicateBytes, before);
    noteDuplicate(c, segment.seq, c.rcv.nxt);
    segment.seq = c.rcv.nxt;
    segment.dataAt += before;
    segment.dataBytes -= before;
    return trimRight(c, segment, window);
  }
  if (-before >= (window > 0 ? window : 1)) {
    if ((segment.flags & FLAG_RST) !== 0) return ignoreReset(c);
    if (segment.flags & FLAG_SYN) return true;
    // At the edge exactly and empty: an answer to our own data, sent when the window was full.
    if (before === -window && segment.dataBytes === 0) return true;
    counters.add(count.packetsAfterWindow, 1);
    counters.add(count.bytesAfterWindow, segment.dataBytes);
    answerUnacceptable(c, segment.dataBytes > 0, nowUs);
    return false;
  }
  return trimRight(c, segment, window);
}

/** RFC 5961 section 3.2: a reset outside the window is dropped in silence. */
function ignoreReset(c: Connection): boolean {
  c.stack.counters.add(c.stack.count.resetsIgnored, 1);
  return false;
}

/** Entirely before the window. Its ACK may still be of use when it is a probe of ours that it answers. */
function onOldSegment(c: Connection, segment: Segment, before: number, fin: number, nowUs: number): void {
  const { counters, count } = c.stack;
  if (segment.dataBytes > 0) {
    counters.add(count.duplicatePackets, 1);
    counters.add(count.duplicateBytes, segment.dataBytes);
    noteDuplicate(c, segment.seq, (segment.seq + segment.dataBytes) | 0);
    // The peer resends what it has: our ACK was lost, and it is not in a quiet conversation.
    c.acks.quick = Math.max(c.acks.quick, 2);
  }
  if (before === 1 && segment.dataBytes === 0 && fin === 0) counters.add(count.windowProbesReceived, 1);
  const answer = segment.dataBytes + fin > 0;
  // An ACK of a segment older than a window is not taken: forgers must guess both numbers (RFC 5961 section 5).
  const recent = before <= Math.max(c.receiveBuffer.limitBytes, 65535);
  if (recent && c.state !== SYN_RECEIVED && (segment.flags & FLAG_ACK) !== 0) {
    segment.dataBytes = 0;
    segment.flags &= ~FLAG_FIN;
    // The answer is due also when the ACK ends the connection here.
    if (answer) c.acks.now = true;
    if (!processAck(c, segment, nowUs) || !afterOwnFin(c, nowUs)) return;
  }
  if (c.state !== CLOSED) answerUnacceptable(c, answer, nowUs);
}

function noteDuplicate(c: Connection, start: number, end: number): void {
  if (!c.sackOk || c.stack.settings.dsack.value === 0) return;
  c.acks.dsackStart = start;
  c.acks.dsackEnd = end;
}

/** Bytes beyond the right edge, and the FIN after them, are not there. */
function trimRight(c: Connection, segment: Segment, window: number): boolean {
  const offset = (segment.seq - c.rcv.nxt) | 0;
  const room = window - offset;
  const fin = segment.flags & FLAG_FIN ? 1 : 0;
  if (segment.dataBytes + fin <= room) return true;
  const { counters, count } = c.stack;
  counters.add(count.packetsAfterWindow, 1);
  counters.add(count.bytesAfterWindow, Math.max(segment.dataBytes - Math.max(room, 0), 0));
  if (room <= 0 && segment.dataBytes > 0) counters.add(count.windowProbesReceived, 1);
  segment.dataBytes = room > 0 ? Math.min(segment.dataBytes, room) : 0;
  if (segment.dataBytes >= room) segment.flags &= ~FLAG_FIN;
  // The sender believes in a larger window: say what it is.
  c.acks.now = true;
  c.stack.work.enqueue(c);
  return true;
}
