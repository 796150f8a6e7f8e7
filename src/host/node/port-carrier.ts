/**
 * A carrier over a MessagePort, between threads of one process. Thread: either end's. It keeps no thread alive.
 *
 * Messages are Uint8Array (bytes, handed over, not copied), a number (so many bytes were read) or null (the end).
 */

import type { MessagePort } from 'node:worker_threads';
import type { Carrier } from '../contract.ts';

/** A slow carrier may hold so much before bytes for it count as unread. */
const HELD_BYTES_MAX = 65_536;

export class PortCarrier implements Carrier {
  onBytes: ((bytes: Uint8Array) => void) | null = null;
  onDrain: (() => void) | null = null;
  onClosed: (() => void) | null = null;
  readonly #port: MessagePort;
  readonly #onto: Carrier | null;
  readonly #sent: () => void;
  #queued = 0;
  /** Bytes given to `#onto` that the sender takes for unread. */
  #unread = 0;
  #closed = false;
  #told = false;

  /** `onto`: what arrives here is passed on to that carrier, and read when that has sent it. `sent`: called after each message. */
  constructor(port: MessagePort, onto: Carrier | null = null, sent: () => void = () => undefined) {
    this.#port = port;
    this.#sent = sent;
    this.#onto = onto;
    if (onto !== null) onto.onDrain = () => this.#read();
    port.on('message', (message) => this.#message(message));
    port.on('close', () => this.#end());
    port.unref();
  }

  get queuedBytes(): number {
    return this.#queued;
  }

  write(head: Uint8Array, body: Uint8Array | null): boolean {
    if (this.#closed) return false;
    const bytes = new Uint8Array(head.length + (body?.length ?? 0));
    bytes.set(head);
    if (body !== null) bytes.set(body, head.length);
    this.#queued += bytes.length;
    this.#port.postMessage(bytes, [bytes.buffer]);
    this.#sent();
    return true;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#port.postMessage(null);
    this.#sent();
    this.#port.close();
  }

  #message(message: unknown): void {
    if (typeof message === 'number') {
      this.#queued = Math.max(0, this.#queued - message);
      if (this.#queued === 0) this.onDrain?.();
    } else if (message instanceof Uint8Array) {
      this.#unread += message.length;
      if (this.#onto === null) this.#read();
      this.onBytes?.(message);
      if (this.#onto !== null && this.#onto.queuedBytes <= HELD_BYTES_MAX) this.#read();
    } else {
      this.#closed = true;
      this.#port.close();
    }
  }

  /** Tell the sender that its bytes were read. */
  #read(): void {
    if (!this.#closed && this.#unread > 0) this.#port.postMessage(this.#unread);
    this.#unread = 0;
  }

  #end(): void {
    this.#closed = true;
    if (this.#told) return;
    this.#told = true;
    this.onClosed?.();
  }
}
