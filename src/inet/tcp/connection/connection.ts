/**
 * The transmission control block: everything TCP knows of one connection.
 *
 * Thread: the one that runs the kernel. Names are those of RFC 9293 section 3.3.1 (SND.UNA is `sndUna`) and of the RFCs
 * cited beside them. The procedures are functions in the files beside this one, each taking the connection first; only
 * what every one of them needs is a method here.
 * Read first: RFC 9293 sections 3.3 and 3.10.
 */

import { Callout } from '../../../kern/callout.ts';
import { PROTOCOL_TCP } from '../../../wire/ipv4.ts';
import type { Path } from '../../ip/transport.ts';
import type { TcpContext } from '../shared/context.ts';
import type { PortUse } from '../shared/port-use.ts';
import { CONGESTION_NEWRENO } from '../shared/settings.ts';
import type { CongestionControl } from './congestion/control.ts';
import { Cubic } from './congestion/cubic.ts';
import type { HyStart } from './congestion/hystart.ts';
import { NewReno } from './congestion/newreno.ts';
import type { ConnectionOptions } from './connection-options.ts';
import { EcnState } from './ecn-state.ts';
import type { MtuSearch } from './mtu-search.ts';
import type { Pacer } from './pacer.ts';
import { RackState } from './rack-state.ts';
import { ReassemblyQueue } from './reassembly.ts';
import { ReceiveBuffer } from './receive-buffer.ts';
import { RttEstimator } from './rtt.ts';
import { Scoreboard } from './scoreboard.ts';
import { SendBuffer } from './send-buffer.ts';
import { CLOSED, RECOVERY_NONE } from './states.ts';
import { UndoState } from './undo-state.ts';

/** The user of a connection: the socket layer, or a program inside the kernel. Called while segments are processed, so it only takes note. */
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
  holdRings(c: Connection, nowUs: number): void;
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

  // Send sequence space.
  iss: number = 0;
  sndUna: number = 0;
  sndNxt: number = 0;
  /** SND.NXT, or one more while a window probe is out. */
  sndMax: number = 0;
  sndWnd: number = 0;
  sndWl1: number = 0;
  sndWl2: number = 0;
  /** Largest window the peer offered: half of it is worth a segment (RFC 9293 3.8.6.2.1). */
  maxSndWnd: number = 0;
  sndScale: number = 0;
  /** The program will write no more; the FIN follows the data. */
  finQueued: boolean = false;
  /** End of the last segment sent that was not full (Minshall's form of Nagle's algorithm). */
  smallEndSeq: number = 0;
  /** Urgent data is under way; SND.UP is its end. */
  urgentOut: boolean = false;
  sndUp: number = 0;

  // Receive sequence space.
  irs: number = 0;
  rcvNxt: number = 0;
  /** Right edge of the window, as advertised: RCV.NXT + RCV.WND. */
  rcvAdv: number = 0;
  rcvScale: number = 0;
  /** RCV.UP, counted in bytes from the beginning of the stream so that it never wraps. */
  rcvUp: number = 0;
  /** Last.ACK.sent of RFC 7323. */
  lastAckSent: number = 0;
  finReceived: boolean = false;
  /** The program reads no more: data that arrives is answered by a reset. */
  readClosed: boolean = false;
  /** Largest segment the peer is seen to send: two of them are worth an ACK. */
  rcvMss: number = 536;

  // Segment sizes.
  /** From the peer's SYN: largest payload it takes, options not counted. */
  peerMss: number = 536;
  /** Payload of a full segment now, timestamps deducted. */
  mss: number = 536;
  /** Payload of the longest segment or super-frame now. */
  segmentMax: number = 536;
  /** The link takes segments whose checksum is not filled in. */
  checksumPartial: boolean = false;
  /** `path.mtuBytes` and `path.maxPacketBytes` from which the two were made. */
  mssMtuBytes: number = 0;
  mssPacketBytes: number = 0;

  // Negotiated options.
  tsOk: boolean = false;
  sackOk: boolean = false;
  scaleOk: boolean = false;
  tsOffset: number = 0;
  tsRecent: number = 0;
  /** When `tsRecent` was set; it expires after 24 days (RFC 7323 5.5). */
  tsRecentUs: number = -0.5;

  // Acknowledging.
  /** An ACK must go out with the next work. */
  ackNow: boolean = false;
  /** Segments left that are acknowledged at once. */
  quickAcks: number = 0;
  /** The program answers what it receives, so ACKs wait to ride on data. */
  interactive: boolean = false;
  dsackStart: number = 0;
  dsackEnd: number = 0;

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
  recovery: number = RECOVERY_NONE;
  /** RecoveryPoint of RFC 6675, `recover` of RFC 6582. */
  recoveryPoint: number = 0;
  recoverValid: boolean = false;
  dupAcks: number = 0;
  /** Without SACK: bytes that duplicate ACKs say have left the network. */
  renoSackedBytes: number = 0;
  /** RFC 6675's rescue retransmission was made in this recovery. */
  rescued: boolean = false;
  /** The first retransmission of a recovery goes whatever the window (RFC 6675 section 5, step 4.3). */
  retransmitDue: boolean = false;
  /** PRR (RFC 6937): delivered and sent since the recovery began, what was in flight then. */
  prrDelivered: number = 0;
  prrStartBytes: number = 0;
  prrFlight: number = 0;
  /** SND.UNA when ACKs of `batchUs` began to arrive, or when something was sent in return. */
  batchUna: number = 0;
  batchUs: number = -0.5;
  /** The window, not the program, limited what was sent since the last ACK. */
  windowLimited: boolean = false;
  /** No further round-trip sample until this is acknowledged. */
  sampleSeq: number = 0;
  synRetransmitted: boolean = false;

  // Timers.
  readonly retransmitTimer: Callout;
  /** RACK's reordering timer, or the tail loss probe. */
  readonly probeTimer: Callout;
  readonly ackTimer: Callout;
  /** Keep-alive; FIN_WAIT_2 and linger of a closed socket. */
  readonly slowTimer: Callout;
  timerMode: number = 0;
  /** Timeouts in a row without progress. */
  timeouts: number = 0;
  /** When that row began. */
  stalledUs: number = -0.5;
  keepProbes: number = 0;

  // Times, microseconds.
  lastReceivedUs: number = -0.5;
  lastSentUs: number = -0.5;
  lastDataSentUs: number = -0.5;
  synSentUs: number = -0.5;
  lastDataReceivedUs: number = -0.5;
  confirmedUs: number = -0.5;
  invalidAckUs: number = -0.5;

  /** Segments to be sent, and the end, before the procedure at hand returns: `DUE_*` of due.ts. */
  due: number = 0;

  // Work the stack holds for this connection.
  queued: boolean = false;
  /** The last output stopped because IP took no more. */
  blocked: boolean = false;
  /** On the stack's list of connections waiting for room. */
  waiting: boolean = false;
  /** On the stack's list of connections with rings that may become idle. */
  holding: boolean = false;

  retransmits: number = 0;
  bytesSent: number = 0;
  bytesRetransmitted: number = 0;
  bytesReceived: number = 0;

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
    this.quickAcks = settings.quickAcks.value;
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
    const outstanding = (this.sndNxt - this.sndUna) | 0;
    return outstanding - board.sackedBytes - board.lostBytes + board.retransmittedBytes - this.renoSackedBytes;
  }

  /** Neither data nor a FIN waits to be sent for the first time. */
  get sendBufferIdle(): boolean {
    const unsent = (this.sendBuffer.endSeq - this.sndNxt) | 0;
    return unsent < 0 || (unsent === 0 && !this.finQueued);
  }

  /** Whether the FIN has been sent. */
  get finSent(): boolean {
    return this.finQueued && ((this.sndNxt - this.sendBuffer.endSeq) | 0) > 0;
  }

  /** In-order bytes not read yet. The FIN takes a sequence number and is no byte. */
  get readableBytes(): number {
    return (this.rcvNxt - this.receiveBuffer.readSeq - (this.finReceived ? 1 : 0)) | 0;
  }

  /** Nobody will read what was received. */
  discardReceived(): void {
    this.reassembly.clear();
    this.receiveBuffer.discard((this.rcvNxt - (this.finReceived ? 1 : 0)) | 0);
  }

  /** Give back the memory of empty rings when nothing moved since `sinceUs`. Returns whether no ring has any now. */
  releaseIdleRings(sinceUs: number): boolean {
    if (this.lastReceivedUs > sinceUs || this.lastDataSentUs > sinceUs) return false;
    if (this.sendBuffer.usedBytes === 0) this.sendBuffer.ring.release();
    if (this.readableBytes === 0 && this.reassembly.count === 0) this.receiveBuffer.ring.release();
    return this.sendBuffer.ring.capacity === 0 && this.receiveBuffer.ring.capacity === 0;
  }
}
