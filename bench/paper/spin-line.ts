/**
 * Role: two words of shared memory on which the two workers of a measurement meet, and time a spin round trip of their own.
 * Thread: either worker. Every wait ends with an error when the time limit passes: the other side may be descheduled or dead.
 */

import { median } from '../harness/statistics.ts';

/** Words of the control area, a pair of cache lines apart. */
const PING_WORD = 0;
const PONG_WORD = 32;
const MEET_WORD = 64;
const DONE_WORD = 96;
/** Bytes of the control area; the first KiB belongs to the line, the rest to whoever laid it out. */
export const CONTROL_BYTES = 4096;

const ROUNDS = 400;
const BATCHES = 21;
const TURNS_PER_LOOK = 0xfff;

export class SpinLine {
  private readonly words: Int32Array;
  private readonly control: number;
  private readonly side: 0 | 1;
  private readonly limitMs: number;
  private next = 1;
  private met = 0;

  /** `controlAt`: byte offset of a zeroed area of {@link CONTROL_BYTES}. `limitMs`: as performance.now() shows it. */
  constructor(words: Int32Array, controlAt: number, side: 0 | 1, limitMs: number) {
    this.words = words;
    this.control = controlAt >> 2;
    this.side = side;
    this.limitMs = limitMs;
  }

  /** For a loop that waits for the other side, now and then. */
  checkLimit(): void {
    if (performance.now() > this.limitMs) throw new Error('time limit: the other side made no progress');
  }

  /** Spin round trip of the two threads, ns, the median of batches. Both sides call it, equally often. */
  roundTrip(): number {
    const batches: number[] = [];
    for (let batch = 0; batch < BATCHES; batch++) {
      const startMs = performance.now();
      for (let round = 0; round < ROUNDS; round++) this.bounce(this.next++);
      batches.push(((performance.now() - startMs) * 1e6) / ROUNDS);
    }
    return median(batches);
  }

  /** Waits until both sides came here. */
  meet(): void {
    this.met += 2;
    Atomics.add(this.words, this.control + MEET_WORD, 1);
    const reached = (): boolean => Atomics.load(this.words, this.control + MEET_WORD) >= this.met;
    for (let turns = 1; !reached(); turns++) if ((turns & TURNS_PER_LOOK) === 0) this.checkLimit();
  }

  /** The sending side has sent all. */
  finish(): void {
    Atomics.store(this.words, this.control + DONE_WORD, 1);
  }

  get finished(): boolean {
    return Atomics.load(this.words, this.control + DONE_WORD) === 1;
  }

  private bounce(value: number): void {
    if (this.side === 0) {
      Atomics.store(this.words, this.control + PING_WORD, value);
      this.spinUntil(PONG_WORD, value);
    } else {
      this.spinUntil(PING_WORD, value);
      Atomics.store(this.words, this.control + PONG_WORD, value);
    }
  }

  private spinUntil(word: number, value: number): void {
    for (let turns = 1; Atomics.load(this.words, this.control + word) !== value; turns++) {
      if ((turns & TURNS_PER_LOOK) === 0) this.checkLimit();
    }
  }
}
