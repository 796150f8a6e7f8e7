/**
 * One stream socket served to another process: moves its bytes and events between the kernel and the session's
 * connections, with a window in each direction. Thread: the one that runs the kernel.
 */

import { Errno } from '../base/errors.ts';
import {
  EVENT_ACCEPTABLE,
  EVENT_CONNECTED,
  EVENT_ERROR,
  EVENT_READABLE,
  EVENT_WRITABLE,
  type SocketAddress,
  type StreamSocket,
} from '../socket/socket.ts';
import { ACCEPTED, CREDIT, DATA, END, EVENTS, HEADER_BYTES, WINDOW_BYTES, writeHeader } from './share-protocol.ts';
import { type Consumer, join, leave } from './shared-socket.ts';

/** The session as its sockets see it. */
export interface ServedSession {
  /** A frame to the client, in order. */
  event(
    operation: number,
    socket: number,
    a?: number,
    b?: number,
    payload?: Uint8Array,
    ...addresses: SocketAddress[]
  ): void;
  raw(frame: Uint8Array): void;
  /** A number for a connection that arrived. */
  adoptAccepted(socket: StreamSocket): number;
  forget(id: number): void;
}

const READ_BYTES = 65536;

export class ServedStream implements Consumer {
  readonly socket: StreamSocket;
  readonly #id: number;
  readonly #session: ServedSession;
  readonly #out: Uint8Array[] = [];
  #outAt = 0;
  #window = WINDOW_BYTES;
  #ended = false;
  #shutdown = false;
  #closing = false;
  #connected: boolean;
  readonly interested = true;

  /** `shared`: others have the socket open too. */
  constructor(socket: StreamSocket, id: number, session: ServedSession, shared: boolean) {
    this.socket = socket;
    this.#id = id;
    this.#session = session;
    this.#connected = socket.peer.port !== 0;
    if (shared) join(socket, this);
    else socket.onEvents = this.onEvents;
  }

  readonly onEvents = (events: number): void => {
    const { socket } = this;
    if ((events & EVENT_CONNECTED) !== 0) {
      this.#connected = socket.error === 0;
      this.#state(EVENT_CONNECTED);
    }
    if ((events & EVENT_ACCEPTABLE) !== 0) this.#acceptAll();
    if (!this.#connected) return;
    if ((events & (EVENT_READABLE | EVENT_ERROR)) !== 0) this.pump();
    if ((events & (EVENT_WRITABLE | EVENT_ERROR)) !== 0) this.#flush();
    if ((events & EVENT_ERROR) !== 0 && !this.#closing) this.#state(EVENT_ERROR);
  };

  #state(event: number): void {
    const { error, local } = this.socket;
    this.#session.event(EVENTS, this.#id, event, error, undefined, local);
  }

  #acceptAll(): void {
    for (;;) {
      const accepted = this.socket.accept();
      if (accepted === null) return;
      const { local, peer } = accepted;
      const id = this.#session.adoptAccepted(accepted);
      this.#session.event(ACCEPTED, this.#id, id, 0, undefined, local, peer);
    }
  }

  /** Send the client what has arrived, as far as its window goes. */
  pump(): void {
    while (this.#connected && this.#window > 0 && !this.#ended) {
      const frame = new Uint8Array(HEADER_BYTES + Math.min(this.#window, READ_BYTES, this.socket.readableBytes || 1));
      const count = this.socket.receive(frame, HEADER_BYTES, frame.length - HEADER_BYTES);
      if (count === -Errno.EAGAIN) return;
      if (count <= 0) {
        this.#ended = true;
        if (count === 0) this.#session.event(END, this.#id);
        else this.#session.event(EVENTS, this.#id, EVENT_ERROR, count);
        return;
      }
      this.#window -= count;
      writeHeader(frame, count, DATA, this.#id, 0, 0, 0, 0);
      this.#session.raw(frame.subarray(0, HEADER_BYTES + count));
    }
  }

  /** The client has read that many bytes. */
  consumed(bytes: number): void {
    this.#window += bytes;
    this.pump();
  }

  send(bytes: Uint8Array): void {
    this.#out.push(bytes.slice());
    this.#flush();
  }

  #flush(): void {
    let taken = 0;
    while (this.#out.length > 0) {
      const bytes = this.#out[0] as Uint8Array;
      const count = this.socket.send(bytes, this.#outAt, bytes.length - this.#outAt);
      if (count === -Errno.EAGAIN) break;
      if (count < 0) {
        this.#out.length = 0;
        this.#session.event(EVENTS, this.#id, EVENT_ERROR, count);
        break;
      }
      taken += count;
      this.#outAt += count;
      if (this.#outAt < bytes.length) break;
      this.#out.shift();
      this.#outAt = 0;
    }
    if (taken > 0 && !this.#closing) this.#session.event(CREDIT, this.#id, taken);
    if (this.#out.length > 0) return;
    if (this.#shutdown) {
      this.#shutdown = false;
      this.socket.shutdown();
    }
    if (this.#closing) this.#end(false);
  }

  shutdown(): void {
    this.#shutdown = true;
    this.#flush();
  }

  /** Close once everything before it is on its way; at once, and with a reset, when something was left unread. */
  close(): void {
    this.#closing = true;
    this.#ended = true;
    if (this.#connected && this.socket.readableBytes > 0) this.#end(true);
    else this.#flush();
  }

  abort(): void {
    this.#end(true);
  }

  #end(abort: boolean): void {
    this.#session.forget(this.#id);
    if (!leave(this.socket, this)) return;
    if (abort) this.socket.abort();
    else this.socket.close();
  }
}
