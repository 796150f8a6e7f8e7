/**
 * epoll(7) as far as scripts use it: level and edge triggered, one-shot.
 *
 * Thread: the caller's. An edge is a turn of the kernel in which the events of a descriptor grew, or more became readable;
 * `note` is called after each turn.
 */

import { Errno } from '../base/errors.ts';
import type { Descriptor } from './descriptors.ts';

const EPOLLERR = 0x8;
const EPOLLHUP = 0x10;
const EPOLLET: number = 2 ** 31;
const EPOLLONESHOT: number = 2 ** 30;
const EVENT_BITS = 0x3fff;

interface Watch {
  descriptor: Descriptor;
  /** EPOLLERR and EPOLLHUP included. */
  events: number;
  edge: boolean;
  oneShot: boolean;
  armed: boolean;
  /** Readiness at the last look, to see edges. */
  seen: number;
  readableBytes: number;
  /** An edge that was not reported yet. */
  pending: boolean;
}

export interface ReadyEvent {
  fd: number;
  events: number;
}

export class EpollSet {
  readonly #watches: Map<number, Watch> = new Map();

  /** 0, `-EEXIST`, `-ENOENT` or `-EINVAL`. `operation`: EPOLL_CTL_*. */
  control(operation: number, fd: number, descriptor: Descriptor, events: number): number {
    const known = this.#watches.get(fd);
    if (operation === 2) return this.#watches.delete(fd) ? 0 : -Errno.ENOENT;
    if (operation === 1 && known !== undefined) return -Errno.EEXIST;
    if (operation === 3 && known === undefined) return -Errno.ENOENT;
    if (operation !== 1 && operation !== 3) return -Errno.EINVAL;
    this.#watches.set(fd, {
      descriptor,
      events: (events & EVENT_BITS) | EPOLLERR | EPOLLHUP,
      edge: Math.floor(events / EPOLLET) % 2 === 1,
      oneShot: Math.floor(events / EPOLLONESHOT) % 2 === 1,
      armed: true,
      seen: 0,
      readableBytes: 0,
      pending: true,
    });
    return 0;
  }

  /** A turn of the kernel is over. */
  note(readiness: (descriptor: Descriptor) => number): void {
    for (const watch of this.#watches.values()) {
      const now = readiness(watch.descriptor) & watch.events;
      const readableBytes = watch.descriptor.kind === 'stream' ? watch.descriptor.socket.readableBytes : 0;
      if ((now & ~watch.seen) !== 0 || readableBytes > watch.readableBytes) watch.pending = true;
      watch.seen = now;
      watch.readableBytes = readableBytes;
    }
  }

  /** At most `most` ready descriptors; reporting an edge or a one-shot uses it up. */
  collect(most: number, readiness: (descriptor: Descriptor) => number): ReadyEvent[] {
    this.note(readiness);
    const ready: ReadyEvent[] = [];
    for (const [fd, watch] of this.#watches) {
      if (ready.length === most) break;
      if (!watch.armed || watch.seen === 0 || (watch.edge && !watch.pending)) continue;
      ready.push({ fd, events: watch.seen });
      watch.pending = false;
      if (watch.oneShot) watch.armed = false;
    }
    return ready;
  }

  remove(fd: number): void {
    this.#watches.delete(fd);
  }
}
