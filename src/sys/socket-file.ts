/**
 * Sockets as open files. Thread: the one that runs the kernel.
 *
 * Adds to the sockets of socket/ what a file has: half-closing for reading, time-outs of calls, readiness. Read first: poll(2),
 * socket(2), shutdown(2). Missing: SO_RCVLOWAT and SO_SNDLOWAT.
 */

import { Errno } from '../base/errors.ts';
import {
  DatagramInfo,
  type DatagramSocket,
  EVENT_ACCEPTABLE,
  EVENT_CONNECTED,
  EVENT_ERROR,
  EVENT_READABLE,
  EVENT_URGENT,
  EVENT_WRITABLE,
  type Family,
  type RawSocket,
  type StreamSocket,
} from '../socket/socket.ts';
import { OpenFile, POLLERR, POLLHUP, POLLIN, POLLPRI, POLLRDHUP, POLLRDNORM, READABLE, WRITABLE } from './file.ts';
import type { WakeQueue } from './watch.ts';

const NO_BYTES: Uint8Array = new Uint8Array(0);

/** States in which the peer's FIN has arrived. */
const PEER_CLOSED: ReadonlySet<string> = new Set(['CLOSE_WAIT', 'CLOSING', 'LAST_ACK', 'TIME_WAIT']);
const CAN_SEND: ReadonlySet<string> = new Set(['ESTABLISHED', 'CLOSE_WAIT']);

function pollEvents(events: number): number {
  let bits = 0;
  if ((events & (EVENT_READABLE | EVENT_ACCEPTABLE)) !== 0) bits |= READABLE | POLLRDHUP;
  if ((events & (EVENT_WRITABLE | EVENT_CONNECTED)) !== 0) bits |= WRITABLE;
  if ((events & EVENT_URGENT) !== 0) bits |= POLLPRI;
  if ((events & EVENT_ERROR) !== 0) bits |= POLLERR | POLLHUP | READABLE | WRITABLE | POLLRDHUP;
  return bits;
}

export abstract class SocketFile extends OpenFile {
  readonly family: Family;
  /** SO_RCVTIMEO and SO_SNDTIMEO, microseconds; 0: none. */
  receiveTimeoutUs = 0;
  sendTimeoutUs = 0;

  constructor(wakeups: WakeQueue, family: Family) {
    super(wakeups);
    this.family = family;
  }

  /** The pending error, told once: 0 or -errno. */
  abstract takeError(): number;

  /** The handler of the socket's events: the file's, unless handles share the socket with it (rump/shared-socket.ts). */
  readonly onEvents = (events: number): void => this.notify(pollEvents(events));
}

export class StreamFile extends SocketFile {
  readonly socket: StreamSocket;
  /** shutdown(SHUT_RD) and shutdown(SHUT_WR) were called. */
  readShut = false;
  writeShut = false;
  /** The last close resets the connection. */
  resets = false;

  constructor(wakeups: WakeQueue, family: Family, socket: StreamSocket) {
    super(wakeups, family);
    this.socket = socket;
    socket.onEvents = this.onEvents;
  }

  get listening(): boolean {
    return this.socket.state === 'LISTEN';
  }

  get connecting(): boolean {
    const { state } = this.socket;
    return state === 'SYN_SENT' || state === 'SYN_RECEIVED';
  }

  get peerClosed(): boolean {
    return PEER_CLOSED.has(this.socket.state);
  }

  override poll(): number {
    const { socket } = this;
    const { state } = socket;
    if (state === 'LISTEN') return socket.acceptable > 0 ? READABLE : 0;
    if (this.connecting) return 0;
    let events = 0;
    const peerClosed = this.peerClosed || this.readShut || state === 'CLOSED';
    const sendClosed = this.writeShut || state === 'CLOSED';
    if (socket.error !== 0) events |= POLLERR;
    if (peerClosed && sendClosed) events |= POLLHUP;
    if (peerClosed) events |= POLLIN | POLLRDNORM | POLLRDHUP;
    if (socket.readableBytes > 0) events |= READABLE;
    if (socket.urgentBytes > 0) events |= POLLPRI;
    if (sendClosed || (CAN_SEND.has(state) && socket.writableBytes > 0)) events |= WRITABLE;
    return events;
  }

  override get readableBytes(): number {
    return this.listening ? this.socket.acceptable : this.socket.readableBytes;
  }

  override get writableBytes(): number {
    return this.socket.writableBytes;
  }

  override get unsentBytes(): number {
    return this.socket.unsentBytes;
  }

  override read(into: Uint8Array, offset: number, lengthBytes: number): number {
    if (this.readShut && this.socket.readableBytes === 0) return 0;
    return this.socket.receive(into, offset, lengthBytes);
  }

  override write(bytes: Uint8Array, offset: number, lengthBytes: number): number {
    if (this.writeShut) return -Errno.EPIPE;
    return this.socket.send(bytes, offset, lengthBytes);
  }

  override takeError(): number {
    const { error } = this.socket;
    // Reading nothing clears it.
    if (error !== 0) this.socket.receive(NO_BYTES, 0, 0);
    return error;
  }

  /** `-ENOTCONN` as long as there is no connection. */
  shutdown(read: boolean, write: boolean): number {
    const { state } = this.socket;
    if (state === 'LISTEN' || state === 'CLOSED') return -Errno.ENOTCONN;
    if (read) this.readShut = true;
    if (write) this.writeShut = true;
    const result = write ? this.socket.shutdown() : 0;
    this.notify(READABLE | WRITABLE | POLLHUP | POLLRDHUP);
    return result;
  }

  override end(): void {
    if (this.resets) this.socket.abort();
    else this.socket.close();
  }
}

export class DatagramFile extends SocketFile {
  readonly socket: DatagramSocket;
  readonly #info = new DatagramInfo();
  readShut = false;
  writeShut = false;

  constructor(wakeups: WakeQueue, family: Family, socket: DatagramSocket) {
    super(wakeups, family);
    this.socket = socket;
    socket.onEvents = this.onEvents;
  }

  override poll(): number {
    const { socket } = this;
    let events = WRITABLE;
    if (socket.nextBytes >= 0 || this.readShut) events |= READABLE;
    if (socket.error !== 0) events |= POLLERR;
    return events;
  }

  override get readableBytes(): number {
    return this.socket.queuedBytes;
  }

  override read(into: Uint8Array, offset: number, lengthBytes: number): number {
    if (this.readShut && this.socket.nextBytes < 0) return 0;
    return this.socket.receive(into, offset, lengthBytes, this.#info);
  }

  override write(bytes: Uint8Array, offset: number, lengthBytes: number): number {
    return this.writeShut ? -Errno.EPIPE : this.socket.send(bytes, offset, lengthBytes, null);
  }

  override takeError(): number {
    const { error } = this.socket;
    if (error !== 0) this.socket.receive(NO_BYTES, 0, 0, this.#info);
    return error;
  }

  override end(): void {
    this.socket.close();
  }
}

export class RawFile extends SocketFile {
  readonly socket: RawSocket;
  readonly #info = new DatagramInfo();

  constructor(wakeups: WakeQueue, family: Family, socket: RawSocket) {
    super(wakeups, family);
    this.socket = socket;
    socket.onEvents = this.onEvents;
  }

  override poll(): number {
    return this.socket.nextBytes >= 0 ? READABLE | WRITABLE : WRITABLE;
  }

  override get readableBytes(): number {
    return Math.max(this.socket.nextBytes, 0);
  }

  override read(into: Uint8Array, offset: number, lengthBytes: number): number {
    return this.socket.receive(into, offset, lengthBytes, this.#info);
  }

  override write(): number {
    return -Errno.EDESTADDRREQ;
  }

  override takeError(): number {
    return 0;
  }

  override end(): void {
    this.socket.close();
  }
}
