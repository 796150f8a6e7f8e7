/**
 * State from before a recovery, so that it can be taken back (recovery/undo.ts).
 *
 * Thread: the one that runs the kernel.
 */

/** Per connection, from the beginning of a recovery. */
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
