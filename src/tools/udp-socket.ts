/**
 * A UDP socket of a kernel for a program outside of it.
 *
 * Thread: the client's. Datagrams that come faster than the kernel takes them are dropped here, as a network drops them.
 * Read first: DatagramsEvent in sys/control.ts.
 */

import type { KernelClient, StreamHandle } from '../rump/kernel-client.ts';
import { DATAGRAMS_WINDOW_BYTES, type DatagramsEvent, type DatagramsInput, type IpAddress } from '../sys/control.ts';

export interface DatagramHandlers {
  bound(port: number): void;
  /** `broadcast`: it is not to be refused. */
  datagram(bytes: Uint8Array, from: IpAddress, port: number, broadcast: boolean): void;
  /** The socket is gone; null: it was closed. */
  ended(error: Error | null): void;
}

export class KernelDatagrams {
  readonly #handle: StreamHandle<DatagramsInput>;
  readonly #handlers: DatagramHandlers;
  /** Lengths of datagrams that the kernel has not taken, oldest first. */
  readonly #sending: number[] = [];
  #sendingBytes = 0;

  /** `port` 0: any. */
  constructor(client: KernelClient, port: number, handlers: DatagramHandlers) {
    this.#handlers = handlers;
    this.#handle = client.open(
      'datagrams',
      { port },
      { event: (event) => this.#event(event), end: (error) => handlers.ended(error) },
    );
  }

  /** False: it was dropped. */
  send(bytes: Uint8Array, to: IpAddress, port: number): boolean {
    return this.#input('send', bytes, to, port);
  }

  /** Answer a datagram that came from there, no broadcast, as a closed port does: ICMP port unreachable. False: it was dropped. */
  refuse(bytes: Uint8Array, to: IpAddress, port: number): boolean {
    return this.#input('refuse', bytes, to, port);
  }

  #input(type: 'send' | 'refuse', bytes: Uint8Array, to: IpAddress, port: number): boolean {
    // Empty ones need memory too.
    const cost = bytes.length + 1;
    if (this.#sendingBytes + cost > DATAGRAMS_WINDOW_BYTES) return false;
    this.#sending.push(cost);
    this.#sendingBytes += cost;
    this.#handle.send({ type, to, port, bytes });
    return true;
  }

  close(): void {
    this.#handle.close();
  }

  #event(event: DatagramsEvent): void {
    switch (event.type) {
      case 'bound':
        this.#handlers.bound(event.port);
        return;
      case 'datagram':
        this.#handlers.datagram(event.bytes, event.from, event.port, event.broadcast);
        this.#handle.send({ type: 'credit', bytes: event.bytes.length });
        return;
      case 'sent':
        this.#sendingBytes -= this.#sending.shift() ?? 0;
    }
  }
}
