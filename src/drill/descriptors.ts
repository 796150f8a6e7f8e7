/**
 * The script's file descriptors: sockets of the kernel under test and epoll instances, by the numbers the script gives.
 *
 * Thread: the caller's.
 */

import { Errno } from '../base/errors.ts';
import type { DatagramSocket, StreamSocket } from '../socket/socket.ts';
import type { EpollSet } from './epoll.ts';
import type { Flow } from './flow.ts';

export interface StreamDescriptor {
  kind: 'stream';
  socket: StreamSocket;
  /** The connection's packets as the script numbers them. */
  flow: Flow;
  nonBlocking: boolean;
  readShut: boolean;
  writeShut: boolean;
  /** SO_RCVTIMEO and SO_SNDTIMEO, microseconds; 0: none. */
  /** TCP_INQ: recvmsg reports what is left. */
  reportsQueue: boolean;
  receiveTimeoutUs: number;
  sendTimeoutUs: number;
}

export interface DatagramDescriptor {
  kind: 'datagram';
  socket: DatagramSocket;
  flow: Flow;
  nonBlocking: boolean;
}

export interface EpollDescriptor {
  kind: 'epoll';
  set: EpollSet;
  nonBlocking: boolean;
}

export type Descriptor = StreamDescriptor | DatagramDescriptor | EpollDescriptor;

export class Descriptors {
  readonly #open: Map<number, Descriptor> = new Map();

  /** Returns the descriptor, or `-EBADF`. */
  get(fd: number): Descriptor | number {
    return this.#open.get(fd) ?? -Errno.EBADF;
  }

  /** Enter under the number the script expects; the lowest free one from 3 on when it expects none. */
  add(descriptor: Descriptor, expected: number): number {
    let fd = expected;
    if (fd < 0) for (fd = 3; this.#open.has(fd); fd++);
    this.#open.set(fd, descriptor);
    return fd;
  }

  remove(fd: number): void {
    this.#open.delete(fd);
  }

  all(): IterableIterator<[number, Descriptor]> {
    return this.#open.entries();
  }
}

/** The socket's pending error, which is reported once. */
export function takeError(socket: StreamSocket): number {
  const { error } = socket;
  // Reading nothing is what clears it.
  if (error !== 0) socket.receive(new Uint8Array(0), 0, 0);
  return error;
}
