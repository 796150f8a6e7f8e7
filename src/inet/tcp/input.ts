/**
 * Segment arrival for connections in a synchronized state, in the order of RFC 9293 section 3.10.7.4, and before it the
 * shortcut for the two kinds of segment that make up nearly all traffic.
 *
 * Thread: the one that runs the CPU. Data path: allocates nothing. Answers are left to the end of the poll batch
 * (`WorkQueue.enqueue`), except those that must go out one for one: duplicate ACKs, challenge ACKs, resets.
 * Read first: RFC 9293 3.10.7.4, RFC 5961, RFC 7323 section 5, Jacobson's header prediction (RFC 1323 appendix A in essence).
 */

import { foldSum } from '../../base/checksum.ts';
import { seqGt, seqLe, seqLt } from '../../base/sequence.ts';
import { META_CHECKSUM_KNOWN, META_SEGMENT_SHIFT } from '../../net/packet-meta.ts';
import { FLAG_ACK, FLAG_FIN, FLAG_RST, FLAG_SYN, FLAG_URG } from '../../wire/tcp.ts';
import type { InPacket } from '../ip/transport.ts';
import { acceptableSequence, acceptableTimestamp } from './arrive/acceptable.ts';
import { acknowledge, processAck } from './arrive/ack.ts';
import { challengeAck } from './arrive/challenge.ts';
import { receiveData, scheduleAck } from './arrive/data.ts';
import { onEcnEcho, receiveEcn } from './arrive/ecn.ts';
import { establish } from './arrive/establish.ts';
import { afterOwnFin, onPeerFin } from './arrive/fin.ts';
import { onReset } from './arrive/reset.ts';
import { receiveUrgent } from './arrive/urgent.ts';
import type { Connection } from './connection/connection.ts';
import { ecnMarked } from './connection/ecn.ts';
import { CLOSED, ESTABLISHED, RECOVERY_NONE, SYN_RECEIVED, TIMER_PERSIST } from './connection/states.ts';
import { dispatch } from './dispatch.ts';
import { onAdvance } from './recovery/recovery.ts';
import type { SegmentRuns } from './segment-runs.ts';
import { reject } from './send/control-segments.ts';
import { TIMESTAMPS_WORD } from './shared/options.ts';
import type { Segment } from './shared/segment.ts';

/**
 * Header prediction: an ESTABLISHED connection without gaps or losses, the next expected segment, nothing but ACK or
 * ACK and PSH. Returns false, with nothing changed, when the segment needs the whole procedure; `packet` has at least
 * `headerBytes` of TCP header.
 */
export function predicted(
  c: Connection,
  runs: SegmentRuns,
  packet: InPacket,
  headerBytes: number,
  nowUs: number,
): boolean {
  const { reassembly } = c;
  if (c.state !== ESTABLISHED || c.loss.phase !== RECOVERY_NONE) return false;
  // An out-of-order FIN without data is not in `reassembly.count`; test it apart.
  if (reassembly.count !== 0 || reassembly.finKnown) return false;
  if (c.ecn.ok && (ecnMarked(packet.tos) || c.ecn.reduced || c.ecn.echoed)) return false;
  const { stack } = c;
  const { view } = stack;
  const { at } = packet;
  const last = view.getInt32(at + 12);
  // ACK alone or with PSH, reserved bits clear, the window open.
  if ((last & 0x0ff7_0000) !== FLAG_ACK << 16 || (last & 0xffff) === 0) return false;
  const ack = view.getInt32(at + 8);
  const advance = (ack - c.snd.una) | 0;
  if (view.getInt32(at + 4) !== c.rcv.nxt || advance < 0 || seqLt(c.snd.nxt, ack)) return false;
  const length = packet.lengthBytes - headerBytes;
  let tsValue = 0;
  let tsEcho = 0;
  const spansLastAck = c.rcv.lastAckSent === c.rcv.nxt;
  if (c.ts.ok) {
    if (headerBytes !== 32 || view.getInt32(at + 20) !== TIMESTAMPS_WORD) return false;
    tsValue = view.getInt32(at + 24);
    tsEcho = view.getInt32(at + 28);
    if (seqLt(tsValue, c.ts.recent)) return false;
  } else if (headerBytes !== 20) {
    return false;
  }
  if (length === 0) {
    // An ACK that acknowledges nothing is a duplicate or a window update: the whole procedure decides.
    if (advance === 0 || c.loss.dupAcks !== 0 || c.rtx.mode === TIMER_PERSIST) return false;
    if (!checksumGood(c, packet, headerBytes, 0)) return true;
    stack.predictedAcksNow++;
  } else {
    const { receiveBuffer } = c;
    const rcvNxt = c.rcv.nxt;
    if (length > ((c.rcv.adv - rcvNxt) | 0) || c.rcv.readClosed) return false;
    const end = (rcvNxt + length) | 0;
    if (!receiveBuffer.ensure(end, rcvNxt)) return false;
    if (c.holderIndex < 0) stack.work.holdRings(c, nowUs);
    // The bytes go to their place before their checksum is known; a bad segment has then only spoilt free space.
    if ((packet.meta & META_CHECKSUM_KNOWN) !== 0) receiveBuffer.ring.write(rcvNxt, at + headerBytes, length);
    else if (!checksumGood(c, packet, headerBytes, receiveBuffer.ring.writeSum(rcvNxt, at + headerBytes, length)))
      return true;
    acceptInOrder(c, packet.meta, length, nowUs);
  }
  if (c.ts.ok) {
    // RFC 7323 section 4.3: only a segment that spans Last.ACK.sent is echoed.
    if (spansLastAck) {
      c.ts.recent = tsValue;
      c.ts.recentUs = nowUs;
    }
    if (length > 0) c.receiveBuffer.noteEcho(stack.tsNow(nowUs), c.ts.offset, tsEcho);
  }
  c.times.receivedUs = nowUs;
  c.keepProbes = 0;
  afterPredicted(c, ack, advance, (last & 0xffff) << c.snd.scale, tsEcho, nowUs);
  if (length > 0 && runs.wanted) runs.remember(c, packet, headerBytes);
  return true;
}

/** The verified in-order bytes were written: they belong to the program. */
function acceptInOrder(c: Connection, meta: number, length: number, nowUs: number): void {
  const { stack } = c;
  c.rcv.nxt = (c.rcv.nxt + length) | 0;
  c.totals.bytesReceived += length;
  stack.predictedDataNow++;
  stack.predictedBytesNow += length;
  scheduleAck(c, meta >>> META_SEGMENT_SHIFT || length, nowUs);
  if (c.due !== 0) dispatch(c, nowUs);
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
    const flight = (c.snd.nxt - c.snd.una) | 0;
    c.stack.counters.add(c.stack.count.acksReceived, 1);
    acknowledge(c, ack, tsEcho, nowUs);
    onAdvance(c, advance, flight, nowUs);
  }
  c.snd.wl1 = c.rcv.nxt;
  c.snd.wl2 = ack;
  const opened = window > c.snd.wnd;
  c.snd.wnd = window;
  if (window > c.snd.maxWnd) c.snd.maxWnd = window;
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
  process(c, segment, nowUs);
  if (c.due !== 0) dispatch(c, nowUs);
}

function process(c: Connection, segment: Segment, nowUs: number): void {
  const { stack } = c;
  c.times.receivedUs = nowUs;
  const spansLastAck = seqLe(segment.seq, c.rcv.lastAckSent);
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
  if (c.ts.ok && segment.timestamps && spansLastAck) {
    // RFC 7323 section 4.3: only a segment that spans Last.ACK.sent; and one whose ACK was believed, lest a forged time
    // from the future make PAWS refuse everything that follows.
    c.ts.recent = segment.tsValue;
    c.ts.recentUs = nowUs;
  }
  if (c.ecn.ok) onEcnEcho(c, segment, nowUs);
  if (!afterOwnFin(c, nowUs)) return;
  if (c.state === CLOSED) return;
  if (segment.flags & FLAG_URG) receiveUrgent(c, segment);
  receiveData(c, segment, nowUs);
  if (segment.flags & FLAG_FIN || c.reassembly.finKnown) {
    // The ACK of the data does not cover the FIN.
    if (c.due !== 0) dispatch(c, nowUs);
    onPeerFin(c, segment);
  }
}

/** Fourth: SYN in a synchronized state (RFC 5961 section 4). */
function onUnexpectedSyn(c: Connection, segment: Segment, nowUs: number): void {
  const { stack } = c;
  if (c.state === SYN_RECEIVED && segment.seq === c.rcv.irs && (segment.flags & FLAG_ACK) !== 0) {
    // Simultaneous open: the peer's SYN-ACK also acknowledges our SYN.
    segment.seq = (segment.seq + 1) | 0;
    segment.flags &= ~FLAG_SYN;
    // A SYN's window is not scaled.
    segment.window >>= c.snd.scale;
    process(c, segment, nowUs);
    return;
  }
  if (c.state === SYN_RECEIVED && segment.seq === c.rcv.irs) {
    // Its SYN again: our SYN-ACK was lost.
    c.snd.nxt = c.snd.iss;
    stack.work.enqueue(c);
    return;
  }
  challengeAck(c, nowUs);
}

/** Fifth, in SYN_RECEIVED (simultaneous open; passive opens complete in listen.ts). False: drop the segment. */
function completeOpen(c: Connection, segment: Segment, nowUs: number): boolean {
  if (seqLe(segment.ack, c.snd.una) || seqGt(segment.ack, c.snd.max)) {
    reject(c.stack, c.localAddress, c.peerAddress, c.ports, segment, nowUs);
    return false;
  }
  establish(c, segment, nowUs);
  return true;
}
