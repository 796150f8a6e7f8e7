/**
 * One datagram socket of a client: datagrams go to the client as long as it keeps up.
 * Thread: the one that runs the kernel. Read first: served-socket.ts.
 */

import { Errno } from '../base/errors.ts';
import { DATAGRAM_BYTES_MAX, DatagramInfo, EVENT_ERROR, EVENT_WRITABLE, type SocketAddress } from '../socket/socket.ts';
import { READABLE, WRITABLE } from '../sys/file.ts';
import type { DatagramFile } from '../sys/socket-file.ts';
import { DATAGRAM, DATAGRAM_WINDOW_BYTES, EVENTS } from './protocol.ts';
import { ServedSocket, type SocketOwner } from './served-socket.ts';

const info = new DatagramInfo();

export class DatagramServer extends ServedSocket {
  readonly file: DatagramFile;
  #window = DATAGRAM_WINDOW_BYTES;
  /** The last datagram found no room; the client waits for some. */
  #blocked = false;

  constructor(file: DatagramFile, id: number, fd: number, owner: SocketOwner) {
    super(id, fd, owner);
    this.file = file;
    file.watch(this);
  }

  protected override becomesReady(events: number): void {
    if ((events & READABLE) !== 0) this.pump();
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

  override pump(): void {
    const { socket } = this.file;
    while (this.#window > 0) {
      const length = Math.min(Math.max(socket.nextBytes, 0), DATAGRAM_BYTES_MAX);
      const waits = socket.nextBytes >= 0;
      if (!waits && socket.error === 0) return;
      const bytes = new Uint8Array(length);
      const count = socket.receive(bytes, 0, length, info);
      if (count < 0) {
        this.client.event(EVENTS, this.id, EVENT_ERROR, count);
        return;
      }
      this.#window -= Math.max(count, 1);
      this.client.event(DATAGRAM, this.id, info.fullBytes, 0, bytes, info.from);
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
