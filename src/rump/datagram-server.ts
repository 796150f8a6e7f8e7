/**
 * One datagram socket of a client: datagrams go to the client as long as it keeps up.
 * Thread: the one that runs the kernel. Read first: served-socket.ts.
 */

import { Errno } from '../base/errors.ts';
import { DATAGRAM_BYTES_MAX, DatagramInfo, EVENT_ERROR, EVENT_WRITABLE, type SocketAddress } from '../socket/socket.ts';
import { READABLE, WRITABLE } from '../sys/file.ts';
import type { DatagramFile } from '../sys/socket-file.ts';
import {
  ADDRESS_BYTES,
  CREDIT,
  DATAGRAM,
  DATAGRAM_COST_BYTES,
  DATAGRAM_WINDOW_BYTES,
  EVENTS,
  SEND_FAILED,
  writeAddress,
} from './protocol.ts';
import type { RoomWaiter } from './region-carrier.ts';
import { ServedSocket, type SocketOwner } from './served-socket.ts';

/** Credit is given when so much has gathered. */
const CREDIT_BYTES: number = DATAGRAM_WINDOW_BYTES / 4;

interface WaitingDatagram {
  readonly bytes: Uint8Array;
  readonly to: SocketAddress | null;
}

const info = new DatagramInfo();

export class DatagramServer extends ServedSocket implements RoomWaiter {
  readonly file: DatagramFile;
  #window = DATAGRAM_WINDOW_BYTES;
  /** The last datagram found no room; the client waits for some. */
  #blocked = false;
  /** Sent ahead by the client, without room so far. */
  readonly #waiting: WaitingDatagram[] = [];
  #waitingBytes = 0;
  /** Credit that the client was not told of yet. */
  #owed = 0;

  constructor(file: DatagramFile, id: number, fd: number, owner: SocketOwner) {
    super(id, fd, owner);
    this.file = file;
    file.watch(this);
  }

  protected override becomesReady(events: number): void {
    if ((events & READABLE) !== 0) this.pump();
    if ((events & WRITABLE) !== 0) this.#flush();
    if (!this.#blocked || (events & WRITABLE) === 0) return;
    this.#blocked = false;
    this.client.event(EVENTS, this.id, EVENT_WRITABLE);
  }

  /** One datagram, to an address or (null) to the peer: the count or -errno. */
  send(bytes: Uint8Array, to: SocketAddress | null): number {
    const count = this.file.socket.send(bytes, 0, bytes.length, to);
    if (count === -Errno.EAGAIN) this.#blocked = true;
    return count;
  }

  /** One that the client does not wait for; it may change the bytes. False when it sends more than its credit. */
  sendAhead(bytes: Uint8Array, offset: number, lengthBytes: number, to: SocketAddress | null): boolean {
    const cost = lengthBytes + DATAGRAM_COST_BYTES;
    if (this.#waitingBytes + cost > DATAGRAM_WINDOW_BYTES) return false;
    const count = this.#waiting.length > 0 ? -Errno.EAGAIN : this.file.socket.send(bytes, offset, lengthBytes, to);
    if (count !== -Errno.EAGAIN) {
      this.#sent(count, cost);
      return true;
    }
    this.#waitingBytes += cost;
    this.#waiting.push({ bytes: bytes.slice(offset, offset + lengthBytes), to: to === null ? null : to.clone() });
    return true;
  }

  #sent(count: number, cost: number): void {
    if (count < 0) this.client.event(SEND_FAILED, this.id, 0, count);
    this.#owed += cost;
    if (this.#owed < CREDIT_BYTES) return;
    this.client.event(CREDIT, this.id, this.#owed);
    this.#owed = 0;
  }

  /** There is room for those that found none. */
  #flush(): void {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      const count = this.file.socket.send(first.bytes, 0, first.bytes.length, first.to);
      if (count === -Errno.EAGAIN) return;
      this.#waiting.shift();
      const cost = first.bytes.length + DATAGRAM_COST_BYTES;
      this.#waitingBytes -= cost;
      this.#sent(count, cost);
    }
  }

  hasRoom(): void {
    if (this.watched !== null) this.pump();
  }

  override pump(): void {
    const { socket } = this.file;
    const { ring } = this.client;
    while (this.#window > 0) {
      const length = Math.min(Math.max(socket.nextBytes, 0), DATAGRAM_BYTES_MAX);
      if (socket.nextBytes < 0 && socket.error === 0) return;
      const inPlace = ring !== null && length + ADDRESS_BYTES <= ring.payloadBytesMax;
      const at = inPlace ? ring.reserve(length + ADDRESS_BYTES) : 0;
      if (at < 0) {
        ring?.awaitRoom(this);
        return;
      }
      const bytes = inPlace ? ring.region.bytes : new Uint8Array(length);
      const count = socket.receive(bytes, at, length, info);
      if (count < 0) {
        this.client.event(EVENTS, this.id, EVENT_ERROR, count);
        return;
      }
      this.#window -= Math.max(count, 1);
      if (inPlace) {
        writeAddress(ring.region.view, at + count, info.from);
        ring.commit(DATAGRAM, this.id, info.fullBytes, count + ADDRESS_BYTES, 1);
      } else this.client.event(DATAGRAM, this.id, info.fullBytes, 0, bytes, info.from);
      this.takeTurns();
    }
  }

  override consumed(bytes: number): boolean {
    if (bytes < 0 || this.#window + bytes > DATAGRAM_WINDOW_BYTES) return false;
    this.#window += bytes;
    this.pump();
    return true;
  }

  override close(): void {
    this.end();
  }

  override abandon(): void {
    this.end();
  }
}
