/**
 * The user's calls that move data (RFC 9293 3.10.2 and 3.10.3): send and receive.
 *
 * Thread: the one that runs the CPU. Sockets (socket/stream.ts) copy from and to ordinary arrays. For data that lies in the
 * arena, `sendFrom` and `receiveTo` copy between arena places, and `reserve`/`commit` and `peek`/`consume` work in place: sockets
 * do not use them yet, the transfers of the tests do. Results are counts or negative errnos.
 */

import { Errno } from '../../base/errors.ts';
import { US_PER_MS } from '../../base/units.ts';
import type { Connection } from './connection/connection.ts';
import { DUE_ACK } from './connection/due.ts';
import { CLOSE_WAIT, CLOSED, ESTABLISHED, SYN_RECEIVED, SYN_SENT } from './connection/states.ts';
import { markUrgent, urgentUntold } from './connection/urgent.ts';
import { windowUpdateDue } from './connection/window.ts';
import { dispatch, push } from './dispatch.ts';

/** Report the pending error once. */
function takeError(c: Connection): number {
  const { error } = c;
  c.error = 0;
  c.ended = true;
  return error;
}

/** Whether data may be sent: 0, or the errno that `send` returns. */
function sendError(c: Connection): number {
  if (canSend(c)) return 0;
  if (c.error !== 0) return takeError(c);
  return c.state === SYN_SENT || (c.state === SYN_RECEIVED && !c.snd.finQueued) ? -Errno.EAGAIN : -Errno.EPIPE;
}

/**
 * Take bytes of an ordinary array into the send buffer: the count, `-EAGAIN` when nothing fits, `-EPIPE`, `-ECONNRESET`,
 * ...
 */
export function send(c: Connection, from: Uint8Array, offset: number, lengthBytes: number, nowUs: number): number {
  const error = sendError(c);
  if (error !== 0) return error;
  if (lengthBytes === 0) return 0;
  const count = c.sendBuffer.append(from, offset, lengthBytes);
  if (count < lengthBytes) noteFull(c, nowUs);
  if (count > 0) afterAppend(c, nowUs);
  return count;
}

function noteFull(c: Connection, nowUs: number): void {
  c.stack.counters.add(c.stack.count.sendBufferFull, 1);
  // Nothing is under way whose acknowledgement would make room.
  if (c.sendBuffer.usedBytes === 0) c.stack.work.awaitMemory(c, nowUs);
}

/** Bytes that `send` would take; when it would take none, the owner is told when it does. */
export function writable(c: Connection, nowUs: number): number {
  const { sendBuffer } = c;
  const { freeBytes } = sendBuffer;
  if (freeBytes > 0 || !canSend(c)) return freeBytes;
  sendBuffer.starved = true;
  if (sendBuffer.usedBytes === 0) c.stack.work.awaitMemory(c, nowUs);
  return 0;
}

/** `send` of urgent data (MSG_OOB): as much as fits goes into the stream, its end marked urgent. */
export function sendUrgent(
  c: Connection,
  from: Uint8Array,
  offset: number,
  lengthBytes: number,
  nowUs: number,
): number {
  const error = sendError(c);
  if (error !== 0) return error;
  if (lengthBytes === 0) return 0;
  const count = c.sendBuffer.append(from, offset, lengthBytes);
  if (count < lengthBytes) noteFull(c, nowUs);
  if (count <= 0) return count;
  markUrgent(c);
  afterAppend(c, nowUs);
  if (urgentUntold(c)) {
    c.due |= DUE_ACK;
    dispatch(c, nowUs);
  }
  return count;
}

/** `send` from a place in the arena. */
export function sendFrom(c: Connection, at: number, lengthBytes: number, nowUs: number): number {
  const error = sendError(c);
  if (error !== 0) return error;
  if (lengthBytes === 0) return 0;
  const count = c.sendBuffer.appendFrom(at, lengthBytes);
  if (count < lengthBytes) noteFull(c, nowUs);
  if (count > 0) afterAppend(c, nowUs);
  return count;
}

/** Room for up to `wantBytes` to be written in place at `sendAt(c)`: its size, or a negative errno. `commit` sends it. */
export function reserve(c: Connection, wantBytes: number): number {
  const error = sendError(c);
  return error !== 0 ? error : c.sendBuffer.reserve(wantBytes);
}

export function sendAt(c: Connection): number {
  return c.sendBuffer.ring.at(c.sendBuffer.endSeq);
}

export function commit(c: Connection, lengthBytes: number, nowUs: number): void {
  c.sendBuffer.commit(lengthBytes);
  afterAppend(c, nowUs);
}

function afterAppend(c: Connection, nowUs: number): void {
  // Data that answers received data within the delay of an ACK makes the ACK superfluous: a conversation.
  if (nowUs - c.times.dataReceivedUs < c.stack.settings.delayedAckMs.value * US_PER_MS) c.acks.interactive = true;
  c.stack.work.holdRings(c, nowUs);
  push(c, nowUs);
}

/** Result of `receive` when there is nothing to read. */
function receiveError(c: Connection): number {
  if (c.rcv.finReceived) return 0;
  if (c.error !== 0) return takeError(c);
  if (c.state === CLOSED) return c.ended ? 0 : -Errno.ENOTCONN;
  return -Errno.EAGAIN;
}

/** In-order bytes to an ordinary array: the count, 0 at the end of the stream, `-EAGAIN`, `-ECONNRESET`, `-ETIMEDOUT`, ... */
export function receive(c: Connection, into: Uint8Array, offset: number, lengthBytes: number, nowUs: number): number {
  const readable = c.readableBytes;
  if (readable <= 0) return receiveError(c);
  const count = Math.min(readable, lengthBytes);
  c.receiveBuffer.ring.copyOut(c.receiveBuffer.readSeq, into, offset, count);
  consume(c, count, nowUs);
  return count;
}

/** `receive` to a place in the arena. */
export function receiveTo(c: Connection, at: number, lengthBytes: number, nowUs: number): number {
  const readable = c.readableBytes;
  if (readable <= 0) return receiveError(c);
  const count = Math.min(readable, lengthBytes);
  c.receiveBuffer.ring.read(c.receiveBuffer.readSeq, at, count);
  consume(c, count, nowUs);
  return count;
}

/** In-order bytes that lie in one piece at `receiveAt(c)`: how many, or as `receive`. They stay until `consume`. */
export function peek(c: Connection): number {
  const readable = c.readableBytes;
  if (readable <= 0) return receiveError(c);
  const contiguous = c.receiveBuffer.ring.contiguous(c.receiveBuffer.readSeq);
  return Math.min(readable, contiguous);
}

export function receiveAt(c: Connection): number {
  return c.receiveBuffer.ring.at(c.receiveBuffer.readSeq);
}

/** `count` bytes were read: the window opens, and the peer is told when it is worth it (RFC 9293 3.8.6.2.2). */
export function consume(c: Connection, count: number, nowUs: number): void {
  const { receiveBuffer, stack } = c;
  const { receiveSpaceAuto, receiveSpaceMaxBytes } = stack.settings;
  receiveBuffer.consumed(count, c.rcv.mss, receiveSpaceAuto.value === 1 ? receiveSpaceMaxBytes.value : 0, nowUs);
  if (c.readableBytes === 0 && c.reassembly.count === 0) {
    if (!receiveBuffer.denied) receiveBuffer.ring.yieldMemory();
    receiveBuffer.ring.align(receiveBuffer.readSeq, 0);
  }
  if (c.state < ESTABLISHED || c.rcv.finReceived) return;
  if (!windowUpdateDue(c)) return;
  if (c.rcv.adv === c.rcv.nxt) stack.counters.add(stack.count.windowUpdatesSent, 1);
  c.acks.now = true;
  stack.work.enqueue(c);
}

/** Whether the program may still write. */
function canSend(c: Connection): boolean {
  return (c.state === ESTABLISHED || c.state === CLOSE_WAIT) && !c.snd.finQueued;
}
