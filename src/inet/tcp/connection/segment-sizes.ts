/**
 * Lengths that a connection's segments may have; made by mss.ts.
 *
 * Thread: the one that runs the CPU.
 * Read first: RFC 9293 3.7.1.
 */

import { assert } from '../../../base/assert.ts';

/** Smallest MSS we work with, if less is advertised or learned (as Linux's min_snd_mss of 48 leaves for data). */
export const MSS_MIN = 32;

/** Invariants: `MSS_MIN` <= `mss` <= `max`; `max` is a whole number of segments. */
export class SegmentSizes {
  /** From the peer's SYN: largest payload it takes, options not counted. */
  peerMss: number = 536;
  /** Payload of a full segment now, timestamps deducted. */
  mss: number = 536;
  /** Payload of the longest segment or super-frame now. */
  max: number = 536;
  /** The link takes segments whose checksum is not filled in. */
  checksumPartial: boolean = false;
  /** `path.mtuBytes` and `path.maxPacketBytes` from which the sizes were made; 0: make them anew. */
  mtuBytes: number = 0;
  packetBytes: number = 0;
}

export function checkSegmentSizes(size: SegmentSizes): void {
  assert(size.mss >= MSS_MIN && size.mss <= size.max, 'MSS_MIN <= mss <= max');
  assert(size.max % size.mss === 0, 'max is whole segments');
}
