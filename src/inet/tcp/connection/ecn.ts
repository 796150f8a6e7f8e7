/**
 * Explicit congestion notification: a router marks instead of dropping, the receiver echoes, the sender slows down.
 *
 * Thread: the one that runs the CPU. Agreed on in the handshake (`net.inet.tcp.ecn.enable`: 0 never, 1 offered and
 * accepted, 2 accepted). New data goes out as ECN-capable; retransmissions and pure ACKs do not.
 * Read first: RFC 3168 section 6.1.
 */

import { FLAG_CWR, FLAG_ECE, FLAG_SYN } from '../../../wire/tcp.ts';
import type { Connection } from './connection.ts';

/** The two bits of the IP header. */
const ECN_MASK = 3;
const ECT_0 = 2;
const CONGESTION_EXPERIENCED = 3;

const OFFER: number = FLAG_ECE | FLAG_CWR;

/** Whether a SYN asks for ECN. */
export function asksEcn(flags: number): boolean {
  return (flags & OFFER) === OFFER;
}

/** Whether a SYN-ACK agrees to it. */
export function agreesEcn(flags: number): boolean {
  return (flags & (OFFER | FLAG_SYN)) === (FLAG_ECE | FLAG_SYN);
}

/** The type of service byte for a segment with new data. */
export function capableTos(tos: number): number {
  return (tos & ~ECN_MASK) | ECT_0;
}

/** Whether the header prediction must leave a packet alone. */
export function ecnMarked(tos: number): boolean {
  return (tos & ECN_MASK) === CONGESTION_EXPERIENCED;
}

/** Flags of an outgoing segment; `newData` when it carries data for the first time. */
export function ecnFlags(c: Connection, newData: boolean): number {
  const { ecn } = c;
  let flags = ecn.echo ? FLAG_ECE : 0;
  if (newData && ecn.cwrDue) {
    ecn.cwrDue = false;
    flags |= FLAG_CWR;
  }
  return flags;
}
