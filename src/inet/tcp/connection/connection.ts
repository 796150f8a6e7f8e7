/**
 * The transmission control block: everything TCP knows of one connection.
 *
 * Thread: the one that runs the CPU. Names are those of RFC 9293 section 3.3.1 (SND.UNA is `snd.una`) and of the RFCs
 * cited beside them. Each part is a class in a file beside this one, with its invariants; invariants.ts checks them all. The
 * procedures are functions in the folders above, each taking the connection first.
 * Read first: RFC 9293 sections 3.3 and 3.10.
 */

import { seqGt } from '../../../base/sequence.ts';
import { Callout } from '../../../kern/callout.ts';
import { PROTOCOL_TCP } from '../../../wire/ipv4.ts';
import type { Path } from '../../ip/transport.ts';
import type { TcpContext } from '../shared/context.ts';
import type { PortUse } from '../shared/port-use.ts';
import { CONGESTION_NEWRENO } from '../shared/settings.ts';
import { AckSchedule } from './ack-schedule.ts';
import { ActivityTimes, ConnectionTotals, WindowUse } from './activity.ts';
import type { CongestionControl } from './congestion/control.ts';
import { Cubic } from './congestion/cubic.ts';
import type { HyStart } from './congestion/hystart.ts';
import { NewReno } from './congestion/newreno.ts';
import type { ConnectionOptions } from './connection-options.ts';
import { EcnState } from './ecn-state.ts';
import { LossRecovery, RateReduction } from './loss-recovery.ts';
import type { MtuSearch } from './mtu-search.ts';
import type { Pacer } from './pacer.ts';
import { RackState } from './rack-state.ts';
import { ReassemblyQueue } from './reassembly.ts';
import { ReceiveBuffer } from './receive-buffer.ts';
import { ReceiveSequence } from './receive-sequence.ts';
import { RetransmissionState } from './retransmission.ts';
import { RttEstimator } from './rtt.ts';
import { Scoreboard } from './scoreboard.ts';
import { SegmentSizes } from './segment-sizes.ts';
import { SendBuffer } from './send-buffer.ts';
import { SendSequence } from './send-sequence.ts';
import { CLOSED } from './states.ts';
import { TimestampState } from './timestamps.ts';
import { UndoState } from './undo-state.ts';
import { UrgentState } from './urgent-state.ts';

/**
 * The user of a connection: the socket layer, or a program inside the kernel. Called while segments are processed, so it
 * only takes note.
 */
export interface ConnectionOwner {
  onReadable(): void;
  onWritable(): void;
  onConnected(): void;
  /** The FIN we sent was acknowledged. */
  onSent(): void;
  /** The connection ended by an error: `connection.error`. */
  onError(): void;
  /** The peer says that urgent data is coming, or more of it (urgent.ts). */
  onUrgent?(): void;
}

/** Handlers of a connection's timers (tcp/timers.ts), set by the stack. */
export interface ConnectionTimers {
  onRetransmit(c: Connection, nowUs: number): void;
  onProbe(c: Connection, nowUs: number): void;
  onAck(c: Connection, nowUs: number): void;
  onSlow(c: Connection, nowUs: number): void;
  onPace(c: Connection, nowUs: number): void;
}

/** The queue of connections with work (tcp/work-queue.ts). */
export interface ConnectionQueue {
  enqueue(c: Connection): void;
  awaitRoom(c: Connection): void;
  awaitMemory(c: Connection, nowUs: number): void;
  holdRings(c: Connection, nowUs: number): void;
  forgetRings(c: Connection): void;
}

/** The stack as its connections see it: what they share, and the tables that hold them (tcp/state.ts). */
export interface ConnectionStack extends TcpContext {
  readonly timers: ConnectionTimers;
  readonly work: ConnectionQueue;
  readonly tables: { remove(c: Connection): void; holdAddresses(c: Connection): void };
  readonly timeWait: { enter(c: Connection, nowUs: number): void };
}

export class Connection {
  readonly stack: ConnectionStack;
  readonly options: ConnectionOptions;
  owner: ConnectionOwner | null = null;
  state: number = CLOSED;
  /** Why the connection ended, as -errno; reported once by the user calls. */
  error: number = 0;
  /** `error` was reported: from now on reading gives the end of the stream. */
  ended: boolean = false;
  /** Last ICMP error or failed route that does not end the connection by itself (RFC 9293 3.9.2.2), as -errno. */
  softError: number = 0;

  localAddress: number = 0;
  localPort: number = 0;
  peerAddress: number = 0;
  peerPort: number = 0;
  /** Both ports in one word: how the demultiplexer stores them, and the first word of every header. */
  ports: number = 0;
  /** Position in the stack's list, -1 when it is not entered. */
  index: number = -1;
  path: Path | null = null;
  portUse: PortUse | null = null;
  /** Sum of the pseudo-header without the length. */
  pseudoSum: number = 0;

  readonly snd: SendSequence = new SendSequence();
  readonly rcv: ReceiveSequence = new ReceiveSequence();
  readonly size: SegmentSizes = new SegmentSizes();
  readonly ts: TimestampState = new TimestampState();
  /** SACK was agreed on; so was window scale. */
  sackOk: boolean = false;
  scaleOk: boolean = false;
  readonly acks: AckSchedule = new AckSchedule();
  readonly urgent: UrgentState = new UrgentState();

  // Loss recovery and congestion.
  readonly rtt: RttEstimator;
  readonly congestion: CongestionControl;
  readonly scoreboard: Scoreboard = new Scoreboard();
  readonly rack: RackState = new RackState();
  readonly ecn: EcnState = new EcnState();
  readonly undo: UndoState = new UndoState();
  /** Made when needed: by the first growth over a long round trip, by pacing, by a search for the path's MTU. */
  hystart: HyStart | null = null;
  pacer: Pacer | null = null;
  mtuSearch: MtuSearch | null = null;
  /** New data is spread over the round trip (pacing.ts). */
  paced: boolean = false;
  readonly loss: LossRecovery = new LossRecovery();
  readonly prr: RateReduction = new RateReduction();
  readonly use: WindowUse = new WindowUse();
  readonly rtx: RetransmissionState = new RetransmissionState();

  // Timers.
  readonly retransmitTimer: Callout;
  /** RACK's reordering timer, or the tail loss probe. */
  readonly probeTimer: Callout;
  readonly ackTimer: Callout;
  /** Keep-alive; FIN_WAIT_2 and linger of a closed socket. */
  readonly slowTimer: Callout;
  /** Keep-alive probes since the last segment of the peer. */
  keepProbes: number = 0;

  readonly times: ActivityTimes = new ActivityTimes();
  readonly totals: ConnectionTotals = new ConnectionTotals();

  /** Segments to be sent, and the end, before the procedure at hand returns: `DUE_*` of due.ts. */
  due: number = 0;

  // Work the stack holds for this connection.
  queued: boolean = false;
  /** The last output stopped because IP took no more. */
  blocked: boolean = false;
  /** On the stack's list of connections waiting for room. */
  waiting: boolean = false;
  /** On the stack's list of connections waiting for memory. */
  awaitsMemory: boolean = false;
  /** Place in the stack's list of connections with rings that may become idle; -1: not there. */
  holderIndex: number = -1;

  readonly sendBuffer: SendBuffer;
  readonly receiveBuffer: ReceiveBuffer;
  readonly reassembly: ReassemblyQueue = new ReassemblyQueue();

  constructor(stack: ConnectionStack, options: ConnectionOptions) {
    const { settings, heap, bulk, timers } = stack;
    this.stack = stack;
    this.options = options;
    this.rtt = new RttEstimator(settings.rtoInitialMs.value, settings.rtoMinMs.value, settings.rtoMaxMs.value);
    this.congestion = settings.congestionControl.value === CONGESTION_NEWRENO ? new NewReno() : new Cubic();
    this.sendBuffer = new SendBuffer(heap, bulk, options.sendBufferBytes || settings.sendBytes);
    this.receiveBuffer = new ReceiveBuffer(heap, bulk, options.receiveBufferBytes || settings.receiveBytes);
    this.sendBuffer.fixed = options.sendBufferBytes > 0;
    this.receiveBuffer.fixed = options.receiveBufferBytes > 0;
    this.acks.quick = settings.quickAcks.value;
    this.retransmitTimer = new Callout((nowUs) => timers.onRetransmit(this, nowUs));
    this.probeTimer = new Callout((nowUs) => timers.onProbe(this, nowUs));
    this.ackTimer = new Callout((nowUs) => timers.onAck(this, nowUs));
    this.slowTimer = new Callout((nowUs) => timers.onSlow(this, nowUs));
  }

  /** `addressSum` is that of both addresses (`Path.addressSum`). */
  setTuple(localAddress: number, localPort: number, peerAddress: number, peerPort: number, addressSum: number): void {
    this.localAddress = localAddress;
    this.localPort = localPort;
    this.peerAddress = peerAddress;
    this.peerPort = peerPort;
    this.ports = (localPort << 16) | peerPort;
    this.pseudoSum = addressSum + PROTOCOL_TCP;
  }

  /** Bytes in flight as the sender believes: `pipe` of RFC 6675. */
  get pipeBytes(): number {
    const board = this.scoreboard;
    const outstanding = (this.snd.nxt - this.snd.una) | 0;
    return outstanding - board.sackedBytes - board.lostBytes + board.retransmittedBytes - this.loss.renoSackedBytes;
  }

  /** Neither data nor a FIN waits to be sent for the first time. */
  get sendBufferIdle(): boolean {
    const unsent = (this.sendBuffer.endSeq - this.snd.nxt) | 0;
    return unsent < 0 || (unsent === 0 && !this.snd.finQueued);
  }

  /** Whether the FIN has been sent. */
  get finSent(): boolean {
    return this.snd.finQueued && seqGt(this.snd.nxt, this.sendBuffer.endSeq);
  }

  /** In-order bytes not read yet. The FIN takes a sequence number and is no byte. */
  get readableBytes(): number {
    return (this.rcv.nxt - this.receiveBuffer.readSeq - (this.rcv.finReceived ? 1 : 0)) | 0;
  }

  /** Nobody will read what was received. */
  discardReceived(): void {
    this.reassembly.clear();
    this.receiveBuffer.discard((this.rcv.nxt - (this.rcv.finReceived ? 1 : 0)) | 0);
  }

  /** Give back the memory of empty rings when nothing moved since `sinceUs`. Returns whether no ring has any now. */
  releaseIdleRings(sinceUs: number): boolean {
    if (this.times.receivedUs > sinceUs || this.times.dataSentUs > sinceUs) return false;
    if (this.sendBuffer.usedBytes === 0) this.sendBuffer.ring.release();
    if (this.readableBytes === 0 && this.reassembly.count === 0) this.receiveBuffer.ring.release();
    return this.sendBuffer.ring.capacity === 0 && this.receiveBuffer.ring.capacity === 0;
  }
}
