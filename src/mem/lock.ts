/**
 * A robust lock in shared memory: the lock word holds the owner's id (owner.ts), so that the lock of a dead owner passes to
 * the next one. Guards the shared packet buffer (slot-pool.ts).
 *
 * Thread: any; held for a few hundred nanoseconds. Spins, then sleeps on the word; a sleeper in another process than the
 * holder wakes by its own time-out. Not re-entrant. As with pthread's robust mutexes, the heir of a dead owner's
 * lock is told so, and mends the structure that the lock guards.
 */

/** Somebody sleeps on the word. */
const CONTENDED = 0x40000000;
const SPINS = 500;
/** Sleepers look again after that long: the owner may have died, or live in a process that cannot notify them. */
const LOOK_AGAIN_MS = 10;

/**
 * Take the lock for `owner`, an id of 1 to 2^30 - 1. `isDead`: whether an id is dead; asked after each time-out only.
 * Returns true when the lock was taken from a dead owner: the guarded structure may be half changed.
 */
export function acquireLock(
  words: Int32Array,
  index: number,
  owner: number,
  isDead: ((owner: number) => boolean) | null = null,
): boolean {
  for (let i = 0; i < SPINS; i++) if (Atomics.compareExchange(words, index, 0, owner) === 0) return false;
  for (;;) {
    const seen = Atomics.load(words, index);
    if (seen === 0) {
      // Others may sleep too: keep the mark, it costs one notify too many at most.
      if (Atomics.compareExchange(words, index, 0, owner | CONTENDED) === 0) return false;
      continue;
    }
    const marked = seen | CONTENDED;
    if (seen !== marked && Atomics.compareExchange(words, index, seen, marked) !== seen) continue;
    if (Atomics.wait(words, index, marked, LOOK_AGAIN_MS) !== 'timed-out') continue;
    if (isDead?.(seen & ~CONTENDED) && Atomics.compareExchange(words, index, marked, owner | CONTENDED) === marked)
      return true;
  }
}

/** Release a lock that the caller holds, and wake one sleeper of this process when somebody sleeps on it. */
export function releaseLock(words: Int32Array, index: number): void {
  if ((Atomics.exchange(words, index, 0) & CONTENDED) !== 0) Atomics.notify(words, index, 1);
}

/** Take the lock over from `dead`, if that owner holds it; `owner` holds it then. Returns whether it did. */
export function inheritLock(words: Int32Array, index: number, dead: number, owner: number): boolean {
  for (;;) {
    const seen = Atomics.load(words, index);
    if ((seen & ~CONTENDED) !== dead) return false;
    if (Atomics.compareExchange(words, index, seen, owner | CONTENDED) === seen) return true;
  }
}
