/**
 * What CUBIC's window should be at a loss rate: by the formula of RFC 9438, which puts the losses at equal distances, and by
 * the RFC's equations run through random losses, which are what a link has.
 *
 * Written apart from src/inet/tcp/connection/congestion, so that the two check each other: windows are segments, times seconds.
 */

import { randomUnit, SeededRng } from '../../src/base/rng.ts';

const C = 0.4;
const BETA = 0.7;
/** Section 4.3. */
const ALPHA = (3 * (1 - BETA)) / (1 + BETA);
const SECOND_US = 1_000_000;

/**
 * Average window, segments: section 5.1 with these constants, or where that is more, the Reno-friendly region, whose average
 * is Reno's, sqrt(3 / (2 p)).
 */
export function formulaWindow(loss: number, rttUs: number): number {
  const cubic = ((C * (3 + BETA)) / (4 * (1 - BETA))) ** 0.25 * (rttUs / SECOND_US / loss) ** 0.75;
  return Math.max(cubic, Math.sqrt(1.5 / loss));
}

/** The window between losses (sections 4.2 to 4.7). */
class WindowProcess {
  window: number;
  #max: number;
  #prior: number;
  #estimate: number;
  #k = 0;
  #epoch = 0;

  constructor(window: number) {
    this.window = this.#estimate = window;
    this.#max = this.#prior = window;
  }

  /** One segment is acknowledged. */
  onAck(seconds: number, rtt: number): void {
    this.#estimate += (this.#estimate >= this.#prior ? 1 : ALPHA) / this.window;
    const t = seconds - this.#epoch;
    if (this.#cubic(t) < this.#estimate) {
      this.window = Math.max(this.window, this.#estimate);
      return;
    }
    const target = Math.min(Math.max(this.#cubic(t + rtt), this.window), 1.5 * this.window);
    this.window += (target - this.window) / this.window;
  }

  onLoss(seconds: number): void {
    const { window } = this;
    this.#prior = window;
    this.#max = window < this.#max ? (window * (1 + BETA)) / 2 : window;
    this.window = this.#estimate = Math.max(window * BETA, 2);
    this.#epoch = seconds;
    this.#k = this.window < this.#max ? Math.cbrt((this.#max - this.window) / C) : 0;
    if (this.window >= this.#max) this.#max = this.window;
  }

  #cubic(t: number): number {
    return C * (t - this.#k) ** 3 + this.#max;
  }
}

/** Average window over `losses` random losses, one reduction for each window, a round trip to recover. */
export function randomLossWindow(loss: number, rttUs: number, losses: number = 4000): number {
  const rng = new SeededRng(1);
  const rtt = rttUs / SECOND_US;
  const process = new WindowProcess(formulaWindow(loss, rttUs));
  let seconds = 0;
  let segments = 0;
  let rounds = 0;
  for (let seen = 0; seen < losses; ) {
    const window = Math.floor(process.window);
    let lost = false;
    for (let i = 0; i < window; i++) {
      if (randomUnit(rng) < loss) lost = true;
      if (!lost) process.onAck(seconds + (rtt * i) / window, rtt);
    }
    segments += window;
    rounds++;
    seconds += rtt;
    if (!lost) continue;
    seen++;
    seconds += rtt;
    process.onLoss(seconds);
    segments += Math.floor(process.window);
    rounds++;
  }
  return segments / rounds;
}
