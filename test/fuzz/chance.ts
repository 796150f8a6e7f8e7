/**
 * What the fuzzer draws: numbers that are ordinary most of the time and at an edge now and then.
 */

import { type Rng, SeededRng } from '../../src/base/rng.ts';

const EDGES: readonly number[] = [
  0, 1, 2, 3, 4, 7, 8, 9, 15, 16, 19, 20, 21, 39, 40, 41, 59, 60, 61, 64, 68, 127, 128, 255, 256, 511, 512, 536, 552,
  1023, 1024, 1279, 1280, 1281, 1459, 1460, 1480, 1499, 1500, 1501, 1514, 2047, 2048, 4095, 4096, 8191, 8192, 16383,
  16384, 32767, 32768, 65507, 65515, 65528, 65534, 65535, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff,
];

export class Chance implements Rng {
  readonly #rng: SeededRng;

  constructor(seed: number) {
    this.#rng = new SeededRng(seed);
  }

  next32(): number {
    return this.#rng.next32();
  }

  /** Uniform in [0, bound). */
  below(bound: number): number {
    return Math.floor((this.#rng.next32() >>> 0) * (bound / 0x1_0000_0000));
  }

  /** Uniform in [low, high]. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  yes(probability: number): boolean {
    return this.#rng.next32() >>> 0 < probability * 0x1_0000_0000;
  }

  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)] as T;
  }

  /** Small more often than large: up to `2 ** bits`. */
  small(bits: number): number {
    return this.below(1 << this.below(bits + 1));
  }

  /** A number with an edge of some format or table more often than chance has it; unsigned, up to 32 bits. */
  edge(bits: number = 32): number {
    const value = this.yes(0.5) ? this.pick(EDGES) : this.#rng.next32() >>> this.below(32);
    return bits === 32 ? value >>> 0 : value & (2 ** bits - 1);
  }

  /** `value`, or one a little or a lot beside it; int32. */
  near(value: number): number {
    if (this.yes(0.6)) return value | 0;
    const offset = this.pick([-1, 1, 2, -2, 10, -100, 1460, -1460, 2920, 65535, -65535, 1 << 20, 0x7fff0000]);
    return (value + offset) | 0;
  }
}
