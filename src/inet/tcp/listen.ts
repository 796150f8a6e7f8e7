/**
 * Passive open: listeners, the SYN queue of half-open connections, the accept queue of complete ones.
 *
 * Thread: the one that runs the CPU. A half-open connection is a {@link SynEntry}, a fraction of a connection's size,
 * and becomes a connection with the ACK of our SYN-ACK. Both queues are bounded: a full accept queue makes the kernel deaf
 * to SYNs and to final ACKs (the peer repeats them); a full SYN queue makes it answer by cookies (cookies.ts), or drop its
 * oldest entry where those are off.
 * Read first: RFC 9293 3.10.7.2 (LISTEN) and 3.10.7.4 (SYN-RECEIVED), RFC 4987.
 */

import { FLAG_ACK, FLAG_FIN, FLAG_RST, FLAG_SYN } from '../../wire/tcp.ts';
import { asksEcn } from './connection/ecn.ts';
import { scaleFor } from './connection/window.ts';
import { reject } from './send/control-segments.ts';
import { CookieOptions } from './shared/cookies.ts';
import { peerMssOf, type Segment } from './shared/segment.ts';
import type { TcpState } from './state.ts';
import { armSynAck, newSynEntry, promote, removeSynEntry, sendSynAck } from './syn-queue.ts';
import type { Listener, SynEntry } from './tables/listener.ts';

const SYN_QUEUE_MIN = 16;

/** A segment to a listening port that belongs to no connection. `successorIss` is that of the TIME_WAIT entry it replaces. */
export function listenArrives(
  stack: TcpState,
  listener: Listener,
  local: number,
  peer: number,
  ports: number,
  segment: Segment,
  successorIss: number | null,
  nowUs: number,
): void {
  const { counters, count } = stack;
  const { flags } = segment;
  if (flags & FLAG_RST) return;
  if (flags & FLAG_ACK) {
    if (completeByCookie(stack, listener, local, peer, ports, segment, nowUs)) return;
    counters.add(count.badConnectionAttempts, 1);
    reject(stack, local, peer, ports, segment, nowUs);
    return;
  }
  if ((flags & FLAG_SYN) === 0 || flags & FLAG_FIN) {
    counters.add(count.badConnectionAttempts, 1);
    return;
  }
  if (listener.full) {
    counters.add(count.listenQueueOverflows, 1);
    return;
  }
  const crowded = queueFull(stack, listener);
  if (crowded && !stack.rateLimits.synAcks.allow(nowUs)) {
    counters.add(count.synQueueOverflows, 1);
    counters.add(count.synsDropped, 1);
    return;
  }
  const path = stack.ip.openPath(peer, local, 0);
  if (typeof path === 'number') {
    counters.add(count.synsDropped, 1);
    return;
  }
  const entry = newSynEntry(stack, listener, path);
  entry.local = local;
  entry.peer = peer;
  entry.ports = ports;
  entry.irs = segment.seq;
  takeSynOptions(stack, entry, segment);
  if (crowded) {
    counters.add(count.synQueueOverflows, 1);
    const cookies = stack.settings.synCookies.value === 1;
    if (cookies) sendCookie(stack, entry, nowUs);
    if (cookies || !dropOldest(listener)) {
      if (!cookies) counters.add(count.synsDropped, 1);
      stack.ip.closePath(path);
      return;
    }
  }
  entry.iss = successorIss ?? stack.isn.sequence(local, peer, ports, nowUs);
  stack.tables.addSynEntry(entry);
  listener.synQueue.add(entry);
  counters.add(count.synQueueAdded, 1);
  sendSynAck(stack, entry, nowUs);
  armSynAck(stack, entry, nowUs);
}

function takeSynOptions(stack: TcpState, entry: SynEntry, segment: Segment): void {
  const { settings } = stack;
  entry.peerMss = peerMssOf(segment, settings, entry.path.headerBytes);
  entry.sackOk = segment.sackPermitted && settings.sack.value === 1;
  entry.tsOk = segment.timestamps && settings.timestamps.value === 1;
  entry.tsRecent = segment.tsValue;
  entry.tsOffset = stack.isn.timestampOffset(entry.local, entry.peer);
  entry.ecnOk = asksEcn(segment.flags) && settings.ecn.value !== 0;
  if (segment.windowScale >= 0 && settings.windowScale.value === 1) {
    entry.sndScale = segment.windowScale;
    entry.rcvScale = ownScale(stack, entry.listener);
  }
}

function ownScale(stack: TcpState, listener: Listener): number {
  return scaleFor(listener.options.receiveBufferBytes || stack.settings.receiveSpaceMaxBytes.value);
}

function queueFull(stack: TcpState, listener: Listener): boolean {
  const limit = Math.max(listener.backlog, SYN_QUEUE_MIN);
  return listener.synQueue.size >= limit || stack.synEntryCount >= stack.settings.synQueueMax.value;
}

/** Make room in the SYN queue. False when other listeners' entries are what fills the kernel's limit. */
function dropOldest(listener: Listener): boolean {
  for (const oldest of listener.synQueue) {
    removeSynEntry(oldest);
    return true;
  }
  return false;
}

/** Answer a SYN and forget it: the ACK will bring back what has to be known. */
function sendCookie(stack: TcpState, entry: SynEntry, nowUs: number): void {
  entry.iss = stack.cookies.make(entry.local, entry.peer, entry.ports, entry.irs, entry.peerMss, nowUs);
  if (!entry.tsOk) {
    // No place to keep them in.
    entry.sndScale = -1;
    entry.rcvScale = 0;
    entry.sackOk = false;
    entry.ecnOk = false;
  }
  entry.cookie = true;
  stack.counters.add(stack.count.synCookiesSent, 1);
  sendSynAck(stack, entry, nowUs);
}

/** An ACK that belongs to nothing may bring back a cookie. Returns true when it did; the connection is complete then. */
// cold: once per connection.
function completeByCookie(
  stack: TcpState,
  listener: Listener,
  local: number,
  peer: number,
  ports: number,
  segment: Segment,
  nowUs: number,
): boolean {
  const { counters, count, cookies, settings } = stack;
  if (settings.synCookies.value === 0 || segment.flags & FLAG_SYN) return false;
  const irs = (segment.seq - 1) | 0;
  const mss = cookies.check(local, peer, ports, irs, (segment.ack - 1) | 0, nowUs);
  if (mss === 0) return false;
  const path = stack.ip.openPath(peer, local, 0);
  if (typeof path === 'number' || listener.full || stack.full()) {
    counters.add(count.synCookiesFailed, 1);
    if (typeof path !== 'number') stack.ip.closePath(path);
    return true;
  }
  const entry = newSynEntry(stack, listener, path);
  entry.local = local;
  entry.peer = peer;
  entry.ports = ports;
  entry.irs = irs;
  entry.iss = (segment.ack - 1) | 0;
  entry.peerMss = mss;
  entry.tsOffset = stack.isn.timestampOffset(local, peer);
  entry.tsOk = segment.timestamps && settings.timestamps.value === 1;
  entry.tsRecent = segment.tsValue;
  if (entry.tsOk) {
    const options = new CookieOptions();
    cookies.unstamp((segment.tsEcho - entry.tsOffset) | 0, options);
    entry.sackOk = options.sackOk;
    entry.ecnOk = options.ecnOk;
    entry.sndScale = options.scale;
    if (options.scale >= 0) entry.rcvScale = ownScale(stack, listener);
  }
  counters.add(count.synCookiesReceived, 1);
  promote(stack, entry, segment, nowUs);
  return true;
}
