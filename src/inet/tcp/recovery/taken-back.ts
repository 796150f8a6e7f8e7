/**
 * A peer that closes its window although data is under way: it has no memory for it and keeps none of it.
 *
 * Thread: the one that runs the CPU. Nothing that is outstanding counts as in flight any more. It goes again when the window
 * opens (send/retransmit.ts); until then the retransmission timer sends the oldest segment as a probe of the window, for
 * as long as the peer answers. The network is not to blame, so the congestion window stays.
 * Read first: RFC 9293 3.8.6 (a sender must be robust against a window that shrinks), Linux's tcp_retransmit_timer.
 */

import type { Connection } from '../connection/connection.ts';
import { RECOVERY_TIMEOUT } from '../connection/states.ts';

/** An ACK says that the window ends at SND.UNA, with data outstanding. */
export function onWindowTakenBack(c: Connection): void {
  const { loss, stack } = c;
  // The peer lives. Any lack of progress counts for a socket that nobody holds.
  if (c.owner !== null) c.rtx.timeouts = 0;
  loss.phase = RECOVERY_TIMEOUT;
  loss.point = c.snd.nxt;
  loss.pointValid = true;
  loss.renoSackedBytes = 0;
  loss.dupAcks = 0;
  loss.retransmitDue = false;
  c.undo.possible = false;
  c.undo.frto = 0;
  c.rack.probeOut = false;
  if (c.pipeBytes > 0) c.scoreboard.markAllLost();
  if (c.probeTimer.pending) stack.callouts.stop(c.probeTimer);
}
