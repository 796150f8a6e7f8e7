/**
 * Segments without data: SYN, SYN-ACK of a simultaneous open, bare ACK, keep-alive probe, reset.
 *
 * Thread: the one that runs the kernel.
 * Read first: RFC 9293 section 3.5 and 3.8.4, RFC 3168 section 6.1.1.
 */

import { Errno } from '../../../base/errors.ts';
import { FLAG_ACK, FLAG_CWR, FLAG_ECE, FLAG_RST, FLAG_SYN, HEADER_BYTES } from '../../../wire/tcp.ts';
import type { Path } from '../../ip/transport.ts';
import { type Connection, SYN_RECEIVED, TIMER_RETRANSMIT } from '../connection/connection.ts';
import { failPath } from '../icmp.ts';
import { scaleFor, synWindow } from '../shared/options.ts';
import { armRetransmit } from '../timers.ts';
import { refused } from './output.ts';
import { sendBare, sendSegment } from './segment-writer.ts';

/** The SYN, or the SYN-ACK of a simultaneous open; for the first time or again. */
export function sendSyn(c: Connection, nowUs: number): void {
  const { stack } = c;
  const { bare, synOptions, settings } = stack;
  const answer = c.state === SYN_RECEIVED;
  prepareBare(c);
  bare.seq = c.iss;
  bare.ack = c.rcvNxt;
  bare.flags = answer ? FLAG_SYN | FLAG_ACK : FLAG_SYN;
  // A SYN that had to be repeated does without: something on the path may dislike it (RFC 3168 section 6.1.1.1).
  if (!answer && settings.ecn.value === 1 && !c.synRetransmitted) bare.flags |= FLAG_ECE | FLAG_CWR;
  const path = c.path as Path;
  synOptions.mss = path.linkMtuBytes - path.headerBytes - HEADER_BYTES;
  c.rcvScale = scaleFor(c.receiveBuffer.fixed ? c.receiveBuffer.limitBytes : settings.receiveSpaceMaxBytes.value);
  if (answer && !c.scaleOk) c.rcvScale = 0;
  const window = synWindow(c.receiveBuffer.limitBytes, c.rcvScale);
  bare.window = window;
  synOptions.scale = (answer ? c.scaleOk : settings.windowScale.value === 1) ? c.rcvScale : -1;
  synOptions.sackPermitted = answer ? c.sackOk : settings.sack.value === 1;
  synOptions.timestamps = answer ? c.tsOk : settings.timestamps.value === 1;
  synOptions.tsValue = (stack.tsNow(nowUs) + c.tsOffset) | 0;
  synOptions.tsEcho = answer ? c.tsRecent : 0;
  const sent = sendBare(stack, path);
  if (sent < 0) {
    refused(c, sent, nowUs);
    return;
  }
  c.lastSentUs = nowUs;
  c.ackNow = false;
  if (answer) {
    c.lastAckSent = c.rcvNxt;
    c.rcvAdv = (c.rcvNxt + window) | 0;
  }
  if (c.sndNxt === c.iss) {
    c.sndNxt = c.sndMax = (c.iss + 1) | 0;
    c.synSentUs = nowUs;
  }
  if (c.timerMode !== TIMER_RETRANSMIT) armRetransmit(c, nowUs);
}

/** A segment without data. */
export function sendAck(c: Connection, nowUs: number): void {
  const { stack } = c;
  const sent = sendSegment(c, c.sndNxt, 0, FLAG_ACK, nowUs);
  if (sent < 0) {
    if (sent === -Errno.ENOBUFS) {
      c.ackNow = true;
      stack.work.awaitRoom(c);
    } else {
      c.ackNow = false;
      failPath(c, sent, nowUs);
    }
    return;
  }
  if (c.quickAcks > 0) c.quickAcks--;
  const urgent = c.urgentOut && ((c.sndUp - c.sndNxt) | 0) > 0;
  stack.counters.add(urgent ? stack.count.urgentOnlyPacketsSent : stack.count.ackOnlyPacketsSent, 1);
}

/** A keep-alive probe: a sequence number already acknowledged, which draws an ACK (RFC 9293 3.8.4). */
export function sendKeepAlive(c: Connection, nowUs: number): void {
  const sent = sendSegment(c, (c.sndUna - 1) | 0, 0, FLAG_ACK, nowUs);
  if (sent < 0 && sent !== -Errno.ENOBUFS) failPath(c, sent, nowUs);
}

/** A reset that the peer accepts (RFC 9293 3.10.7.3, 3.10.4, 3.10.5): at SND.NXT; with timestamps (RFC 7323 3.2). */
export function sendReset(c: Connection): void {
  const { stack } = c;
  if (c.path === null) return;
  prepareBare(c);
  stack.bare.seq = c.sndNxt;
  stack.bare.ack = c.rcvNxt;
  stack.bare.flags = FLAG_RST | FLAG_ACK;
  stack.bare.window = 0;
  stack.bare.timestamps = c.tsOk;
  stack.bare.tsValue = (stack.tsNow(stack.nowUs()) + c.tsOffset) | 0;
  stack.bare.tsEcho = c.tsRecent;
  sendBare(stack, c.path);
}

function prepareBare(c: Connection): void {
  const { bare } = c.stack;
  bare.localAddress = c.localAddress;
  bare.peerAddress = c.peerAddress;
  bare.ports = c.ports;
  bare.ttl = c.options.ttl;
  bare.tos = c.options.tos;
  bare.timestamps = false;
}
