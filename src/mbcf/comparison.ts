/** Comparisons of a word with a value. Thread: any. */

import * as change from '../mem/word-changes.ts';

/** Equal, not equal, less, less or equal, greater, greater or equal; signed. */
export type Comparison = 'EQ' | 'NE' | 'LT' | 'LE' | 'GT' | 'GE';

/** The conditional swaps, by their comparison. */
export const CAS: Readonly<Record<Comparison, number>> = {
  EQ: change.CHANGE_CAS_EQ,
  NE: change.CHANGE_CAS_NE,
  LT: change.CHANGE_CAS_LT,
  LE: change.CHANGE_CAS_LE,
  GT: change.CHANGE_CAS_GT,
  GE: change.CHANGE_CAS_GE,
};

/** Whether a word compares to a value. */
export function compares(word: number, comparison: Comparison, value: number): boolean {
  switch (comparison) {
    case 'EQ':
      return word === value;
    case 'NE':
      return word !== value;
    case 'LT':
      return word < value;
    case 'LE':
      return word <= value;
    case 'GT':
      return word > value;
    default:
      return word >= value;
  }
}
