/**
 * Time and randomness of a Node process, as kernels are given them.
 *
 * Thread: any; each makes its own.
 */

import type * as NodeCrypto from 'node:crypto';
import type { Rng } from '../../base/rng.ts';

// Taken before the program can replace the globals: with fake timers in a test, the kernel's time must go on.
const now = performance.now.bind(performance);

/** Loaded when it is first needed: 5 ms that most network tools do without. */
function randomness(): typeof NodeCrypto {
  return process.getBuiltinModule('node:crypto');
}

/** Randomness from the operating system, drawn in blocks. */
export class SystemRng implements Rng {
  readonly #block = new Int32Array(256);
  #next = 256;

  next32(): number {
    if (this.#next === this.#block.length) {
      randomness().randomFillSync(this.#block);
      this.#next = 0;
    }
    return this.#block[this.#next++] as number;
  }
}

/** Monotonic microseconds with one origin for all threads and processes of the machine. */
export class MonotonicClock {
  readonly #originUs: number = Number(process.hrtime.bigint() / 1000n) - now() * 1000;

  nowUs(): number {
    return this.#originUs + now() * 1000;
  }

  /** Wall-clock nanoseconds at `nowUs` 0. */
  epochNs(): bigint {
    return BigInt(Date.now()) * 1_000_000n - process.hrtime.bigint();
  }
}
