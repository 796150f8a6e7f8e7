/**
 * A bell for a blocked thread, rung from any thread of any process that maps its word.
 *
 * Thread: `arm`, `disarm` and `wait` belong to the owner, whose thread does nothing else meanwhile; `ring` to all. Two system calls
 * carry a wake-up where a socket needs four and an event loop between them. futex(2); bell.ts (the contract, and why no wake-up is
 * lost).
 */

import { AWAKE, BLOCKED, type BlockingBell } from './bell.ts';

/** futex(2) on words of a memory that several processes map (host/node/ffi/futex.ts). */
export interface Futex {
  /** Block while the word at that place has the value, at most so long; may return early. */
  wait(at: number, value: number, timeoutMs: number): void;
  /** Wake one who waits for that word. */
  wake(at: number): void;
}

/** Longest wait in one system call: a thread in a foreign call cannot be ended. */
const PIECE_MS = 100;

export class FutexBell implements BlockingBell {
  readonly at: number;
  readonly #words: Int32Array;
  readonly #index: number;
  readonly #futex: Futex;

  /** `at`: a word that all sides map, 4-aligned. */
  constructor(words: Int32Array, at: number, futex: Futex) {
    this.at = at;
    this.#words = words;
    this.#index = at >> 2;
    this.#futex = futex;
  }

  get sleeping(): boolean {
    return Atomics.load(this.#words, this.#index) === BLOCKED;
  }

  arm(): void {
    Atomics.store(this.#words, this.#index, BLOCKED);
  }

  disarm(): void {
    Atomics.store(this.#words, this.#index, AWAKE);
  }

  wait(timeoutMs: number): boolean {
    let leftMs = timeoutMs;
    while (this.sleeping && leftMs > 0) {
      const pieceMs = leftMs < PIECE_MS ? leftMs : PIECE_MS;
      this.#futex.wait(this.at, BLOCKED, pieceMs);
      leftMs -= pieceMs;
    }
    return Atomics.exchange(this.#words, this.#index, AWAKE) === AWAKE;
  }

  ring(): void {
    if (Atomics.load(this.#words, this.#index) !== BLOCKED) return;
    // One of many ringers wakes.
    if (Atomics.compareExchange(this.#words, this.#index, BLOCKED, AWAKE) === BLOCKED) this.#futex.wake(this.at);
  }
}
