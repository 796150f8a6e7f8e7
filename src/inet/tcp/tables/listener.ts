/**
 * Listeners and their half-open connections.
 *
 * Thread: the one that runs the CPU. A half-open connection is a {@link SynEntry}, a fraction of a connection's size. The
 * procedures are in tcp/listen.ts and tcp/syn-queue.ts.
 * Read first: RFC 4987 section 3.
 */

import { Callout, type CalloutTable } from '../../../kern/callout.ts';
import type { IpService, Path } from '../../ip/transport.ts';
import type { Connection } from '../connection/connection.ts';
import type { ConnectionOptions } from '../connection/connection-options.ts';
import type { PortUse } from '../shared/port-use.ts';

export interface ListenerOwner {
  /** A connection is complete and waits for accept. */
  onAcceptable(): void;
}

export class Listener {
  /** Number of the CPU whose program listens. */
  readonly cpu: number;
  readonly address: number;
  readonly port: number;
  readonly portUse: PortUse;
  readonly options: ConnectionOptions;
  backlog: number;
  owner: ListenerOwner | null;
  readonly acceptQueue: Connection[] = [];
  /** Half-open connections, oldest first. */
  readonly synQueue: Set<SynEntry> = new Set();

  constructor(cpu: number, portUse: PortUse, options: ConnectionOptions, backlog: number, owner: ListenerOwner | null) {
    this.cpu = cpu;
    this.address = portUse.address;
    this.port = portUse.port;
    this.portUse = portUse;
    this.options = options;
    this.backlog = backlog;
    this.owner = owner;
  }

  /** The accept queue is full when it holds one more than the backlog, as Linux counts. */
  get full(): boolean {
    return this.acceptQueue.length > this.backlog;
  }
}

/** TCP of the CPU on which a half-open connection lives. */
export interface SynEntryStack {
  readonly ip: IpService;
  readonly callouts: CalloutTable;
  readonly tables: { removeSynEntry(entry: SynEntry): void };
}

export class SynEntry {
  readonly stack: SynEntryStack;
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
  /** The entry is in no table: the SYN-ACK carries all of it. */
  cookie: boolean = false;
  retransmits: number = 0;
  sentUs: number = -0.5;

  /** `onTimer` repeats the SYN-ACK, or gives up. */
  constructor(stack: SynEntryStack, listener: Listener, path: Path, onTimer: (entry: SynEntry, nowUs: number) => void) {
    this.stack = stack;
    this.listener = listener;
    this.path = path;
    this.timer = new Callout((nowUs) => onTimer(this, nowUs));
  }

  get rcvNxt(): number {
    return (this.irs + 1) | 0;
  }
}
