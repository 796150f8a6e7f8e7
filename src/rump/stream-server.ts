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
  RECEIVE_WINDOW_BYTES,
  SEND_WINDOW_BYTES,
  SEND_WINDOW_MAX_BYTES,
  writeHeader,
} from './protocol.ts';
import type { EventRing, RoomWaiter } from './region-carrier.ts';
import { type Acceptor, ServedSocket, type SocketOwner } from './served-socket.ts';

const READ_BYTES = 65536;
/** Credit is given when so much has gathered, or the client has none left. */
const CREDIT_BYTES: number = SEND_WINDOW_MAX_BYTES / 4;
const REFERENCES_MAX = 0x3fff_ffff;

export class StreamServer extends ServedSocket implements Acceptor, RoomWaiter {
  readonly file: StreamFile;
  readonly #out: Uint8Array[] = [];
  #outAt = 0;
  #outBytes = 0;
  /** Bytes that the client may send. */
  #credit = SEND_WINDOW_BYTES;
  /** Bytes that may be sent to the client. */
  #window = RECEIVE_WINDOW_BYTES;
  #ended = false;
  #shutdown = false;
  #closing = false;
  #connecting = false;
  #connected: boolean;
  /** The client has said what it has read, and reads no more for now. */
  #stalled = false;
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

  /** The client does not wait: it hears of the end of the attempt, and of one that could not begin. */
  connectAhead(address: SocketAddress): void {
    const result = this.connect(address);
    if (result === -Errno.EINPROGRESS) return;
    this.client.event(EVENTS, this.id, EVENT_CONNECTED, result, undefined, this.file.socket.local);
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
    const { ring } = this.client;
    if (ring !== null) this.#pumpInto(ring);
    else this.#pumpFrames();
  }

  /** Room in the client's ring, where there was none. */
  hasRoom(): void {
    if (this.watched !== null) this.pump();
  }

  /** Whether there may be something to read, within the client's window. */
  get #reads(): boolean {
    const { file } = this;
    return this.#connected && this.#window > 0 && !this.#ended && file.references <= this.#readsUpTo;
  }

  #pumpInto(ring: EventRing): void {
    const { file } = this;
    while (this.#reads) {
      const most = Math.min(this.#window, ring.payloadBytesMax, file.readableBytes || 1);
      const at = ring.reserve(most);
      if (at < 0) {
        ring.awaitRoom(this);
        return;
      }
      const count = file.read(ring.region.bytes, at, most);
      if (count <= 0) {
        if (count !== -Errno.EAGAIN) this.#end(count);
        return;
      }
      this.#window -= count;
      ring.commit(DATA, this.id, 0, count, 0);
    }
  }

  /** The last of the stream: the peer's FIN (0), or an error. */
  #end(count: number): void {
    this.#ended = true;
    if (count === 0) this.client.event(END, this.id);
    else this.client.event(EVENTS, this.id, EVENT_ERROR, count);
  }

  #pumpFrames(): void {
    const { file } = this;
    while (this.#reads) {
      const frame = new Uint8Array(HEADER_BYTES + Math.min(this.#window, READ_BYTES, file.readableBytes || 1));
      const count = file.read(frame, HEADER_BYTES, frame.length - HEADER_BYTES);
      if (count <= 0) {
        if (count !== -Errno.EAGAIN) this.#end(count);
        return;
      }
      this.#window -= count;
      writeHeader(frame, count, EVENT, DATA, 0, this.id);
      this.client.rawEvent(frame.subarray(0, HEADER_BYTES + count));
    }
  }

  override consumed(bytes: number): boolean {
    if (bytes < 0 || this.#window + bytes > RECEIVE_WINDOW_BYTES) return false;
    this.#stalled = false;
    this.#window += bytes;
    this.pump();
    return true;
  }

  /** The client has read that many bytes, and no more until {@link consumed}. */
  stalled(bytes: number): boolean {
    const valid = this.consumed(bytes);
    this.#stalled = true;
    return valid;
  }

  /** The client gives the file to another process. */
  pass(): void {
    if (this.#connected) this.#readsUpTo = this.file.references;
  }

  /** Bytes of the client, which may change them. False when it sends more than its credit. */
  send(bytes: Uint8Array, offset: number, lengthBytes: number): boolean {
    if (lengthBytes > this.#credit) return false;
    this.#credit -= lengthBytes;
    let taken = 0;
    if (this.#outBytes === 0 && lengthBytes > 0) taken = this.#write(bytes, offset, lengthBytes);
    if (taken < 0) return true;
    if (taken < lengthBytes) {
      this.#out.push(bytes.slice(offset + taken, offset + lengthBytes));
      this.#outBytes += lengthBytes - taken;
    }
    this.#giveCredit();
    return true;
  }

  /** Number of bytes that the socket took; negative, and told to the client, when it takes no more. */
  #write(bytes: Uint8Array, offset: number, lengthBytes: number): number {
    const count = this.file.write(bytes, offset, lengthBytes);
    if (count === -Errno.EAGAIN) return 0;
    if (count < 0) this.client.event(EVENTS, this.id, EVENT_ERROR, count);
    return count;
  }

  /** The client may send what the socket takes now, so that nothing need be kept in between; it is told of many bytes at once. */
  #giveCredit(): void {
    if (this.#closing || this.#outBytes > 0) return;
    const more = Math.min(SEND_WINDOW_MAX_BYTES, this.file.writableBytes) - this.#credit;
    if (more < CREDIT_BYTES && (more <= 0 || this.#credit > 0)) return;
    this.#credit += more;
    this.client.event(CREDIT, this.id, more);
  }

  #flush(): void {
    while (this.#out.length > 0) {
      const bytes = this.#out[0] as Uint8Array;
      const count = this.#write(bytes, this.#outAt, bytes.length - this.#outAt);
      if (count < 0) {
        this.#out.length = 0;
        this.#outBytes = 0;
        this.#outAt = 0;
        break;
      }
      this.#outBytes -= count;
      this.#outAt += count;
      if (this.#outAt < bytes.length) break;
      this.#out.shift();
      this.#outAt = 0;
    }
    this.#giveCredit();
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
    if (this.#window + consumed < RECEIVE_WINDOW_BYTES) {
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

  /** Output that the client has sent is still written. It may have read as much as it need not say, unless it stood still. */
  override abandon(): void {
    if (this.#out.length > 0) this.outlive();
    const known = this.#stalled || this.client.ring?.leftUnread(this.id) === true;
    this.close(known ? 0 : CONSUMED_BYTES - 1);
  }
}
