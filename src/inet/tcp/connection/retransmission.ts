/**
 * Retransmission of a connection: the purpose of its timer, consecutive timeouts, the next round-trip sample.
 *
 * Thread: the one that runs the CPU. Armed by timers.ts.
 * Read first: RFC 6298 section 5.
 */

import { assert } from '../../../base/assert.ts';
import type { Callout } from '../../../kern/callout.ts';

/** Invariants: the timer is pending exactly while `mode` is not 0; `timeouts` is not negative. */
export class RetransmissionState {
  /** `TIMER_*`; 0: not armed. */
  mode: number = 0;
  /** Consecutive timeouts, without progress. */
  timeouts: number = 0;
  /** Time of the first of them. */
  stalledUs: number = -0.5;
  /** No further round-trip sample until this is acknowledged. */
  sampleSeq: number = 0;
  synRetransmitted: boolean = false;
  /** An answer to our SYN was reset (connect.ts): `SYN_AGAIN_*`. */
  synAgain: number = 0;
}

export function checkRetransmission(rtx: RetransmissionState, timer: Callout): void {
  assert(timer.pending === (rtx.mode !== 0), 'the retransmission timer is pending while it has a purpose');
  assert(rtx.timeouts >= 0, 'consecutive timeouts');
}
