/**
 * How many threads of a lab may spin at once: one word in shared memory, never more spinners than cores.
 *
 * Thread: any. A thread asks before it polls without work and gives its place back when it sleeps or finds work.
 */

export class SpinBudget {
  readonly #words: Int32Array;
  readonly #index: number;
  readonly #limit: number;
  #held = false;

  /** `at` is the byte offset of a zeroed, 4-aligned word shared by all threads of the lab; `limit` the number of cores to spin on. */
  constructor(words: Int32Array, at: number, limit: number) {
    this.#words = words;
    this.#index = at >> 2;
    this.#limit = limit;
  }

  /** True when this thread may spin (it keeps the place until `release`). */
  acquire(): boolean {
    if (this.#held) return true;
    if (Atomics.add(this.#words, this.#index, 1) >= this.#limit) {
      Atomics.sub(this.#words, this.#index, 1);
      return false;
    }
    this.#held = true;
    return true;
  }

  release(): void {
    if (!this.#held) return;
    this.#held = false;
    Atomics.sub(this.#words, this.#index, 1);
  }

  /** Threads spinning now. */
  get spinners(): number {
    return Atomics.load(this.#words, this.#index);
  }
}
