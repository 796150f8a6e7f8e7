/**
 * The contract between a connection and its congestion control, and slow start, which all algorithms share.
 *
 * Thread: the one that runs the CPU. The algorithm owns `cwnd` and `ssthresh` while nothing is lost; loss recovery
 * (tcp/recovery/recovery.ts) decides when, and asks how far down. Windows are bytes.
 * Read first: RFC 5681 section 3.1, RFC 3465 (appropriate byte counting).
 */

/** Larger than any window: "arbitrarily high" (RFC 5681 section 3.1). */
export const SSTHRESH_INITIAL = 0x3fff_ffff;

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

/**
 * Slow start takes acknowledged bytes up to the threshold and returns the others, which are congestion avoidance's. No limit L on
 * stretch ACKs: one ACK may cover a whole poll batch, and bytes are counted, so a receiver gains nothing by dividing its ACKs (RFC
 * 3465 section 2.3).
 */
export function slowStart(control: CongestionControl, ackedBytes: number): number {
  const roomBytes = control.ssthresh - control.cwnd;
  if (roomBytes <= 0) return ackedBytes;
  const takenBytes = Math.min(ackedBytes, roomBytes);
  control.cwnd += takenBytes;
  return ackedBytes - takenBytes;
}
