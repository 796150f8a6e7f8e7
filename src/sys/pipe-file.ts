/**
 * One end of a pair of connected files in memory: socketpair(2) of the local domain.
 *
 * Thread: the one that runs the kernel. Each end has a ring of bytes that the other writes. Missing: messages with borders
 * (SOCK_DGRAM), descriptors as data (SCM_RIGHTS), socket options (-ENOTSOCK).
 */

import { Errno } from '../base/errors.ts';
import { OpenFile, POLLHUP, READABLE, WRITABLE } from './file.ts';
import type { WakeQueue } from './watch.ts';

/** Bytes that wait in one direction at most. */
const PIPE_BYTES = 65_536;

export class PairFile extends OpenFile {
  readonly #ring: Uint8Array = new Uint8Array(PIPE_BYTES);
  #readAt = 0;
  #count = 0;
  #other: PairFile | null = null;
  #writeShut = false;
  /** The other end sends no more. */
  #ended = false;

  /** Join two ends. */
  static join(a: PairFile, b: PairFile): void {
    a.#other = b;
    b.#other = a;
  }

  // cold: once per pair
  static pair(wakeups: WakeQueue): [PairFile, PairFile] {
    const ends: [PairFile, PairFile] = [new PairFile(wakeups), new PairFile(wakeups)];
    PairFile.join(...ends);
    return ends;
  }

  override poll(): number {
    const other = this.#other;
    let events = 0;
    if (this.#count > 0 || this.#ended) events |= READABLE;
    if (other === null || other.#count < PIPE_BYTES) events |= WRITABLE;
    if (other === null) events |= POLLHUP;
    return events;
  }

  override get readableBytes(): number {
    return this.#count;
  }

  override get writableBytes(): number {
    return this.#other === null ? 0 : PIPE_BYTES - this.#other.#count;
  }

  override read(into: Uint8Array, offset: number, lengthBytes: number): number {
    const count = Math.min(lengthBytes, this.#count);
    if (count === 0) return lengthBytes === 0 || this.#ended ? 0 : -Errno.EAGAIN;
    for (let i = 0; i < count; i++) into[offset + i] = this.#ring[(this.#readAt + i) % PIPE_BYTES] as number;
    this.#readAt = (this.#readAt + count) % PIPE_BYTES;
    this.#count -= count;
    this.#other?.notify(WRITABLE);
    return count;
  }

  override write(bytes: Uint8Array, offset: number, lengthBytes: number): number {
    const other = this.#other;
    if (other === null || this.#writeShut) return -Errno.EPIPE;
    const count = Math.min(lengthBytes, PIPE_BYTES - other.#count);
    if (count === 0) return lengthBytes === 0 ? 0 : -Errno.EAGAIN;
    const to = other.#readAt + other.#count;
    for (let i = 0; i < count; i++) other.#ring[(to + i) % PIPE_BYTES] = bytes[offset + i] as number;
    other.#count += count;
    other.notify(READABLE);
    return count;
  }

  shutdown(read: boolean, write: boolean): number {
    if (this.#other === null) return -Errno.ENOTCONN;
    if (read) this.#ended = true;
    if (write) {
      this.#writeShut = true;
      this.#other.#ended = true;
      this.#other.notify(READABLE);
    }
    return 0;
  }

  override end(): void {
    const other = this.#other;
    this.#other = null;
    if (other === null) return;
    other.#other = null;
    other.#ended = true;
    other.notify(READABLE | WRITABLE | POLLHUP);
  }
}
