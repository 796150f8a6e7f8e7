/**
 * Being a router on a link: when router advertisements are sent.
 *
 * Thread: the one that runs the kernel. A state machine over times that are arguments: the owner calls `run` at `deadlineUs`.
 * The contents of an advertisement are the sender's. Every one goes to all nodes, answers to solicitations too.
 * Read first: RFC 4861 sections 6.2.4 to 6.2.6 and 10.
 * Cold: autoconfiguration.
 */

import { type Rng, randomUnit } from '../../../base/rng.ts';
import { US_PER_S } from '../../../base/units.ts';

/** RFC 4861 10. */
const INITIAL_INTERVAL_US: number = 16 * US_PER_S;
const INITIAL_ADVERTISEMENTS = 3;
const FINAL_ADVERTISEMENTS = 3;
const MIN_BETWEEN_US: number = 3 * US_PER_S;
const MAX_DELAY_US: number = US_PER_S / 2;
/** RFC 4861 6.2.1: the default of MinRtrAdvInterval. */
const MIN_PART = 0.33;
const MIN_PART_FROM_US: number = 9 * US_PER_S;

export class RouterAdvertiser {
  readonly #rng: Rng;
  /** `final`: the last words, with a lifetime of 0. */
  readonly #send: (final: boolean, nowUs: number) => void;
  readonly #maxIntervalUs: () => number;
  #state: 'off' | 'on' | 'ending' = 'off';
  #sent = 0;
  #lastUs = -Infinity;
  deadlineUs: number = Infinity;

  constructor(rng: Rng, send: (final: boolean, nowUs: number) => void, maxIntervalUs: () => number) {
    this.#rng = rng;
    this.#send = send;
    this.#maxIntervalUs = maxIntervalUs;
  }

  get active(): boolean {
    return this.#state === 'on';
  }

  /** Advertise from now on; or again, because what is advertised changed. */
  start(nowUs: number): void {
    this.#state = 'on';
    this.#sent = 0;
    this.deadlineUs = Math.max(nowUs, this.#lastUs + MIN_BETWEEN_US);
  }

  /** Send the final advertisements, with a lifetime of 0. */
  stop(nowUs: number): void {
    if (this.#state !== 'on') return;
    if (this.#sent === 0) {
      this.cease();
      return;
    }
    this.#state = 'ending';
    this.#sent = 0;
    this.deadlineUs = nowUs;
  }

  /** The interface is gone: not a word more. */
  cease(): void {
    this.#state = 'off';
    this.deadlineUs = Infinity;
  }

  /** A solicitation came: answered within half a second, but not more than every three seconds. */
  solicited(nowUs: number): void {
    if (this.#state !== 'on') return;
    const delayUs = randomUnit(this.#rng) * MAX_DELAY_US;
    const atUs = Math.max(nowUs, this.#lastUs + MIN_BETWEEN_US) + delayUs;
    if (atUs < this.deadlineUs) this.deadlineUs = atUs;
  }

  run(nowUs: number): void {
    if (nowUs < this.deadlineUs) return;
    this.#sent++;
    this.#lastUs = nowUs;
    if (this.#state === 'on') {
      this.deadlineUs = nowUs + this.#intervalUs();
      this.#send(false, nowUs);
      return;
    }
    if (this.#sent < FINAL_ADVERTISEMENTS) this.deadlineUs = nowUs + MIN_BETWEEN_US;
    else this.cease();
    this.#send(true, nowUs);
  }

  #intervalUs(): number {
    const maxUs = this.#maxIntervalUs();
    const minUs = maxUs >= MIN_PART_FROM_US ? maxUs * MIN_PART : maxUs;
    const intervalUs = minUs + randomUnit(this.#rng) * (maxUs - minUs);
    return this.#sent <= INITIAL_ADVERTISEMENTS ? Math.min(intervalUs, INITIAL_INTERVAL_US) : intervalUs;
  }
}
