/**
 * Two carriers joined by nothing but memory: for tests, and for a client and a server on one thread.
 *
 * Thread: one. Bytes are delivered from a microtask, cut into pieces as asked, so that reader and writer never stand on one
 * stack.
 */

import type { Carrier } from '../host/contract.ts';

class MemoryCarrier implements Carrier {
  onBytes: ((bytes: Uint8Array) => void) | null = null;
  onDrain: (() => void) | null = null;
  onClosed: (() => void) | null = null;
  peer: MemoryCarrier | null = null;
  readonly #pieceBytes: number;
  readonly #out: Uint8Array[] = [];
  #queued = 0;
  #closing = false;
  #scheduled = false;
  #told = false;

  constructor(pieceBytes: number) {
    this.#pieceBytes = pieceBytes;
  }

  get queuedBytes(): number {
    return this.#queued;
  }

  write(head: Uint8Array, body: Uint8Array | null): boolean {
    if (this.#closing) return false;
    this.#add(head);
    if (body !== null) this.#add(body);
    this.#schedule();
    return true;
  }

  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#schedule();
  }

  #add(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#out.push(bytes.slice());
    this.#queued += bytes.length;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => this.#deliver());
  }

  #deliver(): void {
    this.#scheduled = false;
    for (const bytes of this.#out.splice(0)) {
      this.#queued -= bytes.length;
      for (let at = 0; at < bytes.length; at += this.#pieceBytes)
        this.peer?.onBytes?.(bytes.slice(at, at + this.#pieceBytes));
    }
    if (this.#closing) {
      this.peer?.end();
      this.end();
    } else if (this.#queued === 0) this.onDrain?.();
  }

  /** The pair is over. */
  end(): void {
    this.#closing = true;
    if (this.#told) return;
    this.#told = true;
    this.onClosed?.();
  }
}

/** Both ends. `pieceBytes`: the longest piece in which bytes arrive. */
export function memoryPair(pieceBytes: number = Number.POSITIVE_INFINITY): [client: Carrier, server: Carrier] {
  const client = new MemoryCarrier(pieceBytes);
  const server = new MemoryCarrier(pieceBytes);
  client.peer = server;
  server.peer = client;
  return [client, server];
}
