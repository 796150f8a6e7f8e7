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
const ENOUGH_WORD = 128;
/** Bytes of the control area; the first KiB belongs to the line, the rest to whoever laid it out. */
export const CONTROL_BYTES = 4096;

const ROUNDS = 400;
const BATCHES = 21;
const TURNS_PER_LOOK = 0xfff;
/** A near round trip of all batches takes 1 ms, a far one 5 ms; threads that share a core would take minutes. */
const ROUND_TRIP_LIMIT_MS = 100;
/** Ends the answering side's part. */
const STOP = -1;

export class SpinLine {
  private readonly words: Int32Array;
  private readonly control: number;
  private readonly side: 0 | 1;
  private readonly limitMs: number;
  private next = 0;
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

  /**
   * Spin round trip of the two threads, ns, the median of batches; null when the threads did not run side by side long enough
   * to tell. Both sides call it, equally often; side 0 has the answer.
   */
  roundTrip(): number | null {
    return this.side === 0 ? this.ping() : this.pong();
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

  /** The receiving side has measured: the sending side goes on until then, however late the other came to it. */
  tellEnough(): void {
    Atomics.store(this.words, this.control + ENOUGH_WORD, 1);
  }

  get enough(): boolean {
    return Atomics.load(this.words, this.control + ENOUGH_WORD) === 1;
  }

  private ping(): number | null {
    const batches: number[] = [];
    Atomics.store(this.words, this.control + PING_WORD, 0);
    this.meet();
    const giveUpMs = performance.now() + ROUND_TRIP_LIMIT_MS;
    for (let batch = 0; batch < BATCHES && performance.now() < giveUpMs; batch++) {
      const startMs = performance.now();
      let round = 0;
      while (round < ROUNDS && this.askOnce(++this.next, giveUpMs)) round++;
      if (round === ROUNDS) batches.push(((performance.now() - startMs) * 1e6) / ROUNDS);
    }
    Atomics.store(this.words, this.control + PING_WORD, STOP);
    this.meet();
    return batches.length === 0 ? null : median(batches);
  }

  /** False when the answer did not come in time. */
  private askOnce(value: number, giveUpMs: number): boolean {
    Atomics.store(this.words, this.control + PING_WORD, value);
    for (let turns = 1; Atomics.load(this.words, this.control + PONG_WORD) !== value; turns++) {
      if ((turns & TURNS_PER_LOOK) === 0 && performance.now() > giveUpMs) return false;
    }
    return true;
  }

  private pong(): null {
    this.meet();
    let last = 0;
    for (let turns = 1; last !== STOP; turns++) {
      const value = Atomics.load(this.words, this.control + PING_WORD);
      if (value !== last) Atomics.store(this.words, this.control + PONG_WORD, (last = value));
      else if ((turns & TURNS_PER_LOOK) === 0) this.checkLimit();
    }
    this.meet();
    return null;
  }
}
