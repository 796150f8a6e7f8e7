/**
 * When a connection acknowledges, and which duplicate it has to report.
 *
 * Thread: the one that runs the CPU.
 * Read first: RFC 9293 3.8.6.3, RFC 2883.
 */

import { assert } from '../../../base/assert.ts';
import { seqDiff } from '../../../base/sequence.ts';

/** Invariants: `quick` is not negative; a duplicate that is to be reported has a length. */
export class AckSchedule {
  /** An ACK must go out with the next work. */
  now: boolean = false;
  /** Segments left that are acknowledged at once. */
  quick: number = 0;
  /** The program answers what it receives, so ACKs wait to ride on data. */
  interactive: boolean = false;
  /** The duplicate of the next D-SACK; none when both are equal. */
  dsackStart: number = 0;
  dsackEnd: number = 0;
  /** When an unacceptable segment without data was last answered; below 0: never. */
  invalidUs: number = -0.5;
}

export function checkAckSchedule(acks: AckSchedule): void {
  assert(acks.quick >= 0, 'quick ACKs left');
  assert(seqDiff(acks.dsackEnd, acks.dsackStart) >= 0, 'D-SACK block in order');
}
