/**
 * A bell for an event loop that other processes ring through a socket, and the waker that rings it.
 *
 * Thread: the bell's functions belong to its owner, `ring` to any thread of the owner's process; a waker belongs to the thread
 * that connected it. The word of the bell stays the truth about its owner (mem/bell.ts): a waker writes one byte when it finds
 * SLEEPING there, and a byte says no more than "look". Read first: mem/bell.ts, mem/doorbell.ts. Missing: an arena mapped by two
 * processes (ffi/shared-file.ts maps pieces of one), so that both sides are threads of one process today.
 */

import type { Arena } from '../../mem/arena.ts';
import type { AsyncBell, Waker } from '../../mem/bell.ts';
import { Doorbell } from '../../mem/doorbell.ts';
import type { Carrier } from '../contract.ts';
import { connectSocket, listenSocket, type SocketPlace, type SocketServer } from './socket-carrier.ts';

const LOOK: Uint8Array = Uint8Array.of(1);

export class SocketBell implements AsyncBell {
  /** Path that wakers connect to. */
  readonly place: SocketPlace;
  readonly at: number;
  readonly #near: Doorbell;
  readonly #server: SocketServer;
  readonly #wakers: Set<Carrier>;
  #onRing: (() => void) | null = null;
  /** A byte came between `arm` and `waitAsync`. */
  #rung = false;

  /** `at`: from `arena.allocateDoorbell()`. Keeps no process alive. Rejects with the host's code, e.g. EADDRINUSE. */
  static async listen(arena: Arena, at: number, place: SocketPlace): Promise<SocketBell> {
    const wakers = new Set<Carrier>();
    let bell: SocketBell | null = null;
    const server = await listenSocket(place, (waker) => {
      wakers.add(waker);
      waker.onBytes = () => {
        if (bell !== null) bell.#byte();
      };
      waker.onClosed = () => wakers.delete(waker);
    });
    bell = new SocketBell(arena, at, server, wakers);
    return bell;
  }

  private constructor(arena: Arena, at: number, server: SocketServer, wakers: Set<Carrier>) {
    this.place = server.place;
    this.at = at;
    this.#near = new Doorbell(arena, at);
    this.#server = server;
    this.#wakers = wakers;
  }

  get sleeping(): boolean {
    return this.#near.sleeping;
  }

  arm(): void {
    this.#rung = false;
    this.#near.arm();
  }

  disarm(): void {
    this.#near.disarm();
    this.#onRing = null;
    this.#rung = false;
  }

  // cold: once per sleep
  waitAsync(onRing: () => void): void {
    this.#onRing = onRing;
    this.#near.waitAsync(() => this.#deliver());
    if (this.#rung) queueMicrotask(() => this.#deliver());
  }

  ring(): void {
    this.#near.ring();
  }

  /** Wakers are told by the end of their connection. */
  close(): void {
    this.disarm();
    this.#server.close();
    for (const waker of this.#wakers) waker.close();
  }

  #byte(): void {
    this.#rung = this.#near.sleeping;
    this.#deliver();
  }

  #deliver(): void {
    const onRing = this.#onRing;
    this.#onRing = null;
    onRing?.();
  }
}

export class SocketWaker implements Waker {
  readonly #carrier: Carrier;

  /** Keeps no process alive. Rejects with the host's code, e.g. ENOENT, ECONNREFUSED. */
  static async connect(place: SocketPlace): Promise<SocketWaker> {
    return new SocketWaker(await connectSocket(place, false));
  }

  private constructor(carrier: Carrier) {
    this.#carrier = carrier;
  }

  /** Does nothing when the owner is gone, or when a byte that it has not taken is on its way. */
  wake(): void {
    if (this.#carrier.queuedBytes === 0) this.#carrier.write(LOOK, null);
  }

  close(): void {
    this.#carrier.close();
  }
}
