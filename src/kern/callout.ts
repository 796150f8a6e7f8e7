/**
 * Timers of one CPU: callout(9) on a clock that is an argument.
 *
 * Thread: the one that runs the CPU. A binary heap of {@link Callout} objects ordered by deadline. Moving a deadline
 * later (TCP does on every acknowledgement) only stores the new time: the entry is found early in the heap and
 * re-sorted when it surfaces. So `schedule` on a pending callout is O(1) unless the deadline moves earlier. Stopped entries
 * lie in the heap until they surface, or until they are more than the others: a flood of objects that come and go before
 * their timers fire must not fill the memory.
 */

/** One timer; made once by its owner and scheduled many times. Allocates nothing after construction. */
export class Callout {
  /** When it fires, microseconds; NaN-free: `Infinity` while not scheduled. */
  deadlineUs: number = Infinity;
  /** Position key in the heap: never later than `deadlineUs`. */
  heapUs: number = Infinity;
  heapIndex: number = -1;
  readonly fire: (nowUs: number) => void;

  constructor(fire: (nowUs: number) => void) {
    this.fire = fire;
  }

  get pending(): boolean {
    return this.deadlineUs !== Infinity;
  }
}

/** Fewer stopped entries than this are not worth a look. */
const STOPPED_MIN = 64;

export class CalloutTable {
  readonly #heap: Callout[] = [];
  /** Entries of the heap that were stopped. */
  #stopped = 0;

  /** Arm, or move, a callout to fire at the first `run` whose `nowUs` is at or past `deadlineUs`. */
  schedule(callout: Callout, deadlineUs: number): void {
    if (callout.deadlineUs === Infinity && callout.heapIndex >= 0) this.#stopped--;
    callout.deadlineUs = deadlineUs;
    if (callout.heapIndex < 0) {
      callout.heapUs = deadlineUs;
      callout.heapIndex = this.#heap.length;
      this.#heap.push(callout);
      this.#up(callout.heapIndex);
    } else if (deadlineUs < callout.heapUs) {
      callout.heapUs = deadlineUs;
      this.#up(callout.heapIndex);
    }
  }

  /** Disarm; the entry leaves the heap later. */
  stop(callout: Callout): void {
    if (callout.deadlineUs === Infinity) return;
    callout.deadlineUs = Infinity;
    if (callout.heapIndex < 0) return;
    this.#stopped++;
    if (this.#stopped > STOPPED_MIN && this.#stopped > this.#heap.length >> 1) this.#compact();
  }

  /** Fire everything due. Returns how many fired. A callout may re-schedule itself or stop others. */
  run(nowUs: number): number {
    let fired = 0;
    for (;;) {
      const top = this.#heap[0];
      if (top === undefined || top.heapUs > nowUs) return fired;
      if (top.deadlineUs > nowUs) {
        this.#settle(top);
        continue;
      }
      this.#remove(top);
      top.deadlineUs = Infinity;
      fired++;
      top.fire(nowUs);
    }
  }

  /** The earliest time at which `run` may have something to do; `Infinity` when nothing is armed. */
  nextDeadlineUs(): number {
    for (;;) {
      const top = this.#heap[0];
      if (top === undefined) return Infinity;
      if (top.deadlineUs === top.heapUs) return top.heapUs;
      this.#settle(top);
    }
  }

  /** Callouts that hold a place in the heap (armed ones, and stopped ones that have not surfaced). */
  get size(): number {
    return this.#heap.length;
  }

  /** The number of armed callouts. */
  get armed(): number {
    return this.#heap.length - this.#stopped;
  }

  /** The top entry's key is earlier than its deadline: move it to where it belongs, or out. */
  #settle(top: Callout): void {
    if (top.deadlineUs === Infinity) {
      this.#stopped--;
      this.#remove(top);
    } else {
      top.heapUs = top.deadlineUs;
      this.#down(0);
    }
  }

  /** Take the stopped entries out; each step costs as much as one of the calls that made it necessary. */
  #compact(): void {
    const heap = this.#heap;
    let kept = 0;
    for (let i = 0; i < heap.length; i++) {
      const callout = heap[i] as Callout;
      if (callout.deadlineUs === Infinity) {
        callout.heapIndex = -1;
        callout.heapUs = Infinity;
      } else {
        callout.heapIndex = kept;
        heap[kept++] = callout;
      }
    }
    heap.length = kept;
    this.#stopped = 0;
    for (let i = (kept >> 1) - 1; i >= 0; i--) this.#down(i);
  }

  #remove(callout: Callout): void {
    const index = callout.heapIndex;
    const last = this.#heap.pop() as Callout;
    callout.heapIndex = -1;
    callout.heapUs = Infinity;
    if (last === callout) return;
    this.#heap[index] = last;
    last.heapIndex = index;
    this.#up(index);
    this.#down(last.heapIndex);
  }

  #up(index: number): void {
    const heap = this.#heap;
    const item = heap[index] as Callout;
    while (index > 0) {
      const above = (index - 1) >> 1;
      const parent = heap[above] as Callout;
      if (parent.heapUs <= item.heapUs) break;
      heap[index] = parent;
      parent.heapIndex = index;
      index = above;
    }
    heap[index] = item;
    item.heapIndex = index;
  }

  #down(index: number): void {
    const heap = this.#heap;
    const item = heap[index] as Callout;
    for (;;) {
      let below = 2 * index + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && (heap[below + 1] as Callout).heapUs < (heap[below] as Callout).heapUs) below++;
      const child = heap[below] as Callout;
      if (child.heapUs >= item.heapUs) break;
      heap[index] = child;
      child.heapIndex = index;
      index = below;
    }
    heap[index] = item;
    item.heapIndex = index;
  }
}
