/**
 * Doorbell: the bell within a process, for an event loop or a blocked thread; one per thread that runs kernels.
 *
 * Thread: `arm`, `disarm`, `wait`, `waitAsync` belong to the owner; `ring` may be called by any thread. Waking an idle
 * processor costs 20 us on virtual machines, so the owner spins before it comes here; how long is the host's choice. Read
 * first: bell.ts (the contract, and why no wake-up is lost).
 */

import type { Arena } from './arena.ts';
import { type AsyncBell, AWAKE, type BlockingBell, ringDoorbell, SLEEPING } from './bell.ts';

/**
 * The bell within a process: the owner sleeps in an event loop (`waitAsync`) or blocks (`wait`), any thread of the process rings.
 */
export class Doorbell implements AsyncBell, BlockingBell {
  readonly at: number;
  readonly #words: Int32Array;
  readonly #index: number;
  /** A `waitAsync` whose promise has not resolved; the engine offers no way to withdraw it, so it is used again. */
  #waiting = false;
  #onRing: (() => void) | null = null;

  /** `at`: from `arena.allocateDoorbell()`, perhaps in another thread. */
  constructor(arena: Arena, at: number) {
    this.at = at;
    this.#words = arena.words;
    this.#index = at >> 2;
  }

  get sleeping(): boolean {
    return Atomics.load(this.#words, this.#index) === SLEEPING;
  }

  arm(): void {
    Atomics.store(this.#words, this.#index, SLEEPING);
  }

  disarm(): void {
    Atomics.store(this.#words, this.#index, AWAKE);
  }

  wait(timeoutMs: number): boolean {
    const result = Atomics.wait(this.#words, this.#index, SLEEPING, timeoutMs);
    if (result !== 'timed-out') return true;
    return Atomics.exchange(this.#words, this.#index, AWAKE) === AWAKE;
  }

  // cold: once per sleep
  waitAsync(onRing: () => void): void {
    this.#onRing = onRing;
    if (this.#waiting) {
      if (Atomics.load(this.#words, this.#index) === AWAKE) this.#deliverSoon();
      return;
    }
    const result = Atomics.waitAsync(this.#words, this.#index, SLEEPING);
    if (!result.async) {
      this.#deliverSoon();
      return;
    }
    this.#waiting = true;
    result.value.then(() => {
      this.#waiting = false;
      this.#deliver();
    });
  }

  // cold: once per sleep
  #deliverSoon(): void {
    queueMicrotask(() => this.#deliver());
  }

  #deliver(): void {
    const onRing = this.#onRing;
    this.#onRing = null;
    if (onRing !== null) onRing();
  }

  ring(): void {
    ringDoorbell(this.#words, this.at);
  }

  /** Take a sleep back by whose promise the engine would hold the memory: `onRing` is not called. */
  // cold: once per owner
  endSleep(): void {
    this.#onRing = null;
    Atomics.notify(this.#words, this.#index);
  }
}
