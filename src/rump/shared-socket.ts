/**
 * A kernel's socket that more than one handle has open, as descriptors do after dup(2) or when they were sent to another
 * process: it closes with the last of them, and what arrives goes to one of them.
 *
 * Thread: the program's. Sockets with one handle, nearly all, never come here.
 */

import { type DatagramSocket, EVENT_ACCEPTABLE, EVENT_READABLE, type StreamSocket } from '../socket/socket.ts';

export type AnySocket = StreamSocket | DatagramSocket;

/** One of those that have the socket open. */
export interface Consumer {
  /** Listening, or receiving: new connections and datagrams may go to it. */
  readonly interested: boolean;
  readonly onEvents: (events: number) => void;
}

/** A reference without a handle: a socket on its way to another process. */
export const IN_TRANSIT: Consumer = { interested: false, onEvents: () => undefined };

class SharedSocket {
  readonly consumers: Consumer[] = [];
  readonly #stream: boolean;
  #next = 0;

  constructor(socket: AnySocket) {
    this.#stream = 'state' in socket && socket.state !== 'LISTEN';
    socket.onEvents = (events) => this.#dispatch(events);
  }

  #dispatch(events: number): void {
    const { consumers } = this;
    // A connection belongs to whoever got it last; connections and datagrams that arrive go round.
    if (this.#stream) consumers[consumers.length - 1]?.onEvents(events);
    else if ((events & (EVENT_ACCEPTABLE | EVENT_READABLE)) === 0)
      for (const consumer of [...consumers]) consumer.onEvents(events);
    else this.#nextInterested()?.onEvents(events);
  }

  #nextInterested(): Consumer | undefined {
    const { length } = this.consumers;
    for (let i = 0; i < length; i++) {
      const consumer = this.consumers[this.#next++ % length] as Consumer;
      if (consumer.interested) return consumer;
    }
    return undefined;
  }
}

const shared = new WeakMap<AnySocket, SharedSocket>();

/** `first` has the socket open by itself until now. */
export function share(socket: AnySocket, first: Consumer): void {
  if (shared.has(socket)) return;
  const made = new SharedSocket(socket);
  made.consumers.push(first);
  shared.set(socket, made);
}

/** One more has it open, or the first when it was not shared. */
export function join(socket: AnySocket, consumer: Consumer): void {
  const found = shared.get(socket);
  if (found === undefined) socket.onEvents = consumer.onEvents;
  else found.consumers.push(consumer);
}

/** One less has it open. True when nobody else has, so that the caller must close the socket. */
export function leave(socket: AnySocket, consumer: Consumer): boolean {
  const found = shared.get(socket);
  if (found === undefined) {
    socket.onEvents = null;
    return true;
  }
  const index = found.consumers.indexOf(consumer);
  if (index >= 0) found.consumers.splice(index, 1);
  if (found.consumers.length > 0) return false;
  socket.onEvents = null;
  shared.delete(socket);
  return true;
}
