/**
 * Counters of a machine's programs, which their processes count and send now and then. Thread: the server's.
 *
 * The numbers of counters mean the same on both sides; nothing here knows what is counted. A gauge goes up and down, and down again
 * by all that a session has added when that ends.
 */

import * as protocol from './protocol.ts';
import type { SessionService } from './session.ts';

/** Counters by number, from 0 on. */
export interface NumberedCounters {
  readonly length: number;
  /** Number of the one that is a gauge. */
  readonly gauge: number;
  add(index: number, n: number): void;
}

const PAIR_BYTES = 8;

export class CountService implements SessionService {
  readonly feature: number = protocol.FEATURE_SOCKETS;
  readonly first: number = protocol.COUNT;
  readonly last: number = protocol.COUNT;
  readonly #counters: NumberedCounters;
  /** Share of this session in the gauge. */
  #held = 0;

  constructor(counters: NumberedCounters) {
    this.#counters = counters;
  }

  serve({ payload }: protocol.Frame): boolean {
    if (payload.length % PAIR_BYTES !== 0) return false;
    const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
    for (let at = 0; at < payload.length; at += PAIR_BYTES) {
      const index = view.getInt32(at, true);
      const n = view.getInt32(at + 4, true);
      const gauge = index === this.#counters.gauge;
      if (index < 0 || index >= this.#counters.length || (n < 0 && !gauge)) return false;
      this.#counters.add(index, n);
      if (gauge) this.#held += n;
    }
    return true;
  }

  close(): void {
    if (this.#held !== 0) this.#counters.add(this.#counters.gauge, -this.#held);
    this.#held = 0;
  }
}

/** The payload of a COUNT frame: each count that is not 0, which is set to 0. */
export function encodeCounts(counts: Int32Array): Uint8Array {
  const bytes = new Uint8Array(counts.reduce((pairs, n) => pairs + Number(n !== 0), 0) * PAIR_BYTES);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const [index, n] of counts.entries()) {
    if (n === 0) continue;
    view.setInt32(at, index, true);
    view.setInt32(at + 4, n, true);
    at += PAIR_BYTES;
  }
  counts.fill(0);
  return bytes;
}
