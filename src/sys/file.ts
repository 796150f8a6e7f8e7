/**
 * Open files: the objects behind descriptors, shared by all descriptors that were duplicated from one (struct file).
 *
 * Thread: the one that runs the kernel. A file says what is ready (`poll`) and tells its watchers of changes (watch.ts). Reading
 * and writing are up to the kinds: socket-file.ts, pipe-file.ts, kqueue.ts.
 */

import { Errno } from '../base/errors.ts';
import { type WakeQueue, Watchable } from './watch.ts';

/** `poll(2)`. POLLWRNORM is POLLOUT on NetBSD. */
export const POLLIN = 0x1;
export const POLLPRI = 0x2;
const POLLOUT = 0x4;
export const POLLERR = 0x8;
export const POLLHUP = 0x10;
export const POLLNVAL = 0x20;
export const POLLRDNORM = 0x40;
const POLLWRBAND = 0x100;
/** The peer has ended its direction: an addition of Linux. */
export const POLLRDHUP = 0x2000;

export const READABLE: number = POLLIN | POLLRDNORM;
export const WRITABLE: number = POLLOUT | POLLWRBAND;
/** Told whether they were asked for or not. */
export const POLL_ALWAYS: number = POLLERR | POLLHUP | POLLNVAL;

export abstract class OpenFile extends Watchable {
  /** Descriptors of it, and holders that have none; the last one that goes closes it. */
  references = 0;
  /** O_NONBLOCK. */
  nonBlocking = false;
  readonly #wakeups: WakeQueue;

  constructor(wakeups: WakeQueue) {
    super();
    this.#wakeups = wakeups;
  }

  /** POLL* bits that are true now. */
  abstract poll(): number;

  /** Whether children of the process get it. */
  get inherited(): boolean {
    return true;
  }

  /** A number that grows with what can be read: two edges are told apart by it. */
  get readableBytes(): number {
    return 0;
  }

  /** Like recv(2) without an address: a count, 0 at the end, -EAGAIN, another -errno. */
  read(_into: Uint8Array, _offset: number, _lengthBytes: number): number {
    return -Errno.EBADF;
  }

  /** Like send(2): a count, -EAGAIN, another -errno. */
  write(_bytes: Uint8Array, _offset: number, _lengthBytes: number): number {
    return -Errno.EBADF;
  }

  /** Room for writing without blocking, bytes; what FIONSPACE says. */
  get writableBytes(): number {
    return 0;
  }

  /** Bytes written that did not leave yet: FIONWRITE. */
  get unsentBytes(): number {
    return 0;
  }

  /** Something changed; calls that waited for it go on before this returns. */
  notify(events: number): void {
    if (!this.hasWatchers) return;
    this.mark(events);
    this.#wakeups.drain();
  }

  /** A reference without a descriptor: the file is on its way to another process, or has output left. */
  hold(): void {
    this.references++;
  }

  /** A descriptor or another reference is gone. Watchers are told POLLNVAL; calls of that descriptor end with -EBADF. */
  release(): void {
    this.references--;
    this.notify(POLLNVAL);
    if (this.references === 0) this.end();
  }

  /** The last reference is gone. */
  abstract end(): void;
}
