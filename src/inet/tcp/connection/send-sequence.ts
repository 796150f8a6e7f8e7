/**
 * Send sequence space of a connection (RFC 9293 section 3.3.1).
 *
 * Thread: the one that runs the CPU. Numbers are int32 modulo 2^32 (base/sequence.ts).
 */

import { assert } from '../../../base/assert.ts';
import { seqDiff, seqLe } from '../../../base/sequence.ts';
import { WINDOW_SCALE_MAX } from '../../../wire/tcp.ts';

/** Invariants: ISS <= SND.UNA <= SND.NXT <= `max` <= SND.NXT + 1; SND.WND <= `maxWnd`; no scale above 14. */
export class SendSequence {
  iss: number = 0;
  una: number = 0;
  nxt: number = 0;
  /** SND.NXT, or one more while a window probe is out. */
  max: number = 0;
  wnd: number = 0;
  wl1: number = 0;
  wl2: number = 0;
  /** Largest window the peer offered: half of it is worth a segment (RFC 9293 3.8.6.2.1). */
  maxWnd: number = 0;
  scale: number = 0;
  /** The program will write no more; the FIN follows the data. */
  finQueued: boolean = false;
  /** End of the last segment sent that was not full (Minshall's form of Nagle's algorithm). */
  smallEnd: number = 0;
}

export function checkSendSequence(snd: SendSequence): void {
  assert(seqLe(snd.una, snd.nxt), 'SND.UNA <= SND.NXT');
  assert(seqDiff(snd.max, snd.nxt) === 0 || seqDiff(snd.max, snd.nxt) === 1, 'SND.NXT <= max <= SND.NXT + 1');
  assert(snd.wnd >= 0 && snd.wnd <= snd.maxWnd, 'SND.WND <= maxWnd');
  assert(snd.scale >= 0 && snd.scale <= WINDOW_SCALE_MAX, 'send window scale');
}
