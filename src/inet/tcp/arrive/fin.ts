/**
 * FIN: the peer's, and the acknowledgement of ours.
 *
 * Thread: the one that runs the CPU. Changes the state and marks what is due.
 * Read first: RFC 9293 3.6 and 3.10.7.4 (fifth and eighth).
 */

import { US_PER_MS } from '../../../base/units.ts';
import { FLAG_FIN } from '../../../wire/tcp.ts';
import type { Connection } from '../connection/connection.ts';
import { beginTimeWait, DUE_ACK, endConnection } from '../connection/due.ts';
import { CLOSE_WAIT, CLOSED, CLOSING, ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2, LAST_ACK } from '../connection/states.ts';
import type { Segment } from '../shared/segment.ts';

/** Eighth: the FIN bit, of this segment or of one that had arrived out of order. */
export function onPeerFin(c: Connection, segment: Segment): void {
  const { reassembly, stack } = c;
  if (c.rcv.finReceived || c.state === CLOSED) return;
  if (segment.flags & FLAG_FIN) {
    reassembly.finKnown = true;
    reassembly.finSeq = (segment.seq + segment.dataBytes) | 0;
  }
  if (c.rcv.nxt !== reassembly.finSeq) {
    // Data before it is missing; an empty FIN has not been answered yet. An ACK is not: two ends that both wait for what
    // stands before the other's FIN would answer each other's for ever.
    if (segment.dataBytes === 0 && segment.flags & FLAG_FIN) c.due |= DUE_ACK;
    return;
  }
  reassembly.finKnown = false;
  c.rcv.nxt = (c.rcv.nxt + 1) | 0;
  c.rcv.finReceived = true;
  c.acks.now = true;
  stack.work.enqueue(c);
  if (c.state === ESTABLISHED) c.state = CLOSE_WAIT;
  else if (c.state === FIN_WAIT_1) c.state = CLOSING;
  else if (c.state === FIN_WAIT_2) {
    beginTimeWait(c);
  }
  if (c.owner !== null) c.owner.onReadable();
}

/** Moves the state on when the ACK covers our FIN. False when the connection is gone. */
export function afterOwnFin(c: Connection, nowUs: number): boolean {
  if (!c.snd.finQueued || !c.finSent || ((c.snd.una - c.snd.nxt) | 0) !== 0) return true;
  switch (c.state) {
    case FIN_WAIT_1:
      c.state = FIN_WAIT_2;
      if (c.owner !== null) c.owner.onSent();
      else c.stack.callouts.schedule(c.slowTimer, nowUs + c.stack.settings.finTimeoutMs.value * US_PER_MS);
      return true;
    case CLOSING:
      if (c.owner !== null) c.owner.onSent();
      beginTimeWait(c);
      return false;
    case LAST_ACK:
      if (c.owner !== null) c.owner.onSent();
      endConnection(c, 0);
      return false;
    default:
      return true;
  }
}
