/**
 * Half-open connections of passive opens: the SYN-ACK, its repetition, and the ACK that makes a connection of one.
 *
 * Thread: the one that runs the CPU. A {@link SynEntry} is a fraction of a connection's size.
 * Read first: RFC 9293 3.10.7.4 (SYN-RECEIVED), RFC 5961, RFC 4987.
 */

import { seqLt } from '../../base/sequence.ts';
import { US_PER_MS } from '../../base/units.ts';
import { FLAG_ACK, FLAG_ECE, FLAG_RST, FLAG_SYN, HEADER_BYTES } from '../../wire/tcp.ts';
import type { Path } from '../ip/transport.ts';
import { establish } from './arrive/establish.ts';
import { Connection } from './connection/connection.ts';
import { refreshMss } from './connection/mss.ts';
import { synWindow } from './connection/window.ts';
import { segmentArrives } from './input.ts';
import { reject, sendControl } from './send/control-segments.ts';
import type { Segment } from './shared/segment.ts';
import type { TcpState } from './state.ts';
import { type Listener, SynEntry } from './tables/listener.ts';

/** A half-open connection of `listener` over `path`; not in the tables yet. */
// cold: once per SYN.
export function newSynEntry(stack: TcpState, listener: Listener, path: Path): SynEntry {
  return new SynEntry(stack, listener, path, (entry, nowUs) => onSynAckTimer(stack, entry, nowUs));
}

export function removeSynEntry(entry: SynEntry): void {
  unlink(entry);
  entry.stack.ip.closePath(entry.path);
}

/** Out of the tables, if it is there; the path is the caller's. */
function unlink(entry: SynEntry): void {
  const { stack } = entry;
  if (entry.index < 0) return;
  stack.callouts.stop(entry.timer);
  entry.listener.synQueue.delete(entry);
  stack.tables.removeSynEntry(entry);
}

export function armSynAck(stack: TcpState, entry: SynEntry, nowUs: number): void {
  const rtoMs = stack.settings.rtoInitialMs.value * 2 ** entry.retransmits;
  stack.callouts.schedule(entry.timer, nowUs + Math.min(rtoMs, stack.settings.rtoMaxMs.value) * US_PER_MS);
}

function onSynAckTimer(stack: TcpState, entry: SynEntry, nowUs: number): void {
  if (entry.retransmits >= stack.settings.synAckRetries.value) {
    stack.counters.add(stack.count.embryonicDropped, 1);
    stack.counters.add(stack.count.synQueueTimedOut, 1);
    removeSynEntry(entry);
    return;
  }
  entry.retransmits++;
  stack.counters.add(stack.count.synAcksRetransmitted, 1);
  sendSynAck(stack, entry, nowUs);
  armSynAck(stack, entry, nowUs);
}

function beginControl(stack: TcpState, entry: SynEntry): void {
  const { control } = stack;
  control.begin(entry.local, entry.peer, entry.ports);
  control.ack = entry.rcvNxt;
  control.ttl = entry.listener.options.ttl;
  control.tos = entry.listener.options.tos;
}

function receiveLimit(stack: TcpState, listener: Listener): number {
  return listener.options.receiveBufferBytes || stack.settings.receiveBytes;
}

export function sendSynAck(stack: TcpState, entry: SynEntry, nowUs: number): void {
  const { control, synOptions } = stack;
  beginControl(stack, entry);
  control.seq = entry.iss;
  control.flags = entry.ecnOk ? FLAG_SYN | FLAG_ACK | FLAG_ECE : FLAG_SYN | FLAG_ACK;
  control.window = synWindow(receiveLimit(stack, entry.listener), entry.rcvScale);
  synOptions.mss = entry.path.linkMtuBytes - entry.path.headerBytes - HEADER_BYTES;
  synOptions.scale = entry.sndScale >= 0 ? entry.rcvScale : -1;
  synOptions.sackPermitted = entry.sackOk;
  synOptions.timestamps = entry.tsOk;
  const ticks = stack.tsNow(nowUs);
  const stamp = entry.cookie ? stack.cookies.stamp(ticks, entry.sndScale, entry.sackOk, entry.ecnOk) : ticks;
  synOptions.tsValue = (stamp + entry.tsOffset) | 0;
  synOptions.tsEcho = entry.tsRecent;
  // A SYN-ACK that the link refuses now is sent again by the timer.
  sendControl(stack, entry.path);
  entry.sentUs = nowUs;
}

/** A segment for a half-open connection, its checksum verified (RFC 9293 3.10.7.4 for SYN-RECEIVED). */
export function synEntryArrives(stack: TcpState, entry: SynEntry, segment: Segment, nowUs: number): void {
  const { counters, count } = stack;
  const { flags } = segment;
  const offset = (segment.seq - entry.rcvNxt) | 0;
  if ((flags & (FLAG_SYN | FLAG_ACK | FLAG_RST)) === FLAG_SYN && offset === -1) {
    // The SYN again: our SYN-ACK was lost, or is slow.
    counters.add(count.duplicateSyns, 1);
    if (!stack.rateLimits.synAcks.allow(nowUs)) return;
    counters.add(count.synAcksRetransmitted, 1);
    if (entry.tsOk && segment.timestamps) entry.tsRecent = segment.tsValue;
    sendSynAck(stack, entry, nowUs);
    // The SYN-ACK that the peer was just sent must hold until it can answer.
    armSynAck(stack, entry, nowUs);
    return;
  }
  const old = entry.tsOk && segment.timestamps && seqLt(segment.tsValue, entry.tsRecent);
  const window = Math.min(receiveLimit(stack, entry.listener), 65535);
  const outside = offset < 0 || offset >= window;
  if (flags & FLAG_RST) {
    // RFC 5961 section 3.2; back to LISTEN.
    if (offset === 0) {
      counters.add(count.resetsReceived, 1);
      counters.add(count.synQueueReset, 1);
      backToListen(stack, entry);
    } else if (outside) counters.add(count.resetsIgnored, 1);
    else challengeEntry(stack, entry, nowUs);
    return;
  }
  if (flags & FLAG_SYN) {
    // RFC 9293 3.10.7.4, fourth: a passive open begins again; elsewhere as RFC 5961 section 4 says.
    if (outside) challengeEntry(stack, entry, nowUs);
    else backToListen(stack, entry);
    return;
  }
  if (outside || old) {
    if (old) counters.add(count.droppedOldTimestamp, 1);
    if (stack.rateLimits.challengeAcks.allow(nowUs)) acknowledgeEntry(stack, entry, nowUs);
    return;
  }
  if ((flags & FLAG_ACK) === 0) {
    counters.add(count.droppedNoAck, 1);
    return;
  }
  if (segment.ack !== ((entry.iss + 1) | 0)) {
    reject(stack, entry.local, entry.peer, entry.ports, segment, nowUs);
    return;
  }
  if (entry.listener.full || stack.full()) {
    if (entry.listener.full) counters.add(count.listenQueueOverflows, 1);
    counters.add(count.synQueueAborted, 1);
    return;
  }
  counters.add(count.synQueueCompleted, 1);
  promote(stack, entry, segment, nowUs);
}

/** The peer has given up, or begun again: the entry is forgotten, the listener waits as before. */
function backToListen(stack: TcpState, entry: SynEntry): void {
  stack.counters.add(stack.count.embryonicDropped, 1);
  removeSynEntry(entry);
}

function challengeEntry(stack: TcpState, entry: SynEntry, nowUs: number): void {
  if (!stack.rateLimits.challengeAcks.allow(nowUs)) return;
  stack.counters.add(stack.count.challengeAcksSent, 1);
  acknowledgeEntry(stack, entry, nowUs);
}

/** An ACK for a half-open connection. */
function acknowledgeEntry(stack: TcpState, entry: SynEntry, nowUs: number): void {
  const { control } = stack;
  beginControl(stack, entry);
  control.seq = (entry.iss + 1) | 0;
  control.flags = FLAG_ACK;
  control.window = Math.min(receiveLimit(stack, entry.listener), 65535) >> entry.rcvScale;
  control.timestamps = entry.tsOk;
  control.tsValue = (stack.tsNow(nowUs) + entry.tsOffset) | 0;
  control.tsEcho = entry.tsRecent;
  sendControl(stack, entry.path);
}

/** The handshake is complete: a connection takes the entry's place, and the ACK's data goes to it. */
// cold: once per connection.
export function promote(stack: TcpState, entry: SynEntry, segment: Segment, nowUs: number): void {
  const { listener } = entry;
  const options = stack.newOptions();
  listener.options.copyTo(options);
  const c = new Connection(stack, options);
  c.setTuple(entry.local, entry.ports >>> 16, entry.peer, entry.ports & 0xffff, entry.path.addressSum);
  unlink(entry);
  c.path = entry.path;
  c.portUse = listener.portUse;
  listener.portUse.users++;
  c.snd.iss = entry.iss;
  c.snd.una = c.snd.nxt = c.snd.max = c.rtx.sampleSeq = c.snd.smallEnd = (entry.iss + 1) | 0;
  c.sendBuffer.begin(c.snd.nxt);
  c.rcv.irs = entry.irs;
  c.rcv.nxt = c.rcv.lastAckSent = entry.rcvNxt;
  c.receiveBuffer.begin(c.rcv.nxt);
  c.size.peerMss = entry.peerMss;
  c.scaleOk = entry.sndScale >= 0;
  c.snd.scale = c.scaleOk ? entry.sndScale : 0;
  c.rcv.scale = entry.rcvScale;
  c.rcv.adv = (c.rcv.nxt + synWindow(c.receiveBuffer.limitBytes, c.rcv.scale)) | 0;
  c.sackOk = entry.sackOk;
  c.ts.ok = entry.tsOk;
  c.ts.optional = entry.tsOk && !segment.timestamps;
  c.ts.recent = entry.tsRecent;
  c.ts.recentUs = nowUs;
  c.ts.offset = entry.tsOffset;
  c.rtx.synRetransmitted = entry.retransmits > 0;
  c.ecn.ok = entry.ecnOk;
  if (entry.retransmits === 0 && entry.sentUs >= 0) c.rtt.sample(nowUs - entry.sentUs);
  else if (entry.retransmits > 0) c.rtt.restartAfterSynLoss();
  refreshMss(c);
  stack.tables.add(c);
  stack.counters.add(stack.count.connectionAccepts, 1);
  establish(c, segment, nowUs);
  listener.acceptQueue.push(c);
  if (listener.owner !== null) listener.owner.onAcceptable();
  segmentArrives(c, segment, nowUs);
}
