/**
 * Explicit congestion notification: a router marks instead of dropping, the receiver echoes, the sender slows down.
 *
 * Thread: the one that runs the kernel. Agreed on in the handshake (`net.inet.tcp.ecn.enable`: 0 never, 1 offered and
 * accepted, 2 accepted). New data goes out as ECN-capable; retransmissions and bare ACKs do not.
 * Read first: RFC 3168 section 6.1.
 */

import { FLAG_CWR, FLAG_ECE, FLAG_SYN } from '../../../wire/tcp.ts';
import { congestionEvent } from '../recovery/recovery.ts';
import type { Segment } from '../shared/options.ts';
import { type Connection, RECOVERY_NONE } from './connection.ts';

/** The two bits of the IP header. */
const ECN_MASK = 3;
const ECT_0 = 2;
const CONGESTION_EXPERIENCED = 3;

const OFFER: number = FLAG_ECE | FLAG_CWR;

/** Per connection, once agreed. */
export class EcnState {
  ok: boolean = false;
  /** Receiver: echo ECE until the sender says that it has slowed down. */
  echo: boolean = false;
  /** Sender: no further reduction until this is acknowledged; the next new data says CWR. */
  reducedSeq: number = 0;
  reduced: boolean = false;
  /** Sender: the ACK at hand echoes a mark. */
  echoed: boolean = false;
  cwrDue: boolean = false;
}

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

/** An acceptable segment arrived (section 6.1.3): start or stop echoing. */
export function receiveEcn(c: Connection, segment: Segment): void {
  const { ecn } = c;
  ecn.echoed = (segment.flags & FLAG_ECE) !== 0;
  if (segment.flags & FLAG_CWR) ecn.echo = false;
  if (!ecnMarked(segment.tos)) return;
  ecn.echo = true;
  c.stack.counters.add(c.stack.count.ecnMarksReceived, 1);
  // The sender is to know soon.
  c.ackNow = true;
  c.stack.work.enqueue(c);
}

/** An ACK arrived (section 6.1.2): with ECE, reduce once for each window of data. */
export function onEcnEcho(c: Connection, segment: Segment, nowUs: number): void {
  const { ecn, stack } = c;
  if (ecn.reduced && ((c.sndUna - ecn.reducedSeq) | 0) >= 0) ecn.reduced = false;
  if ((segment.flags & FLAG_ECE) === 0 || ecn.reduced) return;
  ecn.reduced = true;
  ecn.reducedSeq = c.sndNxt;
  ecn.cwrDue = true;
  stack.counters.add(stack.count.ecnReductions, 1);
  if (c.recovery === RECOVERY_NONE) congestionEvent(c, nowUs);
}
