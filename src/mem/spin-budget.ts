/**
 * Bound on the threads of a lab that spin at once: as many seats in shared memory as there are cores to spin on.
 *
 * Thread: any. A thread takes a seat before it polls without work and leaves it when it sleeps or finds work. A seat carries the
 * owner id of its thread (owner.ts), so that others can free the seat of a dead one.
 */

/** Bytes that `seats` seats take. */
export function spinBudgetBytes(seats: number): number {
  return 4 * seats;
}

/** One thread's access to the seats of a lab for threads that spin. */
export class SpinBudget {
  readonly #words: Int32Array;
  readonly #index: number;
  readonly #seats: number;
  readonly #owner: number;
  /** Our seat, -1 when we have none. */
  #seat = -1;

  /**
   * `at` is the byte offset of `seats` zeroed words shared by all threads of the lab; `owner` the id of this
   * thread, not 0.
   */
  constructor(words: Int32Array, at: number, seats: number, owner: number = 1) {
    this.#words = words;
    this.#index = at >> 2;
    this.#seats = seats;
    this.#owner = owner;
  }

  /** True when this thread may spin (it keeps the seat until `release`). */
  acquire(): boolean {
    if (this.#seat >= 0) return true;
    for (let seat = 0; seat < this.#seats; seat++) {
      if (Atomics.compareExchange(this.#words, this.#index + seat, 0, this.#owner) !== 0) continue;
      this.#seat = seat;
      return true;
    }
    return false;
  }

  /** Leave the seat to another thread; nothing happens without one. */
  release(): void {
    if (this.#seat < 0) return;
    Atomics.store(this.#words, this.#index + this.#seat, 0);
    this.#seat = -1;
  }

  /** A thread is gone: free the seat it may have died in. */
  evict(owner: number): void {
    for (let seat = 0; seat < this.#seats; seat++) {
      Atomics.compareExchange(this.#words, this.#index + seat, owner, 0);
    }
  }

  /** Threads spinning now. */
  get spinners(): number {
    let taken = 0;
    for (let seat = 0; seat < this.#seats; seat++) {
      if (Atomics.load(this.#words, this.#index + seat) !== 0) taken++;
    }
    return taken;
  }
}
