/**
 * Passive open: listeners, the SYN queue of half-open connections, the accept queue of complete ones.
 *
 * Thread: the one that runs the kernel. A half-open connection is a {@link SynEntry}, a fraction of a connection's size,
 * and becomes a connection with the ACK of our SYN-ACK. Both queues are bounded: a full accept queue makes the kernel deaf
 * to SYNs and to final ACKs (the peer repeats them); a full SYN queue makes it answer by cookies (cookies.ts), or drop its
 * oldest entry where those are off.
 * Read first: RFC 9293 3.10.7.2 (LISTEN) and 3.10.7.4 (SYN-RECEIVED), RFC 4987.
 */

import { Callout } from '../../kern/callout.ts';
import { FLAG_ACK, FLAG_ECE, FLAG_FIN, FLAG_RST, FLAG_SYN } from '../../wire/tcp.ts';
import type { Path } from '../transport.ts';
import { Connection, type ConnectionOptions, type PortUse } from './connection.ts';
import { CookieOptions } from './cookies.ts';
import { asksEcn } from './ecn.ts';
import { establish, segmentArrives } from './input.ts';
import { type Segment, scaleFor, synWindow } from './options.ts';
import { refreshMss } from './output.ts';
import { sendBare } from './segment.ts';
import type { TcpStack } from './stack.ts';

const IP_AND_TCP_BYTES = 40;
const SYN_QUEUE_MIN = 16;

export interface ListenerOwner {
  /** A connection is complete and waits for accept. */
  onAcceptable(): void;
}

export class Listener {
  readonly address: number;
  readonly port: number;
  readonly portUse: PortUse;
  readonly options: ConnectionOptions;
  backlog: number;
  owner: ListenerOwner | null;
  readonly acceptQueue: Connection[] = [];
  /** Half-open connections, oldest first. */
  readonly synQueue: Set<SynEntry> = new Set();

  constructor(portUse: PortUse, options: ConnectionOptions, backlog: number, owner: ListenerOwner | null) {
    this.address = portUse.address;
    this.port = portUse.port;
    this.portUse = portUse;
    this.options = options;
    this.backlog = backlog;
    this.owner = owner;
  }

  /** As Linux counts: one more than the backlog may wait. */
  get full(): boolean {
    return this.acceptQueue.length > this.backlog;
  }
}

export class SynEntry {
  readonly listener: Listener;
  readonly timer: Callout;
  index: number = -1;
  local: number = 0;
  peer: number = 0;
  ports: number = 0;
  path: Path;
  iss: number = 0;
  irs: number = 0;
  peerMss: number = 0;
  /** -1 when scaling was not agreed. */
  sndScale: number = -1;
  rcvScale: number = 0;
  sackOk: boolean = false;
  tsOk: boolean = false;
  tsRecent: number = 0;
  tsOffset: number = 0;
  ecnOk: boolean = false;
  /** Not remembered: the SYN-ACK carries it all. */
  cookie: boolean = false;
  retransmits: number = 0;
  sentUs: number = -0.5;

  constructor(stack: TcpStack, listener: Listener, path: Path) {
    this.listener = listener;
    this.path = path;
    this.timer = new Callout((nowUs) => onSynAckTimer(stack, this, nowUs));
  }

  get rcvNxt(): number {
    return (this.irs + 1) | 0;
  }
}

/** A segment to a listening port that belongs to no connection. `successorIss` is that of the TIME_WAIT entry it replaces. */
export function listenArrives(
  stack: TcpStack,
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
    stack.reject(local, peer, ports, segment, nowUs);
    return;
  }
  if ((flags & FLAG_SYN) === 0 || flags & FLAG_FIN) return;
  if (listener.full) {
    counters.add(count.listenQueueOverflows, 1);
    return;
  }
  const path = stack.ip.openPath(peer, local, 0);
  if (typeof path === 'number') return;
  const entry = new SynEntry(stack, listener, path);
  entry.local = local;
  entry.peer = peer;
  entry.ports = ports;
  entry.irs = segment.seq;
  takeSynOptions(stack, entry, segment);
  if (queueFull(stack, listener)) {
    counters.add(count.synQueueOverflows, 1);
    if (stack.settings.synCookies.value === 1) {
      sendCookie(stack, entry, nowUs);
      stack.ip.closePath(path);
      return;
    }
    for (const oldest of listener.synQueue) {
      removeSynEntry(stack, oldest);
      break;
    }
  }
  entry.iss = successorIss ?? stack.isn.sequence(local, peer, ports, nowUs);
  stack.tables.addSynEntry(entry);
  listener.synQueue.add(entry);
  counters.add(count.synQueueAdded, 1);
  sendSynAck(stack, entry, nowUs);
  armSynAck(stack, entry, nowUs);
}

function takeSynOptions(stack: TcpStack, entry: SynEntry, segment: Segment): void {
  const { settings } = stack;
  entry.peerMss = segment.mss > 0 ? segment.mss : settings.mssDefault.value;
  entry.sackOk = segment.sackPermitted && settings.sack.value === 1;
  entry.tsOk = segment.timestamps && settings.timestamps.value === 1;
  entry.tsRecent = segment.tsValue;
  entry.tsOffset = stack.isn.timestampOffset(entry.local, entry.peer);
  entry.ecnOk = asksEcn(segment.flags) && settings.ecn.value !== 0;
  if (segment.scale >= 0 && settings.windowScale.value === 1) {
    entry.sndScale = segment.scale;
    entry.rcvScale = ownScale(stack, entry.listener);
  }
}

function ownScale(stack: TcpStack, listener: Listener): number {
  return scaleFor(listener.options.receiveBufferBytes || stack.settings.receiveSpaceMaxBytes.value);
}

function queueFull(stack: TcpStack, listener: Listener): boolean {
  const limit = Math.max(listener.backlog, SYN_QUEUE_MIN);
  return listener.synQueue.size >= limit || stack.synEntryCount >= stack.settings.synQueueMax.value;
}

/** Answer a SYN and forget it: the ACK will bring back what has to be known. */
function sendCookie(stack: TcpStack, entry: SynEntry, nowUs: number): void {
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
function completeByCookie(
  stack: TcpStack,
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
  if (listener.full || typeof path === 'number' || stack.connectionCount >= settings.connectionsMax.value) {
    counters.add(count.synCookiesFailed, 1);
    if (typeof path !== 'number') stack.ip.closePath(path);
    return true;
  }
  const entry = new SynEntry(stack, listener, path);
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

export function removeSynEntry(stack: TcpStack, entry: SynEntry): void {
  unlink(stack, entry);
  stack.ip.closePath(entry.path);
}

/** Out of the tables, if it is there; the path is the caller's. */
function unlink(stack: TcpStack, entry: SynEntry): void {
  if (entry.index < 0) return;
  stack.callouts.stop(entry.timer);
  entry.listener.synQueue.delete(entry);
  stack.tables.removeSynEntry(entry);
}

function armSynAck(stack: TcpStack, entry: SynEntry, nowUs: number): void {
  const rtoMs = stack.settings.rtoInitialMs.value * 2 ** entry.retransmits;
  stack.callouts.schedule(entry.timer, nowUs + Math.min(rtoMs, stack.settings.rtoMaxMs.value) * 1000);
}

function onSynAckTimer(stack: TcpStack, entry: SynEntry, nowUs: number): void {
  if (entry.retransmits >= stack.settings.synAckRetries.value) {
    stack.counters.add(stack.count.embryonicDropped, 1);
    removeSynEntry(stack, entry);
    return;
  }
  entry.retransmits++;
  stack.counters.add(stack.count.synAcksRetransmitted, 1);
  sendSynAck(stack, entry, nowUs);
  armSynAck(stack, entry, nowUs);
}

function prepare(stack: TcpStack, entry: SynEntry): void {
  const { bare } = stack;
  stack.clearBare();
  bare.localAddress = entry.local;
  bare.peerAddress = entry.peer;
  bare.ports = entry.ports;
  bare.ack = entry.rcvNxt;
  bare.ttl = entry.listener.options.ttl;
  bare.tos = entry.listener.options.tos;
}

function receiveLimit(stack: TcpStack, listener: Listener): number {
  return listener.options.receiveBufferBytes || stack.settings.receiveSpaceBytes.value;
}

function sendSynAck(stack: TcpStack, entry: SynEntry, nowUs: number): void {
  const { bare, synOptions } = stack;
  prepare(stack, entry);
  bare.seq = entry.iss;
  bare.flags = entry.ecnOk ? FLAG_SYN | FLAG_ACK | FLAG_ECE : FLAG_SYN | FLAG_ACK;
  bare.window = synWindow(receiveLimit(stack, entry.listener), entry.rcvScale);
  synOptions.mss = entry.path.iface.mtuBytes - IP_AND_TCP_BYTES;
  synOptions.scale = entry.sndScale >= 0 ? entry.rcvScale : -1;
  synOptions.sackPermitted = entry.sackOk;
  synOptions.timestamps = entry.tsOk;
  const ticks = stack.tsNow(nowUs);
  const stamp = entry.cookie ? stack.cookies.stamp(ticks, entry.sndScale, entry.sackOk, entry.ecnOk) : ticks;
  synOptions.tsValue = (stamp + entry.tsOffset) | 0;
  synOptions.tsEcho = entry.tsRecent;
  // What the link refuses now, the timer sends again.
  sendBare(stack, entry.path);
  entry.sentUs = nowUs;
}

/** A segment for a half-open connection, its checksum verified (RFC 9293 3.10.7.4 for SYN-RECEIVED). */
export function synEntryArrives(stack: TcpStack, entry: SynEntry, segment: Segment, nowUs: number): void {
  const { counters, count } = stack;
  const { flags } = segment;
  const offset = (segment.seq - entry.rcvNxt) | 0;
  if ((flags & (FLAG_SYN | FLAG_ACK | FLAG_RST)) === FLAG_SYN && offset === -1) {
    // The SYN again: our SYN-ACK was lost, or is slow.
    counters.add(count.synAcksRetransmitted, 1);
    if (entry.tsOk && segment.timestamps) entry.tsRecent = segment.tsValue;
    sendSynAck(stack, entry, nowUs);
    return;
  }
  const old = entry.tsOk && segment.timestamps && ((segment.tsValue - entry.tsRecent) | 0) < 0;
  const window = Math.min(receiveLimit(stack, entry.listener), 65535);
  const outside = offset < 0 || offset >= window;
  if (flags & FLAG_RST) {
    // RFC 5961 section 3.2; back to LISTEN.
    if (offset === 0) {
      counters.add(count.resetsReceived, 1);
      counters.add(count.embryonicDropped, 1);
      removeSynEntry(stack, entry);
    } else if (!outside) acknowledgeEntry(stack, entry, nowUs);
    return;
  }
  if (outside || (old && (flags & FLAG_SYN) === 0) || flags & FLAG_SYN) {
    if (old) counters.add(count.droppedOldTimestamp, 1);
    acknowledgeEntry(stack, entry, nowUs);
    return;
  }
  if ((flags & FLAG_ACK) === 0) return;
  if (segment.ack !== ((entry.iss + 1) | 0)) {
    stack.reject(entry.local, entry.peer, entry.ports, segment, nowUs);
    return;
  }
  if (entry.listener.full || stack.connectionCount >= stack.settings.connectionsMax.value) {
    counters.add(count.listenQueueOverflows, 1);
    return;
  }
  promote(stack, entry, segment, nowUs);
}

/** A bare ACK (or challenge ACK) for a half-open connection. */
function acknowledgeEntry(stack: TcpStack, entry: SynEntry, nowUs: number): void {
  if (!stack.challengeLimit.take(stack.settings.challengeAckLimit.value, nowUs)) return;
  const { bare } = stack;
  prepare(stack, entry);
  bare.seq = (entry.iss + 1) | 0;
  bare.flags = FLAG_ACK;
  bare.window = Math.min(receiveLimit(stack, entry.listener), 65535) >> entry.rcvScale;
  bare.timestamps = entry.tsOk;
  bare.tsValue = (stack.tsNow(nowUs) + entry.tsOffset) | 0;
  bare.tsEcho = entry.tsRecent;
  sendBare(stack, entry.path);
}

/** The handshake is complete: a connection takes the entry's place, and the ACK's data goes to it. */
function promote(stack: TcpStack, entry: SynEntry, segment: Segment, nowUs: number): void {
  const { listener } = entry;
  const options = stack.newOptions();
  listener.options.copyTo(options);
  const c = new Connection(stack, options);
  c.setTuple(entry.local, entry.ports >>> 16, entry.peer, entry.ports & 0xffff);
  unlink(stack, entry);
  c.path = entry.path;
  c.portUse = listener.portUse;
  listener.portUse.users++;
  c.iss = entry.iss;
  c.sndUna = c.sndNxt = c.sndMax = c.sampleSeq = c.smallEndSeq = (entry.iss + 1) | 0;
  c.sendBuffer.begin(c.sndNxt);
  c.irs = entry.irs;
  c.rcvNxt = c.lastAckSent = entry.rcvNxt;
  c.receiveBuffer.begin(c.rcvNxt);
  c.peerMss = entry.peerMss;
  c.scaleOk = entry.sndScale >= 0;
  c.sndScale = c.scaleOk ? entry.sndScale : 0;
  c.rcvScale = entry.rcvScale;
  c.rcvAdv = (c.rcvNxt + synWindow(c.receiveBuffer.limitBytes, c.rcvScale)) | 0;
  c.sackOk = entry.sackOk;
  c.tsOk = entry.tsOk;
  c.tsRecent = entry.tsRecent;
  c.tsRecentUs = nowUs;
  c.tsOffset = entry.tsOffset;
  c.synRetransmitted = entry.retransmits > 0;
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
