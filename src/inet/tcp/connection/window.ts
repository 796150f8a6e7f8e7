/**
 * The receive window: what is offered with the next segment, and how a window is expressed in the header.
 *
 * Thread: the one that runs the CPU. Data path: allocates nothing.
 * Read first: RFC 9293 3.8.6.2.2, RFC 7323 section 2.
 */

import { WINDOW_SCALE_MAX } from '../../../wire/tcp.ts';
import type { Connection } from './connection.ts';

/** The smallest scale with which a 16-bit window can say `bytes` (RFC 7323 section 2.2). */
export function scaleFor(bytes: number): number {
  let scale = 0;
  while (scale < WINDOW_SCALE_MAX && 65535 * 2 ** scale < bytes) scale++;
  return scale;
}

/**
 * The part of a receive buffer that may be offered: a scaled window is rounded up, so that its right edge never moves back
 * (RFC 7323 section 2.4), and the buffer keeps the rounding in reserve.
 */
function offerable(limitBytes: number, scale: number): number {
  return limitBytes - (1 << scale) + 1;
}

/** The window of a SYN, which is never scaled. */
export function synWindow(limitBytes: number, scale: number): number {
  return Math.min(offerable(limitBytes, scale), 65535);
}

/**
 * Bytes of window to offer with the next segment (RFC 9293 3.8.6.2.2): the right edge moves back only when memory is used up
 * (`closeWindow`), and forward only by a worthwhile step. Remembers the edge it offers.
 */
export function offerWindow(c: Connection): number {
  const limitBytes = c.receiveBuffer.offerableBytes;
  const free = offerable(limitBytes, c.rcv.scale) - c.readableBytes;
  const edge = (c.rcv.adv - c.rcv.nxt) | 0;
  const open = Math.max(edge, 0);
  const step = Math.min(limitBytes >> 1, c.rcv.mss);
  const window = Math.min(free - open >= step ? free : open, 65535 << c.rcv.scale);
  const mask = (1 << c.rcv.scale) - 1;
  let rounded = (window + mask) & ~mask;
  // Rounding up again and again must not promise more than the buffer holds.
  if (rounded > limitBytes - c.readableBytes && rounded > mask) rounded -= mask + 1;
  if (rounded > open) c.rcv.adv = (c.rcv.nxt + rounded) | 0;
  return rounded;
}

/** Whether the window has opened by so much that the peer should be told (RFC 9293 3.8.6.2.2). */
export function windowUpdateDue(c: Connection): boolean {
  const { offerableBytes } = c.receiveBuffer;
  const gain = windowGain(c, offerableBytes);
  // Cap at the largest window that the scale can advertise.
  const limit = Math.min(offerableBytes, 65535 << c.rcv.scale);
  const open = (c.rcv.adv - c.rcv.nxt) | 0;
  const worthwhile = gain >= 2 * c.rcv.mss && (gain >= limit >> 2 || open <= limit >> 3);
  return worthwhile || (2 * gain >= limit && gain > 0);
}

/** Memory is there for bytes before `edgeSeq` only: take back the window beyond, as far as nothing is held there. */
export function closeWindow(c: Connection, edgeSeq: number): void {
  const { rcv, reassembly } = c;
  const heldSeq = reassembly.count > 0 ? reassembly.endSeq : rcv.nxt;
  // Whole units of the scale, so that the peer sees no more.
  const open = Math.max((edgeSeq - rcv.nxt) | 0, (heldSeq - rcv.nxt) | 0) & -(1 << rcv.scale);
  if (open < ((rcv.adv - rcv.nxt) | 0)) rcv.adv = (rcv.nxt + open) | 0;
}

/** Bytes that the right edge would move now. */
function windowGain(c: Connection, limitBytes: number): number {
  const free = offerable(limitBytes, c.rcv.scale) - c.readableBytes;
  return Math.min(free, 65535 << c.rcv.scale) - ((c.rcv.adv - c.rcv.nxt) | 0);
}
