/**
 * One datagram socket of a client: datagrams go to the client as long as it keeps up.
 * Thread: the one that runs the kernel.
 */

import { DatagramInfo, type DatagramSocket, EVENT_ERROR, EVENT_READABLE, EVENT_WRITABLE } from '../socket/socket.ts';
import { DATAGRAM, DATAGRAM_WINDOW_BYTES, EVENTS } from './protocol.ts';
import type { ClientPort } from './session.ts';
import { type Consumer, join, leave } from './shared-socket.ts';
import type { SocketClient } from './stream-server.ts';

const info = new DatagramInfo();
const DATAGRAM_BYTES_MAX = 65535;

export class DatagramServer implements Consumer {
  readonly socket: DatagramSocket;
  readonly #id: number;
  readonly #owner: SocketClient;
  readonly #client: ClientPort;
  #window = DATAGRAM_WINDOW_BYTES;
  readonly interested = true;

  constructor(socket: DatagramSocket, id: number, owner: SocketClient, shared: boolean) {
    this.socket = socket;
    this.#id = id;
    this.#owner = owner;
    this.#client = owner.client;
    if (shared) join(socket, this);
    else socket.onEvents = this.onEvents;
  }

  readonly onEvents = (events: number): void => {
    if ((events & (EVENT_READABLE | EVENT_ERROR)) !== 0) this.pump();
    if ((events & EVENT_WRITABLE) !== 0) this.#client.event(EVENTS, this.#id, EVENT_WRITABLE);
  };

  pump(): void {
    const { socket } = this;
    while (this.#window > 0) {
      const length = Math.min(Math.max(socket.nextBytes, 0), DATAGRAM_BYTES_MAX);
      const waits = socket.nextBytes >= 0;
      if (!waits && socket.error === 0) return;
      const bytes = new Uint8Array(length);
      const count = socket.receive(bytes, 0, length, info);
      if (count < 0) {
        this.#client.event(EVENTS, this.#id, EVENT_ERROR, count);
        return;
      }
      this.#window -= Math.max(count, 1);
      this.#client.event(DATAGRAM, this.#id, info.fullBytes, 0, bytes, info.from);
    }
  }

  /** The client has read that many bytes; false when it cannot have. */
  consumed(bytes: number): boolean {
    if (bytes < 0 || this.#window + bytes > DATAGRAM_WINDOW_BYTES) return false;
    this.#window += bytes;
    this.pump();
    return true;
  }

  close(): void {
    this.#owner.forget(this.#id);
    if (leave(this.socket, this)) this.socket.close();
  }
}
