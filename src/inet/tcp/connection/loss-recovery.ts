/**
 * Loss recovery of a connection: its phase, duplicate ACKs, and the rate at which the window comes down.
 *
 * Thread: the one that runs the CPU. The procedures are in recovery/.
 * Read first: RFC 6582, RFC 6675, RFC 6937.
 */

import { assert } from '../../../base/assert.ts';
import { seqLe, seqLt } from '../../../base/sequence.ts';
import type { SendSequence } from './send-sequence.ts';
import { RECOVERY_FAST, RECOVERY_NONE } from './states.ts';

/** Duplicate ACKs, or ranges above, that make a segment lost (RFC 6675 section 2, DupThresh). */
export const DUP_THRESHOLD = 3;

/** Invariants: in a recovery SND.UNA < `point` <= SND.NXT; counts are not negative; `renoSackedBytes` is 0 with SACK. */
export class LossRecovery {
  /** `RECOVERY_*`. */
  phase: number = RECOVERY_NONE;
  /** RecoveryPoint of RFC 6675, `recover` of RFC 6582; valid once there was a recovery. */
  point: number = 0;
  pointValid: boolean = false;
  dupAcks: number = 0;
  /** Without SACK: bytes that duplicate ACKs say have left the network. */
  renoSackedBytes: number = 0;
  /** RFC 6675's rescue retransmission was made in this recovery. */
  rescued: boolean = false;
  /** The first retransmission of a recovery goes without regard to the window (RFC 6675 section 5, step 4.3). */
  retransmitDue: boolean = false;
}

/** Proportional rate reduction (RFC 6937), from the beginning of a recovery. Invariant: nothing is negative. */
export class RateReduction {
  delivered: number = 0;
  /** Bytes that had been sent before. */
  startBytes: number = 0;
  /** RecoverFS: in flight when the recovery began; 0: no reduction is under way. */
  flight: number = 0;
}

export function checkLossRecovery(loss: LossRecovery, prr: RateReduction, snd: SendSequence, sackOk: boolean): void {
  assert(loss.dupAcks >= 0 && loss.renoSackedBytes >= 0, 'duplicate ACKs');
  assert(!sackOk || loss.renoSackedBytes === 0, 'SACK reports instead of duplicate ACKs');
  if (loss.phase !== RECOVERY_NONE) {
    assert(loss.pointValid, 'a recovery has a point');
    assert(seqLt(snd.una, loss.point) && seqLe(loss.point, snd.nxt), 'SND.UNA < recovery point <= SND.NXT');
  }
  if (loss.phase === RECOVERY_FAST) assert(prr.flight >= 0 && prr.delivered >= 0, 'rate reduction');
}
