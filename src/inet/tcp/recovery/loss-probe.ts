/**
 * Tail loss probe: its time, and the meaning of its answer. The reordering timer of RACK is the same callout.
 *
 * Thread: the one that runs the CPU. When nothing comes back at all, the probe makes the peer say what it has, long
 * before the retransmission timer would. SACK is required.
 * Read first: RFC 8985 section 7.
 */

import { seqGt, seqLt } from '../../../base/sequence.ts';
import type { Connection } from '../connection/connection.ts';
import { DUE_LOSS_PROBE, DUE_OUTPUT } from '../connection/due.ts';
import { ESTABLISHED, RECOVERY_NONE } from '../connection/states.ts';
import { rackDetect } from './rack.ts';
import { congestionEvent, enterRecovery, reduceRate } from './recovery.ts';

/** The reordering timer (section 6.2, step 5) or the probe timer (section 7.3) fired. */
export function detectLateLoss(c: Connection, nowUs: number): void {
  const { scoreboard, rack } = c;
  if (c.state < ESTABLISHED || scoreboard.empty || !c.sackOk) return;
  if (scoreboard.sackedBytes > 0 || c.loss.phase !== RECOVERY_NONE) {
    rackDetect(c, nowUs);
    if (scoreboard.lostBytes > 0 && c.loss.phase === RECOVERY_NONE) {
      enterRecovery(c, nowUs);
      reduceRate(c, 0);
    }
    c.due |= DUE_OUTPUT;
    return;
  }
  if (!rack.probeOut) c.due |= DUE_LOSS_PROBE;
}
/** Section 7.4: the ACK's word about a probe that is out. `sacked`: it carried news; `duplicate`: RFC 5681's. */
export function onProbeAnswer(c: Connection, sacked: boolean, duplicate: boolean, nowUs: number): void {
  const { rack, stack } = c;
  if (seqLt(c.snd.una, rack.probeEndSeq)) return;
  if (!rack.probeIsRetransmission || rack.dsackSeen) {
    rack.probeOut = false;
  } else if (seqGt(c.snd.una, rack.probeEndSeq)) {
    rack.probeOut = false;
    // The probe repaired a loss that no ACK had shown: the window pays for it once.
    stack.counters.add(stack.count.lossProbeRecoveries, 1);
    if (c.loss.phase === RECOVERY_NONE) congestionEvent(c, nowUs);
  } else if (duplicate && !sacked) {
    rack.probeOut = false;
  }
}
