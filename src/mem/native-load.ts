/**
 * A thread of the process that may have to load native code, and another that may end it: a thread that is ended meanwhile takes the
 * process with it, because native code does not expect that calls into JavaScript fail.
 *
 * Cold: once per thread. Thread: one that loads, one that ends it; a word that both see says who came first. The wait has a bound.
 */

/** An end waits at most so long; a load takes some 20 ms. */
export const LOAD_MS = 2000;

const IDLE = 0;
const LOADING = 1;
const ENDING = 2;

export class NativeLoad {
  /** Handed to the other thread. */
  readonly words: Int32Array;

  constructor(words: Int32Array = new Int32Array(new SharedArrayBuffer(4))) {
    this.words = words;
  }

  /** The thread loads; undefined: its end has begun. */
  run<T>(load: () => T): T | undefined {
    if (Atomics.compareExchange(this.words, 0, IDLE, LOADING) !== IDLE) return undefined;
    try {
      return load();
    } finally {
      Atomics.store(this.words, 0, IDLE);
      Atomics.notify(this.words, 0);
    }
  }

  /** Have it load nothing from now on, so that it may be ended. False: it is loading, ask again. */
  end(): boolean {
    return Atomics.compareExchange(this.words, 0, IDLE, ENDING) !== LOADING;
  }

  /** As {@link end}; waits for it, at most `timeoutMs`. */
  endNow(timeoutMs: number): boolean {
    return this.end() || (Atomics.wait(this.words, 0, LOADING, timeoutMs) !== 'timed-out' && this.end());
  }
}
