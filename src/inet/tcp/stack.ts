/**
 * TCP of one kernel: the transport registered with IP, owner of the tables and of the work that is due.
 *
 * Thread: the one that runs the kernel. `input` is called for each received segment, `doWork` once after each batch: it
 * sends what the batch made possible and the acknowledgements it left owing, one for all segments of a connection. Links
 * without room put connections on a list that is tried again with every `doWork`.
 * Read first: transport.ts, connection.ts, RFC 9293 section 3.10.
 */

import { foldSum } from '../../base/checksum.ts';
import type { Rng } from '../../base/rng.ts';
import type { CalloutTable } from '../../kern/callout.ts';
import type { SysctlVariable } from '../../kern/sysctl.ts';
import { META_CHECKSUM_KNOWN, META_SEGMENT_SHIFT } from '../../link/device.ts';
import type { Bulk } from '../../mem/bulk.ts';
import type { Counters } from '../../mem/counters.ts';
import type { Heap } from '../../mem/heap.ts';
import { CODE_PORT_UNREACHABLE, CODE_PROTOCOL_UNREACHABLE, TYPE_DESTINATION_UNREACHABLE } from '../../wire/icmpv4.ts';
import * as tcp from '../../wire/tcp.ts';
import type { InetContext } from '../ip/context.ts';
import { PortTable } from '../ip/ports.ts';
import type { IcmpError, InPacket, IpService, Transport } from '../ip/transport.ts';
import { SecondLimit } from './arrive/challenge.ts';
import { synSentArrives } from './connect.ts';
import { type Connection, ConnectionOptions, type PortUse, PROTOCOL_TCP, SYN_SENT } from './connection/connection.ts';
import { beginMtuSearch } from './connection/mtu-search.ts';
import { onIcmpError } from './icmp.ts';
import { predicted, segmentArrives } from './input.ts';
import { declareTcpLimits } from './limits.ts';
import { listenArrives } from './listen.ts';
import { socketRows, type TcpSocketRow } from './rows.ts';
import { SegmentRuns } from './segment-runs.ts';
import { initialWindow, refreshMss } from './send/output.ts';
import { BareSegment, sendBare } from './send/segment-writer.ts';
import { SynCookies } from './shared/cookies.ts';
import { defineTcpCounters, type TcpCounters } from './shared/counters.ts';
import { EphemeralPorts } from './shared/ephemeral.ts';
import { IsnGenerator } from './shared/isn.ts';
import { Segment, SynOptions } from './shared/options.ts';
import { TcpSettings } from './shared/settings.ts';
import { removeSynEntry, synEntryArrives } from './syn-queue.ts';
import { KIND_CONNECTION, KIND_MASK, KIND_SHIFT, KIND_SYN, KIND_TIME_WAIT, TcpTables } from './tables/tables.ts';
import { TimeWaitTable } from './time-wait.ts';
import { WorkQueue } from './work-queue.ts';

const DEFAULT_TTL = 64;

export type { TcpSocketRow };

export class TcpStack implements Transport {
  readonly protocol: number = PROTOCOL_TCP;
  readonly ip: IpService;
  readonly view: DataView;
  readonly bulk: Bulk;
  readonly heap: Heap;
  readonly callouts: CalloutTable;
  /** For what has to be sent when a program acts; everybody else is told the time. */
  readonly nowUs: () => number;
  readonly rng: Rng;
  readonly counters: Counters;
  readonly count: TcpCounters;
  readonly settings: TcpSettings;
  readonly ports: PortTable;
  /** Sockets of IPv6 do without IPv4 unless they say otherwise. */
  readonly only6: SysctlVariable;
  readonly ephemeral: EphemeralPorts;
  readonly isn: IsnGenerator;
  readonly cookies: SynCookies;
  readonly timeWait: TimeWaitTable;
  readonly challengeLimit: SecondLimit = new SecondLimit();
  readonly synAckLimit: SecondLimit = new SecondLimit();
  readonly bare: BareSegment = new BareSegment();
  readonly synOptions: SynOptions = new SynOptions();
  /** What the data path counted since the last `doWork`, which enters it in the shared counters. */
  receivedNow: number = 0;
  sentNow: number = 0;
  predictedAcksNow: number = 0;
  predictedDataNow: number = 0;
  predictedBytesNow: number = 0;
  readonly tables: TcpTables;
  readonly work: WorkQueue;
  readonly runs: SegmentRuns;

  readonly #segment: Segment = new Segment();
  readonly #resetLimit: SecondLimit = new SecondLimit();
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
    this.nowUs = context.nowUs;
    this.counters = context.counters;
    this.count = defineTcpCounters(context.counters);
    this.settings = new TcpSettings(context.shared.sysctl);
    this.only6 = context.shared.sysctl.toggle(
      'net.inet6.ip6.v6only',
      false,
      'IPv6 sockets are not for IPv4 by default',
    );
    this.ports = new PortTable(context.rng, context.shared.sysctl);
    this.ephemeral = new EphemeralPorts(context.rng, context.shared.sysctl);
    const fingerprint = (address: number): number => ip.fingerprint(address);
    this.isn = new IsnGenerator(context.rng, fingerprint);
    this.cookies = new SynCookies(context.rng, fingerprint);
    this.tables = new TcpTables(context.rng.next32());
    this.work = new WorkQueue(ip, context.callouts);
    this.timeWait = new TimeWaitTable(this);
    declareTcpLimits(this, context.shared.sysctl.limits);
    this.runs = new SegmentRuns(this);
    ip.register(this);
    context.interner.addHolder(this);
  }

  /** As `AddressHolder.markAddresses`. */
  markAddresses(mark: (address: number) => void): void {
    this.tables.markAddresses(mark);
    this.timeWait.markAddresses(mark);
    this.ports.markAddresses(mark);
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

  get connectionCount(): number {
    return this.tables.connectionCount;
  }

  /** Whether the table of connections has no room for one more, which is counted then. */
  full(): boolean {
    if (this.tables.connectionCount < this.settings.connectionsMax.value) return false;
    this.counters.add(this.count.connectionsFull, 1);
    return true;
  }

  get synEntryCount(): number {
    return this.tables.synEntryCount;
  }

  /** Whether `doWork` has something to do although nothing arrived. */
  get workPending(): boolean {
    return this.work.pending;
  }

  /** Send what is due. Call it after each batch of received frames. Returns how many connections had work. */
  doWork(nowUs: number): number {
    const work = this.work.run(nowUs);
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
    const value = this.tables.find(packet.dst, packet.src, ports);
    if (value >= 0 && (value & KIND_MASK) === KIND_CONNECTION) {
      if (predicted(this.tables.connectionAt(value), packet, headerBytes, nowUs)) return;
    }
    if ((packet.meta & META_CHECKSUM_KNOWN) === 0) {
      const sum = packet.addressSum + PROTOCOL_TCP + lengthBytes + this.bulk.sum(at, lengthBytes);
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
    segment.urgentSeq = (segment.seq + view.getUint16(at + 18)) | 0;
    tcp.parseOptions(view, at + tcp.HEADER_BYTES, at + headerBytes, segment);
    return segment;
  }

  #dispatch(local: number, peer: number, ports: number, value: number, segment: Segment, nowUs: number): void {
    let successorIss: number | null = null;
    if (value >= 0) {
      const index = value >> KIND_SHIFT;
      switch (value & KIND_MASK) {
        case KIND_CONNECTION: {
          const c = this.tables.connectionAt(value);
          if (c.state === SYN_SENT) synSentArrives(c, segment, nowUs);
          else segmentArrives(c, segment, nowUs);
          return;
        }
        case KIND_SYN:
          synEntryArrives(this, this.tables.synEntryAt(value), segment, nowUs);
          return;
        case KIND_TIME_WAIT:
          if (!this.timeWait.arrives(index, segment, nowUs)) return;
          // A SYN that may open a new connection, if somebody listens.
          if (this.tables.listeners.find(local, peer, ports) === null) return;
          successorIss = this.timeWait.successorIss(index);
          this.timeWait.remove(index);
      }
    }
    const listener = this.tables.listeners.find(local, peer, ports);
    if (value < 0) this.counters.add(this.count.lookupMisses, 1);
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
    if (!this.#resetLimit.take(this.settings.resetLimit.value, nowUs)) {
      this.counters.add(this.count.resetsLimited, 1);
      return;
    }
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
    const value = this.tables.find(error.src, error.dst, ports);
    if (value < 0) return;
    if ((value & KIND_MASK) === KIND_SYN) {
      const entry = this.tables.synEntryAt(value);
      // RFC 1122 4.2.3.9: a host or network that is unreachable for a moment is no reason to forget its connection.
      const hard = error.type === TYPE_DESTINATION_UNREACHABLE && isHardCode(error.code);
      if (hard && seq === entry.iss) {
        this.counters.add(this.count.synQueueUnreachable, 1);
        removeSynEntry(this, entry);
      }
      return;
    }
    if ((value & KIND_MASK) !== KIND_CONNECTION) return;
    const c = this.tables.connectionAt(value);
    // RFC 5927 section 4: it must quote something in flight.
    if (((seq - c.sndUna) | 0) < 0 || ((seq - c.sndMax) | 0) >= 0) return;
    onIcmpError(c, error, nowUs);
  }

  /** The connection is over here: out of the tables, its port and path given back. */
  detach(c: Connection): void {
    if (c.index < 0) return;
    this.tables.remove(c);
    if (c.owner !== null) this.tables.keepNames(c);
    if (c.portUse !== null) this.releasePort(c.portUse);
    c.portUse = null;
    if (c.path !== null) this.ip.closePath(c.path);
    c.path = null;
  }

  releasePort(use: PortUse): void {
    use.users--;
    if (use.users === 0) this.ports.release(use);
  }

  /** First windows of a connection that has just been established. */
  onEstablished(c: Connection, nowUs: number): void {
    if (this.settings.mtuProbing.value === 2) {
      beginMtuSearch(c, this.settings.mtuBaseMss.value);
      refreshMss(c);
    }
    c.congestion.reset(initialWindow(c));
    c.sampleSeq = c.smallEndSeq = c.sndUna;
    c.lastReceivedUs = nowUs;
    this.counters.add(this.count.connectionsEstablished, 1);
  }

  /** Ports on which somebody listens, in no order. */
  listeningPorts(): number[] {
    return Array.from(this.tables.listeners.all(), ({ port }) => port);
  }

  /** Every socket that TCP knows of, TIME_WAIT included. */
  sockets(): TcpSocketRow[] {
    return socketRows(this.tables, this.timeWait);
  }
}

function isHardCode(code: number): boolean {
  return code === CODE_PROTOCOL_UNREACHABLE || code === CODE_PORT_UNREACHABLE;
}
