/**
 * A TCP connection that the kernel makes for a program outside of it: HTTP checks, `nc`.
 *
 * Thread: the one that runs the kernel. Incoming data waits in the socket until the reader gives credit, so a slow reader closes
 * the window as a slow program does.
 * Cold: connections by hand, for tools.
 */

import { Errno, errnoName, MultikernelError } from '../base/errors.ts';
import {
  EVENT_CONNECTED,
  EVENT_ERROR,
  EVENT_READABLE,
  EVENT_WRITABLE,
  type SocketAddress,
  type StreamSocket,
} from '../socket/socket.ts';
import { CONNECTION_WINDOW_BYTES, type ConnectionEvent, type StreamHandle, type StreamSink } from './control.ts';
import { ipAddressOf } from './control-address.ts';
import * as input from './control-input.ts';

/** Bytes of one `write` of a client. */
const WRITE_BYTES_MAX = 1024 * 1024;

export class ConnectionStream implements StreamHandle<unknown> {
  readonly #socket: StreamSocket;
  readonly #sink: StreamSink<ConnectionEvent>;
  readonly #writes: { bytes: Uint8Array; sent: number }[] = [];
  #credit = CONNECTION_WINDOW_BYTES;
  #peerEnded = false;
  #ending = false;
  #closed = false;

  /** `socket` is new and not connected. */
  constructor(socket: StreamSocket, sink: StreamSink<ConnectionEvent>) {
    this.#socket = socket;
    this.#sink = sink;
    socket.onEvents = (events) => this.#events(events);
  }

  connect(address: SocketAddress): void {
    const result = this.#socket.connect(address);
    if (result < 0 && result !== -Errno.EINPROGRESS) this.#finish(result);
  }

  /** A {@link ConnectionInput}, unchecked. Throws EINVAL. */
  send(message: unknown): void {
    if (this.#closed) return;
    const fields = input.fieldsOf(message, 'input');
    switch (fields.type) {
      case 'write':
        this.#writes.push({ bytes: input.bytes(fields, 'bytes', WRITE_BYTES_MAX), sent: 0 });
        this.#write();
        return;
      case 'credit':
        this.#credit += input.integer(fields, 'bytes', 0, CONNECTION_WINDOW_BYTES - this.#credit);
        this.#read();
        return;
      case 'end':
        this.#ending = true;
        this.#write();
        return;
      default:
        throw new MultikernelError('EINVAL', 'type: no input of a connection');
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
    this.#sink.end(error === 0 ? null : new MultikernelError(errnoName(error), errnoName(error)));
  }

  #events(events: number): void {
    if ((events & (EVENT_CONNECTED | EVENT_ERROR)) !== 0 && this.#socket.error < 0) {
      this.#finish(this.#socket.error);
      return;
    }
    if (events & EVENT_CONNECTED) {
      const local = this.#socket.local.unmap();
      this.#sink.event({ type: 'connected', local: ipAddressOf(local), localPort: local.port });
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
        this.#sink.event({ type: 'end' });
        if (this.#ending && this.#writes.length === 0) this.#finish(0);
      } else {
        this.#credit -= count;
        this.#sink.event({ type: 'data', bytes: bytes.slice(0, count) });
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
      this.#sink.event({ type: 'written' });
    }
    if (!this.#ending) return;
    this.#socket.shutdown();
    if (this.#peerEnded) this.#finish(0);
  }
}
