/**
 * The client's two connections to the kernel it shares: calls go out blocking, in order, and where a call has a result at
 * once the thread waits for it; what happens to the sockets comes in through the event loop.
 *
 * Thread: the client's, which has no kernel of its own. A kernel that is gone answers every call with -ENETDOWN.
 */

import { Buffer } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import { readSync, writeSync, writevSync } from 'node:fs';
import { Errno } from '../base/errors.ts';
import type { SocketAddress } from '../socket/socket.ts';
import { NativePipe, type NativePipeHandle, PipeConnectRequest, streamWrap } from './bindings.ts';
import * as protocol from './share-protocol.ts';

const { streamBaseState: state, kReadBytesOrError, kArrayBufferOffset } = streamWrap;

// Taken before the program can replace them.
const read = readSync;
const write = writeSync;
const writev = writevSync;

export interface Reply {
  a: number;
  payload: Uint8Array;
  addresses: readonly SocketAddress[];
}

const GONE: Reply = { a: -Errno.ENETDOWN, payload: new Uint8Array(0), addresses: [] };

function open(path: string): NativePipeHandle {
  const pipe = new NativePipe(0);
  // A unix socket connects within the call; the callback only says so later.
  const request = new PipeConnectRequest();
  request.oncomplete = () => undefined;
  const error = pipe.connect(request, path);
  if (typeof error === 'number' && error !== 0) throw new Error(`cannot reach the kernel of the parent: ${error}`);
  pipe.unref();
  return pipe;
}

function withAddresses(bytes: Uint8Array | undefined, addresses: readonly SocketAddress[]): Uint8Array {
  const length = bytes?.length ?? 0;
  const payload = new Uint8Array(length + addresses.length * protocol.ADDRESS_BYTES);
  if (bytes !== undefined) payload.set(bytes);
  protocol.writeAddresses(payload, length, addresses);
  return payload;
}

export class ShareConnection {
  readonly #calls: NativePipeHandle;
  readonly #events: NativePipeHandle;
  readonly #header: Buffer = Buffer.alloc(protocol.HEADER_BYTES);
  readonly #reader = new protocol.FrameReader();
  #gone = false;
  /** What the kernel said when the session began. */
  readonly hello: string;
  onFrame: (frame: protocol.Frame) => void = () => undefined;
  /** Once after each batch of frames. */
  onBatch: () => void = () => undefined;
  onGone: () => void = () => undefined;

  constructor(path: string, secret: string) {
    const hello = Buffer.from(`${secret} ${randomBytes(12).toString('hex')}`);
    this.#calls = open(path);
    this.#calls.setBlocking(true);
    this.#events = open(path);
    write(this.#events.fd, protocol.frameOf(protocol.HELLO, 0, protocol.ROLE_EVENTS, 0, 0, 0, hello));
    this.hello = Buffer.from(this.call(protocol.HELLO, 0, protocol.ROLE_CALLS, 0, 0, 0, hello).payload).toString();
    this.#events.onread = this.#onRead;
    this.#events.readStart();
  }

  /** A frame without a reply. */
  send(
    operation: number,
    socket: number,
    a = 0,
    b = 0,
    c = 0,
    d = 0,
    bytes?: Uint8Array,
    ...addresses: SocketAddress[]
  ): boolean {
    if (this.#gone) return false;
    const payload = addresses.length === 0 ? bytes : withAddresses(bytes, addresses);
    const header = this.#header;
    protocol.writeHeader(header, payload?.length ?? 0, operation, socket, a, b, c, d, addresses.length);
    try {
      if (payload === undefined) this.#writeAll(header, 0);
      else {
        const written = writev(this.#calls.fd, [header, payload]);
        if (written < header.length) this.#writeAll(header, written);
        this.#writeAll(payload, Math.max(0, written - header.length));
      }
      return true;
    } catch {
      this.#lost();
      return false;
    }
  }

  /** A call with a reply; the thread waits. */
  call(
    operation: number,
    socket: number,
    a = 0,
    b = 0,
    c = 0,
    d = 0,
    bytes?: Uint8Array,
    ...addresses: SocketAddress[]
  ): Reply {
    if (!this.send(operation, socket, a, b, c, d, bytes, ...addresses)) return GONE;
    try {
      const reader = new protocol.FrameReader();
      const header = this.#readAll(protocol.HEADER_BYTES);
      reader.push(header);
      const whole = reader.next();
      if (whole !== null) return whole;
      if (reader.fault !== null) throw new Error(`the kernel sent a bad frame: ${reader.fault}`);
      reader.push(this.#readAll(header.readInt32LE(0)));
      return reader.next() ?? GONE;
    } catch {
      this.#lost();
      return GONE;
    }
  }

  #writeAll(bytes: Uint8Array, from: number): void {
    for (let at = from; at < bytes.length; ) at += write(this.#calls.fd, bytes, at, bytes.length - at);
  }

  #readAll(length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length);
    for (let at = 0; at < length; ) {
      const count = read(this.#calls.fd, bytes, at, length - at, null);
      if (count === 0) throw new Error('the kernel is gone');
      at += count;
    }
    return bytes;
  }

  readonly #onRead = (bytes: ArrayBuffer | undefined): void => {
    const count = state[kReadBytesOrError] as number;
    if (count < 0 || bytes === undefined) {
      if (count < 0) this.#lost();
      return;
    }
    this.#reader.push(new Uint8Array(bytes, state[kArrayBufferOffset], count));
    for (let frame = this.#reader.next(); frame !== null; frame = this.#reader.next()) this.onFrame(frame);
    this.onBatch();
  };

  #lost(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#events.close();
    this.#calls.close();
    this.onGone();
  }
}
