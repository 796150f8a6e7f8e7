/**
 * One end of a channel: the ring to the peer, the ring from it, and the state of the peer's end record.
 *
 * Thread: the end's. An *end record* is three words in shared memory that the party at an end writes: its owner id, its life (the epoch of
 * the incarnation and its state, in one word, so that one compare-and-swap tells a dead incarnation from its successor),
 * the offset of its bell. Several channels may share a record: the ports of a vni network do
 * (link/network.ts). Read channel.ts for the channel that stands by itself. Rings are formatted on first use, so that a
 * channel nobody uses takes no memory.
 */

import type { Arena } from './arena.ts';
import { ringDoorbell, ringFar, type Waker } from './bell.ts';
import { RingConsumer } from './ring-consumer.ts';
import { RingProducer } from './ring-producer.ts';
import { formatRing } from './spsc-ring.ts';

/** Words of an end record. */
/** 0: nobody. The claim of an end: the owner who replaces 0, or the id of a dead owner, by its own id has the end. */
export const END_OWNER = 0;
export const END_LIFE = 1;
/** Offset in the arena; 0: the party polls. */
export const END_BELL = 2;

/** States of an end, the low byte of its life; any other byte is nonsense and counts as not up. */
export const END_FREE = 0;
export const END_UP = 0x55;
export const END_DEAD = 0xaa;
const STATE_MASK = 0xff;
const EPOCH_SHIFT = 8;
const EPOCH_MASK = 0xffffff;

export function stateOf(life: number): number {
  return life & STATE_MASK;
}

/** 0 until an owner has taken the end. */
export function epochOf(life: number): number {
  return life >>> EPOCH_SHIFT;
}

/** The same incarnation in another state. */
export function withState(life: number, state: number): number {
  return (life & ~STATE_MASK) | state;
}

/** The next incarnation, up. */
export function nextLife(life: number): number {
  const epoch = (epochOf(life) + 1) & EPOCH_MASK || 1;
  return (epoch << EPOCH_SHIFT) | END_UP;
}

/**
 * Claim an end for `owner`: it must be free, or held by an owner who is dead. Returns whether it is the caller's now; its
 * life is still the predecessor's.
 */
export function claimEnd(
  words: Int32Array,
  word: number,
  owner: number,
  isDead: ((owner: number) => boolean) | undefined,
): boolean {
  const held = Atomics.load(words, word + END_OWNER);
  if (held !== 0 && !(isDead?.(held) ?? false)) return false;
  return Atomics.compareExchange(words, word + END_OWNER, held, owner) === held;
}

/** The owner leaves its end. */
export function leaveEnd(words: Int32Array, word: number, owner: number): void {
  const life = Atomics.load(words, word + END_LIFE);
  if (Atomics.load(words, word + END_OWNER) !== owner) return;
  Atomics.compareExchange(words, word + END_LIFE, life, withState(life, END_FREE));
  freeEnd(words, word, owner);
}

/**
 * Mark the end of a dead owner. Returns whether that owner holds it: the caller then mends what the end guards and calls
 * `freeEnd`. Harmless when a successor takes the end at the same time: the life was read before the owner, so it is the
 * dead one's, and the compare-and-swap fails on another.
 */
export function markEndDead(words: Int32Array, word: number, owner: number): boolean {
  const life = Atomics.load(words, word + END_LIFE);
  if (Atomics.load(words, word + END_OWNER) !== owner) return false;
  if (stateOf(life) === END_UP) Atomics.compareExchange(words, word + END_LIFE, life, withState(life, END_DEAD));
  return true;
}

/** The last step of a burial: the end has no owner. */
export function freeEnd(words: Int32Array, word: number, owner: number): void {
  Atomics.compareExchange(words, word + END_OWNER, owner, 0);
}

/** Places of the two rings of a channel, as one end sees them, and their shape. */
export interface ChannelPlaces {
  readonly outAt: number;
  readonly inAt: number;
  readonly capacityBytes: number;
  readonly padBytes: number;
  /** The peer's end record. */
  readonly peerAt: number;
}

/** One end: rings, and what is known of the peer. {@link Channel} adds the end's own record. */
export class ChannelEnd {
  /** The peer's life as it was read last. */
  life = 0;
  /** Whether the peer is there. */
  up = false;
  /** Incarnation of the peer that is known here. */
  epoch = 0;
  /** Place of the peer's bell; 0: none that could be rung. */
  bellAt = 0;
  /** Ring to the peer; null until something is sent for the first time. */
  producer: RingProducer | null = null;
  /** Ring from the peer; null until something has come that way. */
  consumer: RingConsumer | null = null;
  /** '' or why this channel was given up. */
  broken = '';
  /** The channel was broken, and another incarnation is at the other end now. */
  renewed = false;

  /** Arena in which the channel lies. */
  protected readonly arena: Arena;
  /** Words of the arena. */
  protected readonly words: Int32Array;
  /** Places of the rings and of the peer's end record. */
  protected readonly places: ChannelPlaces;
  /** Index of the peer's end record in `words`. */
  protected readonly peerWord: number;
  readonly #waker: Waker | null;

  /** `waker`: for a peer in another process, carries wake-ups there; null for one in this process. */
  constructor(arena: Arena, places: ChannelPlaces, waker: Waker | null = null) {
    this.arena = arena;
    this.words = arena.words;
    this.places = places;
    this.#waker = waker;
    this.peerWord = places.peerAt >> 2;
  }

  /** Read the peer's end record. Returns whether another incarnation is there than before. */
  look(): boolean {
    const word = this.peerWord;
    this.life = Atomics.load(this.words, word + END_LIFE);
    this.up = stateOf(this.life) === END_UP;
    if (!this.up) return false;
    const bellAt = this.arena.place(this.words[word + END_BELL] as number);
    this.bellAt = this.arena.isDoorbell(bellAt) ? bellAt : 0;
    const epoch = epochOf(this.life);
    if (epoch === this.epoch) return false;
    this.epoch = epoch;
    if (this.broken !== '') {
      this.broken = '';
      this.producer = null;
      this.consumer = null;
      this.renewed = true;
    }
    return true;
  }

  /** The ring to the peer. */
  // cold: once per connection of a channel
  out(): RingProducer {
    if (this.producer !== null) return this.producer;
    const { outAt, capacityBytes, padBytes } = this.places;
    const used = this.words[outAt >> 2] !== 0;
    if (!used) formatRing(this.arena, outAt, capacityBytes, padBytes);
    this.producer = new RingProducer(this.arena, outAt, capacityBytes, padBytes);
    if (used) this.producer.takeOver();
    return this.producer;
  }

  /**
   * The ring from the peer, or null while nothing ever came that way. `takeOver`: a new party is at this end;
   * records for the last one are dropped.
   */
  // cold: once per connection of a channel
  in(takeOver: boolean): RingConsumer | null {
    if (this.consumer !== null) return this.consumer;
    const { inAt, capacityBytes, padBytes } = this.places;
    if (this.words[inAt >> 2] === 0) return null;
    this.consumer = new RingConsumer(this.arena, inAt, capacityBytes, padBytes);
    if (takeOver || this.renewed) this.consumer.takeOver();
    this.renewed = false;
    return this.consumer;
  }

  /** Wake the peer if it sleeps; publish first. */
  wake(): void {
    if (this.bellAt === 0) return;
    if (this.#waker === null) ringDoorbell(this.words, this.bellAt);
    else ringFar(this.words, this.bellAt, this.#waker);
  }
}
