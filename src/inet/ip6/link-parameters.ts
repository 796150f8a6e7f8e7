/**
 * What a host keeps of each link for neighbor discovery: defaults, until a router says otherwise.
 *
 * Thread: the one that runs the kernel. Read first: RFC 4861 sections 6.3.2 and 6.3.4, 10 (constants).
 */

import { type Rng, randomUnit } from '../../base/rng.ts';

const US_PER_MS = 1000;
const US_PER_S = 1_000_000;
const DEFAULT_REACHABLE_US: number = 30 * US_PER_S;
const DEFAULT_RETRANSMIT_US: number = US_PER_S;
const DEFAULT_HOP_LIMIT = 64;
const MIN_RANDOM_FACTOR = 0.5;
const MAX_RANDOM_FACTOR = 1.5;
/** RFC 4861 6.3.4: a new random value every few hours even when nothing changes. */
const RENEW_REACHABLE_US: number = 2 * 3600 * US_PER_S;
export const MIN_MTU_BYTES = 1280;

export class LinkParameters {
  readonly #rng: Rng;
  #baseUs = DEFAULT_REACHABLE_US;
  #reachableUs = 0;
  #renewUs = -Infinity;
  /** Between solicitations of a neighbor (RetransTimer). */
  retransmitUs: number = DEFAULT_RETRANSMIT_US;
  hopLimit: number = DEFAULT_HOP_LIMIT;
  /** As routers advertise it, 0: as the device says. */
  mtuBytes = 0;

  constructor(rng: Rng) {
    this.#rng = rng;
  }

  /** How long a neighbor counts as reachable after it was heard (ReachableTime). */
  reachableUs(nowUs: number): number {
    if (nowUs >= this.#renewUs) {
      const factor = MIN_RANDOM_FACTOR + randomUnit(this.#rng) * (MAX_RANDOM_FACTOR - MIN_RANDOM_FACTOR);
      this.#reachableUs = this.#baseUs * factor;
      this.#renewUs = nowUs + RENEW_REACHABLE_US;
    }
    return this.#reachableUs;
  }

  /** The fields of a router advertisement; 0 means that the router does not say. */
  advertised(hopLimit: number, reachableMs: number, retransmitMs: number): void {
    if (hopLimit !== 0) this.hopLimit = hopLimit;
    if (retransmitMs !== 0) this.retransmitUs = retransmitMs * US_PER_MS;
    const baseUs = reachableMs * US_PER_MS;
    if (baseUs === 0 || baseUs === this.#baseUs) return;
    this.#baseUs = baseUs;
    this.#renewUs = -Infinity;
  }

  /** The MTU option: not below what every link carries, not above what this one does. Whether it changed anything. */
  advertisedMtu(mtuBytes: number, linkMtuBytes: number): boolean {
    if (mtuBytes < MIN_MTU_BYTES || mtuBytes > linkMtuBytes || mtuBytes === this.mtuBytes) return false;
    this.mtuBytes = mtuBytes;
    return true;
  }
}
