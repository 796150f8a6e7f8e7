/**
 * Deferred delivery of socket events.
 *
 * Thread: the one that runs the CPU. Protocol code posts while it works; the kernel delivers once at the end of
 * `doWork`, so no handler ever runs inside protocol code and several events of one socket arrive as one call.
 */

import { EVENT_ACCEPTABLE } from './socket.ts';

export interface EventTarget {
  onEvents: ((events: number) => void) | null;
  /** Owned by the queue: bits posted and not yet delivered. */
  pendingEvents: number;
}

/** Services that the socket layer needs besides the protocols. */
export interface SocketContext {
  readonly events: EventQueue;
  /** Monotonic microseconds; the host's clock, or the virtual one. */
  nowUs(): number;
  /** Something was sent or posted outside `doWork`: have the kernel run soon. */
  requestWork(): void;
}

/** Targets with events, in the order they were posted. The arrays only grow: cutting one gives its memory away. */
class EventList {
  #posted: (EventTarget | null)[] = [];
  #count = 0;
  #delivering: (EventTarget | null)[] = [];

  get empty(): boolean {
    return this.#count === 0;
  }

  add(target: EventTarget): void {
    const targets = this.#posted;
    if (this.#count < targets.length) targets[this.#count] = target;
    else targets.push(target);
    this.#count++;
  }

  // cold: a handler may throw: the others still run
  deliver(handled: () => void): number {
    const targets = this.#posted;
    const count = this.#count;
    this.#posted = this.#delivering;
    this.#count = 0;
    this.#delivering = targets;
    let called = 0;
    try {
      while (called < count) {
        const target = targets[called] as EventTarget;
        targets[called++] = null;
        const events = target.pendingEvents;
        target.pendingEvents = 0;
        if (events === 0 || target.onEvents === null) continue;
        target.onEvents(events);
        handled();
      }
    } finally {
      for (let i = called; i < count; i++) {
        this.add(targets[i] as EventTarget);
        targets[i] = null;
      }
    }
    return called;
  }
}

export class EventQueue {
  /** New connections come before everything else: a server knows of one before its client can be told that it stands. */
  readonly #arrivals = new EventList();
  readonly #others = new EventList();
  readonly #handled: () => void;
  readonly #posted: () => void;

  /** `handled` is called after each handler that ran, `posted` for each target that had no events before. */
  constructor(handled: () => void = () => {}, posted: () => void = () => {}) {
    this.#handled = handled;
    this.#posted = posted;
  }

  get pending(): boolean {
    return !this.#arrivals.empty || !this.#others.empty;
  }

  post(target: EventTarget, events: number): void {
    if (target.pendingEvents === 0) {
      ((events & EVENT_ACCEPTABLE) !== 0 ? this.#arrivals : this.#others).add(target);
      this.#posted();
    }
    target.pendingEvents |= events;
  }

  /**
   * Deliver what was posted before this call; events that handlers post wait for the next one (but what the handlers of
   * new connections post for others comes now). Returns how many targets were called. When a handler throws (a program's
   * uncaught error), the others keep their events.
   */
  deliver(): number {
    const called = this.#arrivals.empty ? 0 : this.#arrivals.deliver(this.#handled);
    return this.#others.empty ? called : called + this.#others.deliver(this.#handled);
  }
}
