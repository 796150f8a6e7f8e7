/**
 * Owners: the threads and processes that hold something in a region (locks, ports, ends of channels, slots), each under an
 * id that anyone may check for death.
 *
 * Thread: any. An id names a record and its epoch; the epoch moves on with each claim, so an id never comes to mean somebody
 * else (2^20 claims of one record later it would). A record says who the owner is: kind, process, thread, start time.
 * {@link OwnerTable.isDead} asks a probe of the host; {@link OwnerTable.bury} ends the record for good and has every holder
 * registered here give up that owner's things. Burial is idempotent and may run in several processes at once: the record
 * is ended by one compare-and-swap, and each holder decides by the id that it finds in its own structure. A structure
 * whose burier died too is mended by the next party that meets the dead id. Layout: docs/layouts/owners.md.
 * Missing: a claimer that dies between its first and its last store takes its record with it.
 */

import { MultikernelError } from '../base/errors.ts';
import type { Region } from './region.ts';

/** Kind of an owner that ends with its thread. */
export const OWNER_THREAD = 1;
/** Kind of an owner that ends with its process. */
export const OWNER_PROCESS = 2;

export const OWNER_BYTES = 64;
const INDEX_BITS = 10;
const INDEX_MASK: number = (1 << INDEX_BITS) - 1;
export const OWNERS_MAX: number = INDEX_MASK;
const EPOCH_MASK = 0xfffff;

/** Words of a record. */
const WORD_LIFE = 0;
const WORD_KIND = 1;
const WORD_PID = 2;
const WORD_THREAD = 3;
/** Start time, a 64-bit float, in the unit of the host that wrote it. */
const START_OFFSET = 32;

/** States in the low bits of the life word; the epoch lies above them. */
const FREE = 0;
const CLAIMED = 1;
const ALIVE = 2;
const STATE_MASK = 3;

/** An id that no table knows: its owner is dead only when somebody says so. Ids of one structure differ by `number`. */
export function anonymousOwner(number: number): number {
  return (number + 1) << INDEX_BITS;
}

/** A thread or process, as a host can find it again. */
export interface OwnerIdentity {
  /** {@link OWNER_THREAD} or {@link OWNER_PROCESS}. */
  readonly kind: typeof OWNER_THREAD | typeof OWNER_PROCESS;
  /** Process id, as the host numbers processes. */
  readonly pid: number;
  /** 0: the process's first thread, or one that the claimer cannot number. */
  readonly threadId: number;
  /** When the process began, as the host says it: tells two processes of one pid apart. */
  readonly startTime: number;
}

/** Asks the host whether an owner is gone. In doubt the answer is no: a living owner must never be buried. */
export type DeathProbe = (owner: OwnerIdentity) => boolean;

/** A structure that holds things by owner id. */
export interface OwnerHolder {
  /** Give up everything that the dead owner held here. Called any number of times, by several threads at once. */
  bury(owner: number): void;
}

/** The region that has the table: an arena. */
export interface OwnerRegion extends Region {
  readonly ownersAt: number;
  readonly ownerCount: number;
}

/** One thread's view of the owner table of an arena. */
export class OwnerTable {
  readonly #words: Int32Array;
  readonly #floats: Float64Array;
  readonly #at: number;
  readonly #count: number;
  readonly #probe: DeathProbe;
  readonly #holders: Set<OwnerHolder> = new Set();

  /** Without a probe only `release` and `bury` end an owner. */
  constructor(arena: OwnerRegion, probe: DeathProbe = () => false) {
    this.#words = arena.words;
    this.#floats = arena.floats;
    this.#at = arena.ownersAt;
    this.#count = arena.ownerCount;
    this.#probe = probe;
  }

  /** Have a structure mended when an owner is buried by this thread. */
  add(holder: OwnerHolder): void {
    this.#holders.add(holder);
  }

  /** Leave a structure alone when an owner is buried; the reverse of `add`. */
  remove(holder: OwnerHolder): void {
    this.#holders.delete(holder);
  }

  /** A new owner; returns its id, which is never 0. Throws ENOMEM when all records are taken. */
  // cold: once per owner
  claim(identity: OwnerIdentity): number {
    for (let i = 0; i < this.#count; i++) {
      const word = this.#word(i);
      const life = Atomics.load(this.#words, word + WORD_LIFE);
      if ((life & STATE_MASK) !== FREE) continue;
      const epoch = ((life >>> 2) + 1) & EPOCH_MASK;
      if (Atomics.compareExchange(this.#words, word + WORD_LIFE, life, (epoch << 2) | CLAIMED) !== life) continue;
      this.#words[word + WORD_KIND] = identity.kind;
      this.#words[word + WORD_PID] = identity.pid;
      this.#words[word + WORD_THREAD] = identity.threadId;
      this.#floats[(this.#at + i * OWNER_BYTES + START_OFFSET) >> 3] = identity.startTime;
      Atomics.store(this.#words, word + WORD_LIFE, (epoch << 2) | ALIVE);
      return (epoch << INDEX_BITS) | (i + 1);
    }
    throw new MultikernelError('ENOMEM', `all ${this.#count} owner records are taken`);
  }

  /** The owner leaves by itself, having given up everything it held. */
  release(owner: number): void {
    this.#end(owner);
  }

  /** Identity behind an id; null when the owner is gone or the number is no id. */
  // cold: once when an owner may be dead
  identity(owner: number): OwnerIdentity | null {
    if (!this.#isAlive(owner)) return null;
    const i = (owner & INDEX_MASK) - 1;
    const word = this.#word(i);
    const kind = this.#words[word + WORD_KIND] === OWNER_PROCESS ? OWNER_PROCESS : OWNER_THREAD;
    const pid = this.#words[word + WORD_PID] as number;
    const threadId = this.#words[word + WORD_THREAD] as number;
    const startTime = this.#floats[(this.#at + i * OWNER_BYTES + START_OFFSET) >> 3] as number;
    // Somebody may have buried it and claimed the record meanwhile: then the identity is another one's.
    return this.#isAlive(owner) ? { kind, pid, threadId, startTime } : null;
  }

  /** Whether an owner is gone: buried, released, or dead as the probe says. An anonymous one never is. Slow paths only. */
  isDead(owner: number): boolean {
    if ((owner & INDEX_MASK) === 0) return false;
    const identity = this.identity(owner);
    return identity === null || this.#probe(identity);
  }

  /**
   * End a dead owner, and have the holders of this thread give up its things. Returns whether this call ended it; the
   * holders are asked in any case, because an earlier burier may have died on the way.
   */
  bury(owner: number): boolean {
    const ended = this.#end(owner);
    for (const holder of this.#holders) holder.bury(owner);
    return ended;
  }

  #word(i: number): number {
    return (this.#at + i * OWNER_BYTES) >> 2;
  }

  #isAlive(owner: number): boolean {
    const i = (owner & INDEX_MASK) - 1;
    if (!(i >= 0 && i < this.#count)) return false;
    return Atomics.load(this.#words, this.#word(i) + WORD_LIFE) === (((owner >>> INDEX_BITS) << 2) | ALIVE);
  }

  #end(owner: number): boolean {
    const i = (owner & INDEX_MASK) - 1;
    if (!(i >= 0 && i < this.#count)) return false;
    const epoch = (owner >>> INDEX_BITS) << 2;
    const word = this.#word(i) + WORD_LIFE;
    return Atomics.compareExchange(this.#words, word, epoch | ALIVE, epoch | FREE) === (epoch | ALIVE);
  }
}
