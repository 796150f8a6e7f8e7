/**
 * Frames on their way through an impaired link, ordered by the time at which they come out.
 *
 * Thread: the device's. A binary heap in typed arrays over frames that lie in a store of the owner; entries due at the same
 * time come out in the order in which they went in.
 */

export class DelayLine {
  readonly capacity: number;
  count = 0;
  /** The frame that `pop` took out last. */
  at = 0;
  lengthBytes = 0;
  meta = 0;

  readonly #dueUs: Float64Array;
  /** The record at that place of the heap. */
  readonly #heap: Int32Array;
  readonly #order: Float64Array;
  readonly #at: Int32Array;
  readonly #length: Int32Array;
  readonly #meta: Int32Array;
  /** Stack of unused records. */
  readonly #unused: Int32Array;
  #pushed = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.#dueUs = new Float64Array(capacity);
    this.#order = new Float64Array(capacity);
    this.#heap = new Int32Array(capacity);
    this.#at = new Int32Array(capacity);
    this.#length = new Int32Array(capacity);
    this.#meta = new Int32Array(capacity);
    this.#unused = Int32Array.from({ length: capacity }, (_, i) => i);
  }

  /** When the next frame comes out; `Infinity` when there is none. */
  get nextUs(): number {
    return this.count === 0 ? Infinity : (this.#dueUs[this.#heap[0] as number] as number);
  }

  /** False when the line is full. */
  push(dueUs: number, at: number, lengthBytes: number, meta: number): boolean {
    if (this.count === this.capacity) return false;
    const record = this.#unused[this.count] as number;
    this.#dueUs[record] = dueUs;
    this.#order[record] = this.#pushed++;
    this.#at[record] = at;
    this.#length[record] = lengthBytes;
    this.#meta[record] = meta;
    let place = this.count++;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const parent = this.#heap[above] as number;
      if (!this.#before(record, parent)) break;
      this.#heap[place] = parent;
      place = above;
    }
    this.#heap[place] = record;
    return true;
  }

  /** Take the next frame out: fills `at`, `lengthBytes`, `meta`. */
  pop(): void {
    const gone = this.#heap[0] as number;
    this.at = this.#at[gone] as number;
    this.lengthBytes = this.#length[gone] as number;
    this.meta = this.#meta[gone] as number;
    const last = this.#heap[--this.count] as number;
    this.#unused[this.count] = gone;
    let place = 0;
    for (;;) {
      let below = 2 * place + 1;
      if (below >= this.count) break;
      if (below + 1 < this.count && this.#before(this.#heap[below + 1] as number, this.#heap[below] as number)) below++;
      const child = this.#heap[below] as number;
      if (!this.#before(child, last)) break;
      this.#heap[place] = child;
      place = below;
    }
    this.#heap[place] = last;
  }

  #before(a: number, b: number): boolean {
    const difference = (this.#dueUs[a] as number) - (this.#dueUs[b] as number);
    return difference < 0 || (difference === 0 && (this.#order[a] as number) < (this.#order[b] as number));
  }
}
