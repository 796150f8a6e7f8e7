/**
 * Impairments of one direction of a link, and the dice that decide them for each frame. As tc-netem(8), except that
 * jitter alone keeps the order: only frames chosen by `reorder` overtake.
 *
 * Thread: the device's. Time and randomness come from outside, so equal seeds give equal fates.
 */

import { MultikernelError } from '../base/errors.ts';
import { type Rng, randomBelow, randomUnit } from '../base/rng.ts';

/** Probabilities lie between 0 and 1; what is left out does not happen. */
export interface Impairment {
  delayUs?: number;
  /** Each frame's delay varies by up to this much both ways, evenly. */
  jitterUs?: number;
  loss?: number;
  /**
   * Losses in bursts (Gilbert-Elliott): per frame, the chance to go from good to bad and back, and the chance of loss in
   * each of the two states (defaults 1 in bad, 0 in good).
   */
  burst?: { enter: number; leave: number; lossInside?: number; lossOutside?: number };
  duplicate?: number;
  /** Chance that a frame is sent without the delay, ahead of those that wait. */
  reorder?: number;
  /** Chance that one bit of the frame is flipped, behind the Ethernet header. */
  corrupt?: number;
  /** Bits per second; every frame takes its time on the wire. */
  rateBps?: number;
  /** With `rateBps`: frames that wait for the wire at most; more are dropped. Default 1000. */
  queueFrames?: number;
}

const DEFAULT_QUEUE_FRAMES = 1000;
const MAX_QUEUE_FRAMES = 65536;
const CORRUPT_FROM = 14;

// cold: configuration
function chance(value: number | undefined, what: string): number {
  const p = value ?? 0;
  if (!(p >= 0 && p <= 1))
    throw new MultikernelError('EINVAL', `impairment ${what}: ${value} is no probability (0 to 1)`);
  return p;
}

// cold: configuration
function amount(value: number | undefined, what: string): number {
  const n = value ?? 0;
  if (!(n >= 0 && n < Infinity)) throw new MultikernelError('EINVAL', `impairment ${what}: ${value}`);
  return n;
}

/** The state of one direction. */
export class Dice {
  readonly loss: number;
  readonly duplicate: number;
  readonly reorder: number;
  readonly corrupt: number;
  readonly delayUs: number;
  readonly jitterUs: number;
  readonly rateBps: number;
  readonly #rng: Rng;
  readonly #enter: number;
  readonly #leave: number;
  readonly #lossInside: number;
  readonly #lossOutside: number;
  #inside = false;
  /** When the wire is free again, and when each waiting frame begins on it. */
  #freeUs = 0;
  readonly #starts: Float64Array;
  #firstStart = 0;
  #waiting = 0;
  #lastDueUs = 0;

  /** Throws EINVAL on values out of range. */
  constructor(impairment: Impairment, rng: Rng) {
    this.#rng = rng;
    this.delayUs = amount(impairment.delayUs, 'delay');
    this.jitterUs = amount(impairment.jitterUs, 'jitter');
    this.loss = chance(impairment.loss, 'loss');
    this.#enter = chance(impairment.burst?.enter, 'burst');
    this.#leave = chance(impairment.burst?.leave, 'burst');
    this.#lossInside = chance(impairment.burst?.lossInside ?? 1, 'burst');
    this.#lossOutside = chance(impairment.burst?.lossOutside, 'burst');
    this.duplicate = chance(impairment.duplicate, 'duplicate');
    this.reorder = chance(impairment.reorder, 'reorder');
    this.corrupt = chance(impairment.corrupt, 'corrupt');
    this.rateBps = amount(impairment.rateBps, 'rate');
    const queue = Math.min(amount(impairment.queueFrames ?? DEFAULT_QUEUE_FRAMES, 'queue'), MAX_QUEUE_FRAMES);
    this.#starts = new Float64Array(Math.floor(queue) + 1);
  }

  /** Whether frames come out at once (no delay, no rate). */
  get immediate(): boolean {
    return this.delayUs === 0 && this.jitterUs === 0 && this.rateBps === 0;
  }

  #happens(p: number): boolean {
    return p > 0 && (p === 1 || randomUnit(this.#rng) < p);
  }

  /** Copies of the next frame that go on: 0 (lost), 1, or 2. */
  copies(): number {
    const copies = this.#happens(this.duplicate) ? 2 : 1;
    if (this.#enter > 0 && this.#happens(this.#inside ? this.#leave : this.#enter)) this.#inside = !this.#inside;
    const burstLoss = this.#enter === 0 ? 0 : this.#inside ? this.#lossInside : this.#lossOutside;
    const lost = this.#happens(this.loss) || this.#happens(burstLoss);
    return lost ? copies - 1 : copies;
  }

  /** Flip one bit of the frame with the configured chance. Returns whether. */
  corruptFrame(bytes: Uint8Array, at: number, lengthBytes: number): boolean {
    if (lengthBytes <= CORRUPT_FROM || !this.#happens(this.corrupt)) return false;
    const bit = randomBelow(this.#rng, (lengthBytes - CORRUPT_FROM) * 8);
    const index = at + CORRUPT_FROM + (bit >> 3);
    bytes[index] = (bytes[index] as number) ^ (1 << (bit & 7));
    return true;
  }

  reordered(): boolean {
    return this.#happens(this.reorder);
  }

  /**
   * When a frame that goes in now comes out; -1 when the queue before the wire is full. A frame that overtakes takes its
   * time on the wire and no delay.
   */
  dueUs(nowUs: number, lengthBytes: number, overtakes: boolean): number {
    let startUs = nowUs;
    if (this.rateBps > 0) {
      startUs = Math.max(nowUs, this.#freeUs);
      if (startUs > nowUs && !this.#enqueue(nowUs, startUs)) return -1;
      startUs += (lengthBytes * 8e6) / this.rateBps;
      this.#freeUs = startUs;
    }
    if (overtakes) return startUs;
    let delayUs = this.delayUs;
    if (this.jitterUs > 0) delayUs += (2 * randomUnit(this.#rng) - 1) * this.jitterUs;
    const due = Math.max(startUs + Math.max(0, delayUs), this.#lastDueUs);
    this.#lastDueUs = due;
    return due;
  }

  /** Put one more frame into the queue before the wire, if it has room. */
  #enqueue(nowUs: number, startUs: number): boolean {
    const size = this.#starts.length;
    while (this.#waiting > 0 && (this.#starts[this.#firstStart] as number) <= nowUs) {
      this.#firstStart = (this.#firstStart + 1) % size;
      this.#waiting--;
    }
    if (this.#waiting === size - 1) return false;
    this.#starts[(this.#firstStart + this.#waiting) % size] = startUs;
    this.#waiting++;
    return true;
  }
}
