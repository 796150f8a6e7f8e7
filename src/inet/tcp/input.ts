/**
 * Segment arrival for connections in a synchronized state, in the order of RFC 9293 section 3.10.7.4, and before it the
 * shortcut for the two kinds of segment that make up nearly all traffic.
 *
 * Thread: the one that runs the kernel. Data path: allocates nothing. Answers are left to the end of the poll batch
 * (`TcpStack.enqueue`), except those that must go out one for one: duplicate ACKs, challenge ACKs, resets.
 * Read first: RFC 9293 3.10.7.4, RFC 5961, RFC 7323 section 5, Jacobson's header prediction (RFC 1323 appendix A in essence).
 */

import { foldSum } from '../../base/checksum.ts';
import { Errno } from '../../base/errors.ts';
import { META_CHECKSUM_KNOWN } from '../../link/device.ts';
import { FLAG_ACK, FLAG_FIN, FLAG_RST, FLAG_SYN, FLAG_URG } from '../../wire/tcp.ts';
import type { InPacket } from '../ip/transport.ts';
import { acknowledge, processAck } from './arrive/ack.ts';
import { answerUnacceptable, challengeAck } from './arrive/challenge.ts';
import { receiveData, scheduleAck } from './arrive/data.ts';
import { enterTimeWait, onPeerFin } from './close.ts';
import {
  CLOSE_WAIT,
  CLOSED,
  CLOSING,
  type Connection,
  ESTABLISHED,
  FIN_WAIT_1,
  FIN_WAIT_2,
  LAST_ACK,
  RECOVERY_NONE,
  SYN_RECEIVED,
  TIMER_PERSIST,
} from './connection/connection.ts';
import { ecnMarked, onEcnEcho, receiveEcn } from './connection/ecn.ts';
import { receiveUrgent } from './connection/urgent.ts';
import { dropConnection } from './icmp.ts';
import { onAdvance } from './recovery/recovery.ts';
import { sendReset } from './send/control-segments.ts';
import { type Segment, TIMESTAMPS_WORD } from './shared/options.ts';
import { startKeepAlive } from './timers.ts';

/** RFC 7323 section 5.5: an older TS.Recent is no longer compared. */
const TS_RECENT_MAX_US = 24 * 86_400 * 1_000_000;

/**
 * Header prediction: an ESTABLISHED connection without gaps or losses, the next expected segment, nothing but ACK or
 * ACK and PSH. Returns false, with nothing changed, when the segment needs the whole procedure; `packet` has at least
 * `headerBytes` of TCP header.
 */
export function predicted(c: Connection, packet: InPacket, headerBytes: number, nowUs: number): boolean {
  const { reassembly } = c;
  if (c.state !== ESTABLISHED || c.recovery !== RECOVERY_NONE) return false;
  // An empty FIN that came too early is no range.
  if (reassembly.count !== 0 || reassembly.finKnown) return false;
  if (c.ecn.ok && (ecnMarked(packet.tos) || c.ecn.reduced || c.ecn.echoed)) return false;
  const { stack } = c;
  const { view } = stack;
  const { at } = packet;
  const last = view.getInt32(at + 12);
  // ACK alone or with PSH, reserved bits clear.
  if ((last & 0x0ff7_0000) !== FLAG_ACK << 16) return false;
  const ack = view.getInt32(at + 8);
  const advance = (ack - c.sndUna) | 0;
  if (view.getInt32(at + 4) !== c.rcvNxt || advance < 0 || ((c.sndNxt - ack) | 0) < 0) return false;
  const length = packet.lengthBytes - headerBytes;
  let tsValue = 0;
  let tsEcho = 0;
  const spansLastAck = c.lastAckSent === c.rcvNxt;
  if (c.tsOk) {
    if (headerBytes !== 32 || view.getInt32(at + 20) !== TIMESTAMPS_WORD) return false;
    tsValue = view.getInt32(at + 24);
    tsEcho = view.getInt32(at + 28);
    if (((tsValue - c.tsRecent) | 0) < 0) return false;
  } else if (headerBytes !== 20) {
    return false;
  }
  if (length === 0) {
    // What acknowledges nothing is a duplicate or a window update: not for here.
    if (advance === 0 || c.dupAcks !== 0 || c.timerMode === TIMER_PERSIST) return false;
    if (!checksumGood(c, packet, headerBytes, 0)) return true;
    stack.predictedAcksNow++;
  } else {
    const { rcvNxt, receiveBuffer } = c;
    if (length > ((c.rcvAdv - rcvNxt) | 0) || c.readClosed) return false;
    const end = (rcvNxt + length) | 0;
    if (!receiveBuffer.ensure(end, rcvNxt)) return false;
    if (!c.holding) stack.work.holdRings(c, nowUs);
    // The bytes go to their place before their checksum is known; a bad segment has then only spoilt free space.
    if ((packet.meta & META_CHECKSUM_KNOWN) !== 0) receiveBuffer.ring.write(rcvNxt, at + headerBytes, length);
    else if (!checksumGood(c, packet, headerBytes, receiveBuffer.ring.writeSum(rcvNxt, at + headerBytes, length)))
      return true;
    acceptInOrder(c, packet.meta, length, nowUs);
  }
  if (c.tsOk) {
    // RFC 7323 section 4.3: only a segment that spans Last.ACK.sent is echoed.
    if (spansLastAck) {
      c.tsRecent = tsValue;
      c.tsRecentUs = nowUs;
    }
    if (length > 0) c.receiveBuffer.noteEcho(stack.tsNow(nowUs), c.tsOffset, tsEcho);
  }
  c.lastReceivedUs = nowUs;
  c.keepProbes = 0;
  afterPredicted(c, ack, advance, (last & 0xffff) << c.sndScale, tsEcho, nowUs);
  if (length > 0 && stack.runs.wanted) stack.runs.remember(c, packet, headerBytes);
  return true;
}

/** The verified in-order bytes were written: they belong to the program. */
function acceptInOrder(c: Connection, meta: number, length: number, nowUs: number): void {
  const { stack } = c;
  c.rcvNxt = (c.rcvNxt + length) | 0;
  c.bytesReceived += length;
  stack.predictedDataNow++;
  stack.predictedBytesNow += length;
  scheduleAck(c, meta >>> 16 || length, nowUs);
  if (c.owner !== null) c.owner.onReadable();
}

/** The acknowledging side of a predicted segment: no SACK, no duplicate, nothing lost. */
function afterPredicted(
  c: Connection,
  ack: number,
  advance: number,
  window: number,
  tsEcho: number,
  nowUs: number,
): void {
  if (advance > 0) {
    const flight = (c.sndNxt - c.sndUna) | 0;
    c.stack.counters.add(c.stack.count.acksReceived, 1);
    acknowledge(c, ack, tsEcho, nowUs);
    onAdvance(c, advance, flight, nowUs);
  }
  c.sndWl1 = c.rcvNxt;
  c.sndWl2 = ack;
  const opened = window > c.sndWnd;
  c.sndWnd = window;
  if (window > c.maxSndWnd) c.maxSndWnd = window;
  if ((advance > 0 || opened) && !c.sendBufferIdle) c.stack.work.enqueue(c);
}

/** Header and pseudo-header added to the payload's sum must give all ones. Counts a bad one. */
function checksumGood(c: Connection, packet: InPacket, headerBytes: number, payloadSum: number): boolean {
  if ((packet.meta & META_CHECKSUM_KNOWN) !== 0) return true;
  const { stack } = c;
  const sum = c.pseudoSum + packet.lengthBytes + stack.bulk.sum(packet.at, headerBytes) + payloadSum;
  if (foldSum(sum) === 0xffff) return true;
  stack.counters.add(stack.count.droppedBadChecksum, 1);
  return false;
}

/** A segment for a connection in SYN_RECEIVED or later, its checksum verified (RFC 9293 3.10.7.4). */
export function segmentArrives(c: Connection, segment: Segment, nowUs: number): void {
  const { stack } = c;
  c.lastReceivedUs = nowUs;
  const spansLastAck = ((segment.seq - c.lastAckSent) | 0) <= 0;
  if (!acceptableTimestamp(c, segment, nowUs)) return;
  if (!acceptableSequence(c, segment, nowUs)) return;
  if (segment.flags & FLAG_RST) {
    onReset(c, segment, nowUs);
    return;
  }
  c.keepProbes = 0;
  if (segment.flags & FLAG_SYN) {
    onUnexpectedSyn(c, segment, nowUs);
    return;
  }
  if ((segment.flags & FLAG_ACK) === 0) {
    stack.counters.add(stack.count.droppedNoAck, 1);
    return;
  }
  if (c.state === SYN_RECEIVED && !completeOpen(c, segment, nowUs)) return;
  if (c.ecn.ok) receiveEcn(c, segment);
  if (!processAck(c, segment, nowUs)) return;
  if (c.tsOk && segment.timestamps && spansLastAck) {
    // RFC 7323 section 4.3: only a segment that spans Last.ACK.sent; and one whose ACK was believed, lest a forged time
    // from the future make PAWS refuse everything that follows.
    c.tsRecent = segment.tsValue;
    c.tsRecentUs = nowUs;
  }
  if (c.ecn.ok) onEcnEcho(c, segment, nowUs);
  if (!afterOwnFin(c, nowUs)) return;
  if (c.state === CLOSED) return;
  if (segment.flags & FLAG_URG) receiveUrgent(c, segment);
  receiveData(c, segment, nowUs);
  if (segment.flags & FLAG_FIN || c.reassembly.finKnown) onPeerFin(c, segment, nowUs);
}

/** PAWS (RFC 7323 section 5.3): R1, and what to do with a segment that lacks a timestamp (section 3.2). */
function acceptableTimestamp(c: Connection, segment: Segment, nowUs: number): boolean {
  if (!c.tsOk || segment.flags & FLAG_RST) return true;
  const { stack } = c;
  if (!segment.timestamps) {
    if (segment.flags & FLAG_SYN) return true;
    stack.counters.add(stack.count.droppedNoTimestamp, 1);
    return false;
  }
  if (((segment.tsValue - c.tsRecent) | 0) >= 0 || nowUs - c.tsRecentUs > TS_RECENT_MAX_US) return true;
  stack.counters.add(stack.count.droppedOldTimestamp, 1);
  answerUnacceptable(c, segment.dataBytes > 0, nowUs);
  return false;
}

/**
 * First: the segment must touch the window; what lies outside is trimmed. An unacceptable one is answered by an ACK
 * and dropped; with the window closed, its ACK still counts (RFC 9293 3.10.7.4).
 */
function acceptableSequence(c: Connection, segment: Segment, nowUs: number): boolean {
  const { stack } = c;
  const { counters, count } = stack;
  const before = (c.rcvNxt - segment.seq) | 0;
  const fin = segment.flags & FLAG_FIN ? 1 : 0;
  const window = (c.rcvAdv - c.rcvNxt) | 0;
  if (before > 0) {
    if (before >= segment.dataBytes + fin && (segment.flags & (FLAG_SYN | FLAG_RST)) === 0) {
      onOldSegment(c, segment, before, fin, nowUs);
      return false;
    }
    if ((segment.flags & FLAG_RST) !== 0) return ignoreReset(c);
    if (segment.flags & FLAG_SYN) return true;
    counters.add(count.partialDuplicatePackets, 1);
    counters.add(count.partialDuplicateBytes, before);
    noteDuplicate(c, segment.seq, c.rcvNxt);
    segment.seq = c.rcvNxt;
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
    c.quickAcks = Math.max(c.quickAcks, 2);
  }
  if (before === 1 && segment.dataBytes === 0 && fin === 0) counters.add(count.windowProbesReceived, 1);
  const answer = segment.dataBytes + fin > 0;
  // Not older than a window: a forged segment should have to guess both numbers (RFC 5961 section 5).
  const recent = before <= Math.max(c.receiveBuffer.limitBytes, 65535);
  if (recent && c.state !== SYN_RECEIVED && (segment.flags & FLAG_ACK) !== 0) {
    segment.dataBytes = 0;
    segment.flags &= ~FLAG_FIN;
    // Also when the ACK ends the connection here.
    if (answer) c.ackNow = true;
    if (!processAck(c, segment, nowUs) || !afterOwnFin(c, nowUs)) return;
  }
  if (c.state !== CLOSED) answerUnacceptable(c, answer, nowUs);
}

function noteDuplicate(c: Connection, start: number, end: number): void {
  if (!c.sackOk || c.stack.settings.dsack.value === 0) return;
  c.dsackStart = start;
  c.dsackEnd = end;
}

/** Bytes beyond the right edge, and the FIN after them, are not there. */
function trimRight(c: Connection, segment: Segment, window: number): boolean {
  const offset = (segment.seq - c.rcvNxt) | 0;
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
  c.ackNow = true;
  c.stack.work.enqueue(c);
  return true;
}

/** Second: RST (RFC 5961 section 3: only one exactly at RCV.NXT is believed). */
function onReset(c: Connection, segment: Segment, nowUs: number): void {
  const { counters, count } = c.stack;
  counters.add(count.resetsReceived, 1);
  if (segment.seq !== c.rcvNxt) {
    challengeAck(c, nowUs);
    return;
  }
  switch (c.state) {
    case SYN_RECEIVED:
      counters.add(count.connectionsRefused, 1);
      dropConnection(c, -Errno.ECONNREFUSED);
      break;
    case CLOSE_WAIT:
      // The peer had said that it sends no more: what fails is our writing.
      dropConnection(c, -Errno.EPIPE);
      break;
    case CLOSING:
    case LAST_ACK:
      dropConnection(c, c.owner === null ? 0 : -Errno.ECONNRESET);
      break;
    default:
      dropConnection(c, -Errno.ECONNRESET);
  }
}

/** Fourth: SYN in a synchronized state (RFC 5961 section 4). */
function onUnexpectedSyn(c: Connection, segment: Segment, nowUs: number): void {
  const { stack } = c;
  if (c.state === SYN_RECEIVED && segment.seq === c.irs && (segment.flags & FLAG_ACK) !== 0) {
    // Simultaneous open: the peer's SYN-ACK also acknowledges our SYN.
    segment.seq = (segment.seq + 1) | 0;
    segment.flags &= ~FLAG_SYN;
    // A SYN's window is not scaled.
    segment.window >>= c.sndScale;
    segmentArrives(c, segment, nowUs);
    return;
  }
  if (c.state === SYN_RECEIVED && segment.seq === c.irs) {
    // Its SYN again: our SYN-ACK was lost.
    c.sndNxt = c.iss;
    stack.work.enqueue(c);
    return;
  }
  challengeAck(c, nowUs);
}

/** Fifth, in SYN_RECEIVED (simultaneous open; passive opens complete in listen.ts). False: drop the segment. */
function completeOpen(c: Connection, segment: Segment, nowUs: number): boolean {
  if (((segment.ack - c.sndUna) | 0) <= 0 || ((segment.ack - c.sndMax) | 0) > 0) {
    c.stack.reject(c.localAddress, c.peerAddress, c.ports, segment, nowUs);
    return false;
  }
  establish(c, segment, nowUs);
  return true;
}

/** The handshake is complete: first window, first congestion window. */
export function establish(c: Connection, segment: Segment, nowUs: number): void {
  // Closed before the peer had answered (close.ts): the FIN goes when the ACK has been looked at.
  c.state = c.finQueued ? FIN_WAIT_1 : ESTABLISHED;
  c.sndWnd = segment.window << (segment.flags & FLAG_SYN ? 0 : c.sndScale);
  c.maxSndWnd = c.sndWnd;
  c.sndWl1 = segment.seq;
  c.sndWl2 = segment.ack;
  if (c.ecn.ok) c.stack.counters.add(c.stack.count.ecnHandshakes, 1);
  c.stack.onEstablished(c, nowUs);
  startKeepAlive(c, nowUs);
  if (c.owner !== null) c.owner.onConnected();
}

/** After the ACK: what it means for a connection that has sent its FIN. False when the connection is gone. */
function afterOwnFin(c: Connection, nowUs: number): boolean {
  if (!c.finQueued || !c.finSent || ((c.sndUna - c.sndNxt) | 0) !== 0) return true;
  switch (c.state) {
    case FIN_WAIT_1:
      c.state = FIN_WAIT_2;
      if (c.owner !== null) c.owner.onSent();
      else c.stack.callouts.schedule(c.slowTimer, nowUs + c.stack.settings.finTimeoutMs.value * 1000);
      return true;
    case CLOSING:
      if (c.owner !== null) c.owner.onSent();
      enterTimeWait(c, nowUs);
      return false;
    case LAST_ACK:
      if (c.owner !== null) c.owner.onSent();
      dropConnection(c, 0);
      return false;
    default:
      return true;
  }
}

/** Data for a program that reads no more: the peer must learn that it is lost (RFC 2525 section 2.17). */
export function refuseData(c: Connection): void {
  sendReset(c);
  dropConnection(c, -Errno.ECONNRESET);
}
