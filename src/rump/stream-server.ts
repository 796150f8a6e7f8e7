/**
 * One stream socket of a client: moves bytes and events between the kernel and the session, with a window in each direction.
 * Thread: the one that runs the kernel.
 */

import { Errno } from '../base/errors.ts';
import {
  EVENT_ACCEPTABLE,
  EVENT_CONNECTED,
  EVENT_ERROR,
  EVENT_READABLE,
  EVENT_WRITABLE,
  type StreamSocket,
} from '../socket/socket.ts';
import { ACCEPTED, CREDIT, DATA, END, EVENT, EVENTS, HEADER_BYTES, WINDOW_BYTES, writeHeader } from './protocol.ts';
import type { ClientPort } from './session.ts';
import { type Consumer, join, leave } from './shared-socket.ts';

/** The client as its sockets see it. */
export interface SocketClient {
  readonly client: ClientPort;
  /** It may have no more sockets. */
  readonly full: boolean;
  /** A listening socket that may go on when the client has closed another. */
  acceptLater(listener: StreamServer): void;
  /** A number for a connection that arrived. */
  adoptAccepted(socket: StreamSocket): number;
  forget(id: number): void;
}

const READ_BYTES = 65536;

export class StreamServer implements Consumer {
  readonly socket: StreamSocket;
  readonly #id: number;
  readonly #owner: SocketClient;
  readonly #client: ClientPort;
  readonly #out: Uint8Array[] = [];
  #outAt = 0;
  #outBytes = 0;
  #window = WINDOW_BYTES;
  #ended = false;
  #shutdown = false;
  #closing = false;
  #connected: boolean;
  readonly interested = true;

  /** `shared`: others have the socket open too. */
  constructor(socket: StreamSocket, id: number, owner: SocketClient, shared: boolean) {
    this.socket = socket;
    this.#id = id;
    this.#owner = owner;
    this.#client = owner.client;
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
    if ((events & EVENT_ACCEPTABLE) !== 0) this.acceptAll();
    if (!this.#connected) return;
    if ((events & (EVENT_READABLE | EVENT_ERROR)) !== 0) this.pump();
    if ((events & (EVENT_WRITABLE | EVENT_ERROR)) !== 0) this.#flush();
    if ((events & EVENT_ERROR) !== 0 && !this.#closing) this.#state(EVENT_ERROR);
  };

  #state(event: number): void {
    const { error, local } = this.socket;
    this.#client.event(EVENTS, this.#id, event, error, undefined, local);
  }

  /** Accept what waits, as far as the client may have more sockets; the rest stays in the backlog until it closes one. */
  acceptAll(): void {
    while (!this.#closing) {
      if (this.#owner.full) {
        this.#owner.acceptLater(this);
        return;
      }
      const accepted = this.socket.accept();
      if (accepted === null) return;
      const { local, peer } = accepted;
      const id = this.#owner.adoptAccepted(accepted);
      this.#client.event(ACCEPTED, this.#id, id, 0, undefined, local, peer);
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
        if (count === 0) this.#client.event(END, this.#id);
        else this.#client.event(EVENTS, this.#id, EVENT_ERROR, count);
        return;
      }
      this.#window -= count;
      writeHeader(frame, count, EVENT, DATA, 0, this.#id);
      this.#client.rawEvent(frame.subarray(0, HEADER_BYTES + count));
    }
  }

  /** The client has read that many bytes; false when it cannot have. */
  consumed(bytes: number): boolean {
    if (bytes < 0 || this.#window + bytes > WINDOW_BYTES) return false;
    this.#window += bytes;
    this.pump();
    return true;
  }

  /** False when the client sends more than its credit. */
  send(bytes: Uint8Array): boolean {
    if (this.#outBytes + bytes.length > WINDOW_BYTES) return false;
    if (bytes.length === 0) return true;
    const out = this.#out;
    out.push(bytes);
    this.#outBytes += bytes.length;
    this.#flush();
    // A few bytes that wait must not keep the whole chunk that they came in.
    const last = out.length - 1;
    if (out[last] === bytes && bytes.buffer.byteLength > 2 * bytes.length) out[last] = bytes.slice();
    return true;
  }

  #flush(): void {
    let taken = 0;
    while (this.#out.length > 0) {
      const bytes = this.#out[0] as Uint8Array;
      const count = this.socket.send(bytes, this.#outAt, bytes.length - this.#outAt);
      if (count === -Errno.EAGAIN) break;
      if (count < 0) {
        this.#out.length = 0;
        this.#outBytes = 0;
        this.#client.event(EVENTS, this.#id, EVENT_ERROR, count);
        break;
      }
      taken += count;
      this.#outBytes -= count;
      this.#outAt += count;
      if (this.#outAt < bytes.length) break;
      this.#out.shift();
      this.#outAt = 0;
    }
    if (taken > 0 && !this.#closing) this.#client.event(CREDIT, this.#id, taken);
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
    this.#owner.forget(this.#id);
    if (!leave(this.socket, this)) return;
    if (abort) this.socket.abort();
    else this.socket.close();
  }
}
