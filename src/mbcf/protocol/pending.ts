/**
 * Operations of this node's tasks that wait for a reply, by tag.
 *
 * Thread: that of the node. A tag is the number of an entry and a turn of it, so that a late reply finds nobody. Each operation's end is told once:
 * by its reply, or by the end of its association.
 */

import type { Association } from './association.ts';
import { STATUS_MALFORMED } from './status.ts';

/** Learns how an operation ended; the data of the reply are `[at, at + byteLength)` of the arena, for the time of the call. */
export interface Completion {
  completed(status: number, at: number, byteLength: number): void;
}

const INDEX_BITS = 20;
const INDEX_MASK: number = 2 ** INDEX_BITS - 1;
/** Operations that wait at most. */
const PENDING_MAX: number = INDEX_MASK;

export class PendingTable {
  readonly #completions: (Completion | null)[] = [null];
  readonly #pairs: (Association | null)[] = [null];
  readonly #turns: number[] = [0];
  readonly #free: number[] = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** A tag for an operation of a pair, never 0; 0 when too many wait. */
  begin(pair: Association, completion: Completion): number {
    let index = this.#free.pop();
    if (index === undefined) {
      index = this.#completions.length;
      if (index > PENDING_MAX) return 0;
      this.#completions.push(null);
      this.#pairs.push(null);
      this.#turns.push(0);
    }
    this.#completions[index] = completion;
    this.#pairs[index] = pair;
    pair.awaiting++;
    this.#count++;
    return ((this.#turns[index] as number) << INDEX_BITS) | index;
  }

  /** An operation ended. False when no such one waits for that pair. */
  end(pair: Association, tag: number, status: number, at: number, byteLength: number): boolean {
    const index = tag & INDEX_MASK;
    const completion = this.#completions[index];
    if (completion == null || this.#pairs[index] !== pair || (this.#turns[index] as number) !== tag >> INDEX_BITS)
      return false;
    this.#release(index);
    completion.completed(status > 0 ? status : STATUS_MALFORMED, at, byteLength);
    return true;
  }

  /** The operation was not sent after all. */
  cancel(tag: number): void {
    this.#release(tag & INDEX_MASK);
  }

  /** All operations of a pair end with a status. */
  // cold: once per association
  fail(pair: Association, status: number): void {
    for (let index = 1; index < this.#pairs.length; index++) {
      if (this.#pairs[index] !== pair) continue;
      const completion = this.#completions[index] as Completion;
      this.#release(index);
      completion.completed(status, 0, 0);
    }
  }

  #release(index: number): void {
    (this.#pairs[index] as Association).awaiting--;
    this.#completions[index] = null;
    this.#pairs[index] = null;
    // 12 bits, as an arithmetic shift of the tag gives them back.
    this.#turns[index] = (((this.#turns[index] as number) + 1) << INDEX_BITS) >> INDEX_BITS;
    this.#free.push(index);
    this.#count--;
  }
}
