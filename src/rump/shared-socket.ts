/**
 * A socket that more than one handle of a thread has open, as descriptors do after dup(2): it closes with the last of them, and
 * an event goes to one of them. In the kernel's own thread the socket's open file, by which other processes have it, is one more.
 *
 * Thread: the program's. Sockets with one handle, nearly all, never come here. Read first: passed-files.ts.
 */

import {
  type DatagramSocket,
  EVENT_ACCEPTABLE,
  EVENT_READABLE,
  type Family,
  type StreamSocket,
} from '../socket/socket.ts';
import { DatagramFile, StreamFile } from '../sys/socket-file.ts';
import type { WakeQueue } from '../sys/watch.ts';

export type AnySocket = StreamSocket | DatagramSocket;

/** A handle that has the socket open. */
export interface Consumer {
  /** Listening, or receiving: new connections and datagrams may go to it. */
  readonly interested: boolean;
  readonly onEvents: (events: number) => void;
}

/** The open file of the socket. All handles together are one of its references. */
class FileConsumer implements Consumer {
  readonly file: StreamFile | DatagramFile;

  constructor(file: StreamFile | DatagramFile) {
    this.file = file;
    file.hold();
  }

  get interested(): boolean {
    return this.passed && this.file.hasWatchers;
  }

  /** Whether another process has the file, or is about to. */
  get passed(): boolean {
    return this.file.references > 1;
  }

  readonly onEvents = (events: number): void => this.file.onEvents(events);
}

class SharedSocket {
  readonly #consumers: Consumer[] = [];
  readonly #stream: boolean;
  #file: FileConsumer | null = null;
  #next = 0;

  constructor(socket: AnySocket) {
    this.#stream = 'state' in socket && socket.state !== 'LISTEN';
  }

  readonly onEvents = (events: number): void => {
    const consumers = this.#consumers;
    // A connection belongs to the consumer that got it last; connections and datagrams that arrive go round.
    if (this.#stream) this.#last()?.onEvents(events);
    else if ((events & (EVENT_ACCEPTABLE | EVENT_READABLE)) === 0)
      for (const consumer of [...consumers]) consumer.onEvents(events);
    else this.#nextInterested()?.onEvents(events);
  };

  get file(): StreamFile | DatagramFile | null {
    return this.#file?.file ?? null;
  }

  get handles(): number {
    return this.#consumers.length - (this.#file === null ? 0 : 1);
  }

  add(consumer: Consumer): void {
    this.#consumers.push(consumer);
  }

  remove(consumer: Consumer): void {
    const index = this.#consumers.indexOf(consumer);
    if (index >= 0) this.#consumers.splice(index, 1);
  }

  /** The file is the consumer that got the socket last. */
  addFile(file: StreamFile | DatagramFile): void {
    if (this.#file === null) this.#file = new FileConsumer(file);
    else this.remove(this.#file);
    this.add(this.#file);
  }

  #last(): Consumer | undefined {
    const consumers = this.#consumers;
    const last = consumers.at(-1);
    // A file that no other process has any more has no part in it.
    return last instanceof FileConsumer && !last.passed ? consumers.at(-2) : last;
  }

  #nextInterested(): Consumer | undefined {
    const consumers = this.#consumers;
    const { length } = consumers;
    for (let i = 0; i < length; i++) {
      const consumer = consumers[this.#next++ % length] as Consumer;
      if (consumer.interested) return consumer;
    }
    return undefined;
  }
}

const shared = new WeakMap<AnySocket, SharedSocket>();

function sharedOf(socket: AnySocket): SharedSocket {
  const found = shared.get(socket);
  if (found !== undefined) return found;
  const made = new SharedSocket(socket);
  socket.onEvents = made.onEvents;
  shared.set(socket, made);
  return made;
}

/** `first` has the socket open by itself until now. */
export function share(socket: AnySocket, first: Consumer): void {
  if (!shared.has(socket)) sharedOf(socket).add(first);
}

/** One more has it open, or the first when it was not shared. */
export function join(socket: AnySocket, consumer: Consumer): void {
  const found = shared.get(socket);
  if (found === undefined) socket.onEvents = consumer.onEvents;
  else found.add(consumer);
}

/** One less has it open. True when nobody else has, so that the caller must close the socket. */
export function leave(socket: AnySocket, consumer: Consumer): boolean {
  const found = shared.get(socket);
  if (found === undefined) {
    socket.onEvents = null;
    return true;
  }
  found.remove(consumer);
  if (found.handles > 0) return false;
  shared.delete(socket);
  const { file } = found;
  if (file === null || file.references === 1) {
    socket.onEvents = null;
    return true;
  }
  // From now on it is the file's alone, and closes with it.
  socket.onEvents = file.onEvents;
  file.release();
  return false;
}

/** The open file of a socket that handles share: made with the first call. */
export function fileOf(socket: AnySocket, family: Family, wakeups: WakeQueue): StreamFile | DatagramFile {
  const found = sharedOf(socket);
  const file = found.file ?? newFile(socket, family, wakeups);
  socket.onEvents = found.onEvents;
  found.addFile(file);
  return file;
}

function newFile(socket: AnySocket, family: Family, wakeups: WakeQueue): StreamFile | DatagramFile {
  return 'state' in socket ? new StreamFile(wakeups, family, socket) : new DatagramFile(wakeups, family, socket);
}

/** Handles that {@link join} the socket of an open file from now on hold the file. */
export function holdFile(file: StreamFile | DatagramFile): void {
  const { socket } = file;
  if (!shared.has(socket)) sharedOf(socket).addFile(file);
}
