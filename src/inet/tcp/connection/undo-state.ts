/**
 * State from before a recovery, so that it can be taken back (recovery/undo.ts).
 *
 * Thread: the one that runs the CPU.
 */

import { assert } from '../../../base/assert.ts';
import { seqLe } from '../../../base/sequence.ts';
import type { SendSequence } from './send-sequence.ts';
import { RECOVERY_TIMEOUT } from './states.ts';

/**
 * Per connection, from the beginning of a recovery. Invariants: `startSeq` <= SND.UNA; `outstanding` is 0 before the first
 * retransmission; F-RTO is under way only after a timeout that can be taken back, and sends at most two new segments.
 */
export class UndoState {
  /** The windows before. Valid while `possible`. */
  possible: boolean = false;
  cwnd: number = 0;
  ssthresh: number = 0;
  /** SND.UNA when it began: older duplicates have nothing to do with it. */
  startSeq: number = 0;
  /** Retransmissions not yet reported as duplicates. */
  outstanding: number = 0;
  anyRetransmitted: boolean = false;
  /** TSval of the first retransmission; valid while `anyRetransmitted`. */
  tsValue: number = 0;
  /** F-RTO: 0 not under way, 1 the first segment was resent, 2 new data was sent. */
  frto: number = 0;
  /** New segments sent in step 2b. */
  frtoSent: number = 0;
}

export function checkUndo(undo: UndoState, snd: SendSequence, phase: number): void {
  assert(undo.outstanding >= 0, 'retransmissions not reported');
  assert(undo.frto >= 0 && undo.frto <= 2 && undo.frtoSent >= 0 && undo.frtoSent <= 2, 'steps of F-RTO');
  assert(undo.frto === 0 || (undo.possible && phase === RECOVERY_TIMEOUT), 'F-RTO follows a timeout');
  if (!undo.possible) return;
  assert(undo.anyRetransmitted || undo.outstanding === 0, 'retransmissions were noted');
  assert(seqLe(undo.startSeq, snd.una), 'the recovery began at or below SND.UNA');
}
