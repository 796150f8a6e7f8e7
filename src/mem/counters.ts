/**
 * Named counters in shared memory, readable by every thread without asking anybody.
 *
 * Thread: one owner writes (plain stores: a counter has a single writer, and an aligned 64-bit float does not tear on the
 * machines Node runs on); everyone may read. Values count exactly up to 2^53. Layout: docs/layouts/counters.md.
 * All blocks of an arena form a list, so that `mk stat` finds them knowing nothing but the arena.
 */

import { assert } from '../base/assert.ts';
import type { Arena } from './arena.ts';

/** 'MKCT' */
const MAGIC = 0x4d4b4354;
const VERSION = 2;

const WORD_MAGIC = 0;
const WORD_VERSION = 1;
const WORD_CAPACITY = 2;
const WORD_COUNT = 3;
const WORD_NEXT = 4;
const NAME_OFFSET = 64;
const HEADER_BYTES = 128;
const LABEL_BYTES = 48;
const VALUE_BYTES = 8;
const DEFAULT_CAPACITY = 64;
/** A walk of the list ends here even if somebody tied it into a circle. */
const MAX_BLOCKS = 65536;

// cold: once per name
function writeLabel(bytes: Uint8Array, at: number, label: string): void {
  assert(/^[\x21-\x7e]*$/.test(label) && label.length < LABEL_BYTES, `counter label '${label}'`);
  bytes[at] = label.length;
  for (let i = 0; i < label.length; i++) bytes[at + 1 + i] = label.charCodeAt(i);
}

function readLabel(bytes: Uint8Array, at: number): string {
  const length = Math.min(bytes[at] as number, LABEL_BYTES - 1);
  let label = '';
  for (let i = 0; i < length; i++) label += String.fromCharCode(bytes[at + 1 + i] as number);
  return label;
}

function blockBytes(capacity: number): number {
  return HEADER_BYTES + Math.ceil((capacity * LABEL_BYTES) / 64) * 64 + capacity * VALUE_BYTES;
}

/** A block of named counters in an arena: one thread writes, everybody reads. */
export class Counters {
  /** Place of the block. */
  readonly at: number;
  /** Name of the block, e.g. "api/eth0". */
  readonly name: string;
  /** Most counters that the block takes. */
  readonly capacity: number;
  readonly #arena: Arena;
  readonly #values: Float64Array;
  readonly #first: number;
  /** Owner's own index of the labels; the shared table is for readers. */
  readonly #indices: Map<string, number> = new Map();

  private constructor(arena: Arena, at: number, capacity: number) {
    this.at = at;
    this.capacity = capacity;
    this.name = readLabel(arena.bytes, at + NAME_OFFSET);
    this.#arena = arena;
    this.#values = arena.floats;
    this.#first = (at + blockBytes(capacity) - capacity * VALUE_BYTES) / VALUE_BYTES;
    const count = Math.min(Atomics.load(arena.words, (at >> 2) + WORD_COUNT) >>> 0, capacity);
    for (let i = 0; i < count; i++) this.#indices.set(readLabel(arena.bytes, this.#labelAt(i)), i);
  }

  /**
   * The block of that name, for its one writer: a new one, or the one a dead owner of the same name left, set to zero.
   * `name` is printable ASCII of at most 47 characters ('api/eth0'). Set-up only; throws ENOMEM.
   */
  // cold: once per block
  static open(arena: Arena, name: string, capacity: number = DEFAULT_CAPACITY): Counters {
    for (const at of blocks(arena)) {
      if (readLabel(arena.bytes, at + NAME_OFFSET) !== name || arena.words[(at >> 2) + WORD_CAPACITY] !== capacity)
        continue;
      arena.words[(at >> 2) + WORD_COUNT] = 0;
      return new Counters(arena, at, capacity);
    }
    const at = arena.allocate(blockBytes(capacity), 64);
    const word = at >> 2;
    arena.words[word + WORD_VERSION] = VERSION;
    arena.words[word + WORD_CAPACITY] = capacity;
    writeLabel(arena.bytes, at + NAME_OFFSET, name);
    Atomics.store(arena.words, word + WORD_MAGIC, MAGIC);
    for (;;) {
      const first = arena.firstCounters;
      arena.words[word + WORD_NEXT] = first;
      if (arena.replaceFirstCounters(first, arena.offset(at))) break;
    }
    return new Counters(arena, at, capacity);
  }

  /** Every block of the arena, for readers. Blocks that do not look like one are left out. */
  // cold: for tools
  static list(arena: Arena): Counters[] {
    return blocks(arena).map((at) => new Counters(arena, at, arena.words[(at >> 2) + WORD_CAPACITY] as number));
  }

  /** The index of a counter, made at zero when it is new. Owner, set-up only: `name` as in `open`. */
  // cold: once per name
  index(name: string): number {
    const known = this.#indices.get(name);
    if (known !== undefined) return known;
    const index = this.#indices.size;
    assert(index < this.capacity, `counters ${this.name}: more than ${this.capacity} names`);
    writeLabel(this.#arena.bytes, this.#labelAt(index), name);
    this.#values[this.#first + index] = 0;
    this.#indices.set(name, index);
    Atomics.store(this.#arena.words, (this.at >> 2) + WORD_COUNT, index + 1);
    return index;
  }

  /** Owner only. */
  add(index: number, n: number): void {
    (this.#values[this.#first + index] as number) += n;
  }

  /** Owner only: a gauge. */
  set(index: number, value: number): void {
    this.#values[this.#first + index] = value;
  }

  /** Value of the counter, as the memory holds it now; any thread. */
  get(index: number): number {
    return this.#values[this.#first + index] as number;
  }

  /** All names and values, as the memory holds them now. */
  // cold: per request
  snapshot(): Record<string, number> {
    const result: Record<string, number> = {};
    const count = Math.min(Atomics.load(this.#arena.words, (this.at >> 2) + WORD_COUNT) >>> 0, this.capacity);
    for (let i = 0; i < count; i++) result[readLabel(this.#arena.bytes, this.#labelAt(i))] = this.get(i);
    return result;
  }

  #labelAt(index: number): number {
    return this.at + HEADER_BYTES + index * LABEL_BYTES;
  }
}

/** Places of all well-formed blocks. The list lies in shared memory: each link is checked before it is followed. */
// cold: per request
function blocks(arena: Arena): number[] {
  const found: number[] = [];
  let offset = arena.firstCounters;
  while (offset > 0 && offset % 64 === 0 && arena.holds(offset, HEADER_BYTES) && found.length < MAX_BLOCKS) {
    const at = arena.place(offset);
    const word = at >> 2;
    const capacity = arena.words[word + WORD_CAPACITY] as number;
    const wellFormed =
      Atomics.load(arena.words, word + WORD_MAGIC) === MAGIC &&
      arena.words[word + WORD_VERSION] === VERSION &&
      capacity >= 0 &&
      arena.holds(offset, blockBytes(capacity));
    if (!wellFormed) break;
    found.push(at);
    offset = arena.words[word + WORD_NEXT] as number;
  }
  return found;
}
