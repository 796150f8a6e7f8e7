/**
 * Deferred delivery of socket events.
 *
 * Thread: the one that runs the kernel. Protocol code posts while it works; the kernel delivers once at the end of
 * `doWork`, so no handler ever runs inside protocol code and several events of one socket arrive as one call.
 */

export interface EventTarget {
  onEvents: ((events: number) => void) | null;
  /** Owned by the queue: bits posted and not yet delivered. */
  pendingEvents: number;
}

/** What the socket layer needs besides the protocols. */
export interface SocketContext {
  readonly events: EventQueue;
  /** Monotonic microseconds; the host's clock, or the virtual one. */
  nowUs(): number;
  /** Something was sent or posted outside `doWork`: have the kernel run soon. */
  requestWork(): void;
}

export class EventQueue {
  #targets: EventTarget[] = [];
  #delivering: EventTarget[] = [];

  get pending(): boolean {
    return this.#targets.length > 0;
  }

  post(target: EventTarget, events: number): void {
    if (target.pendingEvents === 0) this.#targets.push(target);
    target.pendingEvents |= events;
  }

  /**
   * Deliver what was posted before this call; events posted by handlers wait for the next one. Returns how many targets
   * were called. When a handler throws (a program's uncaught error), the others keep their events.
   */
  deliver(): number {
    const targets = this.#targets;
    this.#targets = this.#delivering;
    this.#delivering = targets;
    let called = 0;
    try {
      while (called < targets.length) {
        const target = targets[called++] as EventTarget;
        const events = target.pendingEvents;
        target.pendingEvents = 0;
        if (events !== 0 && target.onEvents !== null) target.onEvents(events);
      }
    } finally {
      for (let i = called; i < targets.length; i++) this.#targets.push(targets[i] as EventTarget);
      targets.length = 0;
    }
    return called;
  }
}
