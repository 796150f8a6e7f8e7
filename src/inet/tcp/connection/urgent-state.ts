/**
 * Urgent data of a connection, both ways.
 *
 * Thread: the one that runs the kernel.
 * Read first: RFC 6093.
 */

/** Invariant: RCV.UP never moves back. */
export class UrgentState {
  /** Urgent data is under way; SND.UP is its end. */
  sending: boolean = false;
  sndUp: number = 0;
  /** RCV.UP, counted in bytes from the beginning of the stream so that it never wraps. */
  rcvUp: number = 0;
}
