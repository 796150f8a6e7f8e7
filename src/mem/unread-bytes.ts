/**
 * Bytes on their way between two threads of one process: a writer that is far ahead of its reader waits, as at a full pipe.
 *
 * Thread: one writer, one reader. The wait ends with its thread (`worker.terminate`).
 */

export class UnreadBytes {
  /** Handed to the other thread. */
  readonly words: Int32Array;
  readonly #max: number;

  constructor(max: number, words: Int32Array = new Int32Array(new SharedArrayBuffer(4))) {
    this.words = words;
    this.#max = max;
  }

  /** The writer is about to send so many more; waits until the reader has caught up. */
  write(bytes: number): void {
    for (let unread = Atomics.load(this.words, 0); unread > this.#max; unread = Atomics.load(this.words, 0))
      Atomics.wait(this.words, 0, unread);
    Atomics.add(this.words, 0, bytes);
  }

  /** The reader has read so many. */
  read(bytes: number): void {
    Atomics.sub(this.words, 0, bytes);
    Atomics.notify(this.words, 0);
  }
}
