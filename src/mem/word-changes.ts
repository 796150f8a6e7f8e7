/**
 * Read-modify-write of single words that several parties change at once, 32 and 64 bit: what remote memory operations do to memory.
 *
 * Thread: any; each change is one step for everybody who uses `Atomics` on the same words. The change is an argument, so that
 * it can come out of a packet. Read first: libfabric's fi_atomic(3), whose names these are. Missing: floating point, 128 bit.
 */

/** The word becomes the operand. */
export const CHANGE_SWAP = 0;
/** The word becomes the operand when it is equal to the comparand; the other five: when it is unequal, less, ... than the comparand. */
export const CHANGE_CAS_EQ = 1;
export const CHANGE_CAS_NE = 2;
export const CHANGE_CAS_LT = 3;
export const CHANGE_CAS_LE = 4;
export const CHANGE_CAS_GT = 5;
export const CHANGE_CAS_GE = 6;
/** The bits of the word that are set in the comparand become those of the operand. */
export const CHANGE_MASKED_SWAP = 7;
export const CHANGE_ADD = 8;
export const CHANGE_AND = 9;
export const CHANGE_OR = 10;
export const CHANGE_XOR = 11;
/** Signed. */
export const CHANGE_MIN = 12;
export const CHANGE_MAX = 13;
/** The word becomes 1. */
export const CHANGE_TEST_AND_SET = 14;
/** Number of changes. */
export const CHANGES = 15;

/** Change a word of 32 bits; returns what it was. An unknown change leaves it as it is. */
export function changeWord(
  words: Int32Array,
  index: number,
  change: number,
  operand: number,
  comparand: number,
): number {
  switch (change) {
    case CHANGE_SWAP:
      return Atomics.exchange(words, index, operand);
    case CHANGE_CAS_EQ:
      return Atomics.compareExchange(words, index, comparand, operand);
    case CHANGE_ADD:
      return Atomics.add(words, index, operand);
    case CHANGE_AND:
      return Atomics.and(words, index, operand);
    case CHANGE_OR:
      return Atomics.or(words, index, operand);
    case CHANGE_XOR:
      return Atomics.xor(words, index, operand);
    case CHANGE_TEST_AND_SET:
      return Atomics.exchange(words, index, 1);
    default:
      return changeWordByTrial(words, index, change, operand, comparand);
  }
}

function changeWordByTrial(
  words: Int32Array,
  index: number,
  change: number,
  operand: number,
  comparand: number,
): number {
  let old = Atomics.load(words, index);
  for (;;) {
    const next =
      change === CHANGE_MASKED_SWAP
        ? (old & ~comparand) | (operand & comparand)
        : holds(change, old, operand, comparand)
          ? operand
          : old;
    if (next === old) return old;
    const found = Atomics.compareExchange(words, index, old, next);
    if (found === old) return old;
    old = found;
  }
}

/** Change a word of 64 bits; returns what it was. An unknown change leaves it as it is. */
export function changeLong(
  longs: BigInt64Array,
  index: number,
  change: number,
  operand: bigint,
  comparand: bigint,
): bigint {
  switch (change) {
    case CHANGE_SWAP:
      return Atomics.exchange(longs, index, operand);
    case CHANGE_CAS_EQ:
      return Atomics.compareExchange(longs, index, comparand, operand);
    case CHANGE_ADD:
      return Atomics.add(longs, index, operand);
    case CHANGE_AND:
      return Atomics.and(longs, index, operand);
    case CHANGE_OR:
      return Atomics.or(longs, index, operand);
    case CHANGE_XOR:
      return Atomics.xor(longs, index, operand);
    case CHANGE_TEST_AND_SET:
      return Atomics.exchange(longs, index, 1n);
    default:
      return changeLongByTrial(longs, index, change, operand, comparand);
  }
}

function changeLongByTrial(
  longs: BigInt64Array,
  index: number,
  change: number,
  operand: bigint,
  comparand: bigint,
): bigint {
  let old = Atomics.load(longs, index);
  for (;;) {
    const next =
      change === CHANGE_MASKED_SWAP
        ? (old & ~comparand) | (operand & comparand)
        : holds(change, old, operand, comparand)
          ? operand
          : old;
    if (next === old) return old;
    const found = Atomics.compareExchange(longs, index, old, next);
    if (found === old) return old;
    old = found;
  }
}

/** Whether a conditional change replaces the word. */
function holds<T extends number | bigint>(change: number, old: T, operand: T, comparand: T): boolean {
  switch (change) {
    case CHANGE_CAS_NE:
      return old !== comparand;
    case CHANGE_CAS_LT:
      return old < comparand;
    case CHANGE_CAS_LE:
      return old <= comparand;
    case CHANGE_CAS_GT:
      return old > comparand;
    case CHANGE_CAS_GE:
      return old >= comparand;
    case CHANGE_MIN:
      return operand < old;
    case CHANGE_MAX:
      return operand > old;
    default:
      return false;
  }
}

/** Zeroed memory that threads can share. */
// cold: once per memory
export function shareableMemory(byteLength: number): SharedArrayBuffer {
  return new SharedArrayBuffer(byteLength);
}

/** A word as everybody sees it now. */
export function readWord(words: Int32Array, index: number): number {
  return Atomics.load(words, index);
}

/** Block the thread while a word holds a value, at most so long: until somebody wakes it (`writeWord`, `wakeWaiters`). */
export function waitWhile(words: Int32Array, index: number, value: number, timeoutMs: number): void {
  Atomics.wait(words, index, value, timeoutMs);
}

/** Wake the threads that sleep on a word. */
export function wakeWaiters(words: Int32Array, index: number): void {
  Atomics.notify(words, index);
}

/** Store a word, and wake the threads that sleep on it (`Atomics.wait`). */
export function writeWord(words: Int32Array, index: number, value: number): void {
  Atomics.store(words, index, value);
  Atomics.notify(words, index);
}
