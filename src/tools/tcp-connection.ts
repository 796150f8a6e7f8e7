/**
 * A TCP connection of a kernel for a program outside of it: a `Duplex` here, a socket there.
 *
 * Thread: the client's. Emits `connect` once the handshake is done. Read first: ConnectionEvent in sys/control.ts (the window that
 * keeps a fast kernel from flooding a slow reader).
 */

import { Duplex } from 'node:stream';
import { MultikernelError } from '../base/errors.ts';
import type { KernelClient, StreamHandle, StreamSink } from '../rump/kernel-client.ts';
import { openLater } from '../rump/late-stream.ts';
import type { ConnectionEvent, ConnectionInput } from '../sys/control.ts';
import { resolveHost } from './resolver.ts';

const WRITE_BYTES_MAX = 65_536;

/** The way to the kernel's end. */
type OpenConnection = (sink: StreamSink<ConnectionEvent>) => StreamHandle<ConnectionInput>;

export abstract class KernelConnection extends Duplex {
  readonly #open: OpenConnection;
  /** For messages. */
  readonly #target: string;
  #handle: StreamHandle<ConnectionInput> | null = null;
  #constructed: ((error?: Error | null) => void) | null = null;
  #written: (() => void) | null = null;
  #unreadBytes = 0;
  /** No more `data` will be pushed. */
  #readEnded = false;
  /** The kernel's side is over. */
  #over = false;

  /** `target`: the peer, for messages. */
  constructor(open: OpenConnection, target: string) {
    super({ allowHalfOpen: true });
    this.#target = target;
    this.#open = open;
  }

  /** http.Agent and friends ask for these of a socket. */
  setNoDelay(): this {
    return this;
  }
  /** Does nothing. */
  setKeepAlive(): this {
    return this;
  }
  /** Does nothing. */
  setTimeout(): this {
    return this;
  }
  /** Does nothing. */
  ref(): this {
    return this;
  }
  /** Does nothing. */
  unref(): this {
    return this;
  }

  /** As of `net.Socket`: close with a reset. */
  resetAndDestroy(): this {
    if (!this.#over) this.#handle?.send({ type: 'reset' });
    return this.destroy();
  }

  #event(event: ConnectionEvent): void {
    switch (event.type) {
      case 'connected':
        this.#ready(null);
        this.emit('connect');
        break;
      case 'data':
        this.#unreadBytes += event.bytes.length;
        if (this.push(event.bytes)) this.#credit();
        break;
      case 'end':
        this.#endReading();
        break;
      case 'written':
        this.#written?.();
    }
  }

  #ready(error: Error | null): void {
    const constructed = this.#constructed;
    this.#constructed = null;
    constructed?.(error);
  }

  /** The kernel's side is over. Received data stays readable. */
  #end(error: Error | null): void {
    this.#over = true;
    if (this.#constructed !== null) {
      const code = error instanceof MultikernelError ? error.code : 'ECONNABORTED';
      this.#ready(new MultikernelError(code, `connect ${code} ${this.#target}`));
    } else if (error !== null) {
      this.destroy(error);
    } else {
      this.#endReading();
      this.#written?.();
      this.end();
    }
  }

  #endReading(): void {
    if (!this.#readEnded) this.push(null);
    this.#readEnded = true;
  }

  #credit(): void {
    if (this.#unreadBytes === 0) return;
    this.#handle?.send({ type: 'credit', bytes: this.#unreadBytes });
    this.#unreadBytes = 0;
  }

  /** @internal */
  override _construct(callback: (error?: Error | null) => void): void {
    this.#constructed = callback;
    this.#handle = this.#open({ event: (event) => this.#event(event), end: (error) => this.#end(error) });
  }

  /** A stream is torn down only once it is constructed: a handshake that nobody answers must not hold it. */
  override destroy(error?: Error): this {
    super.destroy(error);
    this.#ready(null);
    return this;
  }

  /** @internal */
  override _read(): void {
    this.#credit();
  }

  /** @internal */
  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    const piece = (at: number): void => {
      if (at >= chunk.length || this.#over) {
        this.#written = null;
        callback();
        return;
      }
      const bytes = new Uint8Array(chunk.subarray(at, at + WRITE_BYTES_MAX));
      this.#written = () => piece(at + bytes.length);
      this.#handle?.send({ type: 'write', bytes });
    };
    piece(0);
  }

  /** @internal */
  override _final(callback: (error?: Error | null) => void): void {
    if (!this.#over) this.#handle?.send({ type: 'end' });
    callback();
  }

  /** @internal */
  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    if (!this.#over) this.#handle?.close();
    callback(error);
  }
}

/** A connection that the kernel makes. */
export class TcpConnection extends KernelConnection {
  constructor(client: KernelClient, host: string, port: number) {
    super(
      (sink) =>
        openLater(sink, resolveHost(client, host), ({ address }) => client.open('connection', { address, port }, sink)),
      `${host}:${port}`,
    );
  }
}
