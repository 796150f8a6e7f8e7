/**
 * One datagram socket served to another process: datagrams go to the client as long as it keeps up.
 * Thread: the one that runs the kernel.
 */

import { DatagramInfo, type DatagramSocket, EVENT_ERROR, EVENT_READABLE, EVENT_WRITABLE } from '../socket/socket.ts';
import type { ServedSession } from './served-stream.ts';
import { DATAGRAM, DATAGRAM_WINDOW_BYTES, EVENTS } from './share-protocol.ts';
import { type Consumer, join, leave } from './shared-socket.ts';

const info = new DatagramInfo();
const DATAGRAM_BYTES_MAX = 65535;

export class ServedDatagram implements Consumer {
  readonly socket: DatagramSocket;
  readonly #id: number;
  readonly #session: ServedSession;
  #window = DATAGRAM_WINDOW_BYTES;
  readonly interested = true;

  constructor(socket: DatagramSocket, id: number, session: ServedSession, shared: boolean) {
    this.socket = socket;
    this.#id = id;
    this.#session = session;
    if (shared) join(socket, this);
    else socket.onEvents = this.onEvents;
  }

  readonly onEvents = (events: number): void => {
    if ((events & (EVENT_READABLE | EVENT_ERROR)) !== 0) this.pump();
    if ((events & EVENT_WRITABLE) !== 0) this.#session.event(EVENTS, this.#id, EVENT_WRITABLE);
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
        this.#session.event(EVENTS, this.#id, EVENT_ERROR, count);
        return;
      }
      this.#window -= Math.max(count, 1);
      this.#session.event(DATAGRAM, this.#id, info.fullBytes, 0, bytes, info.from);
    }
  }

  consumed(bytes: number): void {
    this.#window += bytes;
    this.pump();
  }

  close(): void {
    this.#session.forget(this.#id);
    if (leave(this.socket, this)) this.socket.close();
  }
}
