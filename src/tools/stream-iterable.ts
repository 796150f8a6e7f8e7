/**
 * A stream as an async iterable: `for await` it; leaving the loop closes it.
 *
 * Thread: any. Events wait in memory while nobody asks for them.
 */

import type { StreamHandle, StreamSink } from '../rump/kernel-client.ts';

/** A stream as an async iterable: `for await` it; leaving the loop closes it. Events wait in memory while nobody asks for them. */
export class StreamIterable<E, I = never> implements AsyncIterableIterator<E> {
  readonly #handle: StreamHandle<I>;
  readonly #events: E[] = [];
  #waiting: { resolve(result: IteratorResult<E>): void; reject(error: Error): void } | null = null;
  #ended = false;
  #error: Error | null = null;

  constructor(open: (sink: StreamSink<E>) => StreamHandle<I>) {
    this.#handle = open({ event: (event) => this.#event(event), end: (error) => this.#end(error) });
  }

  /** Itself. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The next event. Rejects once with the error that ended the stream. */
  next(): Promise<IteratorResult<E>> {
    if (this.#events.length > 0) return Promise.resolve({ done: false, value: this.#events.shift() as E });
    if (this.#ended) {
      const error = this.#error;
      this.#error = null;
      return error === null ? Promise.resolve({ done: true, value: undefined }) : Promise.reject(error);
    }
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  /** Input of the stream. */
  protected send(input: I): void {
    if (!this.#ended) this.#handle.send(input);
  }

  /** As {@link close}, and no more is read. */
  return(): Promise<IteratorResult<E>> {
    this.close();
    return Promise.resolve({ done: true, value: undefined });
  }

  /** No more is wanted; what was already received can still be read, and what the other side says last. */
  close(): void {
    if (!this.#ended) this.#handle.close();
  }

  #event(event: E): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    if (waiting === null) this.#events.push(event);
    else waiting.resolve({ done: false, value: event });
  }

  #end(error: Error | null): void {
    this.#ended = true;
    const waiting = this.#waiting;
    this.#waiting = null;
    if (waiting === null) this.#error = error;
    else if (error === null) waiting.resolve({ done: true, value: undefined });
    else waiting.reject(error);
  }
}
