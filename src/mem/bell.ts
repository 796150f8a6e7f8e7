/**
 * Waking: the contract between a thread that sleeps and the threads that have work for it.
 *
 * Thread: a bell has one owner, which sleeps; any thread or process may ring it. One word in shared memory says AWAKE or
 * SLEEPING. No wake-up is lost because both sides store first and look second, sequentially consistent:
 *
 *   owner:  state = SLEEPING; look at every source of work; nothing → wait while state is SLEEPING
 *   ringer: publish the work; look at state; SLEEPING → wake the owner
 *
 * Either the owner's look sees the work, or the ringer's look sees SLEEPING. A ringer pays one load while the owner is
 * awake. The wait of the owner is the implementation's: `Doorbell` (doorbell.ts) waits by `Atomics` on the word, which wakes
 * within a process only. An event loop that is rung from other processes also listens to a descriptor, to which their
 * {@link Waker} writes (host/node/socket-bell.ts); a thread without one waits in a futex, which all who map the word can
 * wake (futex-bell.ts).
 */

export const AWAKE = 0;
export const SLEEPING = 1;
/** Asleep in a futex on the word. */
export const BLOCKED = 2;

/** The owner's side. */
export interface Bell {
  /** Place of the state word. */
  readonly at: number;
  /** Whether the owner sleeps or is about to. */
  readonly sleeping: boolean;
  /** Say that a sleep is near. Look at every source of work after it, before waiting. */
  arm(): void;
  /** Work was found after `arm`, or the owner woke by other means. */
  disarm(): void;
  /** Wake the owner if it sleeps or is about to; from a thread of the owner's process. Publish the work first. */
  ring(): void;
}

/** A bell on which a thread with an event loop can sleep. */
export interface AsyncBell extends Bell {
  /**
   * Call `onRing` when rung (at once, if it was rung since `arm`); the owner disarms then. Must be armed. It does not keep
   * the process alive, and
   * it cannot be withdrawn: an owner that wakes by other means disarms and ignores the call. A second `waitAsync` before
   * the first came replaces `onRing`.
   */
  waitAsync(onRing: () => void): void;
}

/** A bell on which a thread without an event loop can sleep. */
export interface BlockingBell extends Bell {
  /**
   * Block until rung, at most `timeoutMs` (fractions allowed, Infinity = for ever). Must be armed. Returns whether it was
   * rung; disarmed afterwards.
   */
  wait(timeoutMs: number): boolean;
}

/** Carries a wake-up into another process: a byte on a socket or pipe that the owner of the bell listens to. */
export interface Waker {
  /** Wake the owner of the bell, which looks for work then; a wake-up too many does no harm. */
  wake(): void;
}

/**
 * Ring the bell whose word is at `at`, which the caller checked (`Arena.isDoorbell`), for an owner in this process. Only
 * one of many ringers notifies.
 */
export function ringDoorbell(words: Int32Array, at: number): void {
  const index = at >> 2;
  if (Atomics.load(words, index) === SLEEPING && Atomics.compareExchange(words, index, SLEEPING, AWAKE) === SLEEPING) {
    Atomics.notify(words, index);
  }
}

/**
 * The same for an owner in another process. The word stays SLEEPING until the owner disarms: so a ringer that is killed
 * here leaves no word that says AWAKE over an owner that sleeps, and a late one does not undo the owner's next `arm`.
 * Meanwhile each ringer wakes the owner once more, which costs it a look.
 */
export function ringFar(words: Int32Array, at: number, waker: Waker): void {
  if (Atomics.load(words, at >> 2) === SLEEPING) waker.wake();
}
