/**
 * Waiting for words of a task's own memory: until one, any, some or all of them compare to a value.
 *
 * Thread: that of the node. Conditions are looked at when a turn has changed memory of the task; words that threads change by themselves are not
 * noticed. Read first: OpenSHMEM 1.6 section 9.10, whose names these are.
 */

import { readWord } from '../mem/word-changes.ts';
import { type Comparison, compares } from './comparison.ts';
import type { TaskMemory } from './protocol/task-memory.ts';

/** Words of a memory, by their addresses, of which each compares to its value or does not. */
export interface Condition {
  readonly memory: TaskMemory;
  readonly addresses: readonly number[];
  readonly comparison: Comparison;
  /** One for all words, or one for each. */
  readonly value: number | readonly number[];
}

/** Indices of the words that compare now. */
function satisfied({ memory, addresses, comparison, value }: Condition): number[] {
  const found: number[] = [];
  for (let i = 0; i < addresses.length; i++) {
    const wanted = typeof value === 'number' ? value : (value[i] as number);
    if (compares(readWord(memory.words, (addresses[i] as number) >> 2), comparison, wanted)) found.push(i);
  }
  return found;
}

interface Waiting {
  readonly condition: Condition;
  /** Enough words compare. */
  readonly needed: number;
  readonly resolve: (indices: number[]) => void;
  readonly reject: (error: Error) => void;
}

export class Conditions {
  #waiting: Waiting[] = [];

  /** Resolves with the indices of the words that compare, as soon as `needed` of them do. */
  wait(condition: Condition, needed: number): Promise<number[]> {
    const now = satisfied(condition);
    if (now.length >= needed) return Promise.resolve(now);
    return new Promise((resolve, reject) => this.#waiting.push({ condition, needed, resolve, reject }));
  }

  /** Memory was changed. */
  look(): void {
    if (this.#waiting.length === 0) return;
    this.#waiting = this.#waiting.filter(({ condition, needed, resolve }) => {
      const now = satisfied(condition);
      if (now.length < needed) return true;
      resolve(now);
      return false;
    });
  }

  /** None of them comes true any more. */
  fail(error: Error): void {
    for (const { reject } of this.#waiting) reject(error);
    this.#waiting = [];
  }
}
