/**
 * Keeps a thread's event loop alive exactly while the program has something to wait for, as libuv does: referenced
 * handles that listen or read, and requests that are not finished.
 *
 * Thread: the program's. One message port stands for all of them; it is referenced while the count is above 0.
 */

import { MessageChannel, type MessagePort } from 'node:worker_threads';

export class Liveness {
  #count = 0;
  readonly #port: MessagePort;
  readonly #otherPort: MessagePort;

  constructor() {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#otherPort = port2;
    port1.unref();
    port2.unref();
  }

  /** Handles and requests that the event loop waits for. */
  get count(): number {
    return this.#count;
  }

  hold(): void {
    if (this.#count++ === 0) this.#port.ref();
  }

  release(): void {
    if (--this.#count === 0) this.#port.unref();
  }

  /** Whether `handle` is the port used here: it is not one of the program's. */
  owns(handle: unknown): boolean {
    return handle === this.#port || handle === this.#otherPort;
  }
}
