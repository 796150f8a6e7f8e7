/**
 * ECN of one connection: agreement, the mark to be echoed, the reduction that the peer has yet to be told.
 *
 * Thread: the one that runs the CPU.
 * Read first: RFC 3168 section 6.1.
 */

import { assert } from '../../../base/assert.ts';
import { seqLe } from '../../../base/sequence.ts';
import type { SendSequence } from './send-sequence.ts';

/** Invariants: without agreement nothing is echoed, reduced or due; a reduction ends at or below SND.NXT. */
export class EcnState {
  ok: boolean = false;
  /** Receiver: echo ECE until the sender says that it has slowed down. */
  echo: boolean = false;
  /** Sender: no further reduction until this is acknowledged; the next new data says CWR. */
  reducedSeq: number = 0;
  reduced: boolean = false;
  /** Sender: the ACK at hand echoes a mark. */
  echoed: boolean = false;
  cwrDue: boolean = false;
}

export function checkEcn(ecn: EcnState, snd: SendSequence): void {
  assert(ecn.ok || !(ecn.echo || ecn.echoed || ecn.reduced || ecn.cwrDue), 'ECN was agreed on');
  assert(!ecn.reduced || seqLe(ecn.reducedSeq, snd.nxt), 'a reduction ends at or below SND.NXT');
}
