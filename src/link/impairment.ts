/**
 * Impairments of one direction of a link, and the dice that decide them for each frame. As tc-netem(8), except that
 * jitter alone keeps the order: only frames chosen by `reorder` overtake.
 *
 * Thread: the device's. Time and randomness come from outside, so equal seeds give equal fates.
 */

import { MultikernelError } from '../base/errors.ts';
import { type Rng, randomBelow, randomUnit } from '../base/rng.ts';

/**
 * Shape of jitter. `uniform`: evenly within the jitter both ways; the others have the jitter as their standard deviation, end at four of
 * them, and are those of tc-netem(8): `pareto` has exponent 3, `paretonormal` is three parts of it and one of `normal`.
 */
export type JitterDistribution = 'uniform' | 'normal' | 'pareto' | 'paretonormal';
export const JITTER_DISTRIBUTIONS: readonly JitterDistribution[] = ['uniform', 'normal', 'pareto', 'paretonormal'];

/** Probabilities lie between 0 and 1; what is left out does not happen. */
export interface Impairment {
  /** Time that each frame takes, microseconds. */
  delayUs?: number;
  /** Each frame's delay varies by so much around `delayUs`, and never below 0. */
  jitterUs?: number;
  /** Default `uniform`. */
  distribution?: JitterDistribution;
  /** Chance that a frame is lost, 0 to 1. */
  loss?: number;
  /**
   * Losses in bursts (Gilbert-Elliott): per frame, the chance to go from good to bad and back, and the chance of loss in
   * each of the two states (defaults 1 in bad, 0 in good).
   */
  burst?: { enter: number; leave: number; lossInside?: number; lossOutside?: number };
  /** Chance that a frame arrives twice, 0 to 1. */
  duplicate?: number;
  /** Chance that a frame is sent without the delay, ahead of those that wait. */
  reorder?: number;
  /** Chance that one bit of the frame is flipped, behind the link-layer header. */
  corrupt?: number;
  /** Bits per second; every frame takes its time on the wire. */
  rateBps?: number;
  /** With `rateBps`: frames that wait for the wire at most; more are dropped. Default 1000. */
  queueFrames?: number;
  /** With `rateBps`: bytes of the frames that wait for the wire at most; more are dropped. Default: any. */
  queueBytes?: number;
}

const DEFAULT_QUEUE_FRAMES = 1000;
const MAX_QUEUE_FRAMES = 65536;
/** Distributions that have no end have one here, in standard deviations. */
const DEVIATIONS_MAX = 4;
const PARETO_EXPONENT = 3;
const PARETO_MEAN = 1.5;
const PARETO_DEVIATION: number = Math.sqrt(0.75);

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

// cold: configuration
function shape(value: JitterDistribution | undefined): JitterDistribution {
  const wanted = value ?? 'uniform';
  if (!JITTER_DISTRIBUTIONS.includes(wanted)) throw new MultikernelError('EINVAL', `impairment distribution: ${value}`);
  return wanted;
}

/** Throws EINVAL on values out of range. */
// cold: configuration
export function checkImpairment(impairment: Impairment): void {
  const { burst } = impairment;
  amount(impairment.delayUs, 'delay');
  amount(impairment.jitterUs, 'jitter');
  shape(impairment.distribution);
  chance(impairment.loss, 'loss');
  for (const p of [burst?.enter, burst?.leave, burst?.lossInside, burst?.lossOutside]) chance(p, 'burst');
  chance(impairment.duplicate, 'duplicate');
  chance(impairment.reorder, 'reorder');
  chance(impairment.corrupt, 'corrupt');
  amount(impairment.rateBps, 'rate');
  amount(impairment.queueFrames, 'queue');
  if (!((impairment.queueBytes ?? 0) >= 0)) throw new MultikernelError('EINVAL', 'impairment queue');
}

/** The state of one direction. */
export class Dice {
  delayUs = 0;
  readonly #rng: Rng;
  #duplicate = 0;
  #loss = 0;
  #reorder = 0;
  #corrupt = 0;
  #jitterUs = 0;
  #distribution: JitterDistribution = 'uniform';
  #rateBps = 0;
  #enter = 0;
  #leave = 0;
  #lossInside = 0;
  #lossOutside = 0;
  #inside = false;
  /** When the wire is free again; when each waiting frame begins on it, and its length. */
  #freeUs = 0;
  #starts: Float64Array = new Float64Array(1);
  #lengths: Int32Array = new Int32Array(1);
  #firstStart = 0;
  #waiting = 0;
  #waitingBytes = 0;
  #queueBytes = Infinity;
  #lastDueUs = 0;

  /** Throws EINVAL on values out of range. */
  constructor(impairment: Impairment, rng: Rng) {
    this.#rng = rng;
    this.change(impairment);
  }

  /**
   * Other values from now on. The sequence of chances goes on, a burst too, and frames that wait keep their places. Throws EINVAL before
   * anything changed.
   */
  // cold: once per change of the impairment
  change(impairment: Impairment): void {
    checkImpairment(impairment);
    const { burst } = impairment;
    this.delayUs = impairment.delayUs ?? 0;
    this.#jitterUs = impairment.jitterUs ?? 0;
    this.#distribution = impairment.distribution ?? 'uniform';
    this.#loss = impairment.loss ?? 0;
    this.#enter = burst?.enter ?? 0;
    this.#leave = burst?.leave ?? 0;
    this.#lossInside = burst?.lossInside ?? 1;
    this.#lossOutside = burst?.lossOutside ?? 0;
    if (this.#enter === 0) this.#inside = false;
    this.#duplicate = impairment.duplicate ?? 0;
    this.#reorder = impairment.reorder ?? 0;
    this.#corrupt = impairment.corrupt ?? 0;
    this.#rateBps = impairment.rateBps ?? 0;
    this.#queueBytes = impairment.queueBytes ?? Infinity;
    const defaultFrames = this.#queueBytes === Infinity ? DEFAULT_QUEUE_FRAMES : MAX_QUEUE_FRAMES;
    this.#resize(Math.floor(Math.min(impairment.queueFrames ?? defaultFrames, MAX_QUEUE_FRAMES)));
  }

  /** Room for so many waiting frames; those beyond are not counted any more. */
  // cold: once per change of the impairment
  #resize(frames: number): void {
    if (this.#starts.length === frames + 1) return;
    const starts = new Float64Array(frames + 1);
    const lengths = new Int32Array(frames + 1);
    const kept = Math.min(this.#waiting, frames);
    this.#waitingBytes = 0;
    for (let i = 0; i < kept; i++) {
      const from = (this.#firstStart + i) % this.#starts.length;
      starts[i] = this.#starts[from] as number;
      lengths[i] = this.#lengths[from] as number;
      this.#waitingBytes += this.#lengths[from] as number;
    }
    this.#starts = starts;
    this.#lengths = lengths;
    this.#firstStart = 0;
    this.#waiting = kept;
  }

  /** Whether frames come out at once (no delay, no rate). */
  get immediate(): boolean {
    return this.delayUs === 0 && this.#jitterUs === 0 && this.#rateBps === 0;
  }

  #happens(p: number): boolean {
    return p > 0 && (p === 1 || randomUnit(this.#rng) < p);
  }

  /** Copies of the next frame that go on: 0 (lost), 1, or 2. */
  copies(): number {
    const copies = this.#happens(this.#duplicate) ? 2 : 1;
    if (this.#enter > 0 && this.#happens(this.#inside ? this.#leave : this.#enter)) this.#inside = !this.#inside;
    const burstLoss = this.#enter === 0 ? 0 : this.#inside ? this.#lossInside : this.#lossOutside;
    const lost = this.#happens(this.#loss) || this.#happens(burstLoss);
    return lost ? copies - 1 : copies;
  }

  /** Whether the next frame is to be damaged; then its checksum must be there. */
  corrupts(): boolean {
    return this.#happens(this.#corrupt);
  }

  /** Flip one bit of `[at, at + lengthBytes)`. */
  flipBit(bytes: Uint8Array, at: number, lengthBytes: number): void {
    const bit = randomBelow(this.#rng, lengthBytes * 8);
    const index = at + (bit >> 3);
    bytes[index] = (bytes[index] as number) ^ (1 << (bit & 7));
  }

  reordered(): boolean {
    return this.#happens(this.#reorder);
  }

  /**
   * When a frame that goes in now comes out; -1 when the queue before the wire is full. A frame that overtakes takes its
   * time on the wire and no delay.
   */
  dueUs(nowUs: number, lengthBytes: number, overtakes: boolean): number {
    let startUs = nowUs;
    if (this.#rateBps > 0) {
      startUs = Math.max(nowUs, this.#freeUs);
      if (startUs > nowUs && !this.#enqueue(nowUs, startUs, lengthBytes)) return -1;
      startUs += (lengthBytes * 8e6) / this.#rateBps;
      this.#freeUs = startUs;
    }
    if (overtakes) return startUs;
    let delayUs = this.delayUs;
    if (this.#jitterUs > 0) delayUs += this.#deviation() * this.#jitterUs;
    const due = Math.max(startUs + Math.max(0, delayUs), this.#lastDueUs);
    this.#lastDueUs = due;
    return due;
  }

  /** A number of mean 0: between -1 and 1 for `uniform`, of standard deviation 1 for the others. */
  #deviation(): number {
    const distribution = this.#distribution;
    if (distribution === 'uniform') return 2 * randomUnit(this.#rng) - 1;
    if (distribution === 'normal') return bounded(this.#normal());
    if (distribution === 'pareto') return bounded(this.#pareto());
    return bounded(0.25 * this.#normal() + 0.75 * this.#pareto());
  }

  /** Box and Muller, "A note on the generation of random normal deviates", 1958. */
  #normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - randomUnit(this.#rng)));
    return radius * Math.cos(2 * Math.PI * randomUnit(this.#rng));
  }

  #pareto(): number {
    return ((1 - randomUnit(this.#rng)) ** (-1 / PARETO_EXPONENT) - PARETO_MEAN) / PARETO_DEVIATION;
  }

  /** Put one more frame into the queue before the wire, if it has room. */
  #enqueue(nowUs: number, startUs: number, lengthBytes: number): boolean {
    const size = this.#starts.length;
    while (this.#waiting > 0 && (this.#starts[this.#firstStart] as number) <= nowUs) {
      this.#waitingBytes -= this.#lengths[this.#firstStart] as number;
      this.#firstStart = (this.#firstStart + 1) % size;
      this.#waiting--;
    }
    if (this.#waiting === size - 1 || this.#waitingBytes + lengthBytes > this.#queueBytes) return false;
    const place = (this.#firstStart + this.#waiting) % size;
    this.#starts[place] = startUs;
    this.#lengths[place] = lengthBytes;
    this.#waiting++;
    this.#waitingBytes += lengthBytes;
    return true;
  }
}

function bounded(deviations: number): number {
  return Math.max(-DEVIATIONS_MAX, Math.min(DEVIATIONS_MAX, deviations));
}
