/**
 * A bell between two threads of one process that share nothing else: a word that counts rings.
 *
 * Thread: either. A wait for it ends with its thread (`worker.terminate`), which a wait for a descriptor does not.
 */

export class ThreadBell {
  /** Handed to the other thread. */
  readonly words: Int32Array;

  constructor(words: Int32Array = new Int32Array(new SharedArrayBuffer(4))) {
    this.words = words;
  }

  /** Number of rings so far; look for what was rung for after this. */
  rings(): number {
    return Atomics.load(this.words, 0);
  }

  /** Wait for the next ring after so many. */
  wait(rings: number): void {
    Atomics.wait(this.words, 0, rings);
  }

  ring(): void {
    Atomics.add(this.words, 0, 1);
    Atomics.notify(this.words, 0);
  }
}
