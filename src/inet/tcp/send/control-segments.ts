/**
 * Segments without data: SYN, SYN-ACK of a simultaneous open, ACK, keep-alive probe, reset.
 *
 * Thread: the one that runs the CPU.
 * Read first: RFC 9293 section 3.5 and 3.8.4, RFC 3168 section 6.1.1.
 */

import { checksumOf, sumView } from '../../../base/checksum.ts';
import { Errno } from '../../../base/errors.ts';
import { seqGt } from '../../../base/sequence.ts';
import { PROTOCOL_TCP } from '../../../wire/ipv4.ts';
import { FLAG_ACK, FLAG_CWR, FLAG_ECE, FLAG_FIN, FLAG_RST, FLAG_SYN, HEADER_BYTES } from '../../../wire/tcp.ts';
import { IP_DONT_FRAGMENT, type Path } from '../../ip/transport.ts';
import type { Connection } from '../connection/connection.ts';
import { failPath } from '../connection/due.ts';
import { CLOSED, SYN_RECEIVED, TIMER_RETRANSMIT } from '../connection/states.ts';
import { armRetransmit } from '../connection/timers.ts';
import { scaleFor, synWindow } from '../connection/window.ts';
import type { TcpContext } from '../shared/context.ts';
import { TIMESTAMPS_BYTES, TIMESTAMPS_WORD } from '../shared/options.ts';
import type { Segment } from '../shared/segment.ts';
import { refused } from './refused.ts';
import { sendSegment } from './segment-writer.ts';

/** The SYN, or the SYN-ACK of a simultaneous open; for the first time or again. */
export function sendSyn(c: Connection, nowUs: number): void {
  const { stack } = c;
  const { control, synOptions, settings } = stack;
  const answer = c.state === SYN_RECEIVED;
  beginControl(c);
  control.seq = c.snd.iss;
  control.ack = c.rcv.nxt;
  control.flags = answer ? FLAG_SYN | FLAG_ACK : FLAG_SYN;
  // A SYN that had to be repeated does without: something on the path may dislike it (RFC 3168 section 6.1.1.1).
  if (!answer && settings.ecn.value === 1 && !c.rtx.synRetransmitted) control.flags |= FLAG_ECE | FLAG_CWR;
  const path = c.path as Path;
  synOptions.mss = path.linkMtuBytes - path.headerBytes - HEADER_BYTES;
  c.rcv.scale = scaleFor(c.receiveBuffer.fixed ? c.receiveBuffer.limitBytes : settings.receiveSpaceMaxBytes.value);
  if (answer && !c.scaleOk) c.rcv.scale = 0;
  const window = synWindow(c.receiveBuffer.limitBytes, c.rcv.scale);
  control.window = window;
  synOptions.scale = (answer ? c.scaleOk : settings.windowScale.value === 1) ? c.rcv.scale : -1;
  synOptions.sackPermitted = answer ? c.sackOk : settings.sack.value === 1;
  synOptions.timestamps = answer ? c.ts.ok : settings.timestamps.value === 1;
  synOptions.tsValue = (stack.tsNow(nowUs) + c.ts.offset) | 0;
  synOptions.tsEcho = answer ? c.ts.recent : 0;
  const sent = sendControl(stack, path);
  if (sent < 0) {
    refused(c, sent, nowUs);
    return;
  }
  c.times.sentUs = nowUs;
  c.acks.now = false;
  if (answer) {
    c.rcv.lastAckSent = c.rcv.nxt;
    c.rcv.adv = (c.rcv.nxt + window) | 0;
  }
  if (c.snd.nxt === c.snd.iss) {
    c.snd.nxt = c.snd.max = (c.snd.iss + 1) | 0;
    c.times.synSentUs = nowUs;
  }
  if (c.rtx.mode !== TIMER_RETRANSMIT) armRetransmit(c, nowUs);
}

/** The SYN again, after a timeout. */
export function resendSyn(c: Connection, nowUs: number): void {
  sendSyn(c, nowUs);
  if (c.rtx.mode === 0 && c.state !== CLOSED) armRetransmit(c, nowUs);
}

/** A segment without data. */
export function sendAck(c: Connection, nowUs: number): void {
  const { stack } = c;
  const sent = sendSegment(c, c.snd.nxt, 0, FLAG_ACK, nowUs);
  if (sent < 0) {
    if (sent === -Errno.ENOBUFS) {
      c.acks.now = true;
      stack.work.awaitRoom(c);
    } else {
      c.acks.now = false;
      failPath(c, sent);
    }
    return;
  }
  if (c.acks.quick > 0) c.acks.quick--;
  const urgent = c.urgent.sending && seqGt(c.urgent.sndUp, c.snd.nxt);
  stack.counters.add(urgent ? stack.count.urgentOnlyPacketsSent : stack.count.ackOnlyPacketsSent, 1);
}

/** A keep-alive probe: a sequence number already acknowledged, which draws an ACK (RFC 9293 3.8.4). */
export function sendKeepAlive(c: Connection, nowUs: number): void {
  const sent = sendSegment(c, (c.snd.una - 1) | 0, 0, FLAG_ACK, nowUs);
  if (sent < 0 && sent !== -Errno.ENOBUFS) failPath(c, sent);
}

/** A reset that the peer accepts (RFC 9293 3.10.7.3, 3.10.4, 3.10.5): at SND.NXT; with timestamps (RFC 7323 3.2). */
export function sendReset(c: Connection, nowUs: number): void {
  const { stack } = c;
  if (c.path === null) return;
  beginControl(c);
  stack.control.seq = c.snd.nxt;
  stack.control.ack = c.rcv.nxt;
  stack.control.flags = FLAG_RST | FLAG_ACK;
  stack.control.window = 0;
  stack.control.timestamps = c.ts.ok;
  stack.control.tsValue = (stack.tsNow(nowUs) + c.ts.offset) | 0;
  stack.control.tsEcho = c.ts.recent;
  sendControl(stack, c.path);
}

function beginControl(c: Connection): void {
  const { control } = c.stack;
  control.begin(c.localAddress, c.peerAddress, c.ports);
  control.ttl = c.options.ttl;
  control.tos = c.options.tos;
}

/** Send `control`; with SYN set, `synOptions` go along. Returns 0 or a negative errno. */
export function sendControl(stack: TcpContext, path: Path): number {
  const { ip, view, control, synOptions } = stack;
  const syn = (control.flags & FLAG_SYN) !== 0;
  const optionBytes = syn ? synOptions.bytes : control.timestamps ? TIMESTAMPS_BYTES : 0;
  const headerBytes = HEADER_BYTES + optionBytes;
  const at = ip.begin(path, PROTOCOL_TCP, headerBytes, control.ttl, control.tos, IP_DONT_FRAGMENT);
  if (at < 0) return at;
  view.setInt32(at, control.ports);
  view.setInt32(at + 4, control.seq);
  view.setInt32(at + 8, control.flags & FLAG_ACK ? control.ack : 0);
  view.setInt32(at + 12, (headerBytes << 26) | (control.flags << 16) | control.window);
  view.setInt32(at + 16, 0);
  if (syn) {
    synOptions.write(view, at + HEADER_BYTES);
  } else if (control.timestamps) {
    view.setInt32(at + HEADER_BYTES, TIMESTAMPS_WORD);
    view.setInt32(at + HEADER_BYTES + 4, control.tsValue);
    view.setInt32(at + HEADER_BYTES + 8, control.tsEcho);
  }
  const pseudo = path.addressSum + PROTOCOL_TCP + headerBytes;
  view.setUint16(at + 16, checksumOf(pseudo + sumView(view, at, headerBytes)));
  ip.end(0);
  const { counters, count } = stack;
  counters.add(count.packetsSent, 1);
  counters.add(control.flags & FLAG_RST ? count.resetsSent : count.controlPacketsSent, 1);
  return 0;
}

/**
 * RFC 9293 3.10.7.1 and 3.5.2: a reset that its receiver will believe, for a segment that belongs to nothing. Never in
 * answer to one. Returns whether it was sent.
 */
export function reject(
  stack: TcpContext,
  local: number,
  peer: number,
  ports: number,
  segment: Segment,
  nowUs: number,
): boolean {
  if (segment.flags & FLAG_RST) return false;
  if (!stack.rateLimits.resets.allow(nowUs)) return false;
  const path = stack.ip.openPath(peer, local, 0);
  if (typeof path === 'number') return false;
  const { control } = stack;
  control.begin(local, peer, ports);
  if (segment.flags & FLAG_ACK) {
    control.seq = segment.ack;
    control.flags = FLAG_RST;
  } else {
    const syn = segment.flags & FLAG_SYN ? 1 : 0;
    const fin = segment.flags & FLAG_FIN ? 1 : 0;
    control.ack = (segment.seq + segment.dataBytes + syn + fin) | 0;
    control.flags = FLAG_RST | FLAG_ACK;
  }
  const sent = sendControl(stack, path);
  stack.ip.closePath(path);
  return sent >= 0;
}
