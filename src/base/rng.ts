/**
 * Randomness as an argument. A kernel is given an {@link Rng}; only the host decides whether it is seeded
 * (simulation, replay) or fed from the operating system.
 */

/** A source of randomness: {@link SeededRng} for simulations, the operating system's elsewhere. */
export interface Rng {
  /** A uniformly distributed 32-bit value, as int32. */
  next32(): number;
}

/** Uniform integer in [0, bound); the bias of the multiply-shift is below 2^-32 * bound. */
export function randomBelow(rng: Rng, bound: number): number {
  return Math.floor((rng.next32() >>> 0) * (bound / 0x1_0000_0000));
}

/** Uniform number in [0, 1) with 32 bits of resolution. */
export function randomUnit(rng: Rng): number {
  return (rng.next32() >>> 0) / 0x1_0000_0000;
}

/** Seeded generator (sfc32): equal seeds give equal sequences on every machine. */
export class SeededRng implements Rng {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** A generator at the beginning of the sequence of `seed`, an integer of up to 53 bits. */
  constructor(seed: number) {
    this.#a = seed | 0;
    this.#b = (seed / 0x1_0000_0000) | 0;
    this.#c = 0x9e3779b9 | 0;
    for (let i = 0; i < 12; i++) this.next32();
  }

  next32(): number {
    const t = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (this.#c << 21) | (this.#c >>> 11);
    this.#c = (this.#c + t) | 0;
    return t;
  }
}
