/**
 * One packet buffer for many senders and receivers: slots of equal size, a stack of free ones, a queue of filled ones per
 * receiver, all under one lock (Mint VNI, buffer configuration 1).
 *
 * Thread: any number, each with a `SlotPool` of its own; take the lock once per batch. Read docs/layouts/slot-pool.md.
 * Every slot has a state that says who has it; the stack and the queues are only the order, and an entry that contradicts
 * the state is skipped. So the slots of a dead owner can be collected ({@link SlotPool.reclaim}). All parties must
 * be trusted with each other's frames: that is the price of this organisation.
 */

import { assert } from '../base/assert.ts';
import { checkSeal, LINE_BYTES, magicOf, seal } from './layout.ts';
import { acquireLock, inheritLock, releaseLock } from './lock.ts';
import { anonymousOwner } from './owner.ts';
import type { Region } from './region.ts';

const MAGIC = magicOf('MKSP');
const VERSION = 2;

const LOCK_OFFSET: number = LINE_BYTES;
const FREE_OFFSET: number = 2 * LINE_BYTES;
const QUEUES_OFFSET: number = 3 * LINE_BYTES;
/** Word of the waiting bitmap on the line of the free count. */
const WAITING_WORD = 8;
const CONTENT_OFFSET = 2;

/** States of a slot; plus the number of the owner or of the queue. */
const FREE = 0;
const OWNED = 1;
const QUEUED = 0x10000;
/** A party that no slot belongs to. */
const NO_PARTY = -2;

/** Sizes of a pool, which all its parties know. */
export interface SlotPoolShape {
  /** Number of slots, at least 2. */
  readonly slots: number;
  /** Longest content. */
  readonly contentBytes: number;
  /** Receivers, at most 256. */
  readonly queues: number;
}

function roundUp(byteLength: number): number {
  return Math.ceil(byteLength / LINE_BYTES) * LINE_BYTES;
}

/** Bytes from one slot to the next. */
export function slotBytes(contentBytes: number): number {
  return Math.ceil((contentBytes + CONTENT_OFFSET) / 64) * 64;
}

function tablesOffset(shape: SlotPoolShape): number {
  return QUEUES_OFFSET + shape.queues * LINE_BYTES;
}

function dataOffset(shape: SlotPoolShape): number {
  return tablesOffset(shape) + (4 + shape.queues) * roundUp(4 * shape.slots);
}

/** Bytes that a pool takes in the arena. */
export function slotPoolBytes(shape: SlotPoolShape): number {
  return dataOffset(shape) + roundUp(shape.slots * slotBytes(shape.contentBytes));
}

/** Lay out an empty pool over zeroed memory, 128-aligned. */
export function formatSlotPool(region: Region, at: number, shape: SlotPoolShape): void {
  assert(at % LINE_BYTES === 0 && region.holds(region.offset(at), slotPoolBytes(shape)), 'slot pool: place');
  assert(shape.slots >= 2 && shape.queues >= 1 && shape.queues <= 256, 'slot pool: shape');
  const words = region.words;
  words[(at >> 2) + 2] = shape.slots;
  words[(at >> 2) + 3] = shape.contentBytes;
  words[(at >> 2) + 4] = shape.queues;
  const stack = (at + tablesOffset(shape)) >> 2;
  // The lowest slots on top: slots in constant use stay in the caches.
  for (let i = 0; i < shape.slots; i++) words[stack + i] = shape.slots - 1 - i;
  words[(at + FREE_OFFSET) >> 2] = shape.slots;
  seal(words, at, MAGIC, VERSION);
}

/** One party's access to a pool. Methods marked *locked* are called between `lock` and `unlock`. */
export class SlotPool {
  /** Sizes of the pool. */
  readonly shape: SlotPoolShape;
  /** '' while it is sound. */
  broken: string;
  readonly #words: Int32Array;
  readonly #party: number;
  readonly #owner: number;
  readonly #isDead: ((owner: number) => boolean) | null;
  readonly #lockIndex: number;
  readonly #freeIndex: number;
  readonly #queueIndex: number;
  readonly #stack: number;
  readonly #states: number;
  readonly #lengths: number;
  readonly #metas: number;
  readonly #entries: number;
  readonly #tableWords: number;
  readonly #contentAt: number;
  readonly #strideBytes: number;

  /**
   * `party`: number of this party, below `queues`; it reads the queue of that number. `owner`: its id (owner.ts), which the
   * lock carries. `isDead`: whether an owner is dead, so that its lock can be taken over; without it only `reclaim` does.
   */
  constructor(
    region: Region,
    at: number,
    shape: SlotPoolShape,
    party: number,
    owner: number = anonymousOwner(party),
    isDead: ((owner: number) => boolean) | null = null,
  ) {
    this.shape = shape;
    this.#words = region.words;
    this.#party = party;
    this.#owner = owner;
    this.#isDead = isDead;
    this.#lockIndex = (at + LOCK_OFFSET) >> 2;
    this.#freeIndex = (at + FREE_OFFSET) >> 2;
    this.#queueIndex = (at + QUEUES_OFFSET) >> 2;
    this.#tableWords = roundUp(4 * shape.slots) >> 2;
    this.#stack = (at + tablesOffset(shape)) >> 2;
    this.#states = this.#stack + this.#tableWords;
    this.#lengths = this.#states + this.#tableWords;
    this.#metas = this.#lengths + this.#tableWords;
    this.#entries = this.#metas + this.#tableWords;
    this.#contentAt = at + dataOffset(shape) + CONTENT_OFFSET;
    this.#strideBytes = slotBytes(shape.contentBytes);
    this.broken = checkSeal(region.words, at, MAGIC, VERSION);
  }

  /**
   * Take the lock of the pool: spins, then sleeps until it is free. A lock whose holder died is taken over, and the pool is
   * mended.
   */
  lock(): void {
    if (acquireLock(this.#words, this.#lockIndex, this.#owner, this.#isDead)) this.#mend(NO_PARTY);
  }

  /** Release the lock of the pool. */
  unlock(): void {
    releaseLock(this.#words, this.#lockIndex);
  }

  /** Place of the content of a slot; 2 modulo 8. */
  contentAt(slot: number): number {
    return this.#contentAt + slot * this.#strideBytes;
  }

  /** Free slots, as of now; a hint without the lock. */
  get freeCount(): number {
    const count = this.#words[this.#freeIndex] as number;
    return count >= 0 && count <= this.shape.slots ? count : this.#fail('free count out of range');
  }

  #fail(why: string): 0 {
    this.broken = why;
    return 0;
  }

  /** Filled slots in a queue, as of now; a hint without the lock. */
  queued(queue: number): number {
    const count = this.#words[this.#queueIndex + queue * (LINE_BYTES / 4) + 1] as number;
    return count >= 0 && count <= this.shape.slots ? count : this.#fail('queue length out of range');
  }

  /** Whether the own queue has something; ordered after an `arm` of the doorbell. */
  get pending(): boolean {
    return Atomics.load(this.#words, this.#queueIndex + this.#party * (LINE_BYTES / 4) + 1) > 0;
  }

  /** *Locked.* Take up to `want` free slots into `into`; returns how many. */
  take(into: Int32Array, want: number): number {
    const words = this.#words;
    let top = this.freeCount;
    let taken = 0;
    while (taken < want && top > 0) {
      const slot = words[this.#stack + --top] as number;
      if (!this.#isSlot(slot) || words[this.#states + slot] !== FREE) continue;
      words[this.#states + slot] = OWNED + this.#party;
      into[taken++] = slot;
    }
    words[this.#freeIndex] = top;
    return taken;
  }

  #isSlot(slot: number): boolean {
    return slot >= 0 && slot < this.shape.slots;
  }

  /** *Locked.* Give `count` own slots back, from `slots[start]` on. */
  giveBack(slots: Int32Array, start: number, count: number): void {
    const words = this.#words;
    let top = this.freeCount;
    for (let i = start; i < start + count; i++) {
      const slot = slots[i] as number;
      if (words[this.#states + slot] !== OWNED + this.#party || top === this.shape.slots) continue;
      words[this.#states + slot] = FREE;
      words[this.#stack + top++] = slot;
    }
    words[this.#freeIndex] = top;
  }

  /** *Locked.* Put an own, filled slot into a queue. A queue has room for all slots. */
  post(queue: number, slot: number, lengthBytes: number, meta: number): void {
    const words = this.#words;
    const control = this.#queueIndex + queue * (LINE_BYTES / 4);
    const count = this.queued(queue);
    if (count === this.shape.slots) return;
    words[this.#lengths + slot] = lengthBytes;
    words[this.#metas + slot] = meta;
    const place = ((words[control] as number) >>> 0) + count;
    words[this.#entries + queue * this.#tableWords + (place % this.shape.slots)] = slot;
    words[this.#states + slot] = QUEUED + queue;
    Atomics.store(words, control + 1, count + 1);
  }

  /**
   * *Locked.* Take up to `limit` slots from the own queue: number, length and metadata go to the three arrays. Returns how
   * many; the slots are the caller's until `giveBack`.
   */
  pop(slots: Int32Array, length: Int32Array, meta: Int32Array, limit: number): number {
    const words = this.#words;
    const control = this.#queueIndex + this.#party * (LINE_BYTES / 4);
    const entries = this.#entries + this.#party * this.#tableWords;
    let count = this.queued(this.#party);
    let head = ((words[control] as number) >>> 0) % this.shape.slots;
    let popped = 0;
    while (popped < limit && count > 0) {
      const slot = words[entries + head] as number;
      head = head + 1 === this.shape.slots ? 0 : head + 1;
      count--;
      if (!this.#isSlot(slot) || words[this.#states + slot] !== QUEUED + this.#party) continue;
      words[this.#states + slot] = OWNED + this.#party;
      const bytes = words[this.#lengths + slot] as number;
      slots[popped] = slot;
      length[popped] = bytes >= 0 && bytes <= this.shape.contentBytes ? bytes : 0;
      meta[popped++] = words[this.#metas + slot] as number;
    }
    words[control] = head;
    words[control + 1] = count;
    return popped;
  }

  /** Ask to be woken when slots come back; look for room after it. */
  await(): void {
    Atomics.or(this.#words, this.#freeIndex + WAITING_WORD + (this.#party >> 5), 1 << (this.#party & 31));
  }

  /** Take the parties that wait, 32 per `word`; the party that gave slots back wakes them. */
  takeWaiting(word: number): number {
    const index = this.#freeIndex + WAITING_WORD + word;
    return this.#words[index] === 0 ? 0 : Atomics.exchange(this.#words, index, 0);
  }

  /**
   * Collect everything that the dead `owner` of a party held or had in its queue; takes the lock over if it died holding it.
   * `stillHeld` is asked under the lock whether the party is that owner's yet: somebody else may have done this before.
   */
  // cold: once per death of a party
  reclaim(party: number, owner: number, stillHeld: () => boolean = () => true): void {
    if (!inheritLock(this.#words, this.#lockIndex, owner, this.#owner)) this.lock();
    else this.#mend(NO_PARTY);
    if (stillHeld()) this.#mend(party);
    this.unlock();
  }

  /**
   * *Locked.* Make stack and counts anew from the states of the slots, without what `party` held or had in its queue. Slots
   * that a dead owner queued or freed halfway are found again: under the lock nobody else is halfway.
   */
  // cold: once per death of a party
  #mend(party: number): void {
    const words = this.#words;
    const { slots, queues } = this.shape;
    const listed = new Uint8Array(slots);
    for (let queue = 0; queue < queues; queue++) {
      const control = this.#queueIndex + queue * (LINE_BYTES / 4);
      const count = queue === party ? 0 : this.queued(queue);
      if (queue === party) words[control + 1] = 0;
      for (let i = 0; i < count; i++) {
        const place = (((words[control] as number) >>> 0) + i) % slots;
        const slot = words[this.#entries + queue * this.#tableWords + place] as number;
        if (this.#isSlot(slot) && words[this.#states + slot] === QUEUED + queue) listed[slot] = 1;
      }
    }
    let top = 0;
    for (let slot = slots - 1; slot >= 0; slot--) {
      const state = words[this.#states + slot] as number;
      const isLost = state >= QUEUED && listed[slot] === 0;
      if (state === OWNED + party || state === QUEUED + party || isLost) words[this.#states + slot] = FREE;
      if (words[this.#states + slot] === FREE) words[this.#stack + top++] = slot;
    }
    words[this.#freeIndex] = top;
  }
}
