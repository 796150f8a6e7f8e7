/**
 * Active open: the SYN, and the segments that answer it.
 *
 * Thread: the one that runs the CPU.
 * Read first: RFC 9293 3.10.1 and 3.10.7.3 (SYN-SENT), RFC 7323 section 2, RFC 5961 section 4.
 */

import { Errno } from '../../base/errors.ts';
import { seqGt, seqLe } from '../../base/sequence.ts';
import { US_PER_MS } from '../../base/units.ts';
import { FLAG_ACK, FLAG_FIN, FLAG_RST, FLAG_SYN } from '../../wire/tcp.ts';
import type { Path } from '../ip/transport.ts';
import { receiveData } from './arrive/data.ts';
import { establish } from './arrive/establish.ts';
import { onPeerFin } from './arrive/fin.ts';
import { receiveUrgent } from './arrive/urgent.ts';
import type { Connection } from './connection/connection.ts';
import { DUE_OUTPUT, endConnection } from './connection/due.ts';
import { agreesEcn } from './connection/ecn.ts';
import { refreshMss } from './connection/mss.ts';
import { SYN_AGAIN_DUE, SYN_RECEIVED, SYN_SENT, TIMER_RETRANSMIT } from './connection/states.ts';
import { hastenRetransmit, stopRetransmit } from './connection/timers.ts';
import { synWindow } from './connection/window.ts';
import { dispatch } from './dispatch.ts';
import { reject } from './send/control-segments.ts';
import { peerMssOf, type Segment } from './shared/segment.ts';

/** The reset of an old connection must be there before the SYN that follows it; Linux waits two ticks of its clock. */
const SYN_AGAIN_US: number = 10 * US_PER_MS;

/**
 * Start the handshake of a connection whose four numbers and path are set. `iss` is given when the connection takes the
 * place of one in TIME_WAIT.
 */
export function startConnect(c: Connection, iss: number, nowUs: number): void {
  const { stack } = c;
  c.state = SYN_SENT;
  c.snd.iss = iss;
  c.snd.una = c.snd.nxt = c.snd.max = iss;
  c.ts.offset = stack.isn.timestampOffset(c.localAddress, c.peerAddress);
  c.sendBuffer.begin((iss + 1) | 0);
  stack.counters.add(stack.count.connectionRequests, 1);
  c.due |= DUE_OUTPUT;
  dispatch(c, nowUs);
}

/** A segment for a connection in SYN_SENT, its checksum verified. */
export function synSentArrives(c: Connection, segment: Segment, nowUs: number): void {
  processSynSent(c, segment, nowUs);
  dispatch(c, nowUs);
}

function processSynSent(c: Connection, segment: Segment, nowUs: number): void {
  const { stack } = c;
  const { settings } = stack;
  const { flags } = segment;
  const hasAck = (flags & FLAG_ACK) !== 0;
  if (hasAck && (seqLe(segment.ack, c.snd.iss) || seqGt(segment.ack, c.snd.max))) {
    if (flags & FLAG_RST) stack.counters.add(stack.count.resetsIgnored, 1);
    else if (reject(stack, c.localAddress, c.peerAddress, c.ports, segment, nowUs)) hastenSyn(c, nowUs);
    return;
  }
  if (flags & FLAG_RST) {
    if (!hasAck) {
      stack.counters.add(stack.count.resetsIgnored, 1);
      return;
    }
    stack.counters.add(stack.count.resetsReceived, 1);
    stack.counters.add(stack.count.connectionsRefused, 1);
    endConnection(c, -Errno.ECONNREFUSED);
    return;
  }
  if ((flags & FLAG_SYN) === 0) return;
  takeSyn(c, segment, nowUs);
  if (!hasAck) {
    simultaneousOpen(c, segment);
    return;
  }
  c.ecn.ok = settings.ecn.value === 1 && !c.rtx.synRetransmitted && agreesEcn(flags);
  if (!c.rtx.synRetransmitted && c.times.synSentUs >= 0) c.rtt.sample(nowUs - c.times.synSentUs);
  else if (c.rtx.synRetransmitted) c.rtt.restartAfterSynLoss();
  c.snd.una = segment.ack;
  c.rtx.timeouts = 0;
  stopRetransmit(c);
  establish(c, segment, nowUs);
  c.acks.now = true;
  stack.work.enqueue(c);
  // Data or a FIN in the SYN-ACK comes after the SYN's own number.
  segment.seq = (segment.seq + 1) | 0;
  receiveUrgent(c, segment);
  receiveData(c, segment, nowUs);
  if (flags & FLAG_FIN) {
    // The ACK of the data does not cover the FIN.
    dispatch(c, nowUs);
    onPeerFin(c, segment);
  }
}

/**
 * The peer answered our SYN for an old connection with the same four numbers, which our reset has ended (RFC 9293 3.5.1,
 * figure 9): the SYN goes again without waiting for the timeout, which nothing was lost for. Once only, lest forged answers
 * make us send without end.
 */
function hastenSyn(c: Connection, nowUs: number): void {
  if (c.rtx.synAgain !== 0 || c.rtx.mode !== TIMER_RETRANSMIT) return;
  c.rtx.synAgain = SYN_AGAIN_DUE;
  hastenRetransmit(c, nowUs + SYN_AGAIN_US);
}

/** Takes first sequence number and options from the peer's SYN. */
function takeSyn(c: Connection, segment: Segment, nowUs: number): void {
  const { settings } = c.stack;
  c.rcv.irs = segment.seq;
  c.rcv.nxt = (segment.seq + 1) | 0;
  c.rcv.adv = (c.rcv.nxt + synWindow(c.receiveBuffer.limitBytes, c.rcv.scale)) | 0;
  c.rcv.lastAckSent = c.rcv.nxt;
  c.receiveBuffer.begin(c.rcv.nxt);
  c.size.peerMss = peerMssOf(segment, settings, (c.path as Path).headerBytes);
  c.scaleOk = segment.windowScale >= 0 && settings.windowScale.value === 1;
  c.snd.scale = c.scaleOk ? segment.windowScale : 0;
  if (!c.scaleOk) c.rcv.scale = 0;
  c.sackOk = segment.sackPermitted && settings.sack.value === 1;
  c.ts.ok = segment.timestamps && settings.timestamps.value === 1;
  if (c.ts.ok) {
    c.ts.recent = segment.tsValue;
    c.ts.recentUs = nowUs;
  }
  c.size.mtuBytes = 0;
  refreshMss(c);
}

/** RFC 9293 figure 8: both ends sent a SYN. */
function simultaneousOpen(c: Connection, segment: Segment): void {
  c.state = SYN_RECEIVED;
  c.snd.nxt = c.snd.iss;
  c.snd.wnd = segment.window;
  stopRetransmit(c);
  c.stack.work.enqueue(c);
}
