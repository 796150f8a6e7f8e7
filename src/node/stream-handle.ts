/**
 * The stream half of the TCP handle: reading, writing, half-close, and what native code (TLS, HTTP/2, the HTTP parser)
 * does when it attaches itself.
 *
 * Thread: the program's. It is a native JSStream underneath, so that native code can attach to it; `net` itself calls the
 * methods here, and then no native code runs. Methods answer as libuv does: 0 or a negative UV number, callbacks always on
 * a later turn of the event loop. Read first: lib/internal/stream_base_commons.js of the oldest and newest supported Node.
 */

import { AsyncResource } from 'node:async_hooks';
import type { StreamSocket } from '../socket/socket.ts';
import { drainTicks, JSStream, type NativeStream, type ReadCallback, streamWrap } from './bindings.ts';
import { callProgram, liveness } from './face.ts';
import { FrameCutter } from './frame-cutter.ts';
import { feed, parserAttached } from './http-parser.ts';
import { finishLater } from './native-requests.ts';
import { type ReaderOwner, StreamReader } from './stream-reader.ts';
import { type StreamRequest, StreamWriter, type WriterOwner } from './stream-writer.ts';
import { UV_EBADF, UV_ENOTCONN } from './uv-error.ts';

const { streamBaseState: state, kReadBytesOrError } = streamWrap;

/** The native code that is attached. */
type Attached = 'nothing' | 'parser' | 'tls' | 'http2';

export abstract class NodeStreamHandle extends JSStream implements NativeStream, ReaderOwner, WriterOwner {
  readonly #scope: AsyncResource;
  protected readonly reader: StreamReader;
  protected readonly writer: StreamWriter;
  protected socket: StreamSocket | null = null;
  protected connected = false;
  protected closing = false;
  #onread: ReadCallback | undefined;
  #referenced = true;
  #held = false;
  #attached: Attached = 'nothing';
  #cutter: FrameCutter | null = null;
  #parsed = false;
  #tls: { onread: ReadCallback | undefined } | null = null;

  constructor(resource: string, triggerAsyncId: number | undefined) {
    super();
    this.#scope = new AsyncResource(resource, triggerAsyncId === undefined ? {} : { triggerAsyncId });
    this.reader = new StreamReader(this);
    this.writer = new StreamWriter(this);
  }

  // --- What the reader and the writer ask ---

  get openSocket(): StreamSocket | null {
    return this.socket;
  }

  get connecting(): boolean {
    return !this.connected;
  }

  get asyncScope(): AsyncResource {
    return this.#scope;
  }

  get readCallback(): ReadCallback | undefined {
    return this.#onread;
  }

  // --- Reading ---

  // net sets it; the native stream calls its own when nothing native is attached any more.
  override get onread(): ReadCallback | undefined {
    return this.#onread;
  }

  override set onread(callback: ReadCallback | undefined) {
    this.#onread = callback;
    super.onread = nativeOnread;
  }

  readStart(): number {
    if (this.closing) return UV_EBADF;
    if (!this.connected) return UV_ENOTCONN;
    this.reader.start();
    return 0;
  }

  readStop(): number {
    this.reader.stop();
    return 0;
  }

  useUserBuffer(bytes: Uint8Array): number {
    this.reader.useUserBuffer(bytes);
    return 0;
  }

  get bytesRead(): number {
    return this.reader.bytesRead;
  }

  // --- Native code on top ---

  /**
   * http, tls and http2 look at this when they are about to attach. The first two say so in other ways too; for http2 it is
   * all there is. A look without an attachment costs one read by the longer way.
   */
  get isStreamBase(): boolean {
    if (this.#attached === 'nothing') this.#attach('http2');
    return true;
  }

  /** Set by http when its parser attaches, which it does once for a handle. */
  get _consumed(): boolean {
    return this.#parsed;
  }

  set _consumed(consumed: boolean) {
    this.#parsed = consumed;
    if (!consumed) return;
    this.#attach('parser');
    parserAttached(this);
  }

  /** A TLS stream was put on top (install.ts). */
  attachTls(tls: { onread: ReadCallback | undefined }): void {
    this.#tls = tls;
    this.#attach('tls');
  }

  /** Native code starts to read. */
  onreadstart(): number {
    if (this.#attached === 'nothing') this.#attach('http2');
    return this.readStart();
  }

  onreadstop(): number {
    return this.readStop();
  }

  #attach(what: Attached): void {
    this.#attached = what;
    this.#cutter = what === 'tls' || what === 'http2' ? new FrameCutter(what) : null;
    this.reader.native = what !== 'nothing';
  }

  /** The native stream found nobody above it: read for `net` again. */
  nativeDetached(): void {
    this.#attach('nothing');
  }

  feedNative(bytes: Uint8Array): void {
    const cutter = this.#cutter;
    if (cutter === null) {
      feed(this, bytes);
      return;
    }
    for (let at = 0; at < bytes.length && !this.closing; ) {
      const end = cutter.next(bytes, at);
      this.give(at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end));
      at = end;
    }
  }

  give(bytes: Uint8Array): void {
    this.#scope.runInAsyncScope(this.readBuffer, this, bytes);
    drainTicks();
  }

  endNative(): void {
    callProgram(this.#scope, this.emitEOF, this);
  }

  failNative(status: number): void {
    state[kReadBytesOrError] = status;
    const target = this.#tls ?? this;
    callProgram(this.#scope, target.onread, target);
  }

  onwrite(request: StreamRequest, chunks: readonly Uint8Array[]): number {
    return this.writer.writeNative(request, chunks);
  }

  onshutdown(request: StreamRequest): number {
    return this.#shutdown(request, true);
  }

  isClosing(): boolean {
    return this.closing;
  }

  finishNative(request: StreamRequest, status: number, shutdown: boolean): void {
    finishLater({ stream: this, request, status, shutdown });
  }

  // --- Writing ---

  writeBuffer(request: StreamRequest | null, bytes: Uint8Array): number | StreamRequest {
    return this.writer.writeBytes(request, bytes);
  }

  writeUtf8String(request: StreamRequest | null, text: string): number | StreamRequest {
    return this.writer.writeString(request, text, 'utf8');
  }

  writeLatin1String(request: StreamRequest | null, text: string): number | StreamRequest {
    return this.writer.writeString(request, text, 'latin1');
  }

  writeAsciiString(request: StreamRequest | null, text: string): number | StreamRequest {
    return this.writer.writeString(request, text, 'ascii');
  }

  writeUcs2String(request: StreamRequest | null, text: string): number | StreamRequest {
    return this.writer.writeString(request, text, 'ucs2');
  }

  writev(request: StreamRequest | null, chunks: readonly unknown[], allBuffers: boolean): number | StreamRequest {
    return this.writer.writeVector(request, chunks, allBuffers);
  }

  get bytesWritten(): number {
    return this.writer.bytesWritten;
  }

  get writeQueueSize(): number {
    return this.writer.queuedBytes;
  }

  shutdown(request: StreamRequest): number {
    return this.#shutdown(request, false);
  }

  #shutdown(request: StreamRequest, native: boolean): number {
    return !this.connected || this.closing ? UV_ENOTCONN : this.writer.shutdown(request, native);
  }

  setBlocking(): number {
    return 0;
  }

  // --- Life ---

  getAsyncId(): number {
    return this.#scope.asyncId();
  }

  ref(): void {
    this.#referenced = true;
    this.updateLiveness();
  }

  unref(): void {
    this.#referenced = false;
    this.updateLiveness();
  }

  hasRef(): boolean {
    return this.#referenced && !this.closing;
  }

  /** Whether libuv would have this handle in its poll set. */
  abstract get active(): boolean;

  /** Keep the event loop alive, or no longer: a referenced handle that waits for something does. */
  updateLiveness(): void {
    const hold = this.#referenced && !this.closing && this.active;
    if (hold === this.#held) return;
    this.#held = hold;
    if (hold) liveness.hold();
    else liveness.release();
  }
}

/** The native stream has data and no listener but itself: whoever was attached is gone. */
function nativeOnread(this: unknown, bytes: ArrayBuffer | undefined): unknown {
  const handle = this as NodeStreamHandle;
  if ((state[kReadBytesOrError] as number) > 0) handle.nativeDetached();
  return handle.onread?.call(handle, bytes);
}
