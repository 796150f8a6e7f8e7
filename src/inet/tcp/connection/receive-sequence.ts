/**
 * Receive sequence space of a connection (RFC 9293 section 3.3.1).
 *
 * Thread: the one that runs the CPU. Numbers are int32 modulo 2^32 (base/sequence.ts).
 */

import { assert } from '../../../base/assert.ts';
import { seqLe } from '../../../base/sequence.ts';
import { WINDOW_SCALE_MAX } from '../../../wire/tcp.ts';

/** Invariants: `lastAckSent` <= RCV.NXT <= `adv`, and `adv` never moves back; no scale above 14. */
export class ReceiveSequence {
  irs: number = 0;
  nxt: number = 0;
  /** Right edge of the window, as advertised: RCV.NXT + RCV.WND. */
  adv: number = 0;
  scale: number = 0;
  /** Last.ACK.sent of RFC 7323. */
  lastAckSent: number = 0;
  /** Largest segment the peer is seen to send: two of them are worth an ACK. */
  mss: number = 536;
  finReceived: boolean = false;
  /** The program reads no more: data that arrives is answered by a reset. */
  readClosed: boolean = false;
}

export function checkReceiveSequence(rcv: ReceiveSequence): void {
  assert(seqLe(rcv.lastAckSent, rcv.nxt), 'Last.ACK.sent <= RCV.NXT');
  assert(seqLe(rcv.nxt, rcv.adv), 'RCV.NXT <= advertised edge');
  assert(rcv.scale >= 0 && rcv.scale <= WINDOW_SCALE_MAX, 'receive window scale');
}
