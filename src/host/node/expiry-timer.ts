/**
 * Calls something back when the time of its oldest entry is over. Thread: any with an event loop. It keeps no process alive.
 */

// Taken before a program can replace the globals (fake timers do).
const startTimer = setTimeout;
const clock = performance;

export interface Expiring {
  /** `Infinity`: nothing expires. */
  nextDeadlineMs(): number;
  expire(nowMs: number): void;
}

/** Milliseconds of the clock that deadlines are given by. */
export function expiryNowMs(): number {
  return clock.now();
}

export class ExpiryTimer {
  readonly #expiring: Expiring;
  #armed = false;

  constructor(expiring: Expiring) {
    this.#expiring = expiring;
  }

  /** After a new entry. */
  arm(): void {
    const deadlineMs = this.#expiring.nextDeadlineMs();
    if (this.#armed || deadlineMs === Number.POSITIVE_INFINITY) return;
    this.#armed = true;
    const expire = (): void => {
      this.#armed = false;
      this.#expiring.expire(expiryNowMs());
      this.arm();
    };
    startTimer(expire, Math.max(1, deadlineMs - expiryNowMs())).unref();
  }
}
