/**
 * New data outside the ordinary course: account for it, and the segments that timers and the search for the path's MTU send.
 *
 * Thread: the one that runs the CPU. Data path: allocates nothing.
 * Read first: output.ts.
 */

import { seqGt } from '../../../base/sequence.ts';
import { FLAG_ACK, FLAG_FIN, FLAG_PSH } from '../../../wire/tcp.ts';
import type { Connection } from '../connection/connection.ts';
import { sackBytesMax } from '../connection/mss.ts';
import { TIMER_RETRANSMIT } from '../connection/states.ts';
import { armRetransmit } from '../connection/timers.ts';
import { noteMtuProbe } from '../recovery/mtu-probe.ts';
import { refused } from './refused.ts';
import { sendSegment } from './segment-writer.ts';

/** Account for new data, and perhaps the FIN, that was sent. */
export function noteNew(c: Connection, dataBytes: number, fin: boolean, full: boolean, nowUs: number): void {
  const { stack } = c;
  const space = fin ? dataBytes + 1 : dataBytes;
  c.scoreboard.push(c.snd.nxt, space, nowUs);
  c.snd.nxt = (c.snd.nxt + space) | 0;
  if (seqGt(c.snd.nxt, c.snd.max)) c.snd.max = c.snd.nxt;
  if (!full) c.snd.smallEnd = c.snd.nxt;
  c.times.dataSentUs = nowUs;
  c.totals.bytesSent += dataBytes;
  stack.counters.add(stack.count.dataPacketsSent, 1);
  stack.counters.add(stack.count.dataBytesSent, dataBytes);
  if (c.rtx.mode !== TIMER_RETRANSMIT) armRetransmit(c, nowUs);
}

/**
 * New data that fits in a window too small for a worthwhile segment, when waiting has not made it larger (the override
 * timeout of RFC 9293 3.8.6.2.1).
 */
export function sendForced(c: Connection, usable: number, nowUs: number): void {
  const unsent = (c.sendBuffer.endSeq - c.snd.nxt) | 0;
  const length = Math.min(unsent, usable, c.size.mss - sackBytesMax(c));
  const fin = c.snd.finQueued && length === unsent && length < usable;
  let flags = fin ? FLAG_ACK | FLAG_FIN : FLAG_ACK;
  if (length === unsent) flags |= FLAG_PSH;
  const error = sendSegment(c, c.snd.nxt, length, flags, nowUs);
  if (error < 0) refused(c, error, nowUs);
  else noteNew(c, length, fin, false, nowUs);
}

/** A probe of the path's MTU: a segment of `payload` bytes of new data, longer than the others. */
export function sendMtuProbe(c: Connection, payload: number, nowUs: number): void {
  const mss = c.size.mss;
  // For the moment a segment may be that long.
  c.size.mss = payload;
  const error = sendSegment(c, c.snd.nxt, payload, FLAG_ACK, nowUs);
  c.size.mss = mss;
  if (error < 0) {
    refused(c, error, nowUs);
    return;
  }
  const seq = c.snd.nxt;
  noteNew(c, payload, false, true, nowUs);
  noteMtuProbe(c, seq, payload);
}
