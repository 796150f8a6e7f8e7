/**
 * Urgent data of a connection, both ways.
 *
 * Thread: the one that runs the CPU.
 * Read first: RFC 6093.
 */

import { assert } from '../../../base/assert.ts';
import { seqLe } from '../../../base/sequence.ts';

/** Invariants: RCV.UP never moves back; SND.UP lies at or below the end of the send buffer. */
export class UrgentState {
  /** Urgent data is under way; SND.UP is its end. */
  sending: boolean = false;
  sndUp: number = 0;
  /** RCV.UP, counted in bytes from the beginning of the stream so that it never wraps. */
  rcvUp: number = 0;
}

/** `endSeq`: the number behind the last byte that the program wrote. */
export function checkUrgent(urgent: UrgentState, endSeq: number): void {
  assert(!urgent.sending || seqLe(urgent.sndUp, endSeq), 'SND.UP was written');
  assert(urgent.rcvUp >= 0, 'RCV.UP');
}
