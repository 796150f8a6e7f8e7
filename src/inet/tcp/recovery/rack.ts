/**
 * RACK-TLP: loss detection by time, and a probe for losses at the tail.
 *
 * Thread: the one that runs the kernel. The scoreboard keeps when each segment was last sent; a segment is lost when one
 * sent later was delivered, a round trip ago and a little more. When nothing comes back at all, the probe makes the peer
 * say what it has, long before the retransmission timer would. One callout serves both: the reordering timer runs only
 * while something was delivered out of order, the probe timer only while nothing was. SACK is required.
 * Read first: RFC 8985.
 */

import { type Connection, ESTABLISHED, RECOVERY_NONE } from '../connection/connection.ts';
import { output } from '../send/output.ts';
import { sendLossProbe } from '../send/retransmit.ts';
import { armRetransmit } from '../timers.ts';
import { congestionEvent, enterRecovery, reduceRate } from './recovery.ts';

const DUP_THRESHOLD = 3;
/** A larger reordering window lasts for so many recoveries (section 6.2, step 4). */
const REORDER_PERSIST = 16;
/** Added to two round trips: the peer's thread may be busy for a while, and a probe is work for it too. */
const PROBE_SLACK_US = 10_000;
/** Section 7.2: before anything was measured. */
const PROBE_INITIAL_US = 1_000_000;
/** Worst case of a delayed acknowledgement (section 7.2, TLP.max_ack_delay). */
const MAX_ACK_DELAY_US = 200_000;

/** Per connection. */
export class RackState {
  /** RACK.reo_wnd_mult and RACK.reo_wnd_persist. */
  multiplier: number = 1;
  persist: number = REORDER_PERSIST;
  /** No further widening until this is acknowledged (RACK.dsack_round); valid while `dsackRoundOpen`. */
  dsackRound: number = 0;
  dsackRoundOpen: boolean = false;
  /** The ACK at hand reports a duplicate. */
  dsackSeen: boolean = false;

  /** TLP.end_seq and TLP.is_retrans, while a probe is out. */
  probeOut: boolean = false;
  probeEndSeq: number = 0;
  probeIsRetransmission: boolean = false;
}

/** The peer reported a duplicate: what was resent had only been overtaken (step 4), once a round trip. */
export function noteDuplicateSegment(c: Connection): void {
  const { rack } = c;
  rack.dsackSeen = true;
  if (rack.dsackRoundOpen && ((c.sndUna - rack.dsackRound) | 0) < 0) return;
  rack.dsackRoundOpen = true;
  rack.dsackRound = c.sndNxt;
  rack.multiplier++;
  rack.persist = REORDER_PERSIST;
}

/** Section 6.2, step 4: how long a segment may be overtaken before it is lost, microseconds. */
function reorderWindowUs(c: Connection): number {
  const { rack, scoreboard } = c;
  if (!scoreboard.reorderingSeen) {
    if (c.recovery !== RECOVERY_NONE || scoreboard.sackedCount(DUP_THRESHOLD) >= DUP_THRESHOLD) return 0;
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
  else if (scoreboard.sackedBytes > 0 || c.recovery !== RECOVERY_NONE) stack.callouts.stop(c.probeTimer);
}

/** Section 7.2: after sending new data, and after each ACK that leaves some outstanding. */
export function armProbe(c: Connection, nowUs: number): void {
  const { scoreboard, stack, rtt } = c;
  if (!c.sackOk || stack.settings.lossProbe.value === 0) return;
  if (scoreboard.sackedBytes > 0 || c.recovery !== RECOVERY_NONE) return;
  if (scoreboard.empty || c.rack.probeOut || c.state < ESTABLISHED) {
    if (c.probeTimer.pending) stack.callouts.stop(c.probeTimer);
    return;
  }
  let waitUs = rtt.srttUs < 0 ? PROBE_INITIAL_US : 2 * rtt.srttUs + PROBE_SLACK_US;
  // A lone segment may wait for a delayed acknowledgement.
  if (scoreboard.count === 1 && scoreboard.lengthOf(scoreboard.last) <= c.mss) waitUs += MAX_ACK_DELAY_US;
  stack.callouts.schedule(c.probeTimer, Math.min(nowUs + waitUs, c.retransmitTimer.deadlineUs));
}

/** A probe as late as the retransmission timer goes in its place, and starts it afresh (section 7.2). False: none was due. */
export function probeInstead(c: Connection, nowUs: number): boolean {
  if (c.probeTimer.deadlineUs > nowUs) return false;
  c.stack.callouts.stop(c.probeTimer);
  onProbeTimer(c, nowUs);
  return c.retransmitTimer.pending;
}

/** The reordering timer (section 6.2, step 5) or the probe timer (section 7.3) fired. */
export function onProbeTimer(c: Connection, nowUs: number): void {
  const { scoreboard, rack, stack } = c;
  if (c.state < ESTABLISHED || scoreboard.empty || !c.sackOk) return;
  if (scoreboard.sackedBytes > 0 || c.recovery !== RECOVERY_NONE) {
    rackDetect(c, nowUs);
    if (scoreboard.lostBytes > 0 && c.recovery === RECOVERY_NONE) {
      enterRecovery(c, nowUs);
      reduceRate(c, 0);
    }
    output(c, nowUs);
    return;
  }
  if (rack.probeOut) return;
  const before = c.sndNxt;
  if (!sendLossProbe(c, nowUs)) return;
  rack.probeOut = true;
  rack.probeIsRetransmission = c.sndNxt === before;
  rack.probeEndSeq = c.sndNxt;
  stack.counters.add(stack.count.lossProbesSent, 1);
  armRetransmit(c, nowUs);
}

/** Section 7.4: what the ACK says about a probe that is out. `sacked`: it carried news; `duplicate`: RFC 5681's. */
export function onProbeAnswer(c: Connection, sacked: boolean, duplicate: boolean, nowUs: number): void {
  const { rack, stack } = c;
  if (((c.sndUna - rack.probeEndSeq) | 0) < 0) return;
  if (!rack.probeIsRetransmission || rack.dsackSeen) {
    rack.probeOut = false;
  } else if (((c.sndUna - rack.probeEndSeq) | 0) > 0) {
    rack.probeOut = false;
    // The probe repaired a loss that nobody else noticed: the window pays for it once.
    stack.counters.add(stack.count.lossProbeRecoveries, 1);
    if (c.recovery === RECOVERY_NONE) congestionEvent(c, nowUs);
  } else if (duplicate && !sacked) {
    rack.probeOut = false;
  }
}
