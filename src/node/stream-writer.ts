/**
 * The write side of a stream handle: what `net`, or native code above it, hands over goes to the kernel's send buffer;
 * what does not fit waits here until there is room, and then its request completes.
 *
 * Thread: the program's. Bytes are copied once, into the kernel; strings are encoded into one scratch buffer that every
 * handle of the thread shares. A write that was taken whole completes synchronously, as with libuv's uv_try_write.
 */

import { AsyncResource } from 'node:async_hooks';
import { Buffer } from 'node:buffer';
import { Errno } from '../base/errors.ts';
import type { StreamSocket } from '../socket/socket.ts';
import { streamWrap } from './bindings.ts';
import { callProgram, type Deferrable, deferBeforeEvents, liveness } from './face.ts';
import { uvResult } from './uv-error.ts';

const { streamBaseState: state, kBytesWritten, kLastWriteWasAsync, kLastWriteErr } = streamWrap;

export type Encoding = 'utf8' | 'latin1' | 'ascii' | 'ucs2';

/** A request object of Node (`WriteWrap`, `ShutdownWrap`): we only complete it. */
export interface StreamRequest {
  oncomplete?: unknown;
}

/** Node 26 passes no request: a write that has to wait returns one, and Node fills it in. */
class WriteRequest implements StreamRequest {
  oncomplete: unknown = undefined;
  handle: unknown = undefined;
  callback: unknown = undefined;
  async = true;
  bytes = 0;
  buffer: unknown = null;
  writeStatus: number | null = null;
}

/** The part of a handle that its writer uses. */
export interface WriterOwner {
  /** The connected socket, null before and after. */
  readonly openSocket: StreamSocket | null;
  /** Still connecting: writes wait. */
  readonly connecting: boolean;
  readonly asyncScope: AsyncResource;
  /** A request of native code is finished: tell it, later. */
  finishNative(request: StreamRequest, status: number, shutdown: boolean): void;
}

interface PendingWrite {
  readonly request: StreamRequest;
  readonly chunks: readonly Uint8Array[];
  /** Chunk to go on with, and where in it. */
  index: number;
  at: number;
  /** null: native code waits for it. */
  readonly scope: AsyncResource | null;
}

const SCRATCH_BYTES = 65536;
/** Chunks from this size on go to the kernel by themselves; smaller neighbours are first put together. */
const GATHER_BYTES = 4096;

let scratchBuffer: Buffer | null = null;

function scratch(): Buffer {
  scratchBuffer ??= Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  return scratchBuffer;
}

function bytesAtMost(text: string, encoding: Encoding): number {
  return encoding === 'utf8' ? text.length * 3 : encoding === 'ucs2' ? text.length * 2 : text.length;
}

export class StreamWriter implements Deferrable {
  deferred = false;
  /** Bytes handed over by the program, taken or not. */
  bytesWritten = 0;
  /** Bytes that wait here. */
  queuedBytes = 0;
  readonly #owner: WriterOwner;
  #queue: PendingWrite[] = [];
  #shutdown: PendingWrite | null = null;

  constructor(owner: WriterOwner) {
    this.#owner = owner;
  }

  /** A request waits for the kernel. */
  get pending(): boolean {
    return this.#queue.length > 0 || this.#shutdown !== null;
  }

  writeBytes(request: StreamRequest | null, bytes: Uint8Array): number | StreamRequest {
    const length = bytes.length;
    const taken = this.#send(bytes, 0, length);
    if (taken < 0) return this.#failed(taken, length);
    if (taken === length) return this.#done(length);
    return this.#wait(request, [bytes], taken, length);
  }

  writeString(request: StreamRequest | null, text: string, encoding: Encoding): number | StreamRequest {
    if (bytesAtMost(text, encoding) > SCRATCH_BYTES) return this.writeBytes(request, Buffer.from(text, encoding));
    const buffer = scratch();
    const length = buffer.write(text, 0, encoding);
    const taken = this.#send(buffer, 0, length);
    if (taken < 0) return this.#failed(taken, length);
    if (taken === length) return this.#done(length);
    return this.#wait(request, [Buffer.from(buffer.subarray(taken, length))], 0, length, length - taken);
  }

  /** `chunks` of buffers, or of alternating data and encoding. */
  writeVector(request: StreamRequest | null, chunks: readonly unknown[], allBuffers: boolean): number | StreamRequest {
    const buffer = scratch();
    const step = allBuffers ? 1 : 2;
    let rest: Uint8Array[] | null = null;
    let restBytes = 0;
    let total = 0;
    let filled = 0;
    for (let i = 0; i < chunks.length; ) {
      let bytes: Uint8Array = buffer;
      let length = 0;
      // As many small neighbours as there are go out as one piece, a large one by itself.
      while (i < chunks.length && filled + GATHER_BYTES <= SCRATCH_BYTES) {
        const added = this.#gather(buffer, filled, chunks[i], allBuffers ? undefined : chunks[i + 1]);
        if (added < 0) break;
        filled += added;
        i += step;
      }
      if (filled > 0) {
        length = filled;
        filled = 0;
      } else if (i < chunks.length) {
        bytes = asBytes(chunks[i], allBuffers ? undefined : chunks[i + 1]);
        length = bytes.length;
        i += step;
      }
      const taken = restBytes > 0 ? 0 : this.#send(bytes, 0, length);
      total += length;
      if (taken < 0) return this.#failed(taken, total);
      if (taken === length) continue;
      rest ??= [];
      rest.push(bytes === buffer ? Buffer.from(buffer.subarray(taken, length)) : bytes.subarray(taken));
      restBytes += length - taken;
    }
    if (rest === null) return this.#done(total);
    return this.#wait(request, rest, 0, total, restBytes);
  }

  /** Bytes from native code (TLS, HTTP/2); its request completes later even when all was taken. */
  writeNative(request: StreamRequest, chunks: readonly Uint8Array[]): number {
    let restBytes = 0;
    let index = 0;
    let at = 0;
    for (let i = 0; i < chunks.length; i++) {
      const bytes = chunks[i] as Uint8Array;
      this.bytesWritten += bytes.length;
      if (restBytes > 0) {
        restBytes += bytes.length;
        continue;
      }
      const taken = this.#send(bytes, 0, bytes.length);
      if (taken < 0) return uvResult(taken);
      if (taken === bytes.length) continue;
      index = i;
      at = taken;
      restBytes = bytes.length - taken;
    }
    if (restBytes === 0) this.#owner.finishNative(request, 0, false);
    else this.#push({ request, chunks, index, at, scope: null }, restBytes);
    return 0;
  }

  /** Half-close once everything before it is taken, and tell on a later turn, as libuv does. */
  shutdown(request: StreamRequest, native: boolean): number {
    if (this.#owner.openSocket === null || this.#shutdown !== null) return uvResult(-Errno.ENOTCONN);
    this.#shutdown = { request, chunks: [], index: 0, at: 0, scope: native ? null : this.#scope('SHUTDOWNWRAP') };
    liveness.hold();
    if (this.#queue.length === 0) deferBeforeEvents(this);
    return 0;
  }

  /** Half-close now if nothing waits before it. */
  resume(): void {
    const pending = this.#shutdown;
    const socket = this.#owner.openSocket;
    if (pending === null || socket === null || this.#queue.length > 0) return;
    this.#shutdown = null;
    this.#complete(pending, uvResult(socket.shutdown()));
  }

  /** There is room in the send buffer: go on. Completes the requests that are now taken whole. */
  writable(): void {
    while (this.#queue.length > 0) {
      const socket = this.#owner.openSocket;
      if (socket === null || this.#owner.connecting) return;
      const write = this.#queue[0] as PendingWrite;
      const result = this.#sendOn(socket, write);
      if (result === -Errno.EAGAIN) return;
      if (result < 0) {
        this.fail(uvResult(result));
        break;
      }
      this.#queue.shift();
      this.#complete(write, 0);
    }
    this.resume();
  }

  /** 0 when the whole write is taken, `-EAGAIN`, or an error. */
  #sendOn(socket: StreamSocket, write: PendingWrite): number {
    while (write.index < write.chunks.length) {
      const bytes = write.chunks[write.index] as Uint8Array;
      const left = bytes.length - write.at;
      const taken = left === 0 ? 0 : socket.send(bytes, write.at, left);
      if (taken < 0) return taken;
      this.queuedBytes -= taken;
      write.at += taken;
      if (taken < left) return -Errno.EAGAIN;
      write.index++;
      write.at = 0;
    }
    return 0;
  }

  /** End every request that waits with `status` (a UV number). */
  fail(status: number): void {
    const queue = this.#queue;
    this.#queue = [];
    this.queuedBytes = 0;
    for (let i = 0; i < queue.length; i++) this.#complete(queue[i] as PendingWrite, status);
  }

  /** The handle closes: nothing that waits will be sent. */
  cancel(status: number): void {
    this.fail(status);
    const shutdown = this.#shutdown;
    this.#shutdown = null;
    if (shutdown !== null) this.#complete(shutdown, status);
  }

  /** Put a small chunk at `at` of the scratch buffer: how many bytes it took, -1 when it is not small. */
  #gather(buffer: Buffer, at: number, chunk: unknown, encoding: unknown): number {
    if (typeof chunk === 'string') {
      if (chunk.length * 3 >= GATHER_BYTES) return -1;
      return buffer.write(chunk, at, encoding as BufferEncoding);
    }
    const bytes = chunk as Uint8Array;
    if (bytes.length >= GATHER_BYTES) return -1;
    buffer.set(bytes, at);
    return bytes.length;
  }

  #scope(type: string): AsyncResource {
    return new AsyncResource(type, { triggerAsyncId: this.#owner.asyncScope.asyncId(), requireManualDestroy: true });
  }

  /** The count taken, 0 when the bytes must wait, or a negative errno. */
  #send(bytes: Uint8Array, offset: number, length: number): number {
    const socket = this.#owner.openSocket;
    if (socket === null) return -Errno.EBADF;
    if (length === 0 || this.#queue.length > 0 || this.#owner.connecting) return 0;
    const taken = socket.send(bytes, offset, length);
    return taken === -Errno.EAGAIN ? 0 : taken;
  }

  #done(length: number): number {
    this.bytesWritten += length;
    state[kBytesWritten] = length;
    state[kLastWriteWasAsync] = 0;
    return 0;
  }

  #failed(errno: number, length: number): number {
    this.bytesWritten += length;
    state[kBytesWritten] = length;
    state[kLastWriteWasAsync] = 0;
    return uvResult(errno);
  }

  #wait(
    request: StreamRequest | null,
    chunks: readonly Uint8Array[],
    at: number,
    length: number,
    restBytes: number = length - at,
  ): number | StreamRequest {
    this.bytesWritten += length;
    state[kBytesWritten] = length;
    state[kLastWriteWasAsync] = 1;
    if (kLastWriteErr !== undefined) state[kLastWriteErr] = 0;
    const made = request ?? new WriteRequest();
    this.#push({ request: made, chunks, index: 0, at, scope: this.#scope('WRITEWRAP') }, restBytes);
    return request === null ? made : 0;
  }

  #push(write: PendingWrite, restBytes: number): void {
    this.#queue.push(write);
    this.queuedBytes += restBytes;
    liveness.hold();
  }

  #complete(write: PendingWrite, status: number): void {
    liveness.release();
    if (write.scope === null) this.#owner.finishNative(write.request, status, write.chunks.length === 0);
    else {
      callProgram(write.scope, write.request.oncomplete, write.request, status, this.#owner);
      write.scope.emitDestroy();
    }
  }
}

function asBytes(chunk: unknown, encoding: unknown): Uint8Array {
  return typeof chunk === 'string' ? Buffer.from(chunk, encoding as BufferEncoding) : (chunk as Uint8Array);
}
