/**
 * A socket of a client that is elsewhere: an open file of the session's process, under the number that the client knows.
 *
 * Thread: the one that runs the kernel. Waits as a poll of one file would: changes mark the socket in the wake queue of the
 * kernel's processes, and it looks at what is ready when it is woken. Read first: sys/watch.ts, sys/file.ts.
 */

import { POLLNVAL } from '../sys/file.ts';
import type { StreamFile } from '../sys/socket-file.ts';
import { EventWatcher } from '../sys/watch.ts';
import type { PassedFile } from './passed-files.ts';
import type { ClientPort } from './session.ts';
import type { SessionProcess } from './session-process.ts';

/** A socket that accepts connections. */
export interface Acceptor {
  readonly id: number;
  readonly file: StreamFile;
  /** Accept as many connections as the client may have. */
  acceptAll(): void;
}

/** The session as its sockets see it. */
export interface SocketOwner {
  readonly client: ClientPort;
  readonly process: SessionProcess;
  /** Accept one connection and tell the client. False: none waits, or there is no descriptor for it until another closes. */
  accept(listener: Acceptor): boolean;
  /** The client's number is free again. */
  forget(id: number): void;
}

export abstract class ServedSocket extends EventWatcher {
  readonly id: number;
  abstract readonly file: PassedFile;
  protected readonly owner: SocketOwner;
  protected readonly client: ClientPort;
  /** Descriptor of the file in the session's process; -1: the process exits, and the socket has a reference of its own. */
  #fd: number;

  constructor(id: number, fd: number, owner: SocketOwner) {
    super(owner.process.table.wakeups);
    this.id = id;
    this.#fd = fd;
    this.owner = owner;
    this.client = owner.client;
  }

  protected override ready(events: number): void {
    // A system call of the same process may close the descriptor.
    if ((events & POLLNVAL) !== 0 && this.#fd >= 0 && !this.owner.process.has(this.#fd, this.file)) this.end();
    else this.becomesReady(events);
  }

  /** Another process that has the file is told of the next change before this one. */
  protected takeTurns(): void {
    if (this.file.references > 1 && this.watched !== null) this.file.watch(this);
  }

  /** The file stays open when the process exits, until {@link end}. */
  protected outlive(): void {
    this.file.hold();
    this.#fd = -1;
  }

  /** The descriptor goes, and with the last reference the socket. */
  protected end(): void {
    if (this.watched === null) return;
    this.unwatch();
    if (this.#fd < 0) this.file.release();
    else this.owner.process.close(this.#fd, this.file);
    this.owner.forget(this.id);
  }

  /** The part of {@link ready} of the kind of socket. */
  protected abstract becomesReady(events: number): void;
  /** Send the client what has arrived, as far as its window goes. */
  abstract pump(): void;
  /** The client has read that many bytes; false when it cannot have. */
  abstract consumed(bytes: number): boolean;
  /** The client closes the socket; it has read so many bytes since it last said how many. */
  abstract close(consumed: number): void;
  /** The session is over and its process about to exit. */
  abstract abandon(): void;
}
