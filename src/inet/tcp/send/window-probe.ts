/**
 * Probes of the peer's window, sent by the persist timer.
 *
 * Thread: the one that runs the CPU.
 * Read first: RFC 9293 3.8.6.1 and 3.8.6.2.1.
 */

import { seqGt } from '../../../base/sequence.ts';
import { FLAG_ACK, FLAG_FIN } from '../../../wire/tcp.ts';
import type { Connection } from '../connection/connection.ts';
import { TIMER_PERSIST } from '../connection/states.ts';
import { continuePersist } from '../connection/timers.ts';
import { sendForced } from './new-data.ts';
import { refused } from './refused.ts';
import { sendSegment } from './segment-writer.ts';

/** A probe of the window: one byte beyond it (or the FIN), without moving SND.NXT (RFC 9293 3.8.6.1). */
function sendProbe(c: Connection, nowUs: number): void {
  const { sendBuffer, stack } = c;
  const data = seqGt(sendBuffer.endSeq, c.snd.nxt);
  const sent = sendSegment(c, c.snd.nxt, data ? 1 : 0, data ? FLAG_ACK : FLAG_ACK | FLAG_FIN, nowUs);
  if (sent < 0) {
    refused(c, sent, nowUs);
    return;
  }
  c.snd.max = (c.snd.nxt + 1) | 0;
  stack.counters.add(stack.count.windowProbesSent, 1);
}

/** The persist timer fired: what fits in a small window, a probe of a closed one; the next probe later, unless data went. */
export function probeWindow(c: Connection, nowUs: number): void {
  c.rtx.mode = TIMER_PERSIST;
  const usable = (c.snd.una + c.snd.wnd - c.snd.nxt) | 0;
  if (usable > 0) sendForced(c, usable, nowUs);
  else sendProbe(c, nowUs);
  if (c.rtx.mode === TIMER_PERSIST) continuePersist(c, nowUs);
}
