/**
 * A stream socket of a kernel elsewhere. Thread: the client's.
 *
 * Bytes are sent ahead within a window, and received into a queue here; what the program has taken makes room for more.
 * Missing: `state`, `retransmits` and `unsentBytes` are not followed; urgent data stays with the kernel's own programs.
 */

import { Errno } from '../base/errors.ts';
import {
  EVENT_ACCEPTABLE,
  EVENT_CONNECTED,
  EVENT_READABLE,
  EVENT_WRITABLE,
  type SocketAddress,
  type StreamSocket,
} from '../socket/socket.ts';
import { ClientSocket } from './client-socket.ts';
import * as protocol from './protocol.ts';

export class ClientStream extends ClientSocket implements StreamSocket {
  state = 'CLOSED';
  readonly retransmits = 0;
  readonly unsentBytes = 0;
  readonly urgentBytes = 0;
  readonly #inbox: Uint8Array[] = [];
  readonly #waiting: ClientStream[] = [];
  #inboxAt = 0;
  #inboxBytes = 0;
  #ended = false;
  #credit = protocol.SEND_WINDOW_BYTES;
  #consumed = 0;
  /** The kernel was told that the program reads no more. */
  #stalled = false;
  #blocked = false;
  #shut = false;
  #left = false;

  get acceptable(): number {
    return this.#waiting.length;
  }

  get readableBytes(): number {
    return this.#inboxBytes;
  }

  get writableBytes(): number {
    return this.#shut ? 0 : this.#credit;
  }

  listen(backlog: number): number {
    const result = this.named(this.call(protocol.LISTEN, backlog));
    if (result === 0) this.state = 'LISTEN';
    return result;
  }

  connect(address: SocketAddress): number {
    if (this.error < 0) return this.error;
    this.connectedTo(address);
    const { reached } = this.layer;
    if (!reached.has(address)) {
      const result = this.named(this.call(protocol.CONNECT, 0, 0, undefined, address));
      if (result === -Errno.EINPROGRESS) reached.add(address);
      return result;
    }
    this.unnamed = true;
    const sent = this.layer.connection.send(protocol.CONNECT, this.id, 0, 0, undefined, address);
    return sent ? -Errno.EINPROGRESS : -Errno.ENETDOWN;
  }

  accept(): StreamSocket | null {
    return this.#waiting.shift() ?? null;
  }

  send(bytes: Uint8Array, offset: number, lengthBytes: number): number {
    if (this.error < 0) return this.error;
    if (this.#shut) return -Errno.EPIPE;
    const count = Math.min(lengthBytes, this.#credit);
    if (count <= 0) {
      this.#blocked = true;
      return -Errno.EAGAIN;
    }
    const sent = this.layer.connection.write(protocol.SEND, this.id, bytes, offset, count);
    if (sent < 0) return -Errno.ECONNRESET;
    this.#credit -= sent;
    this.#blocked = sent < lengthBytes;
    if (sent < count) this.layer.awaitRoom(this);
    return sent > 0 ? sent : -Errno.EAGAIN;
  }

  sendUrgent(): number {
    return -Errno.EOPNOTSUPP;
  }

  /** From the first piece that arrived. */
  peek(into: Uint8Array, offset: number, lengthBytes: number): number {
    const first = this.#inbox[0];
    if (first === undefined) return this.receive(into, offset, 0);
    const count = Math.min(first.length - this.#inboxAt, lengthBytes);
    into.set(first.subarray(this.#inboxAt, this.#inboxAt + count), offset);
    return count;
  }

  receive(into: Uint8Array, offset: number, lengthBytes: number): number {
    let copied = 0;
    while (copied < lengthBytes && this.#inbox.length > 0) {
      const first = this.#inbox[0] as Uint8Array;
      const count = Math.min(first.length - this.#inboxAt, lengthBytes - copied);
      into.set(first.subarray(this.#inboxAt, this.#inboxAt + count), offset + copied);
      copied += count;
      this.#inboxAt += count;
      if (this.#inboxAt < first.length) break;
      this.#inbox.shift();
      this.#inboxAt = 0;
    }
    if (copied === 0) return this.#ended ? 0 : this.error < 0 ? this.error : -Errno.EAGAIN;
    this.#took(copied);
    return copied;
  }

  /** The first piece that arrived, when it has a buffer of its own. */
  receiveBuffer(): Uint8Array<ArrayBuffer> | null {
    const first = this.#inbox[0];
    if (first === undefined || this.#inboxAt > 0 || first.buffer.byteLength !== first.length) return null;
    this.#inbox.shift();
    this.#took(first.length);
    return first as Uint8Array<ArrayBuffer>;
  }

  #took(bytes: number): void {
    this.#inboxBytes -= bytes;
    this.#consumed += bytes;
    if (this.#consumed >= protocol.CONSUMED_BYTES || this.#stalled) this.#tell(protocol.CONSUMED);
  }

  #tell(operation: number): void {
    this.layer.connection.send(operation, this.id, this.#consumed);
    this.#stalled = operation === protocol.STALLED;
    this.#consumed = 0;
  }

  /** The program had its turn to read: should it be killed, the kernel has to know what it left. */
  offered(): void {
    if (this.#inboxBytes > 0 && !this.#stalled && !this.#left) this.#tell(protocol.STALLED);
  }

  shutdown(): number {
    if (this.error < 0 || this.peerName.port === 0) return -Errno.ENOTCONN;
    this.#shut = true;
    this.layer.connection.send(protocol.SHUTDOWN, this.id);
    return 0;
  }

  close(): void {
    // The kernel resets the connection when data was not read, be it in the inbox or on its way there.
    this.#leave(protocol.CLOSE, this.#consumed);
  }

  abort(): void {
    this.#leave(protocol.ABORT);
  }

  #leave(operation: number, consumed = 0): void {
    this.#left = true;
    this.layer.forget(this.id);
    this.layer.connection.send(operation, this.id, consumed);
    for (const waiting of this.#waiting.splice(0)) waiting.abort();
  }

  override data(bytes: Uint8Array): void {
    this.#inbox.push(bytes);
    this.#inboxBytes += bytes.length;
    if (!this.#stalled) this.layer.offer(this);
    this.layer.post(this, EVENT_READABLE);
  }

  override frame(frame: protocol.Frame): void {
    switch (frame.operation) {
      case protocol.END:
        this.#ended = true;
        this.layer.post(this, EVENT_READABLE);
        return;
      case protocol.CREDIT:
        this.#credit += frame.a;
        if (this.#blocked) this.layer.post(this, EVENT_WRITABLE);
        return;
      case protocol.ACCEPTED:
        this.#arrived(frame);
        return;
      case protocol.EVENTS:
        this.#state(frame);
    }
  }

  #arrived(frame: protocol.Frame): void {
    const stream = this.layer.register(new ClientStream(this.layer, frame.a, this.localName.family));
    stream.state = 'ESTABLISHED';
    const [local, peer] = frame.addresses;
    if (local !== undefined) stream.localName.copy(local);
    if (peer !== undefined) stream.peerName.copy(peer);
    this.#waiting.push(stream);
    this.layer.post(this, EVENT_ACCEPTABLE);
  }

  #state(frame: protocol.Frame): void {
    if (frame.b < 0) this.error = frame.b;
    if ((frame.a & EVENT_CONNECTED) !== 0) {
      const [local] = frame.addresses;
      this.unnamed = false;
      if (local !== undefined) this.localName.copy(local);
      if (frame.b === 0) this.state = 'ESTABLISHED';
      else this.layer.reached.clear();
    }
    this.layer.post(this, frame.a);
  }
}
