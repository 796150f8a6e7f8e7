/**
 * The urgent pointer of arriving segments.
 *
 * Thread: the one that runs the CPU.
 * Read first: RFC 6093, RFC 9293 3.10.7.4 (sixth).
 */

import { FLAG_URG } from '../../../wire/tcp.ts';
import type { Connection } from '../connection/connection.ts';
import { ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2 } from '../connection/states.ts';
import type { Segment } from '../shared/segment.ts';

/** Sixth of RFC 9293 3.10.7.4: RCV.UP moves forward, and the program is told (MUST-32). */
export function receiveUrgent(c: Connection, segment: Segment): void {
  if ((segment.flags & FLAG_URG) === 0 || c.rcv.finReceived) return;
  if (c.state !== ESTABLISHED && c.state !== FIN_WAIT_1 && c.state !== FIN_WAIT_2) return;
  const position = c.totals.bytesReceived + ((segment.urgentSeq - c.rcv.nxt) | 0);
  if (position <= c.urgent.rcvUp || position <= c.totals.bytesReceived - c.readableBytes) return;
  c.urgent.rcvUp = position;
  c.stack.counters.add(c.stack.count.urgentReceived, 1);
  c.owner?.onUrgent?.();
}
