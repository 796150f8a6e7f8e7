/**
 * A TCP connection that the kernel makes for somebody outside the lab: HTTP checks, `mk exec NODE -- nc`.
 *
 * Thread: the worker that runs the kernel. Incoming data waits in the socket until the reader has credit, so a slow reader
 * closes the window as a slow program would.
 */

import { Errno } from '../base/errors.ts';
import type { Kernel } from '../kernel/kernel.ts';
import {
  CONNECTION_WINDOW_BYTES,
  type ConnectionEvent,
  type ConnectionInput,
  type ConnectionOptions,
} from '../lab/messages.ts';
import {
  EVENT_CONNECTED,
  EVENT_ERROR,
  EVENT_READABLE,
  EVENT_WRITABLE,
  SocketAddress,
  type StreamSocket,
} from '../socket/socket.ts';

export class ConnectionStream {
  readonly #kernel: Kernel;
  readonly #socket: StreamSocket;
  readonly #emit: (event: ConnectionEvent) => void;
  readonly #end: (error: number) => void;
  readonly #writes: { bytes: Uint8Array; sent: number }[] = [];
  #credit = CONNECTION_WINDOW_BYTES;
  #peerEnded = false;
  #ending = false;
  #closed = false;

  /** To be connected to `address`. `end` is called once, with 0 or -errno, when the connection is over. */
  constructor(kernel: Kernel, address: string, emit: (event: ConnectionEvent) => void, end: (error: number) => void) {
    this.#kernel = kernel;
    this.#socket = kernel.sockets.stream(address.includes(':') ? 6 : 4);
    this.#emit = emit;
    this.#end = end;
    this.#socket.onEvents = (events) => this.#events(events);
  }

  connect(options: ConnectionOptions): void {
    const address = SocketAddress.from(options.address, options.port, this.#kernel.sockets);
    const result = address === null ? -Errno.EINVAL : this.#socket.connect(address);
    if (result < 0 && result !== -Errno.EINPROGRESS) this.#finish(result);
  }

  input(input: ConnectionInput): void {
    if (this.#closed) return;
    if (input.type === 'write') {
      this.#writes.push({ bytes: input.bytes, sent: 0 });
      this.#write();
    } else if (input.type === 'credit') {
      this.#credit += input.bytes;
      this.#read();
    } else {
      this.#ending = true;
      this.#write();
    }
  }

  close(): void {
    this.#finish(0);
  }

  #finish(error: number): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.onEvents = null;
    if (error === 0) this.#socket.close();
    else this.#socket.abort();
    this.#end(error);
  }

  #events(events: number): void {
    if ((events & (EVENT_CONNECTED | EVENT_ERROR)) !== 0 && this.#socket.error < 0) {
      this.#finish(this.#socket.error);
      return;
    }
    if (events & EVENT_CONNECTED) {
      const local = this.#socket.local.unmap();
      this.#emit({ type: 'connected', localAddress: local.format(this.#kernel.sockets), localPort: local.port });
    }
    if (events & EVENT_READABLE) this.#read();
    if (!this.#closed && events & (EVENT_WRITABLE | EVENT_CONNECTED)) this.#write();
  }

  #read(): void {
    while (!this.#closed && !this.#peerEnded && this.#credit > 0) {
      const bytes = new Uint8Array(Math.min(this.#credit, CONNECTION_WINDOW_BYTES));
      const count = this.#socket.receive(bytes, 0, bytes.length);
      if (count === -Errno.EAGAIN) return;
      if (count < 0) {
        this.#finish(count);
      } else if (count === 0) {
        this.#peerEnded = true;
        this.#emit({ type: 'end' });
        if (this.#ending && this.#writes.length === 0) this.#finish(0);
      } else {
        this.#credit -= count;
        this.#emit({ type: 'data', bytes: bytes.slice(0, count) });
      }
    }
  }

  #write(): void {
    for (let head = this.#writes[0]; head !== undefined; head = this.#writes[0]) {
      const count = this.#socket.send(head.bytes, head.sent, head.bytes.length - head.sent);
      if (count === -Errno.EAGAIN || count === -Errno.ENOTCONN) return;
      if (count < 0) {
        this.#finish(count);
        return;
      }
      head.sent += count;
      if (head.sent < head.bytes.length) return;
      this.#writes.shift();
      this.#emit({ type: 'written' });
    }
    if (!this.#ending) return;
    this.#socket.shutdown();
    if (this.#peerEnded) this.#finish(0);
  }
}
