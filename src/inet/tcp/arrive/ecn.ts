/**
 * ECN of arriving segments: marks start the echo, the peer's echo brings the window down.
 *
 * Thread: the one that runs the CPU.
 * Read first: RFC 3168 sections 6.1.2 and 6.1.3.
 */

import { seqGe } from '../../../base/sequence.ts';
import { FLAG_CWR, FLAG_ECE } from '../../../wire/tcp.ts';
import type { Connection } from '../connection/connection.ts';
import { ecnMarked } from '../connection/ecn.ts';
import { RECOVERY_NONE } from '../connection/states.ts';
import { congestionEvent } from '../recovery/recovery.ts';
import type { Segment } from '../shared/segment.ts';

/** An acceptable segment arrived (section 6.1.3): start or stop echoing. */
export function receiveEcn(c: Connection, segment: Segment): void {
  const { ecn } = c;
  ecn.echoed = (segment.flags & FLAG_ECE) !== 0;
  if (segment.flags & FLAG_CWR) ecn.echo = false;
  if (!ecnMarked(segment.tos)) return;
  ecn.echo = true;
  c.stack.counters.add(c.stack.count.ecnMarksReceived, 1);
  // The sender is to know soon.
  c.acks.now = true;
  c.stack.work.enqueue(c);
}

/** An ACK arrived (section 6.1.2): with ECE, reduce once for each window of data. */
export function onEcnEcho(c: Connection, segment: Segment, nowUs: number): void {
  const { ecn, stack } = c;
  if (ecn.reduced && seqGe(c.snd.una, ecn.reducedSeq)) ecn.reduced = false;
  if ((segment.flags & FLAG_ECE) === 0 || ecn.reduced) return;
  ecn.reduced = true;
  ecn.reducedSeq = c.snd.nxt;
  ecn.cwrDue = true;
  stack.counters.add(stack.count.ecnReductions, 1);
  if (c.loss.phase === RECOVERY_NONE) congestionEvent(c, nowUs);
}
