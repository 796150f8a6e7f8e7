/**
 * A listening TCP socket of a kernel for a program outside of it, and its connections as `Duplex`es.
 *
 * Thread: the client's. Read first: ListenerEvent in sys/control.ts, tcp-connection.ts.
 */

import { Errno, errnoName, MultikernelError } from '../base/errors.ts';
import type { KernelClient, StreamHandle, StreamSink } from '../rump/kernel-client.ts';
import type { ConnectionEvent, ConnectionInput, ListenerEvent, ListenerInput } from '../sys/control.ts';
import { formatIp } from '../wire/ip-address.ts';
import { KernelConnection } from './tcp-connection.ts';

export interface ListenerHandlers {
  listening(): void;
  connection(connection: AcceptedConnection): void;
  /** It listens no more; null: it was closed. Its connections have ended too. */
  ended(error: Error | null): void;
}

/** Events of a connection, kept until its `Duplex` is constructed. */
class EarlyEvents {
  #sink: StreamSink<ConnectionEvent> | null = null;
  readonly #early: ((sink: StreamSink<ConnectionEvent>) => void)[] = [];

  give(event: (sink: StreamSink<ConnectionEvent>) => void): void {
    if (this.#sink === null) this.#early.push(event);
    else event(this.#sink);
  }

  /** On the next turn: the Duplex has its handle by then. */
  open(sink: StreamSink<ConnectionEvent>): void {
    queueMicrotask(() => {
      this.#sink = sink;
      for (const event of this.#early.splice(0)) event(sink);
    });
  }
}

export class AcceptedConnection extends KernelConnection {
  readonly remoteAddress: string;
  readonly remotePort: number;

  constructor(events: EarlyEvents, handle: StreamHandle<ConnectionInput>, address: string, port: number) {
    super((sink) => {
      events.open(sink);
      return handle;
    }, `${address}:${port}`);
    this.remoteAddress = address;
    this.remotePort = port;
  }
}

export class TcpListener {
  readonly #handle: StreamHandle<ListenerInput>;
  readonly #handlers: ListenerHandlers;
  readonly #connections: Map<number, EarlyEvents> = new Map();

  constructor(client: KernelClient, port: number, handlers: ListenerHandlers) {
    this.#handlers = handlers;
    this.#handle = client.open(
      'listener',
      { port },
      { event: (event) => this.#event(event), end: (error) => this.#end(error) },
    );
  }

  /** Its connections are closed. */
  close(): void {
    this.#handle.close();
  }

  #event(event: ListenerEvent): void {
    switch (event.type) {
      case 'listening':
        this.#handlers.listening();
        return;
      case 'accepted':
        this.#accepted(event.id, formatIp(event.peer), event.peerPort);
        return;
      case 'connection':
        this.#connections.get(event.id)?.give((sink) => sink.event(event.event));
        return;
      case 'ended':
        this.#connections.get(event.id)?.give((sink) => sink.end(errorOf(event.errno)));
        this.#connections.delete(event.id);
    }
  }

  #accepted(id: number, address: string, port: number): void {
    const events = new EarlyEvents();
    const local = { family: 4 as const, w0: 0, w1: 0, w2: 0, w3: 0, scopeId: 0 };
    events.give((sink) => sink.event({ type: 'connected', local, localPort: 0 }));
    this.#connections.set(id, events);
    const handle: StreamHandle<ConnectionInput> = {
      send: (input) => {
        if (this.#connections.has(id)) this.#handle.send({ type: 'connection', id, input });
      },
      close: () => {
        if (this.#connections.has(id)) this.#handle.send({ type: 'close', id });
      },
    };
    this.#handlers.connection(new AcceptedConnection(events, handle, address, port));
  }

  #end(error: Error | null): void {
    const gone = error ?? errorOf(-Errno.ECONNRESET);
    for (const events of this.#connections.values()) events.give((sink) => sink.end(gone));
    this.#connections.clear();
    this.#handlers.ended(error);
  }
}

function errorOf(errno: number): MultikernelError | null {
  return errno === 0 ? null : new MultikernelError(errnoName(errno), errnoName(errno));
}
