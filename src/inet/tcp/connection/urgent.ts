/**
 * Urgent data: a mark in the stream that says "read up to here soon". The bytes stay in the stream.
 *
 * Thread: the one that runs the CPU. The pointer names the byte after the last urgent one, as RFC 6093 section 4 settles
 * it, and there is no taking of a byte out of the stream: every socket behaves as with SO_OOBINLINE (section 6).
 * Read first: RFC 6093, RFC 9293 3.8.5.
 */

import { seqGe, seqGt, seqLe } from '../../../base/sequence.ts';
import type { Connection } from './connection.ts';
import { ESTABLISHED } from './states.ts';

const POINTER_MAX = 65535;

/** The program wrote urgent data, which ends the send buffer now (MUST-31: of any length). Call it before the output. */
export function markUrgent(c: Connection): void {
  c.urgent.sending = true;
  c.urgent.sndUp = c.sendBuffer.endSeq;
  // The pointer counts from each segment's own number, so a super-frame, which the link would split, cannot carry it.
  c.size.max = c.size.mss;
}

/** The window is closed, so that no data tells the peer of the urgent mark: a segment without data has to. */
export function urgentUntold(c: Connection): boolean {
  const closed = seqLe(c.snd.una + c.snd.wnd, c.snd.nxt);
  return closed && c.state >= ESTABLISHED && seqGt(c.urgent.sndUp, c.snd.nxt);
}

/** The pointer for a segment that begins at `seq`; 0 when it lies before that. Ends when all urgent data was acknowledged. */
export function urgentPointer(c: Connection, seq: number): number {
  const ahead = (c.urgent.sndUp - seq) | 0;
  if (ahead > 0) return ahead < POINTER_MAX ? ahead : POINTER_MAX;
  if (seqGe(c.snd.una, c.urgent.sndUp)) {
    c.urgent.sending = false;
    // Have the segment sizes made anew.
    c.size.mtuBytes = 0;
  }
  return 0;
}

/** Bytes the program has to read until the end of the urgent data, 0 when there is none (MUST-33). */
export function urgentBytes(c: Connection): number {
  return Math.max(c.urgent.rcvUp - (c.totals.bytesReceived - c.readableBytes), 0);
}
