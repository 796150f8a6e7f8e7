/**
 * The contract between a connection and its congestion control.
 *
 * Thread: the one that runs the kernel. The algorithm owns `cwnd` and `ssthresh` while nothing is lost; loss recovery
 * (tcp/recovery/recovery.ts) decides when, and asks how far down. Windows are bytes.
 */

export interface CongestionControl {
  readonly name: string;
  /** Congestion window and slow-start threshold, bytes. */
  cwnd: number;
  ssthresh: number;

  /** Start, or start again, with this window. `mss` is the sender's maximum payload of a segment. */
  reset(cwnd: number): void;
  /**
   * `ackedBytes` new bytes were acknowledged outside recovery (or in slow start after a timeout) while the window was the
   * limit. `rttUs` is the smoothed round trip.
   */
  onAck(ackedBytes: number, mss: number, rttUs: number, nowUs: number): void;
  /** Loss found with `flightBytes` outstanding: set `ssthresh` (not `cwnd`). */
  onLoss(flightBytes: number, mss: number): void;
  /** A reduction may turn out to be a mistake: keep what `restore` needs, and go back to it. */
  remember(): void;
  restore(): void;
  /** The sender had nothing to send for a while; growth by time must not count that. */
  onIdle(idleUs: number): void;
}
