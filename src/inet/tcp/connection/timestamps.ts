/**
 * Timestamps of a connection.
 *
 * Thread: the one that runs the CPU. Values are int32 and compared by signed difference, as sequence numbers are.
 * Read first: RFC 7323 sections 3 to 5.
 */

import { assert } from '../../../base/assert.ts';

/** Invariant: while `ok`, TS.Recent has been set, at `recentUs`. */
export class TimestampState {
  /** Both ends sent the option in their SYN. */
  ok: boolean = false;
  /**
   * The ACK that completed a passive open came without the option: a middlebox takes it out, or the peer was not told that we
   * agreed. Its segments count without it then; ours carry it, as they must (RFC 7323 3.2).
   */
  optional: boolean = false;
  /** Added to the timestamp clock in everything that is sent. */
  offset: number = 0;
  /** TS.Recent. */
  recent: number = 0;
  /** When `recent` was set; it expires after 24 days (RFC 7323 5.5). */
  recentUs: number = -0.5;
}

export function checkTimestamps(ts: TimestampState): void {
  if (ts.ok) assert(ts.recentUs >= 0, 'TS.Recent has been set');
}
