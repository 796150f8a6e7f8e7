/**
 * The client's end of a carrier to the thread that started this one, on which it can wait. The other end is a `PortCarrier`
 * (port-carrier.ts has the messages) that rings after each.
 *
 * Thread: the client's.
 */

import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { ThreadBell } from '../../mem/thread-bell.ts';
import type { EventCarrier } from '../contract.ts';

export class ThreadCarrier implements EventCarrier {
  onBytes: ((bytes: Uint8Array) => void) | null = null;
  onClosed: (() => void) | null = null;
  readonly #port: MessagePort;
  readonly #bell: ThreadBell;
  #closed = false;

  constructor(port: MessagePort, bell: ThreadBell) {
    this.#port = port;
    this.#bell = bell;
  }

  write(head: Uint8Array, body: Uint8Array | null): boolean {
    if (this.#closed) return false;
    const bytes = new Uint8Array(head.length + (body?.length ?? 0));
    bytes.set(head);
    if (body !== null) bytes.set(body, head.length);
    this.#port.postMessage(bytes, [bytes.buffer]);
    return true;
  }

  read(): Uint8Array | null {
    while (!this.#closed) {
      const rings = this.#bell.rings();
      const received = receiveMessageOnPort(this.#port);
      if (received === undefined) this.#bell.wait(rings);
      else if (received.message === null) this.close();
      else if (received.message instanceof Uint8Array) return this.#take(received.message);
    }
    return null;
  }

  start(): void {
    this.#port.on('message', (message: unknown) => {
      if (message === null) this.close();
      else if (message instanceof Uint8Array) this.onBytes?.(this.#take(message));
    });
    this.#port.on('close', () => this.onClosed?.());
    this.#port.unref();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#port.postMessage(null);
    this.#port.close();
  }

  /** Tell the sender that its bytes were read. */
  #take(bytes: Uint8Array): Uint8Array {
    this.#port.postMessage(bytes.length);
    return bytes;
  }
}
