/**
 * TCP of one kernel: the transport registered with IP, owner of all tables.
 *
 * Thread: the one that runs the kernel. `input` is called for each received segment, `doWork` once after each batch: it
 * sends what the batch made possible and the acknowledgements it left owing, one for all segments of a connection. Links
 * without room put connections on a list that is tried again with every `doWork`.
 * Read first: transport.ts, connection.ts, RFC 9293 section 3.10. Missing: what recovery.ts and listen.ts say, urgent data
 * (RFC 6093 advises against it; the pointer is ignored), IPv6.
 */

import { foldSum, pseudoSum4 } from '../../base/checksum.ts';
import type { Rng } from '../../base/rng.ts';
import { Callout, type CalloutTable } from '../../kern/callout.ts';
import { META_CHECKSUM_PARTIAL, META_CHECKSUM_VERIFIED, META_SEGMENT_SHIFT } from '../../link/device.ts';
import type { Bulk } from '../../mem/bulk.ts';
import type { Counters } from '../../mem/counters.ts';
import type { Heap } from '../../mem/heap.ts';
import { CODE_PORT_UNREACHABLE, CODE_PROTOCOL_UNREACHABLE, TYPE_DESTINATION_UNREACHABLE } from '../../wire/icmpv4.ts';
import * as tcp from '../../wire/tcp.ts';
import type { InetContext } from '../context.ts';
import { PortTable } from '../ports.ts';
import type { IcmpError, InPacket, IpService, Transport } from '../transport.ts';
import { SecondLimit } from './challenge.ts';
import { synSentArrives } from './connect.ts';
import {
  CLOSED,
  type Connection,
  ConnectionOptions,
  type PortUse,
  PROTOCOL_TCP,
  STATE_NAMES,
  SYN_SENT,
} from './connection.ts';
import { SynCookies } from './cookies.ts';
import { defineTcpCounters, type TcpCounters } from './counters.ts';
import { Demux } from './demux.ts';
import { onIcmpError } from './errors.ts';
import { predicted, segmentArrives } from './input.ts';
import { IsnGenerator } from './isn.ts';
import { type Listener, listenArrives, removeSynEntry, type SynEntry, synEntryArrives } from './listen.ts';
import { parseOptions, Segment, SynOptions } from './options.ts';
import { initialWindow, output } from './output.ts';
import { BareSegment, sendBare } from './segment.ts';
import { TcpSettings } from './settings.ts';
import { TimeWaitTable } from './time-wait.ts';

/** What a value of the demultiplexer stands for: the low two bits; the rest is an index. */
const KIND_CONNECTION = 0;
const KIND_SYN = 1;
const KIND_TIME_WAIT = 2;

const CHECKSUM_KNOWN: number = META_CHECKSUM_PARTIAL | META_CHECKSUM_VERIFIED;
const DEFAULT_TTL = 64;
/** Rings unused for this long give their memory back. */
const RECLAIM_US = 2_000_000;

/** One line of `netstat -an` for TCP; addresses are int32. */
export interface TcpSocketRow {
  state: string;
  localAddress: number;
  localPort: number;
  peerAddress: number;
  peerPort: number;
  receiveQueueBytes: number;
  sendQueueBytes: number;
  retransmits: number;
  rtoMs: number;
  srttMs: number;
  cwndBytes: number;
}

/** Connections waiting for one thing. The arrays only grow: cutting one gives its memory away. */
class ConnectionList {
  count: number = 0;
  #entries: (Connection | null)[] = [];
  #taken: (Connection | null)[] = [];

  add(c: Connection): void {
    if (this.count < this.#entries.length) this.#entries[this.count] = c;
    else this.#entries.push(c);
    this.count++;
  }

  /** The first `count` are the caller's, who sets them to null, until the next call; the list is empty. */
  take(): (Connection | null)[] {
    const taken = this.#entries;
    this.#entries = this.#taken;
    this.#taken = taken;
    this.count = 0;
    return taken;
  }
}

export class TcpStack implements Transport {
  readonly protocol: number = PROTOCOL_TCP;
  readonly ip: IpService;
  readonly view: DataView;
  readonly bulk: Bulk;
  readonly heap: Heap;
  readonly callouts: CalloutTable;
  readonly rng: Rng;
  readonly counters: Counters;
  readonly count: TcpCounters;
  readonly settings: TcpSettings;
  readonly ports: PortTable;
  readonly isn: IsnGenerator;
  readonly cookies: SynCookies;
  readonly timeWait: TimeWaitTable;
  readonly challengeLimit: SecondLimit = new SecondLimit();
  readonly bare: BareSegment = new BareSegment();
  readonly synOptions: SynOptions = new SynOptions();
  /** What the data path counted since the last `doWork`, which enters it in the shared counters. */
  receivedNow: number = 0;
  sentNow: number = 0;
  predictedAcksNow: number = 0;
  predictedDataNow: number = 0;
  predictedBytesNow: number = 0;
  connectionCount: number = 0;
  synEntryCount: number = 0;

  readonly #segment: Segment = new Segment();
  readonly #resetLimit: SecondLimit = new SecondLimit();
  readonly #demux: Demux;
  readonly #connections: (Connection | null)[] = [];
  readonly #freeConnections: number[] = [];
  readonly #synEntries: (SynEntry | null)[] = [];
  readonly #freeSynEntries: number[] = [];
  readonly #listeners: Map<number, Listener[]> = new Map();
  readonly #ready: ConnectionList = new ConnectionList();
  readonly #blocked: ConnectionList = new ConnectionList();
  readonly #holders: Connection[] = [];
  readonly #reclaim: Callout = new Callout((nowUs) => this.#reclaimRings(nowUs));
  #tsAtUs: number = -0.5;
  #tsValue: number = 0;

  /** `context` is the one layer 3 was built from. Registers itself with `ip`. */
  constructor(context: InetContext, ip: IpService) {
    this.ip = ip;
    this.view = ip.view;
    this.bulk = context.bulk;
    this.heap = context.heap;
    this.callouts = context.callouts;
    this.rng = context.rng;
    this.counters = context.counters;
    this.count = defineTcpCounters(context.counters);
    this.settings = new TcpSettings(context.sysctl);
    this.ports = new PortTable(context.rng, context.sysctl);
    this.isn = new IsnGenerator(context.rng);
    this.cookies = new SynCookies(context.rng);
    this.#demux = new Demux(context.rng.next32());
    this.timeWait = new TimeWaitTable(this);
    ip.register(this);
  }

  /** The timestamp clock: milliseconds, as int32. */
  tsNow(nowUs: number): number {
    if (nowUs !== this.#tsAtUs) {
      this.#tsAtUs = nowUs;
      this.#tsValue = Math.floor(nowUs / 1000) | 0;
    }
    return this.#tsValue;
  }

  newOptions(): ConnectionOptions {
    const { keepIdleMs, keepIntervalMs, keepCount } = this.settings;
    return new ConnectionOptions(keepIdleMs.value, keepIntervalMs.value, keepCount.value);
  }

  // Work.

  /** Something may be sent for this connection: look with the next `doWork`. */
  enqueue(c: Connection): void {
    if (c.queued) return;
    c.queued = true;
    this.#ready.add(c);
  }

  /** The link had no room: try again when the kernel is woken. */
  awaitRoom(c: Connection): void {
    if (c.path === null || this.ip.awaitRoom(c.path)) {
      this.enqueue(c);
    } else if (!c.waiting) {
      c.waiting = true;
      this.#blocked.add(c);
    }
  }

  /** From the user calls: send now unless work is under way anyway. */
  pushOutput(c: Connection, nowUs: number): void {
    if (!c.queued && !c.waiting) output(c, nowUs);
  }

  /** Whether `doWork` has something to do although nothing arrived. */
  get workPending(): boolean {
    return this.#ready.count > 0;
  }

  /** Send what is due. Call it after each batch of received frames. Returns how many connections had work. */
  doWork(nowUs: number): number {
    const work = this.#sendDue(nowUs);
    if (this.receivedNow !== 0 || this.sentNow !== 0) this.#enterCounts();
    return work;
  }

  #enterCounts(): void {
    const { counters, count } = this;
    counters.add(count.packetsReceived, this.receivedNow);
    counters.add(count.packetsSent, this.sentNow);
    counters.add(count.predictedAcks, this.predictedAcksNow);
    counters.add(count.predictedData, this.predictedDataNow);
    counters.add(count.dataPacketsInSequence, this.predictedDataNow);
    counters.add(count.dataBytesInSequence, this.predictedBytesNow);
    this.receivedNow = this.sentNow = this.predictedAcksNow = this.predictedDataNow = this.predictedBytesNow = 0;
  }

  #sendDue(nowUs: number): number {
    let work = 0;
    if (this.#blocked.count > 0) work += this.#retryBlocked(nowUs);
    const count = this.#ready.count;
    if (count === 0) return work;
    const ready = this.#ready.take();
    for (let i = 0; i < count; i++) {
      const c = ready[i] as Connection;
      ready[i] = null;
      c.queued = false;
      output(c, nowUs);
    }
    return work + count;
  }

  #retryBlocked(nowUs: number): number {
    const count = this.#blocked.count;
    const blocked = this.#blocked.take();
    let work = 0;
    for (let i = 0; i < count; i++) {
      const c = blocked[i] as Connection;
      blocked[i] = null;
      const { sndNxt, ackNow } = c;
      c.waiting = false;
      output(c, nowUs);
      if (!c.waiting || c.sndNxt !== sndNxt || c.ackNow !== ackNow) work++;
    }
    return work;
  }

  // Input.

  input(packet: InPacket, nowUs: number): void {
    const { counters, count, view } = this;
    const { at, lengthBytes } = packet;
    this.receivedNow++;
    if (lengthBytes < tcp.HEADER_BYTES) {
      counters.add(count.droppedTooShort, 1);
      return;
    }
    const headerBytes = tcp.headerBytes(view, at);
    if (headerBytes < tcp.HEADER_BYTES || headerBytes > lengthBytes) {
      counters.add(count.droppedBadOffset, 1);
      return;
    }
    if (packet.broadcast) {
      counters.add(count.droppedBroadcast, 1);
      return;
    }
    // Our side first, as the tables have it.
    const word = view.getInt32(at);
    const ports = (word << 16) | (word >>> 16);
    const value = this.#demux.find(packet.dst, packet.src, ports);
    if (value >= 0 && (value & 3) === KIND_CONNECTION) {
      const c = this.#connections[value >> 2] as Connection;
      if (predicted(c, packet, headerBytes, nowUs)) return;
    }
    if ((packet.meta & CHECKSUM_KNOWN) === 0) {
      const sum = pseudoSum4(packet.src, packet.dst, PROTOCOL_TCP, lengthBytes) + this.bulk.sum(at, lengthBytes);
      if (foldSum(sum) !== 0xffff) {
        counters.add(count.droppedBadChecksum, 1);
        return;
      }
    }
    const segment = this.#readSegment(packet, headerBytes);
    this.#dispatch(packet.dst, packet.src, ports, value, segment, nowUs);
  }

  #readSegment(packet: InPacket, headerBytes: number): Segment {
    const segment = this.#segment;
    const { view } = this;
    const { at } = packet;
    segment.seq = tcp.seq(view, at);
    segment.ack = tcp.ack(view, at);
    segment.flags = tcp.flags(view, at);
    segment.window = tcp.window(view, at);
    segment.tos = packet.tos;
    segment.dataAt = at + headerBytes;
    segment.dataBytes = packet.lengthBytes - headerBytes;
    segment.segmentBytes = packet.meta >>> META_SEGMENT_SHIFT || segment.dataBytes;
    parseOptions(view, at, headerBytes, segment);
    return segment;
  }

  #dispatch(local: number, peer: number, ports: number, value: number, segment: Segment, nowUs: number): void {
    let successorIss: number | null = null;
    if (value >= 0) {
      const index = value >> 2;
      switch (value & 3) {
        case KIND_CONNECTION: {
          const c = this.#connections[index] as Connection;
          if (c.state === SYN_SENT) synSentArrives(c, segment, nowUs);
          else segmentArrives(c, segment, nowUs);
          return;
        }
        case KIND_SYN:
          synEntryArrives(this, this.#synEntries[index] as SynEntry, segment, nowUs);
          return;
        case KIND_TIME_WAIT:
          if (!this.timeWait.arrives(index, segment, nowUs)) return;
          // A SYN that may open a new connection, if somebody listens.
          if (this.findListener(local, ports >>> 16, peer, ports & 0xffff) === null) return;
          successorIss = this.timeWait.successorIss(index);
          this.timeWait.remove(index);
      }
    }
    const listener = this.findListener(local, ports >>> 16, peer, ports & 0xffff);
    if (listener === null) {
      this.counters.add(this.count.droppedNoSocket, 1);
      this.reject(local, peer, ports, segment, nowUs);
      return;
    }
    listenArrives(this, listener, local, peer, ports, segment, successorIss, nowUs);
  }

  /** RFC 9293 3.10.7.1 and 3.5.2: a reset that its receiver will believe. Never in answer to one. */
  reject(local: number, peer: number, ports: number, segment: Segment, nowUs: number): void {
    if (segment.flags & tcp.FLAG_RST) return;
    if (!this.#resetLimit.take(this.settings.resetLimit.value, nowUs)) return;
    const path = this.ip.openPath(peer, local, 0);
    if (typeof path === 'number') return;
    const { bare } = this;
    this.clearBare();
    bare.localAddress = local;
    bare.peerAddress = peer;
    bare.ports = ports;
    if (segment.flags & tcp.FLAG_ACK) {
      bare.seq = segment.ack;
      bare.flags = tcp.FLAG_RST;
    } else {
      const syn = segment.flags & tcp.FLAG_SYN ? 1 : 0;
      const fin = segment.flags & tcp.FLAG_FIN ? 1 : 0;
      bare.ack = (segment.seq + segment.dataBytes + syn + fin) | 0;
      bare.flags = tcp.FLAG_RST | tcp.FLAG_ACK;
    }
    sendBare(this, path);
    this.ip.closePath(path);
  }

  clearBare(): void {
    const { bare } = this;
    bare.seq = 0;
    bare.ack = 0;
    bare.flags = 0;
    bare.window = 0;
    bare.ttl = DEFAULT_TTL;
    bare.tos = 0;
    bare.timestamps = false;
  }

  icmpError(error: IcmpError, nowUs: number): void {
    if (error.quotedBytes < 8) return;
    const { view } = this;
    const ports = view.getInt32(error.quotedAt);
    const seq = view.getInt32(error.quotedAt + 4);
    const value = this.#demux.find(error.src, error.dst, ports);
    if (value < 0) return;
    if ((value & 3) === KIND_SYN) {
      const entry = this.#synEntries[value >> 2] as SynEntry;
      // RFC 1122 4.2.3.9: a host or network that is unreachable for a moment is no reason to forget its connection.
      const hard = error.type === TYPE_DESTINATION_UNREACHABLE && isHardCode(error.code);
      if (hard && seq === entry.iss) removeSynEntry(this, entry);
      return;
    }
    if ((value & 3) !== KIND_CONNECTION) return;
    const c = this.#connections[value >> 2] as Connection;
    // RFC 5927 section 4: it must quote something in flight.
    if (((seq - c.sndUna) | 0) < 0 || ((seq - c.sndMax) | 0) >= 0) return;
    onIcmpError(c, error, nowUs);
  }

  // Tables.

  /** Enter a connection whose four numbers are set. */
  add(c: Connection): void {
    const index = this.#freeConnections.pop() ?? this.#connections.length;
    this.#connections[index] = c;
    c.index = index;
    this.connectionCount++;
    this.#demux.set(c.localAddress, c.peerAddress, c.ports, (index << 2) | KIND_CONNECTION);
  }

  /** The connection ended: out of the tables. */
  remove(c: Connection): void {
    this.detach(c);
  }

  /** Out of the list; the four numbers are free unless something else has taken them (TIME_WAIT). */
  detach(c: Connection): void {
    if (c.index < 0) return;
    const value = (c.index << 2) | KIND_CONNECTION;
    if (this.#demux.find(c.localAddress, c.peerAddress, c.ports) === value) {
      this.#demux.delete(c.localAddress, c.peerAddress, c.ports);
    }
    this.#connections[c.index] = null;
    this.#freeConnections.push(c.index);
    c.index = -1;
    this.connectionCount--;
    if (c.portUse !== null) this.releasePort(c.portUse);
    c.portUse = null;
    if (c.path !== null) this.ip.closePath(c.path);
    c.path = null;
  }

  releasePort(use: PortUse): void {
    use.users--;
    if (use.users === 0) this.ports.release(use);
  }

  addSynEntry(entry: SynEntry): void {
    const index = this.#freeSynEntries.pop() ?? this.#synEntries.length;
    this.#synEntries[index] = entry;
    entry.index = index;
    this.synEntryCount++;
    this.#demux.set(entry.local, entry.peer, entry.ports, (index << 2) | KIND_SYN);
  }

  removeSynEntry(entry: SynEntry): void {
    this.#demux.delete(entry.local, entry.peer, entry.ports);
    this.#synEntries[entry.index] = null;
    this.#freeSynEntries.push(entry.index);
    entry.index = -1;
    this.synEntryCount--;
  }

  enterTimeWait(entry: number): void {
    const { local, peer, ports } = this.timeWait;
    this.#demux.set(
      local[entry] as number,
      peer[entry] as number,
      ports[entry] as number,
      (entry << 2) | KIND_TIME_WAIT,
    );
  }

  leaveTimeWait(entry: number): void {
    const { local, peer, ports } = this.timeWait;
    this.#demux.delete(local[entry] as number, peer[entry] as number, ports[entry] as number);
  }

  /** The entry in TIME_WAIT with these four numbers, -1 when there is none, -2 when something else has them. */
  occupant(local: number, peer: number, ports: number): number {
    const value = this.#demux.find(local, peer, ports);
    if (value < 0) return -1;
    return (value & 3) === KIND_TIME_WAIT ? value >> 2 : -2;
  }

  addListener(listener: Listener): void {
    const listeners = this.#listeners.get(listener.port);
    if (listeners === undefined) this.#listeners.set(listener.port, [listener]);
    else listeners.push(listener);
  }

  removeListener(listener: Listener): void {
    const listeners = this.#listeners.get(listener.port);
    const index = listeners === undefined ? -1 : listeners.indexOf(listener);
    if (listeners === undefined || index < 0) return;
    listeners.splice(index, 1);
    if (listeners.length === 0) this.#listeners.delete(listener.port);
  }

  /** Whether somebody listens on exactly that address and port who does not share it (SO_REUSEPORT). */
  hasListener(use: PortUse): boolean {
    for (const other of this.#listeners.get(use.port) ?? []) {
      const apart = other.address !== use.address && other.address !== 0 && use.address !== 0;
      if (!apart && !(other.portUse.reusePort && use.reusePort)) return true;
    }
    return false;
  }

  /** Whether a program chose that port by bind, so that connections may not share it. */
  hasExplicit(port: number): boolean {
    return this.#listeners.has(port);
  }

  /** The listener for a new connection: with that address before any address; several share by a hash of the peer (SO_REUSEPORT). */
  findListener(local: number, localPort: number, peer: number, peerPort: number): Listener | null {
    const listeners = this.#listeners.get(localPort);
    if (listeners === undefined) return null;
    let best: Listener | null = null;
    let equals = 0;
    for (const listener of listeners) {
      if (listener.address !== 0 && listener.address !== local) continue;
      if (best === null || (best.address === 0 && listener.address !== 0)) {
        best = listener;
        equals = 1;
      } else if (best.address === listener.address) {
        equals++;
      }
    }
    if (best === null || equals < 2) return best;
    let pick = (Math.imul(peer ^ Math.imul(peerPort, 0x9e3779b1), 0x85ebca6b) >>> 8) % equals;
    for (const listener of listeners) if (listener.address === best.address && pick-- === 0) return listener;
    return best;
  }

  /** First windows of a connection that has just been established. */
  onEstablished(c: Connection, nowUs: number): void {
    c.congestion.reset(initialWindow(c));
    c.sampleSeq = c.smallEndSeq = c.sndUna;
    c.lastReceivedUs = nowUs;
    this.counters.add(this.count.connectionsEstablished, 1);
  }

  /**
   * A ring was given memory: look now and then whether the connection still needs it. Idle connections hold none, so that
   * ten thousand of them are cheap.
   */
  holdRings(c: Connection, nowUs: number): void {
    if (c.holding) return;
    c.holding = true;
    this.#holders.push(c);
    if (!this.#reclaim.pending) this.callouts.schedule(this.#reclaim, nowUs + RECLAIM_US);
  }

  #reclaimRings(nowUs: number): void {
    let kept = 0;
    for (let i = 0; i < this.#holders.length; i++) {
      const c = this.#holders[i] as Connection;
      if (c.state !== CLOSED && !c.releaseIdleRings(nowUs - RECLAIM_US)) this.#holders[kept++] = c;
      else c.holding = false;
    }
    this.#holders.length = kept;
    if (kept > 0) this.callouts.schedule(this.#reclaim, nowUs + RECLAIM_US);
  }

  // For the tools.

  /** Every socket that TCP knows of, TIME_WAIT included. */
  sockets(): TcpSocketRow[] {
    const rows: TcpSocketRow[] = [];
    for (const listeners of this.#listeners.values()) {
      for (const l of listeners) {
        rows.push(row('LISTEN', l.address, l.port, 0, 0, l.acceptQueue.length, 0));
        for (const e of l.synQueue)
          rows.push(row('SYN_RECEIVED', e.local, e.ports >>> 16, e.peer, e.ports & 0xffff, 0, 0));
      }
    }
    for (const c of this.#connections) {
      if (c === null || c.state === CLOSED) continue;
      const state = STATE_NAMES[c.state] as string;
      const line = row(
        state,
        c.localAddress,
        c.localPort,
        c.peerAddress,
        c.peerPort,
        c.readableBytes,
        c.sendBuffer.usedBytes,
      );
      line.retransmits = c.retransmits;
      line.rtoMs = c.rtt.rtoUs / 1000;
      line.srttMs = c.rtt.srttUs > 0 ? c.rtt.srttUs / 1000 : 0;
      line.cwndBytes = c.congestion.cwnd;
      rows.push(line);
    }
    const { local, peer, ports } = this.timeWait;
    for (const entry of this.timeWait.entries()) {
      const both = ports[entry] as number;
      rows.push(row('TIME_WAIT', local[entry] as number, both >>> 16, peer[entry] as number, both & 0xffff, 0, 0));
    }
    return rows;
  }
}

function isHardCode(code: number): boolean {
  return code === CODE_PROTOCOL_UNREACHABLE || code === CODE_PORT_UNREACHABLE;
}

function row(
  state: string,
  localAddress: number,
  localPort: number,
  peerAddress: number,
  peerPort: number,
  receiveQueueBytes: number,
  sendQueueBytes: number,
): TcpSocketRow {
  return {
    state,
    localAddress,
    localPort,
    peerAddress,
    peerPort,
    receiveQueueBytes,
    sendQueueBytes,
    retransmits: 0,
    rtoMs: 0,
    srttMs: 0,
    cwndBytes: 0,
  };
}
