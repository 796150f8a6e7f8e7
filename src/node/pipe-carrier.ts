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
const MS_PER_S = 1000;

/** Time that the other side has (host/node/patience.ts). */
export interface Patient {
  readonly limitMs: number;
  /** Blocks for a moment. False when there was time enough. */
  nap(): boolean;
}

export class PipeCarrier implements DescriptorCarrier {
  onBytes: ((bytes: Uint8Array) => void) | null = null;
  onClosed: (() => void) | null = null;
  readonly #pipe: NativeStreamHandle;
  readonly fd: number;
  #patience: Patient | null;
  #closed = false;

  /**
   * `connected`: the path of a unix socket, or a native stream. `patience`: of reads and writes, until {@link trust}; null: they wait
   * for ever. Throws ECONNREFUSED.
   */
  constructor(connected: string | NativeStreamHandle, patience: Patient | null = null) {
    const pipe = typeof connected === 'string' ? connectPipe(connected) : connected;
    pipe.unref();
    pipe.setBlocking(patience === null);
    this.#patience = patience;
    this.#pipe = pipe;
    this.fd = pipe.fd;
  }

  /** The other side answers: from now on it is waited for. */
  trust(): void {
    this.#patience = null;
    this.#pipe.setBlocking(true);
  }

  /** Bytes that `transfer` moved; -1: none, now or ever. Throws ETIMEDOUT when the other side had time enough. */
  #patiently(transfer: () => number): number {
    for (;;) {
      try {
        return transfer();
      } catch (error) {
        const again = (error as { code?: string }).code === 'EAGAIN' && this.#patience !== null;
        if (!again) return -1;
      }
      if (this.#patience?.nap() === false) {
        const seconds = this.#patience.limitMs / MS_PER_S;
        throw new MultikernelError('ETIMEDOUT', `no answer in ${seconds} s: its program blocks the thread`);
      }
    }
  }

  write(head: Uint8Array, body: Uint8Array | null): boolean {
    if (this.#closed) return false;
    if (this.#patience !== null) return this.#writePatiently(body === null ? head : Buffer.concat([head, body]));
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

  #writePatiently(bytes: Uint8Array): boolean {
    for (let at = 0; at < bytes.length; ) {
      const count = this.#patiently(() => write(this.fd, bytes, at, bytes.length - at));
      if (count < 0) return false;
      at += count;
    }
    return true;
  }

  #writeAll(bytes: Uint8Array, from: number): void {
    for (let at = from; at < bytes.length; ) at += write(this.fd, bytes, at, bytes.length - at);
  }

  read(): Uint8Array | null {
    if (this.#closed) return null;
    const bytes = new Uint8Array(READ_BYTES);
    const count = this.#patiently(() => read(this.fd, bytes, 0, bytes.length, null));
    return count <= 0 ? null : bytes.subarray(0, count);
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
