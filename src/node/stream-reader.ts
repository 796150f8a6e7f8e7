/**
 * The read side of a stream handle: takes what has arrived out of the kernel and gives it to `net`, or to native code
 * that has attached itself to the handle (TLS, HTTP/2, the HTTP parser).
 *
 * Thread: the program's. One buffer per readable event, up to 64 KiB, filled by the kernel itself and then the program's
 * own; small ones are cut from a slab. Native code gets it by way of a shared buffer, which it copies from at once.
 */

import type { AsyncResource } from 'node:async_hooks';
import { Buffer } from 'node:buffer';
import { markAsUntransferable } from 'node:worker_threads';
import { Errno } from '../base/errors.ts';
import type { StreamSocket } from '../socket/socket.ts';
import { type ReadCallback, streamWrap } from './bindings.ts';
import { callProgram, type Deferrable, defer } from './face.ts';
import { UV_EOF, uvResult } from './uv-error.ts';

const { streamBaseState: state, kReadBytesOrError, kArrayBufferOffset } = streamWrap;

const READ_BYTES = 65536;
/** Reads up to this size share a slab of `READ_BYTES`. */
const SLAB_READ_BYTES = 4096;
/** Reads per turn, then others get theirs. */
const READS_PER_TURN = 32;

let slab: Uint8Array = new Uint8Array(0);
let slabAt = 0;
let nativeBuffer: Uint8Array | null = null;

function slabFor(lengthBytes: number): Uint8Array {
  if (slab.length - slabAt < lengthBytes) {
    slab = new Uint8Array(READ_BYTES);
    markAsUntransferable(slab.buffer);
    slabAt = 0;
  }
  return slab;
}

export interface ReaderOwner {
  readonly openSocket: StreamSocket | null;
  readonly asyncScope: AsyncResource;
  /** `net`'s callback. */
  readonly readCallback: ReadCallback | undefined;
  /** Reading started, stopped, or ended. */
  updateLiveness(): void;
  /** Native code takes the bytes. */
  feedNative(bytes: Uint8Array): void;
  endNative(): void;
  failNative(status: number): void;
}

export class StreamReader implements Deferrable {
  deferred = false;
  bytesRead = 0;
  reading = false;
  /** Native code is attached, so bytes go to it. */
  native = false;
  readonly #owner: ReaderOwner;
  /** The kernel said something while nobody was reading. */
  #missed = false;
  #userBuffer: Uint8Array | null = null;

  constructor(owner: ReaderOwner) {
    this.#owner = owner;
  }

  start(): void {
    if (this.reading) return;
    this.reading = true;
    this.#owner.updateLiveness();
    // Never from inside this call: `net` does not expect data before it returns.
    if (this.#missed) defer(this);
  }

  stop(): void {
    if (!this.reading) return;
    this.reading = false;
    this.#missed = true;
    this.#owner.updateLiveness();
  }

  useUserBuffer(bytes: Uint8Array): void {
    this.#userBuffer = bytes;
  }

  /** Something arrived, or the peer ended or reset the connection. */
  readable(): void {
    if (this.reading) this.resume();
    else this.#missed = true;
  }

  resume(): void {
    let left = READS_PER_TURN;
    let done = false;
    this.#missed = false;
    try {
      while (this.reading && left-- > 0) {
        const socket = this.#owner.openSocket;
        if (socket === null || !this.#readOnce(socket)) break;
      }
      done = true;
    } finally {
      // Out of turns, or the program threw: there may be more.
      if (!this.reading) this.#missed = true;
      else if (!done || left < 0) defer(this);
    }
  }

  /** False when there is nothing more to read now. */
  #readOnce(socket: StreamSocket): boolean {
    const available = socket.readableBytes;
    if (this.native) return this.#readNative(socket);
    if (this.#userBuffer !== null) return this.#readUser(socket, this.#userBuffer);
    const small = available <= SLAB_READ_BYTES;
    const whole = small ? null : socket.receiveBuffer();
    if (whole !== null) {
      this.bytesRead += whole.length;
      this.#deliver(whole.length, whole.buffer, 0);
      return true;
    }
    const bytes = small ? slabFor(SLAB_READ_BYTES) : Buffer.allocUnsafeSlow(Math.min(available, READ_BYTES));
    const offset = small ? slabAt : 0;
    const count = socket.receive(bytes, offset, small ? SLAB_READ_BYTES : bytes.length);
    if (count <= 0) return this.#end(count);
    // Views made by the program are 8-byte aligned when they begin so.
    if (small) slabAt += (count + 7) & ~7;
    this.bytesRead += count;
    this.#deliver(count, bytes.buffer as ArrayBuffer, offset);
    return true;
  }

  #readUser(socket: StreamSocket, bytes: Uint8Array): boolean {
    const count = socket.receive(bytes, 0, bytes.length);
    if (count <= 0) return this.#end(count);
    this.bytesRead += count;
    const next = this.#deliver(count, undefined, 0);
    if (next instanceof Uint8Array) this.#userBuffer = next;
    return true;
  }

  #readNative(socket: StreamSocket): boolean {
    const bytes = nativeBuffer ?? new Uint8Array(READ_BYTES);
    nativeBuffer = null;
    const count = socket.receive(bytes, 0, READ_BYTES);
    try {
      if (count <= 0) return this.#end(count);
      this.bytesRead += count;
      this.#owner.feedNative(count === bytes.length ? bytes : bytes.subarray(0, count));
      return true;
    } finally {
      nativeBuffer = bytes;
    }
  }

  #deliver(count: number, buffer: ArrayBuffer | undefined, offset: number): unknown {
    state[kReadBytesOrError] = count;
    state[kArrayBufferOffset] = offset;
    return callProgram(this.#owner.asyncScope, this.#owner.readCallback, this.#owner, buffer);
  }

  #end(count: number): boolean {
    if (count === -Errno.EAGAIN) return false;
    this.reading = false;
    this.#owner.updateLiveness();
    if (count === 0) {
      if (this.native) this.#owner.endNative();
      else this.#deliver(UV_EOF, undefined, 0);
    } else if (this.native) this.#owner.failNative(uvResult(count));
    else this.#deliver(uvResult(count), undefined, 0);
    return false;
  }
}
