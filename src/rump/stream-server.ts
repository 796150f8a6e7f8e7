/**
 * One stream socket of a client: moves bytes and events between the kernel and the session, with a window in each direction.
 * Thread: the one that runs the kernel. Read first: served-socket.ts.
 */

import { Errno } from '../base/errors.ts';
import { EVENT_CONNECTED, EVENT_ERROR, type SocketAddress } from '../socket/socket.ts';
import { POLLERR, POLLNVAL, READABLE, WRITABLE } from '../sys/file.ts';
import type { StreamFile } from '../sys/socket-file.ts';
import {
  CONSUMED_BYTES,
  CREDIT,
  DATA,
  END,
  EVENT,
  EVENTS,
  HEADER_BYTES,
  WINDOW_BYTES,
  writeHeader,
} from './protocol.ts';
import { type Acceptor, ServedSocket, type SocketOwner } from './served-socket.ts';

const READ_BYTES = 65536;
const REFERENCES_MAX = 0x3fff_ffff;

export class StreamServer extends ServedSocket implements Acceptor {
  readonly file: StreamFile;
  readonly #out: Uint8Array[] = [];
  #outAt = 0;
  #outBytes = 0;
  #window = WINDOW_BYTES;
  #ended = false;
  #shutdown = false;
  #closing = false;
  #connecting = false;
  #connected: boolean;
  /** While the file has more references than this, a process that got the connection later reads. */
  #readsUpTo = REFERENCES_MAX;

  constructor(file: StreamFile, id: number, fd: number, owner: SocketOwner) {
    super(id, fd, owner);
    this.file = file;
    this.#connected = file.socket.peer.port !== 0;
    file.watch(this);
  }

  protected override becomesReady(events: number): void {
    const { file } = this;
    if (this.#connecting && (events & WRITABLE) !== 0 && !file.connecting) {
      this.#connecting = false;
      this.#connected = file.socket.error === 0;
      this.#state(EVENT_CONNECTED);
    }
    if (!this.#connected) {
      if ((events & READABLE) !== 0 && file.listening) this.acceptAll();
      return;
    }
    if ((events & (READABLE | POLLNVAL)) !== 0) this.pump();
    if ((events & WRITABLE) !== 0) this.#flush();
    if ((events & POLLERR) !== 0 && !this.#closing) this.#state(EVENT_ERROR);
  }

  #state(event: number): void {
    const { error, local } = this.file.socket;
    this.client.event(EVENTS, this.id, event, error, undefined, local);
  }

  connect(address: SocketAddress): number {
    const result = this.file.socket.connect(address);
    if (result === -Errno.EINPROGRESS) this.#connecting = true;
    return result;
  }

  /** The rest stays in the backlog until the client closes a socket. */
  acceptAll(): void {
    while (!this.#closing && this.owner.accept(this)) this.takeTurns();
  }

  override pump(): void {
    const { file } = this;
    while (this.#connected && this.#window > 0 && !this.#ended && file.references <= this.#readsUpTo) {
      const frame = new Uint8Array(HEADER_BYTES + Math.min(this.#window, READ_BYTES, file.readableBytes || 1));
      const count = file.read(frame, HEADER_BYTES, frame.length - HEADER_BYTES);
      if (count === -Errno.EAGAIN) return;
      if (count <= 0) {
        this.#ended = true;
        if (count === 0) this.client.event(END, this.id);
        else this.client.event(EVENTS, this.id, EVENT_ERROR, count);
        return;
      }
      this.#window -= count;
      writeHeader(frame, count, EVENT, DATA, 0, this.id);
      this.client.rawEvent(frame.subarray(0, HEADER_BYTES + count));
    }
  }

  override consumed(bytes: number): boolean {
    if (bytes < 0 || this.#window + bytes > WINDOW_BYTES) return false;
    this.#window += bytes;
    this.pump();
    return true;
  }

  /** The client gives the file to another process. */
  pass(): void {
    if (this.#connected) this.#readsUpTo = this.file.references;
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
      const count = this.file.write(bytes, this.#outAt, bytes.length - this.#outAt);
      if (count === -Errno.EAGAIN) break;
      if (count < 0) {
        this.#out.length = 0;
        this.#outBytes = 0;
        this.client.event(EVENTS, this.id, EVENT_ERROR, count);
        break;
      }
      taken += count;
      this.#outBytes -= count;
      this.#outAt += count;
      if (this.#outAt < bytes.length) break;
      this.#out.shift();
      this.#outAt = 0;
    }
    if (taken > 0 && !this.#closing) this.client.event(CREDIT, this.id, taken);
    if (this.#out.length > 0) return;
    if (this.#shutdown) {
      this.#shutdown = false;
      this.file.shutdown(false, true);
    }
    if (this.#closing) this.end();
  }

  shutdown(): void {
    this.#shutdown = true;
    this.#flush();
  }

  /** Close once everything before it is on its way; at once, and with a reset, when something was left unread here or there. */
  override close(consumed: number): void {
    if (this.#window + consumed < WINDOW_BYTES) {
      this.abort();
      return;
    }
    this.#closing = true;
    this.#ended = true;
    if (this.#connected && this.file.readableBytes > 0) this.end();
    else this.#flush();
  }

  /** Close with a reset, unless another process has the file. */
  abort(): void {
    this.#closing = true;
    if (this.file.references === 1) this.file.socket.abort();
    this.end();
  }

  /** Output that the client has sent is still written. It may have read as much as it need not say. */
  override abandon(): void {
    if (this.#out.length > 0) this.outlive();
    this.close(CONSUMED_BYTES - 1);
  }
}
