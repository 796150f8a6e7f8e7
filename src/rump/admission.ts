/**
 * Connections that have not said who they are: few, for a short time, and with nothing kept of them but a header and a
 * short frame each. Any process of the machine may connect; until it is authenticated it can only take one of these places.
 *
 * Thread: the server's. Time is an argument. A new connection that finds no place takes the oldest one's, so that those who
 * hold places without authenticating keep nobody out: an honest client authenticates with the first bytes it sends.
 */

import type { FrameFault } from './frame-reader.ts';

/** Why a connection was closed. */
export type Refusal =
  | FrameFault
  | 'not authenticated'
  | 'authentication timed out'
  | 'too many unauthenticated connections'
  | 'malformed frame'
  | 'version not supported'
  | 'too much buffered'
  | 'too many requests';

export interface AdmissionLimits {
  /** Connections without authentication at one time. */
  readonly pendingMax: number;
  readonly timeoutMs: number;
}

export const ADMISSION_LIMITS: AdmissionLimits = { pendingMax: 16, timeoutMs: 5000 };

/** A connection that waits for its place among the authenticated. */
export interface Pending {
  close(): void;
}

export class Admission {
  readonly #limits: AdmissionLimits;
  /** With the time each must be done by; in order of arrival, which is the order of the deadlines. */
  readonly #pending = new Map<Pending, number>();
  readonly #refused = new Map<Refusal, number>();

  constructor(limits: AdmissionLimits = ADMISSION_LIMITS) {
    this.#limits = limits;
  }

  get pending(): number {
    return this.#pending.size;
  }

  /** Connections closed so far, by reason. */
  get refused(): ReadonlyMap<Refusal, number> {
    return this.#refused;
  }

  /** When `expire` has something to do, `Infinity` when never. */
  nextDeadlineMs(): number {
    for (const deadlineMs of this.#pending.values()) return deadlineMs;
    return Number.POSITIVE_INFINITY;
  }

  /** A new connection; closes the oldest pending one when there is no place. */
  enter(connection: Pending, nowMs: number): void {
    if (this.#pending.size >= this.#limits.pendingMax) {
      for (const oldest of this.#pending.keys()) {
        this.refuse(oldest, 'too many unauthenticated connections');
        break;
      }
    }
    this.#pending.set(connection, nowMs + this.#limits.timeoutMs);
  }

  /** The connection is authenticated, or closed. */
  leave(connection: Pending): void {
    this.#pending.delete(connection);
  }

  /** Close any connection, authenticated or not, and count why. */
  refuse(connection: Pending, reason: Refusal): void {
    this.#pending.delete(connection);
    this.count(reason);
    connection.close();
  }

  count(reason: Refusal): void {
    this.#refused.set(reason, (this.#refused.get(reason) ?? 0) + 1);
  }

  /** Close the connections whose time is over. */
  expire(nowMs: number): void {
    for (const [connection, deadlineMs] of this.#pending) {
      if (deadlineMs > nowMs) return;
      this.refuse(connection, 'authentication timed out');
    }
  }
}
