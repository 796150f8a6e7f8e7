/**
 * A lock in shared memory that knows its owner: what the shared packet buffer (slot-pool.ts) is guarded by.
 *
 * Thread: any; held for a few hundred nanoseconds. Spins, then sleeps on the word. The owner's number is in the word, so
 * that whoever buries a dead owner can open the lock again ({@link breakLock}); it is not re-entrant.
 */

/** Somebody sleeps on the word. */
const CONTENDED = 0x10000;
const SPINS = 500;
/** Sleepers look again by themselves after that long, in case the owner died. */
const LOOK_AGAIN_MS = 10;

/** Take the lock for `owner` (0 to 65534). */
export function acquireLock(words: Int32Array, index: number, owner: number): void {
  const mine = owner + 1;
  for (let i = 0; i < SPINS; i++) if (Atomics.compareExchange(words, index, 0, mine) === 0) return;
  for (;;) {
    const seen = Atomics.load(words, index);
    if (seen === 0) {
      // Others may sleep too: keep the mark, it costs one notify too many at most.
      if (Atomics.compareExchange(words, index, 0, mine | CONTENDED) === 0) return;
    } else if (Atomics.compareExchange(words, index, seen, seen | CONTENDED) === seen) {
      Atomics.wait(words, index, seen | CONTENDED, LOOK_AGAIN_MS);
    }
  }
}

export function releaseLock(words: Int32Array, index: number): void {
  if ((Atomics.exchange(words, index, 0) & CONTENDED) !== 0) Atomics.notify(words, index, 1);
}

/** Open the lock if `owner`, who is dead, holds it. Returns whether it did. */
export function breakLock(words: Int32Array, index: number, owner: number): boolean {
  const seen = Atomics.load(words, index);
  if ((seen & ~CONTENDED) !== owner + 1) return false;
  Atomics.store(words, index, 0);
  Atomics.notify(words, index, 1);
  return true;
}
