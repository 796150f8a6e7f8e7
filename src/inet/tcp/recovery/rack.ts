/**
 * RACK: loss detection by time.
 *
 * Thread: the one that runs the CPU. The scoreboard keeps when each segment was last sent; a segment is lost when one
 * sent later was delivered, a round trip ago and a little more. One callout serves the reordering timer and the probe
 * (loss-probe.ts): the former runs only while something was delivered out of order, the latter only while nothing was.
 * Read first: RFC 8985 sections 5 and 6.
 */

import { seqLt } from '../../../base/sequence.ts';
import type { Connection } from '../connection/connection.ts';
import { DUP_THRESHOLD } from '../connection/loss-recovery.ts';
import { REORDER_PERSIST } from '../connection/rack-state.ts';
import { RECOVERY_NONE } from '../connection/states.ts';

/** The peer reported a duplicate: a segment that was resent had only been overtaken (step 4), once a round trip. */
export function noteDuplicateSegment(c: Connection): void {
  const { rack } = c;
  rack.dsackSeen = true;
  if (rack.dsackRoundOpen && seqLt(c.snd.una, rack.dsackRound)) return;
  rack.dsackRoundOpen = true;
  rack.dsackRound = c.snd.nxt;
  rack.multiplier++;
  rack.persist = REORDER_PERSIST;
}

/** Section 6.2, step 4: how long a segment may be overtaken before it is lost, microseconds. */
function reorderWindowUs(c: Connection): number {
  const { rack, scoreboard } = c;
  if (!scoreboard.reorderingSeen) {
    if (c.loss.phase !== RECOVERY_NONE || scoreboard.sackedCount(DUP_THRESHOLD) >= DUP_THRESHOLD) return 0;
  }
  const { minRttUs, srttUs } = c.rtt;
  if (minRttUs === Number.POSITIVE_INFINITY) return 0;
  return Math.min((rack.multiplier * minRttUs) / 4, srttUs);
}

/** A recovery ended: a widened window wears off (step 4). */
export function noteRecoveryEnd(c: Connection): void {
  const { rack } = c;
  if (--rack.persist <= 0) {
    rack.multiplier = 1;
    rack.persist = REORDER_PERSIST;
  }
}

/** Step 5: mark what is lost by now, and have the rest looked at when its time comes. */
export function rackDetect(c: Connection, nowUs: number): void {
  const { scoreboard, stack } = c;
  const waitUs = scoreboard.detectLostByTime(nowUs, reorderWindowUs(c));
  if (waitUs > 0) stack.callouts.schedule(c.probeTimer, nowUs + waitUs);
  else if (scoreboard.sackedBytes > 0 || c.loss.phase !== RECOVERY_NONE) stack.callouts.stop(c.probeTimer);
}
