/**
 * Flows of datagrams through one socket: each peer of it has a socket of its own on the far side, until nothing has come for a while.
 *
 * Thread: the supervisor's. The number of flows is bounded; the one that was quiet for longest makes room.
 */

import type { FlowBegin, FlowLog } from './flows.ts';

/** RFC 4787 requirement 5 asks for two minutes at least. */
export const FLOW_IDLE_MS = 120_000;
const LOOK_MS = 10_000;
export const FLOWS_MAX = 1024;

/** Socket of a flow on the far side. */
export interface FarSocket {
  /** False: it was dropped. */
  send(bytes: Uint8Array): boolean;
  close(): void;
}

/** A flow as its far side sees it. */
export interface NearFlow {
  /** Datagram of the server for the client. */
  reply(bytes: Uint8Array): void;
  /** The far side is gone. */
  ended(error: string): void;
}

/** The client of a flow, through the socket that its datagrams come to. */
export interface FlowClient {
  reply(bytes: Uint8Array): void;
  /** Tells it that the service refuses the datagram it came with; null: it does not hear of that. */
  readonly refuse: (() => void) | null;
}

interface Flow {
  /** The client, of the datagram that went last. */
  client: FlowClient;
  readonly far: FarSocket;
  lastMs: number;
  end(error: string | null): void;
}

export interface DatagramService {
  /** The flow of the client with this name. */
  describe(client: string): FlowBegin;
  connect(flow: NearFlow): FarSocket;
}

export class DatagramFlows {
  readonly #service: DatagramService;
  readonly #log: FlowLog;
  /** By client; the one that was quiet for longest first. */
  readonly #flows: Map<string, Flow> = new Map();
  readonly #timer: NodeJS.Timeout;

  constructor(service: DatagramService, log: FlowLog) {
    this.#service = service;
    this.#log = log;
    this.#timer = setInterval(() => this.#expire(performance.now()), LOOK_MS);
    this.#timer.unref();
  }

  /** A datagram of the client with this name. */
  take(name: string, bytes: Uint8Array, client: FlowClient): void {
    const known = this.#flows.get(name) ?? this.#open(name, client);
    known.lastMs = performance.now();
    this.#flows.delete(name);
    this.#flows.set(name, known);
    if (known.far.send(bytes)) known.client = client;
  }

  close(): void {
    clearInterval(this.#timer);
    for (const flow of [...this.#flows.values()]) flow.end(null);
  }

  #open(name: string, client: FlowClient): Flow {
    for (const oldest of this.#flows.values()) {
      if (this.#flows.size < FLOWS_MAX) break;
      oldest.end(null);
    }
    const told = this.#log.begin(this.#service.describe(name));
    const count = { sentBytes: 0, receivedBytes: 0 };
    let open = true;
    const socket = this.#service.connect({
      reply: (bytes) => {
        count.receivedBytes += bytes.length;
        flow.lastMs = performance.now();
        client.reply(bytes);
      },
      ended: (error) => {
        if (open && error === 'ECONNREFUSED') flow.client.refuse?.();
        flow.end(error);
      },
    });
    const far: FarSocket = {
      send: (bytes) => {
        const sent = socket.send(bytes);
        if (sent) count.sentBytes += bytes.length;
        return sent;
      },
      close: () => socket.close(),
    };
    const flow: Flow = {
      client,
      far,
      lastMs: 0,
      end: (error) => {
        if (!open) return;
        open = false;
        if (this.#flows.get(name) === flow) this.#flows.delete(name);
        far.close();
        told({ ...count, error, endedBy: error === null ? null : 'server' });
      },
    };
    return flow;
  }

  #expire(nowMs: number): void {
    for (const flow of [...this.#flows.values()]) if (nowMs - flow.lastMs > FLOW_IDLE_MS) flow.end(null);
  }
}
