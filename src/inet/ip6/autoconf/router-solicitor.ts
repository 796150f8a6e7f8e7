/**
 * The times at which router solicitations are sent on a link.
 *
 * Thread: the one that runs the kernel. A state machine over times that are arguments: the owner calls `run` at `deadlineUs`.
 * Read first: RFC 4861 section 6.3.7. Missing: asking on for ever (RFC 7559).
 * Cold: autoconfiguration.
 */

import { type Rng, randomUnit } from '../../../base/rng.ts';
import { US_PER_S } from '../../../base/units.ts';

/** RFC 4861 10. */
const MAX_DELAY_US: number = US_PER_S;
const INTERVAL_US: number = 4 * US_PER_S;
const MAX_SOLICITATIONS = 3;

export class RouterSolicitor {
  readonly #rng: Rng;
  readonly #send: (nowUs: number) => void;
  #sent = 0;
  #answered = false;
  deadlineUs: number = Infinity;

  constructor(rng: Rng, send: (nowUs: number) => void) {
    this.#rng = rng;
    this.#send = send;
  }

  /** The interface came up, or listens to routers from now on. */
  start(nowUs: number): void {
    this.#sent = 0;
    this.#answered = false;
    this.deadlineUs = nowUs + randomUnit(this.#rng) * MAX_DELAY_US;
  }

  stop(): void {
    this.deadlineUs = Infinity;
  }

  /** A router advertised itself. One solicitation is sent all the same: unsolicited advertisements may leave options out. */
  advertised(): void {
    this.#answered = true;
    if (this.#sent > 0) this.stop();
  }

  run(nowUs: number): void {
    if (nowUs < this.deadlineUs) return;
    this.#sent++;
    const more = this.#sent < MAX_SOLICITATIONS && !this.#answered;
    this.deadlineUs = more ? nowUs + INTERVAL_US : Infinity;
    this.#send(nowUs);
  }
}
