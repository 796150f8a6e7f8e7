/**
 * The states of a connection, of its retransmission timer and of loss recovery.
 *
 * Thread: the one that runs the CPU. Numbers, so that a group of states is a comparison.
 * Read first: RFC 9293 section 3.3.2.
 */

/**
 * States, in the order in which "at least ESTABLISHED" and the like are comparisons. No connection is in LISTEN; rows of
 * listeners are. Names: base/tcp-state-names.ts.
 */
export const CLOSED = 0;
export const LISTEN = 1;
export const SYN_SENT = 2;
export const SYN_RECEIVED = 3;
export const ESTABLISHED = 4;
export const CLOSE_WAIT = 5;
export const FIN_WAIT_1 = 6;
export const CLOSING = 7;
export const LAST_ACK = 8;
export const FIN_WAIT_2 = 9;
export const TIME_WAIT = 10;

/** Purposes for which the retransmission callout is armed. */
export const TIMER_RETRANSMIT = 1;
export const TIMER_PERSIST = 2;

/** The SYN that follows our reset of an old connection: the retransmission callout stands for it; it was sent. */
export const SYN_AGAIN_DUE = 1;
export const SYN_AGAIN_SENT = 2;

/** Loss recovery: nothing lost; fast recovery (RFC 6675, RFC 6582); slow start after a timeout. */
export const RECOVERY_NONE = 0;
export const RECOVERY_FAST = 1;
export const RECOVERY_TIMEOUT = 2;
