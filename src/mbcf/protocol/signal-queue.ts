/**
 * Memory-based signals of a task: they wait in a bounded queue until the task takes them, in the order of their arrival.
 *
 * Thread: that of the node. A masked signal waits; those behind it that are not masked overtake it, as signal(7) has it.
 */

/** Signals have numbers below this. */
export const SIGNALS = 32;
/** Signals that wait at most. */
const SIGNALS_WAITING_MAX = 256;
/** Bytes that a signal can carry. */
export const SIGNAL_BYTES_MAX = 64;

/** A signal, as the task gets it. */
export interface Signal {
  /** 0 to 31. */
  readonly number: number;
  /** Node of the sender. */
  readonly node: number;
  /** Task of the sender. */
  readonly task: number;
  /** At most 64 bytes. */
  readonly data: Uint8Array<ArrayBuffer>;
}

export class SignalQueue {
  /** Bit n set: signal n waits. */
  mask = 0;
  readonly #waiting: Signal[] = [];

  get full(): boolean {
    return this.#waiting.length >= SIGNALS_WAITING_MAX;
  }

  get length(): number {
    return this.#waiting.length;
  }

  push(signal: Signal): void {
    this.#waiting.push(signal);
  }

  /** The oldest that is not masked, taken out; null when there is none. */
  take(): Signal | null {
    for (let i = 0; i < this.#waiting.length; i++) {
      const signal = this.#waiting[i] as Signal;
      if ((this.mask & (1 << signal.number)) !== 0) continue;
      this.#waiting.splice(i, 1);
      return signal;
    }
    return null;
  }
}
