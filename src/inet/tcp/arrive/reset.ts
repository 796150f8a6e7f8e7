/**
 * Resets that arrive: which are believed, and how they end the connection.
 *
 * Thread: the one that runs the CPU.
 * Read first: RFC 9293 3.5.3 and 3.10.7.4 (second), RFC 5961 section 3.
 */

import { Errno } from '../../../base/errors.ts';
import type { Connection } from '../connection/connection.ts';
import { endConnection } from '../connection/due.ts';
import { CLOSE_WAIT, CLOSING, LAST_ACK, SYN_RECEIVED } from '../connection/states.ts';
import type { Segment } from '../shared/segment.ts';
import { challengeAck } from './challenge.ts';

/** Second: RST (RFC 5961 section 3: only one exactly at RCV.NXT is believed). */
export function onReset(c: Connection, segment: Segment, nowUs: number): void {
  const { counters, count } = c.stack;
  counters.add(count.resetsReceived, 1);
  if (segment.seq !== c.rcv.nxt) {
    challengeAck(c, nowUs);
    return;
  }
  switch (c.state) {
    case SYN_RECEIVED:
      counters.add(count.connectionsRefused, 1);
      endConnection(c, -Errno.ECONNREFUSED);
      break;
    case CLOSE_WAIT:
      // The peer had said that it sends no more: our writing fails.
      endConnection(c, -Errno.EPIPE);
      break;
    case CLOSING:
    case LAST_ACK:
      endConnection(c, c.owner === null ? 0 : -Errno.ECONNRESET);
      break;
    default:
      endConnection(c, -Errno.ECONNRESET);
  }
}
