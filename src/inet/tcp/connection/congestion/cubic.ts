/**
 * CUBIC: the window as a cubic function of the time since the last reduction, never slower than Reno.
 *
 * Thread: the one that runs the CPU. Windows of the formulas are in segments, times in seconds, as in the RFC; `cwnd`
 * and `ssthresh` are bytes. Fields begin as fractions so that the engine keeps them as doubles from the start.
 * Read first: RFC 9438 sections 4 and 5.
 */

import { US_PER_S } from '../../../../base/units.ts';
import { type CongestionControl, SSTHRESH_INITIAL, slowStart } from './control.ts';

/** RFC 9438 section 4.1 and 4.6. */
const C = 0.4;
const BETA = 0.7;
/** Section 4.3: additive increase of the Reno-friendly estimate. */
const ALPHA = (3 * (1 - BETA)) / (1 + BETA);

export class Cubic implements CongestionControl {
  readonly name: string = 'cubic';
  cwnd: number = 0;
  ssthresh: number = SSTHRESH_INITIAL;

  /** Start of the congestion avoidance stage, microseconds; below 0: none yet. */
  #epochUs: number = -0.5;
  /** W_max, K, W_est, cwnd_prior of the RFC. */
  #wMax: number = 0.5;
  #k: number = 0.5;
  #wEst: number = 0.5;
  #cwndPrior: number = 0.5;
  /** Fraction of a byte of window not given yet. */
  #credit: number = 0.5;

  #beforeEpochUs: number = -0.5;
  #beforeWMax: number = 0.5;
  #beforeK: number = 0.5;
  #beforeWEst: number = 0.5;
  #beforeCwndPrior: number = 0.5;

  constructor() {
    this.#wMax = 0;
    this.#cwndPrior = 0;
    this.#credit = 0;
  }

  reset(cwnd: number): void {
    this.cwnd = cwnd;
    this.#epochUs = -1;
  }

  onAck(ackedBytes: number, mss: number, rttUs: number, nowUs: number): void {
    ackedBytes = slowStart(this, ackedBytes);
    if (ackedBytes === 0) return;
    const window = this.cwnd / mss;
    if (this.#epochUs < 0) this.#begin(window, nowUs);
    const seconds = (nowUs - this.#epochUs) / US_PER_S;
    const ackedSegments = ackedBytes / mss;
    // Section 4.3: alpha becomes 1 once the estimate is back where the window was before the reduction.
    this.#wEst += (this.#wEst >= this.#cwndPrior ? 1 : ALPHA) * (ackedSegments / window);
    let increase: number;
    if (this.#cubic(seconds) < this.#wEst) {
      increase = this.#wEst - window;
    } else {
      let target = this.#cubic(seconds + Math.max(rttUs, 0) / US_PER_S);
      if (target < window) target = window;
      else if (target > 1.5 * window) target = 1.5 * window;
      increase = ((target - window) / window) * ackedSegments;
    }
    if (increase <= 0) return;
    // Section 4.2 bounds growth by half a window per round trip; an ACK of a whole window must not do more.
    this.#credit += Math.min(increase, ackedSegments / 2 + 1 / window) * mss;
    const bytes = Math.floor(this.#credit);
    this.#credit -= bytes;
    this.cwnd += bytes;
  }

  /** Section 4.6 with fast convergence (4.7). */
  onLoss(flightBytes: number, mss: number): void {
    // Section 4.6: cwnd may stand in for the flight size while the window is what limits; it is not raised past it.
    const window = Math.min(this.cwnd, Math.max(flightBytes, 2 * mss)) / mss;
    this.#cwndPrior = window;
    this.#wMax = window < this.#wMax ? (window * (1 + BETA)) / 2 : window;
    this.ssthresh = Math.max(Math.floor(window * BETA * mss), 2 * mss);
    this.#epochUs = -1;
  }

  remember(): void {
    this.#beforeEpochUs = this.#epochUs;
    this.#beforeWMax = this.#wMax;
    this.#beforeK = this.#k;
    this.#beforeWEst = this.#wEst;
    this.#beforeCwndPrior = this.#cwndPrior;
  }

  /** Section 4.9.1 and 4.9.2: spurious timeouts and spurious fast retransmits. */
  restore(): void {
    this.#epochUs = this.#beforeEpochUs;
    this.#wMax = this.#beforeWMax;
    this.#k = this.#beforeK;
    this.#wEst = this.#beforeWEst;
    this.#cwndPrior = this.#beforeCwndPrior;
  }

  /** Section 5.8: time without data is no time for growth. */
  onIdle(idleUs: number): void {
    if (this.#epochUs >= 0) this.#epochUs += idleUs;
  }

  #begin(window: number, nowUs: number): void {
    this.#epochUs = nowUs;
    this.#wEst = window;
    this.#credit = 0;
    if (window < this.#wMax) {
      this.#k = Math.cbrt((this.#wMax - window) / C);
    } else {
      // Slow start ended without a loss, or has passed the old maximum (section 4.8): convex from here.
      this.#k = 0;
      this.#wMax = window;
    }
  }

  #cubic(seconds: number): number {
    const t = seconds - this.#k;
    return C * t * t * t + this.#wMax;
  }
}
