/**
 * RACK-TLP of one connection: the reordering window and the probe that is out.
 *
 * Thread: the one that runs the CPU.
 * Read first: RFC 8985 sections 5 and 7.
 */

import { assert } from '../../../base/assert.ts';
import { seqLe } from '../../../base/sequence.ts';
import type { SendSequence } from './send-sequence.ts';

/** A larger reordering window lasts for so many recoveries (section 6.2, step 4). */
export const REORDER_PERSIST = 16;

/**
 * Invariants: the multiplier is at least 1; `persist` counts down from `REORDER_PERSIST` to 1; while a probe is out, SND.UNA <=
 * `probeEndSeq` <= SND.NXT.
 */
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

export function checkRack(rack: RackState, snd: SendSequence): void {
  assert(rack.multiplier >= 1, 'RACK.reo_wnd_mult >= 1');
  assert(rack.persist >= 1 && rack.persist <= REORDER_PERSIST, '1 <= RACK.reo_wnd_persist <= 16');
  assert(!rack.dsackRoundOpen || seqLe(rack.dsackRound, snd.nxt), 'RACK.dsack_round <= SND.NXT');
  if (!rack.probeOut) return;
  assert(seqLe(snd.una, rack.probeEndSeq) && seqLe(rack.probeEndSeq, snd.nxt), 'SND.UNA <= TLP.end_seq <= SND.NXT');
}
