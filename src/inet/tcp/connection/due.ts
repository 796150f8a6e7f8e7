/**
 * Segments and ends that are due for a connection. Procedures that change a connection mark them here and send nothing;
 * dispatch.ts sends them.
 *
 * Thread: the one that runs the CPU. The marks are bits of `Connection.due`. Work that waits for the end of the batch is
 * not marked here but in the connection itself (`acks.now`, lost records, unsent data), and the connection is enqueued.
 * Read first: dispatch.ts.
 */

import type { Connection } from './connection.ts';
import { CLOSED, SYN_RECEIVED, SYN_SENT, TIME_WAIT } from './states.ts';

/** A reset at SND.NXT. */
export const DUE_RESET = 1;
/** The SYN, or the SYN-ACK of a simultaneous open, again. */
export const DUE_SYN = 2;
/** An ACK for the segment at hand, now: acknowledgements that go out one for one (RFC 5681 section 4.2, RFC 5961). */
export const DUE_ACK = 4;
/** An ACK with the batch, after the one that goes out now. */
export const DUE_BATCH_ACK = 8;
export const DUE_KEEP_ALIVE = 16;
/** The first lost record, past the window too: a timeout. */
export const DUE_RETRANSMIT = 32;
/** A probe of the peer's window. */
export const DUE_WINDOW_PROBE = 64;
/** A tail loss probe. */
export const DUE_LOSS_PROBE = 128;
/** Segments that the windows allow. */
export const DUE_OUTPUT = 256;
/** TIME_WAIT: both sides have closed, we first. */
export const DUE_TIME_WAIT = 512;
/** The connection is over. */
export const DUE_END = 1024;
/** The connection is over, and the program waits for connect. */
export const DUE_END_CONNECT = 2048;

/**
 * The connection is over, and takes no further part: `error` (-errno, 0 for an orderly end) is what the program will be
 * told. The rest is done by end.ts when what else is due has been sent.
 */
export function endConnection(c: Connection, error: number): void {
  const { state } = c;
  if (state === CLOSED) return;
  const connecting = state === SYN_SENT || (state === SYN_RECEIVED && c.owner !== null);
  c.state = CLOSED;
  c.error = error;
  c.due |= connecting ? DUE_END_CONNECT : DUE_END;
}

/** Both sides have closed, we first: the last ACK goes, then a compact entry answers for the connection. */
export function beginTimeWait(c: Connection): void {
  c.state = TIME_WAIT;
  c.due |= DUE_TIME_WAIT;
}

/** IP has no way to the peer now: fatal while connecting (as on Linux), otherwise the timers go on (RFC 1122 4.2.3.9). */
export function failPath(c: Connection, error: number): void {
  if (c.state === SYN_SENT || c.state === SYN_RECEIVED) endConnection(c, error);
  else c.softError = error;
}
