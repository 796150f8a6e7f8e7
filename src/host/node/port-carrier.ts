/**
 * A carrier over a MessagePort, between threads of one process. Thread: either end's.
 *
 * Messages are Uint8Array (bytes, handed over, not copied), a number (so many bytes were read) or null (the end).
 */

import type { MessagePort } from 'node:worker_threads';
import type { Carrier } from '../contract.ts';

export class PortCarrier implements Carrier {
  onBytes: ((bytes: Uint8Array) => void) | null = null;
  onDrain: (() => void) | null = null;
  onClosed: (() => void) | null = null;
  readonly #port: MessagePort;
  #queued = 0;
  #closed = false;
  #told = false;

  constructor(port: MessagePort) {
    this.#port = port;
    port.on('message', (message) => this.#message(message));
    port.on('close', () => this.#end());
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
    return true;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#port.postMessage(null);
    this.#port.close();
  }

  #message(message: unknown): void {
    if (typeof message === 'number') {
      this.#queued = Math.max(0, this.#queued - message);
      if (this.#queued === 0) this.onDrain?.();
    } else if (message instanceof Uint8Array) {
      if (!this.#closed) this.#port.postMessage(message.length);
      this.onBytes?.(message);
    } else {
      this.#closed = true;
      this.#port.close();
    }
  }

  #end(): void {
    this.#closed = true;
    if (this.#told) return;
    this.#told = true;
    this.onClosed?.();
  }
}
