/**
 * Doorbell: how a kernel that found no work sleeps, and how a sender wakes it. One per thread that runs kernels.
 *
 * Thread: `arm`, `disarm`, `wait`, `waitAsync` belong to the owner; `ring` may be called by any thread. One word says
 * AWAKE or SLEEPING. No wake-up is lost because both sides store first and look second, sequentially consistent:
 *
 *   owner:  state = SLEEPING; look at every source of work; nothing → wait while state is SLEEPING
 *   sender: publish the work;  look at state; SLEEPING → state = AWAKE, notify
 *
 * Either the owner's look sees the work, or the sender's look sees SLEEPING. A sender pays one load while the owner is
 * awake, and only one of many senders notifies. Waking an idle processor costs 20 us on virtual machines,
 * so the owner spins before it comes here; how long is the host's choice.
 */

import type { Arena } from './arena.ts';

const AWAKE = 0;
const SLEEPING = 1;

export class Doorbell {
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

  /** Say that a sleep is near. Look at every source of work after it, before `wait`. */
  arm(): void {
    Atomics.store(this.#words, this.#index, SLEEPING);
  }

  /** Work was found after `arm`, or the owner woke by other means. */
  disarm(): void {
    Atomics.store(this.#words, this.#index, AWAKE);
  }

  /**
   * Block until rung, at most `timeoutMs` (fractions allowed, Infinity = for ever). Must be armed. Returns whether it was
   * rung; disarmed afterwards. Not for threads with an event loop.
   */
  wait(timeoutMs: number): boolean {
    const result = Atomics.wait(this.#words, this.#index, SLEEPING, timeoutMs);
    if (result !== 'timed-out') return true;
    return Atomics.exchange(this.#words, this.#index, AWAKE) === AWAKE;
  }

  /**
   * For threads with an event loop: call `onRing` when rung (at once, if it was rung since `arm`). Must be armed. It does
   * not keep the process alive, and it cannot be withdrawn: an owner that wakes by other means disarms and ignores the
   * call. A second `waitAsync` before the first came replaces `onRing`.
   */
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

  #deliverSoon(): void {
    queueMicrotask(() => this.#deliver());
  }

  #deliver(): void {
    const onRing = this.#onRing;
    this.#onRing = null;
    if (onRing !== null) onRing();
  }

  /** Wake the owner if it sleeps or is about to. Publish the work first. */
  ring(): void {
    ringDoorbell(this.#words, this.at);
  }
}

/** `Doorbell.ring` for a sender that only knows the offset; the caller checked it (`Arena.isDoorbell`). */
export function ringDoorbell(words: Int32Array, at: number): void {
  const index = at >> 2;
  if (Atomics.load(words, index) === SLEEPING && Atomics.compareExchange(words, index, SLEEPING, AWAKE) === SLEEPING) {
    Atomics.notify(words, index);
  }
}
