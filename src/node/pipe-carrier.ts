/**
 * Unix sockets that the thread can wait on: native pipes, read and written by descriptor until they are handed to the event loop.
 *
 * Thread: the client's. Without `node:net`, which must not be loaded before the sockets of a thread are installed.
 */

import { readSync, writeSync, writevSync } from 'node:fs';
import { MultikernelError } from '../base/errors.ts';
import type { DescriptorCarrier } from '../host/contract.ts';
import { NativePipe, type NativeStreamHandle, PipeConnectRequest, streamWrap } from './bindings.ts';

const { streamBaseState: state, kReadBytesOrError, kArrayBufferOffset } = streamWrap;

// Taken before the program can replace them.
const read = readSync;
const write = writeSync;
const writev = writevSync;

const READ_BYTES = 65_536;

export class PipeCarrier implements DescriptorCarrier {
  onBytes: ((bytes: Uint8Array) => void) | null = null;
  onClosed: (() => void) | null = null;
  readonly #pipe: NativeStreamHandle;
  readonly fd: number;
  #closed = false;

  /** `connected`: the path of a unix socket, or a native stream. Throws ECONNREFUSED. */
  constructor(connected: string | NativeStreamHandle) {
    const pipe = typeof connected === 'string' ? connectPipe(connected) : connected;
    pipe.unref();
    pipe.setBlocking(true);
    this.#pipe = pipe;
    this.fd = pipe.fd;
  }

  write(head: Uint8Array, body: Uint8Array | null): boolean {
    if (this.#closed) return false;
    try {
      if (body === null || body.length === 0) this.#writeAll(head, 0);
      else {
        const written = writev(this.fd, [head, body]);
        if (written < head.length) this.#writeAll(head, written);
        this.#writeAll(body, Math.max(0, written - head.length));
      }
      return true;
    } catch {
      return false;
    }
  }

  #writeAll(bytes: Uint8Array, from: number): void {
    for (let at = from; at < bytes.length; ) at += write(this.fd, bytes, at, bytes.length - at);
  }

  read(): Uint8Array | null {
    if (this.#closed) return null;
    try {
      const bytes = new Uint8Array(READ_BYTES);
      const count = read(this.fd, bytes, 0, bytes.length, null);
      return count === 0 ? null : bytes.subarray(0, count);
    } catch {
      return null;
    }
  }

  start(): void {
    this.#pipe.setBlocking(false);
    this.#pipe.onread = this.#onRead;
    this.#pipe.readStart();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#pipe.close();
  }

  readonly #onRead = (bytes: ArrayBuffer | undefined): void => {
    const count = state[kReadBytesOrError] as number;
    if (count < 0) this.onClosed?.();
    else if (bytes !== undefined) this.onBytes?.(new Uint8Array(bytes, state[kArrayBufferOffset], count));
  };
}

function connectPipe(path: string): NativeStreamHandle {
  const pipe = new NativePipe(0);
  // A unix socket connects within the call; the callback only says so later.
  const request = new PipeConnectRequest();
  request.oncomplete = () => undefined;
  const error = pipe.connect(request, path);
  if (typeof error === 'number' && error !== 0)
    throw new MultikernelError('ECONNREFUSED', `cannot reach the kernel of the parent: ${error}`);
  return pipe;
}
