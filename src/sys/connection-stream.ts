/**
 * TCP connections of programs outside of the kernel: HTTP checks, `nc`, ports of the host.
 *
 * Thread: the one that runs the kernel. A stream is a process with one descriptor. Incoming data waits in the socket until the
 * reader gives credit, so a slow reader closes the window as a slow program does. Read first: process-sockets.ts, watch.ts.
 * Cold: connections by hand, for tools.
 */

import { Errno, errnoName, MultikernelError } from '../base/errors.ts';
import type { SocketAddress } from '../socket/socket.ts';
import { SOCK_NONBLOCK } from './abi.ts';
import { CONNECTION_WINDOW_BYTES, type ConnectionEvent, type StreamHandle, type StreamSink } from './control.ts';
import { ipAddressOf } from './control-address.ts';
import * as input from './control-input.ts';
import { POLLERR, READABLE, WRITABLE } from './file.ts';
import type { Process } from './process.ts';
import { openStreamSocket } from './process-sockets.ts';
import type { StreamFile } from './socket-file.ts';
import { EventWatcher, type WakeQueue } from './watch.ts';

/** Bytes of one `write` of a client. */
const WRITE_BYTES_MAX = 1024 * 1024;

/** Holder of a served connection. */
export interface ConnectionHolder {
  event(event: ConnectionEvent): void;
  /** The connection is over, once: 0 or -errno. The holder closes its descriptor. */
  ended(error: number): void;
}

/** One connection between a socket and its client. */
export class ServedConnection extends EventWatcher {
  readonly #file: StreamFile;
  readonly #holder: ConnectionHolder;
  readonly #writes: { bytes: Uint8Array; sent: number }[] = [];
  #credit = CONNECTION_WINDOW_BYTES;
  #connected: boolean;
  #peerEnded = false;
  #ending = false;
  #closed = false;

  /** `connected`: it was accepted; `connected` is an event of others. */
  constructor(wakeups: WakeQueue, file: StreamFile, connected: boolean, holder: ConnectionHolder) {
    super(wakeups);
    this.#file = file;
    this.#holder = holder;
    this.#connected = connected;
    // Data comes in pieces that clients have put together.
    file.socket.setOption('noDelay', true);
    file.watch(this);
  }

  connect(address: SocketAddress): void {
    const result = this.#file.socket.connect(address);
    if (result < 0 && result !== -Errno.EINPROGRESS) this.finish(result);
  }

  /** A {@link ConnectionInput}, unchecked. Throws EINVAL. */
  take(message: unknown): void {
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
      case 'reset':
        this.#file.resets = true;
        this.finish(0);
        return;
      default:
        throw new MultikernelError('EINVAL', 'type: no input of a connection');
    }
  }

  finish(error: number): void {
    if (this.#closed) return;
    this.#closed = true;
    this.unwatch();
    if (error !== 0) this.#file.socket.abort();
    this.#holder.ended(error);
  }

  /** Events from before it was watched. */
  look(): void {
    this.ready(this.#file.poll());
  }

  protected override ready(events: number): void {
    const { socket, connecting } = this.#file;
    if ((events & (WRITABLE | POLLERR)) !== 0 && socket.error < 0) {
      this.finish(socket.error);
      return;
    }
    if (connecting) return;
    if (!this.#connected) {
      this.#connected = true;
      const local = socket.local.unmap();
      this.#holder.event({ type: 'connected', local: ipAddressOf(local), localPort: local.port });
    }
    if (events & READABLE) this.#read();
    if (!this.#closed && events & WRITABLE) this.#write();
  }

  #read(): void {
    while (!this.#closed && !this.#peerEnded && this.#credit > 0) {
      const bytes = new Uint8Array(Math.min(this.#credit, CONNECTION_WINDOW_BYTES));
      const count = this.#file.read(bytes, 0, bytes.length);
      if (count === -Errno.EAGAIN) return;
      if (count < 0) {
        this.finish(count);
      } else if (count === 0) {
        this.#peerEnded = true;
        this.#holder.event({ type: 'end' });
        if (this.#ending && this.#writes.length === 0) this.finish(0);
      } else {
        this.#credit -= count;
        this.#holder.event({ type: 'data', bytes: bytes.slice(0, count) });
      }
    }
  }

  #write(): void {
    if (this.#file.connecting) return;
    for (let head = this.#writes[0]; head !== undefined; head = this.#writes[0]) {
      const count = this.#file.write(head.bytes, head.sent, head.bytes.length - head.sent);
      if (count === -Errno.EAGAIN) return;
      if (count < 0) {
        this.finish(count);
        return;
      }
      head.sent += count;
      if (head.sent < head.bytes.length) return;
      this.#writes.shift();
      this.#holder.event({ type: 'written' });
    }
    if (!this.#ending) return;
    // A shutdown wakes the watchers of the file, this one among them.
    if (!this.#file.writeShut) this.#file.shutdown(false, true);
    if (this.#peerEnded) this.finish(0);
  }
}

/** A connection that the kernel makes. */
export class ConnectionStream implements StreamHandle<unknown> {
  readonly #connection: ServedConnection;

  /** `process` is new, and exits with the stream. */
  constructor(process: Process, address: SocketAddress, sink: StreamSink<ConnectionEvent>) {
    const { table } = process;
    const fd = openStreamSocket(process, address.family, SOCK_NONBLOCK);
    const file = process.descriptors.get(fd) as StreamFile;
    this.#connection = new ServedConnection(table.wakeups, file, false, {
      event: (event) => sink.event(event),
      ended: (error) => {
        table.exit(process, 0);
        sink.end(error === 0 ? null : new MultikernelError(errnoName(error), errnoName(error)));
      },
    });
    this.#connection.connect(address);
  }

  /** A {@link ConnectionInput}, unchecked. Throws EINVAL. */
  send(message: unknown): void {
    this.#connection.take(message);
  }

  close(): void {
    this.#connection.finish(0);
  }
}
