/**
 * `restart:` of a node: whether a program that ended is started again, and after which delay.
 *
 * Thread: any; no clock. Words, delays and limits are Docker's (docs.docker.com, "Start containers automatically"): 100 ms, doubled up to
 * a minute, and 100 ms again after a run of 10 s.
 */

export interface RestartPolicy {
  /** Ends after which it is started again. */
  on: 'none' | 'failures' | 'all';
  /** Number of restarts in a row; null: no limit. */
  restartsMax: number | null;
}

export const NO_RESTART: RestartPolicy = { on: 'none', restartsMax: null };

const DELAY_MS = 100;
const DELAY_MS_MAX = 60_000;
/** A program that ran for so long is told from one that fails at its start. */
const SETTLED_MS = 10_000;

/** `no`, `always`, `on-failure`, `on-failure:5`; null: none of these. */
export function parseRestart(text: string): RestartPolicy | null {
  if (text === 'no') return NO_RESTART;
  if (text === 'always') return { on: 'all', restartsMax: null };
  const match = /^on-failure(?::([1-9]\d{0,5}))?$/.exec(text);
  if (match === null) return null;
  return { on: 'failures', restartsMax: match[1] === undefined ? null : Number(match[1]) };
}

/** Restarts of one program. */
export class Restarts {
  /** Restarts since the program was started by hand. */
  count = 0;
  /** The program was ended by hand: it stays so until it is started by hand. */
  held = false;
  readonly #policy: RestartPolicy;
  #delayMs = 0;

  constructor(policy: RestartPolicy) {
    this.#policy = policy;
  }

  /** The delay of the next start after an end; null: there is none. `ranMs`: how long the program ran. */
  delayMs(failed: boolean, ranMs: number): number | null {
    const { on, restartsMax } = this.#policy;
    if (this.held || on === 'none' || (on === 'failures' && !failed)) return null;
    if (restartsMax !== null && this.count >= restartsMax) return null;
    const before = ranMs >= SETTLED_MS ? 0 : this.#delayMs;
    this.#delayMs = before === 0 ? DELAY_MS : Math.min(2 * before, DELAY_MS_MAX);
    return this.#delayMs;
  }

  /** Started by hand: all begins anew. */
  reset(): void {
    this.count = 0;
    this.held = false;
    this.#delayMs = 0;
  }
}
