/**
 * Lists of watchers on things that change: open files, processes.
 *
 * Thread: the one that runs the kernel. A change walks the watchers of that one thing and nothing else. Watchers only mark in
 * `changed`: calls that can go on are collected in the {@link WakeQueue} and run after the walk, so that a list never changes
 * under its walker.
 */

/** On the list of at most one {@link Watchable}. */
export abstract class Watcher {
  watched: Watchable | null = null;
  next: Watcher | null = null;
  previous: Watcher | null = null;

  /** `events` are the POLL* bits that may have become true. Only marks; changes no list. */
  abstract changed(events: number): void;

  unwatch(): void {
    this.watched?.remove(this);
  }
}

export abstract class Watchable {
  #first: Watcher | null = null;
  #last: Watcher | null = null;

  /** The watcher is the last of the list, also when it was on it: watchers that begin again after each success take turns. */
  watch(watcher: Watcher): void {
    watcher.unwatch();
    watcher.watched = this;
    watcher.previous = this.#last;
    if (this.#last === null) this.#first = watcher;
    else this.#last.next = watcher;
    this.#last = watcher;
  }

  remove(watcher: Watcher): void {
    if (watcher.watched !== this) return;
    if (watcher.previous === null) this.#first = watcher.next;
    else watcher.previous.next = watcher.next;
    if (watcher.next === null) this.#last = watcher.previous;
    else watcher.next.previous = watcher.previous;
    watcher.watched = null;
    watcher.next = null;
    watcher.previous = null;
  }

  get hasWatchers(): boolean {
    return this.#first !== null;
  }

  /** Mark the watchers. The owner of the thing drains the wake queue afterwards. */
  protected mark(events: number): void {
    for (let watcher = this.#first; watcher !== null; watcher = watcher.next) watcher.changed(events);
  }
}

/** Something that a change lets go on. */
export interface Wakeable {
  /** Owned by the queue. */
  queued: boolean;
  wake(): void;
}

/** Stays on a list, and is woken after each walk that marked it. A wake-up that comes after `unwatch` is dropped. */
export abstract class EventWatcher extends Watcher implements Wakeable {
  queued = false;
  readonly #wakeups: WakeQueue;
  #marked = 0;

  constructor(wakeups: WakeQueue) {
    super();
    this.#wakeups = wakeups;
  }

  override changed(events: number): void {
    this.#marked |= events;
    this.#wakeups.add(this);
  }

  wake(): void {
    const events = this.#marked;
    this.#marked = 0;
    if (this.watched !== null) this.ready(events);
  }

  /** POLL* bits that may have become true since the last call. */
  protected abstract ready(events: number): void;
}

/** A call that waits, as its process sees it. */
export interface Cancellable {
  cancel(): void;
}

/** Calls to be tried again, in the order in which they were marked. */
export class WakeQueue {
  #waiting: (Wakeable | null)[] = [];
  #count = 0;
  #draining = false;
  #held = 0;

  /** Until {@link release}, nothing is woken: a handler runs, whose scratch memory is everybody's. */
  hold(): void {
    this.#held++;
  }

  release(): void {
    if (--this.#held === 0) this.drain();
  }

  add(one: Wakeable): void {
    if (one.queued) return;
    one.queued = true;
    if (this.#count < this.#waiting.length) this.#waiting[this.#count] = one;
    else this.#waiting.push(one);
    this.#count++;
  }

  /** Wake all, those that are added meanwhile too. A drain within a drain leaves the work to the outer one. */
  // cold: a watcher may throw: the others are still told
  drain(): void {
    if (this.#draining || this.#held > 0 || this.#count === 0) return;
    this.#draining = true;
    let at = 0;
    try {
      while (at < this.#count) {
        const one = this.#waiting[at] as Wakeable;
        this.#waiting[at++] = null;
        one.queued = false;
        one.wake();
      }
    } finally {
      // A program's callback threw: the rest waits for the next drain.
      this.#waiting.copyWithin(0, at, this.#count);
      this.#count -= at;
      this.#draining = false;
    }
  }
}
