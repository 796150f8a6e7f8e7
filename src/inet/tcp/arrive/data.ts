/**
 * Segment text: data to its place in the receive buffer, and when to acknowledge it.
 *
 * Thread: the one that runs the CPU. Out-of-order data is written where it belongs and acknowledged at once, so that
 * the sender can count duplicates; in-order data is acknowledged every second full segment, or for a whole poll batch
 * together (as a host with receive offload does), or after a delay.
 * Read first: RFC 9293 3.10.7.4 (seventh), RFC 5681 section 4.2, RFC 1122 4.2.3.2.
 */

import { Errno } from '../../../base/errors.ts';
import { US_PER_MS } from '../../../base/units.ts';
import { FLAG_FIN } from '../../../wire/tcp.ts';
import type { Connection } from '../connection/connection.ts';
import { DUE_ACK, DUE_BATCH_ACK, DUE_RESET, endConnection } from '../connection/due.ts';
import { ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2 } from '../connection/states.ts';
import { closeWindow } from '../connection/window.ts';
import type { Segment } from '../shared/segment.ts';

/** The segment's data, checksum verified, trimmed to the window, `seq` not before RCV.NXT. */
export function receiveData(c: Connection, segment: Segment, nowUs: number): void {
  if (segment.dataBytes === 0) return;
  const { stack } = c;
  if (c.state !== ESTABLISHED && c.state !== FIN_WAIT_1 && c.state !== FIN_WAIT_2) {
    // RFC 9293 3.10.7.4, seventh: it has sent its FIN, so the text is ignored.
    stack.counters.add(stack.count.packetsAfterClose, 1);
    return;
  }
  if (c.rcv.readClosed) {
    stack.counters.add(stack.count.packetsAfterClose, 1);
    refuseData(c);
    return;
  }
  if (!makeRoom(c, segment, nowUs)) return;
  if (c.holderIndex < 0) stack.work.holdRings(c, nowUs);
  if (segment.seq === c.rcv.nxt) receiveInOrder(c, segment, nowUs);
  else receiveOutOfOrder(c, segment);
}

/**
 * Memory for the segment, or for as much of it as there is. For want of memory the window closes, as Linux does it, and opens
 * when there is some again: the peer waits instead of sending into the void.
 */
function makeRoom(c: Connection, segment: Segment, nowUs: number): boolean {
  const { receiveBuffer, reassembly, stack } = c;
  const held = reassembly.count > 0 ? reassembly.endSeq : c.rcv.nxt;
  if (receiveBuffer.ensure((segment.seq + segment.dataBytes) | 0, held)) return true;
  stack.counters.add(stack.count.droppedNoMemory, 1);
  receiveBuffer.denied = true;
  stack.work.awaitMemory(c, nowUs);
  const edge = (receiveBuffer.readSeq + receiveBuffer.ring.capacity) | 0;
  closeWindow(c, edge);
  c.due |= DUE_ACK;
  segment.flags &= ~FLAG_FIN;
  const room = (edge - segment.seq) | 0;
  if (room <= 0) return false;
  segment.dataBytes = room;
  return true;
}

function receiveInOrder(c: Connection, segment: Segment, nowUs: number): void {
  const { receiveBuffer, reassembly, stack } = c;
  const length = segment.dataBytes;
  receiveBuffer.ring.write(segment.seq, segment.dataAt, length);
  stack.counters.add(stack.count.dataPacketsInSequence, 1);
  stack.counters.add(stack.count.dataBytesInSequence, length);
  const end = (segment.seq + length) | 0;
  const hadGap = reassembly.count > 0;
  const inOrder = hadGap ? reassembly.advance(end) : end;
  c.totals.bytesReceived += (inOrder - c.rcv.nxt) | 0;
  c.rcv.nxt = inOrder;
  if (segment.timestamps) receiveBuffer.noteEcho(stack.tsNow(nowUs), c.ts.offset, segment.tsEcho);
  scheduleAck(c, segment.segmentBytes, nowUs);
  // RFC 5681 section 4.2: a segment that fills a gap is acknowledged at once.
  if (hadGap) c.due |= DUE_BATCH_ACK;
  if (c.owner !== null) c.owner.onReadable();
}

function receiveOutOfOrder(c: Connection, segment: Segment): void {
  const { receiveBuffer, reassembly, stack } = c;
  const { seq, dataBytes: length } = segment;
  const end = (seq + length) | 0;
  if (reassembly.covers(seq, end)) {
    // The range it lies in is reported next to it (RFC 2883 section 4, rule 3).
    reassembly.add(seq, end, stack.settings.reassemblyMax.value);
    stack.counters.add(stack.count.duplicatePackets, 1);
    stack.counters.add(stack.count.duplicateBytes, length);
    if (c.sackOk && stack.settings.dsack.value === 1) {
      c.acks.dsackStart = seq;
      c.acks.dsackEnd = end;
    }
  } else {
    receiveBuffer.ring.write(seq, segment.dataAt, length);
    if (!reassembly.add(seq, end, stack.settings.reassemblyMax.value)) {
      stack.counters.add(stack.count.droppedManyPieces, 1);
      return;
    }
    stack.counters.add(stack.count.outOfOrderPackets, 1);
    stack.counters.add(stack.count.outOfOrderBytes, length);
  }
  // One ACK for each: the sender counts them (RFC 5681 section 4.2).
  c.due |= DUE_ACK;
}

/** In-order data arrived in segments of `segmentBytes`: acknowledge now, with this batch, or later. */
export function scheduleAck(c: Connection, segmentBytes: number, nowUs: number): void {
  const { stack } = c;
  const { settings } = stack;
  // Once for each batch, whose segments all have the same time.
  if (nowUs !== c.times.dataReceivedUs) {
    if (c.times.dataReceivedUs >= 0 && nowUs - c.times.dataReceivedUs > c.rtt.rtoUs)
      c.acks.quick = settings.quickAcks.value;
    c.times.dataReceivedUs = nowUs;
  }
  if (segmentBytes > c.rcv.mss) c.rcv.mss = segmentBytes;
  c.receiveBuffer.probeRtt(c.rcv.nxt, c.rcv.adv, nowUs);
  const owed = (c.rcv.nxt - c.rcv.lastAckSent) | 0;
  if (owed > c.rcv.mss || (c.acks.quick > 0 && !c.acks.interactive)) {
    if (owed >= settings.ackBatchSegments.value * c.rcv.mss) {
      c.due |= DUE_ACK;
    } else {
      c.acks.now = true;
      stack.work.enqueue(c);
    }
  } else if (!c.ackTimer.pending) {
    stack.callouts.schedule(c.ackTimer, nowUs + settings.delayedAckMs.value * US_PER_MS);
  }
}

/** Data for a program that reads no more: the peer must learn that it is lost (RFC 2525 section 2.17). */
function refuseData(c: Connection): void {
  c.due |= DUE_RESET;
  endConnection(c, -Errno.ECONNRESET);
}
