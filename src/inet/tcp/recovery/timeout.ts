/**
 * The retransmission timeout: everything that is outstanding counts as lost.
 *
 * Thread: the one that runs the CPU.
 * Read first: RFC 6298 section 5.4 to 5.6, RFC 5681 section 3.1, RFC 6675 section 5.1.
 */

import type { Connection } from '../connection/connection.ts';
import { DUE_RETRANSMIT } from '../connection/due.ts';
import { RECOVERY_NONE, RECOVERY_TIMEOUT } from '../connection/states.ts';
import { onMtuTimeout } from './mtu-probe.ts';
import { beginFrto, beginUndo } from './undo.ts';

/**
 * The timer fired with data outstanding, `rtx.timeouts` times without progress: the windows come down, and the oldest segment is
 * due again.
 */
export function loseOutstanding(c: Connection): void {
  const { scoreboard, congestion, stack } = c;
  if (scoreboard.headSacked) {
    stack.counters.add(stack.count.sackReneges, 1);
    scoreboard.forgetSacks();
  }
  // A segment lost again says nothing new about the window (RFC 5681 section 3.1).
  if (c.rtx.timeouts === 1 && c.loss.phase !== RECOVERY_TIMEOUT) {
    if (c.loss.phase === RECOVERY_NONE) beginUndo(c);
    else c.undo.possible = false;
    congestion.onLoss((c.snd.nxt - c.snd.una) | 0, c.size.mss);
    beginFrto(c);
  } else {
    c.undo.frto = 0;
  }
  onMtuTimeout(c);
  c.ecn.cwrDue = c.ecn.ok;
  congestion.reset(c.size.mss);
  c.loss.phase = RECOVERY_TIMEOUT;
  c.loss.point = c.snd.nxt;
  c.loss.pointValid = true;
  c.loss.renoSackedBytes = 0;
  c.loss.dupAcks = 0;
  c.loss.retransmitDue = false;
  c.rack.probeOut = false;
  scoreboard.markAllLost();
  c.rtt.backOff();
  c.due |= DUE_RETRANSMIT;
}
