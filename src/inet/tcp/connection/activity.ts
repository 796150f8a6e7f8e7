/**
 * Activity of a connection: when something last happened, how much went through, and what limited it.
 *
 * Thread: the one that runs the CPU.
 */

import { assert } from '../../../base/assert.ts';

/** Times of the last events, microseconds; below 0: not yet. Invariant: data is not newer than the segment it came in. */
export class ActivityTimes {
  receivedUs: number = -0.5;
  sentUs: number = -0.5;
  dataSentUs: number = -0.5;
  dataReceivedUs: number = -0.5;
  synSentUs: number = -0.5;
  /** When IP was last told that the next hop answers. */
  confirmedUs: number = -0.5;
}

/** Totals for the tools. Invariant: they never fall. */
export class ConnectionTotals {
  retransmits: number = 0;
  bytesSent: number = 0;
  bytesRetransmitted: number = 0;
  bytesReceived: number = 0;
}

/** Use of the congestion window. */
export class WindowUse {
  /** SND.UNA when ACKs of `batchUs` began to arrive, or when something was sent in return. */
  batchUna: number = 0;
  batchUs: number = -0.5;
  /** The window, not the program, limited what was sent since the last ACK. */
  limited: boolean = false;
}

export function checkActivity(times: ActivityTimes, totals: ConnectionTotals): void {
  assert(times.dataReceivedUs <= times.receivedUs, 'data came in a segment');
  assert(totals.bytesReceived >= 0 && totals.bytesSent >= 0, 'totals');
}
