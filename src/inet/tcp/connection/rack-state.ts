/**
 * RACK-TLP of one connection: the reordering window and the probe that is out.
 *
 * Thread: the one that runs the kernel.
 * Read first: RFC 8985 sections 5 and 7.
 */

/** A larger reordering window lasts for so many recoveries (section 6.2, step 4). */
export const REORDER_PERSIST = 16;

/** Per connection. */
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
