/**
 * Urgent data: a mark in the stream that says "read up to here soon". The bytes stay in the stream.
 *
 * Thread: the one that runs the kernel. The pointer names the byte after the last urgent one, as RFC 6093 section 4 settles
 * it, and there is no taking of a byte out of the stream: every socket behaves as with SO_OOBINLINE (section 6).
 * Read first: RFC 6093, RFC 9293 3.8.5.
 */

import { FLAG_URG } from '../../../wire/tcp.ts';
import { sendAck } from '../send/control-segments.ts';
import type { Segment } from '../shared/options.ts';
import { type Connection, ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2 } from './connection.ts';

const POINTER_MAX = 65535;

/** The program wrote urgent data, which ends the send buffer now (MUST-31: of any length). Call it before the output. */
export function markUrgent(c: Connection): void {
  c.urgentOut = true;
  c.sndUp = c.sendBuffer.endSeq;
  // The pointer counts from each segment's own number, so nobody else may cut a super-frame.
  c.segmentMax = c.mss;
}

/** A closed window does not keep the peer from hearing of it: a segment without data carries the pointer. */
export function tellUrgent(c: Connection, nowUs: number): void {
  const closed = ((c.sndUna + c.sndWnd - c.sndNxt) | 0) <= 0;
  if (closed && c.state >= ESTABLISHED && ((c.sndUp - c.sndNxt) | 0) > 0) sendAck(c, nowUs);
}

/** The pointer for a segment that begins at `seq`; 0 when it lies before that. Ends when all urgent data was acknowledged. */
export function urgentPointer(c: Connection, seq: number): number {
  const ahead = (c.sndUp - seq) | 0;
  if (ahead > 0) return ahead < POINTER_MAX ? ahead : POINTER_MAX;
  if (((c.sndUna - c.sndUp) | 0) >= 0) {
    c.urgentOut = false;
    // Have the segment sizes made anew.
    c.mssMtuBytes = 0;
  }
  return 0;
}

/** Sixth of RFC 9293 3.10.7.4: RCV.UP moves forward, and the program is told (MUST-32). */
export function receiveUrgent(c: Connection, segment: Segment): void {
  if ((segment.flags & FLAG_URG) === 0 || c.finReceived) return;
  if (c.state !== ESTABLISHED && c.state !== FIN_WAIT_1 && c.state !== FIN_WAIT_2) return;
  const position = c.bytesReceived + ((segment.urgentSeq - c.rcvNxt) | 0);
  if (position <= c.rcvUp || position <= c.bytesReceived - c.readableBytes) return;
  c.rcvUp = position;
  c.stack.counters.add(c.stack.count.urgentReceived, 1);
  c.owner?.onUrgent?.();
}

/** Bytes the program has to read until the end of the urgent data, 0 when there is none (MUST-33). */
export function urgentBytes(c: Connection): number {
  return Math.max(c.rcvUp - (c.bytesReceived - c.readableBytes), 0);
}
