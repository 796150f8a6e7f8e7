/**
 * TCP on one CPU: the transport registered with IP.
 *
 * Thread: the one that runs the CPU. `input` is called for each received segment, `doWork` once after each batch: it
 * sends what the batch made possible and the acknowledgements it left owing, one for all segments of a connection. Links
 * without room put connections on a list that is tried again with every `doWork`.
 * Read first: transport.ts, connection/connection.ts, RFC 9293 section 3.10.
 */

import { foldSum } from '../../base/checksum.ts';
import { META_CHECKSUM_KNOWN } from '../../net/packet-meta.ts';
import { PROTOCOL_TCP } from '../../wire/ipv4.ts';
import { HEADER_BYTES, headerBytes as headerBytesOf } from '../../wire/tcp.ts';
import type { InetContext } from '../ip/context.ts';
import type { IcmpError, InPacket, IpService, Transport } from '../ip/transport.ts';
import { synSentArrives } from './connect.ts';
import { SYN_SENT } from './connection/states.ts';
import { icmpArrives } from './icmp.ts';
import { predicted, segmentArrives } from './input.ts';
import { listenArrives } from './listen.ts';
import { SegmentRuns } from './segment-runs.ts';
import { reject } from './send/control-segments.ts';
import { readSegment, Segment } from './shared/segment.ts';
import { listSockets, type TcpSocketInfo } from './socket-list.ts';
import { TcpState } from './state.ts';
import { synEntryArrives } from './syn-queue.ts';
import { declareTcpLimits } from './table-limits.ts';
import type { ListenerTable } from './tables/listener-table.ts';
import { KIND_CONNECTION, KIND_MASK, KIND_SHIFT, KIND_SYN, KIND_TIME_WAIT } from './tables/tables.ts';

export class TcpStack extends TcpState implements Transport {
  readonly protocol: number = PROTOCOL_TCP;
  readonly runs: SegmentRuns;
  readonly #segment: Segment = new Segment();

  /** `context` is the one layer 3 was built from, `listeners` the kernel's. Registers itself with `ip`. */
  constructor(context: InetContext, ip: IpService, listeners: ListenerTable) {
    super(context, ip, listeners);
    declareTcpLimits(this, context.shared.sysctl.limits);
    this.runs = new SegmentRuns(this);
    ip.register(this);
    context.shared.interner.addHolder(this);
  }

  /** Whether `doWork` has something to do although nothing arrived. */
  get workPending(): boolean {
    return this.work.pending;
  }

  /** Send what is due. Call it after each batch of received frames. Returns how many connections had work. */
  doWork(nowUs: number): number {
    const work = this.work.run(nowUs);
    if (this.receivedNow !== 0 || this.sentNow !== 0) this.enterCounts();
    return work;
  }

  input(packet: InPacket, nowUs: number): void {
    const { counters, count, view } = this;
    const { at, lengthBytes } = packet;
    this.receivedNow++;
    if (lengthBytes < HEADER_BYTES) {
      counters.add(count.droppedTooShort, 1);
      return;
    }
    const headerBytes = headerBytesOf(view, at);
    if (headerBytes < HEADER_BYTES || headerBytes > lengthBytes) {
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
      if (predicted(this.tables.connectionAt(value), this.runs, packet, headerBytes, nowUs)) return;
    }
    if ((packet.meta & META_CHECKSUM_KNOWN) === 0) {
      const sum = packet.addressSum + PROTOCOL_TCP + lengthBytes + this.bulk.sum(at, lengthBytes);
      if (foldSum(sum) !== 0xffff) {
        counters.add(count.droppedBadChecksum, 1);
        return;
      }
    }
    readSegment(view, packet, headerBytes, this.#segment);
    this.#deliver(packet.dst, packet.src, ports, value, this.#segment, nowUs);
  }

  /** To the holder of these addresses and ports, of which the tables say `value`; else to a listener. */
  #deliver(local: number, peer: number, ports: number, value: number, segment: Segment, nowUs: number): void {
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
      reject(this, local, peer, ports, segment, nowUs);
      return;
    }
    listenArrives(this, listener, local, peer, ports, segment, successorIss, nowUs);
  }

  icmpError(error: IcmpError, nowUs: number): void {
    icmpArrives(this, error, nowUs);
  }

  /** Every socket of this CPU that TCP knows of, TIME_WAIT included. */
  sockets(): TcpSocketInfo[] {
    return listSockets(this.cpu, this.tables, this.timeWait);
  }
}
