/**
 * Two rings and two bells in a region of their own: one conversation of two processes, which lasts as long as a connection beside it.
 *
 * Thread: each side belongs to one thread. Layout: docs/layouts/ring-pair.md. The connection tells of the death of the peer
 * and carries wake-ups (a byte that says "look"), so that no epochs and owners are needed here: compare channel.ts, whose ends come
 * back. Read first: spsc-ring.ts, bell.ts.
 */

import { MultikernelError } from '../base/errors.ts';
import { AWAKE, SLEEPING } from './bell.ts';
import { checkSeal, LINE_BYTES, magicOf, seal } from './layout.ts';
import type { Region } from './region.ts';
import { RingConsumer } from './ring-consumer.ts';
import { RingProducer } from './ring-producer.ts';
import { formatRing, ringBytes } from './spsc-ring.ts';

const MAGIC = magicOf('MKRP');
const VERSION = 1;
const WORD_CAPACITY = 2;
const BELLS_OFFSET: number = LINE_BYTES;
const RINGS_OFFSET: number = 3 * LINE_BYTES;

/** 0: the one that asked for the conversation. */
export type PairSide = 0 | 1;

/** Bytes of a pair whose rings have that capacity (a multiple of 64). */
export function ringPairBytes(capacityBytes: number): number {
  return RINGS_OFFSET + 2 * ringBytes(capacityBytes);
}

/** Lay out a pair over zeroed memory at the base of a region. */
// cold: once per conversation
export function formatRingPair(region: Region, capacityBytes: number): void {
  const { base, words } = region;
  for (const side of [0, 1]) formatRing(region, ringAt(region, capacityBytes, side), capacityBytes, 0);
  words[(base >> 2) + WORD_CAPACITY] = capacityBytes;
  seal(words, base, MAGIC, VERSION);
}

/** The ring that `side` writes. */
function ringAt(region: Region, capacityBytes: number, side: number): number {
  return region.base + RINGS_OFFSET + side * ringBytes(capacityBytes);
}

export class RingPair {
  /** Views of the region. */
  readonly region: Region;
  readonly out: RingProducer;
  readonly in: RingConsumer;
  readonly #words: Int32Array;
  readonly #ownBell: number;
  readonly #peerBell: number;
  /** Own bell, as this side set it last; the peer may have rung since. */
  #armed = false;

  /** A side of a pair that this process formatted. */
  constructor(region: Region, capacityBytes: number, side: PairSide) {
    const { base, words } = region;
    this.region = region;
    this.#words = words;
    this.#ownBell = (base + BELLS_OFFSET + side * LINE_BYTES) >> 2;
    this.#peerBell = (base + BELLS_OFFSET + (1 - side) * LINE_BYTES) >> 2;
    this.out = new RingProducer(region, ringAt(region, capacityBytes, side), capacityBytes, 0);
    this.in = new RingConsumer(region, ringAt(region, capacityBytes, 1 - side), capacityBytes, 0);
  }

  /** A side of the pair at the base of a region that another process made. Throws EPROTO when there is none. */
  // cold: once per conversation
  static open(region: Region, side: PairSide): RingPair {
    let why = region.byteLength < RINGS_OFFSET ? 'too small' : checkSeal(region.words, region.base, MAGIC, VERSION);
    const capacityBytes = region.words[(region.base >> 2) + WORD_CAPACITY] as number;
    if (why === '' && !(capacityBytes > 0 && ringPairBytes(capacityBytes) <= region.byteLength)) why = 'other sizes';
    if (why !== '') throw new MultikernelError('EPROTO', `ring pair: ${why}`);
    return new RingPair(region, capacityBytes, side);
  }

  /** '' while both rings are sound. */
  get broken(): string {
    return this.in.broken === '' ? this.out.broken : this.in.broken;
  }

  /** Say that a sleep is near; then look at the rings once more. */
  arm(): void {
    this.#armed = true;
    Atomics.store(this.#words, this.#ownBell, SLEEPING);
  }

  /** The owner is awake. */
  disarm(): void {
    if (!this.#armed) return;
    this.#armed = false;
    Atomics.store(this.#words, this.#ownBell, AWAKE);
  }

  /** Make committed records visible. True when the peer sleeps: the caller wakes it, and nobody else will. */
  publish(): boolean {
    return this.out.publish() && this.claimSleeper();
  }

  /** Give what was received back. True when the peer sleeps and waits for that room. */
  release(): boolean {
    return this.in.release() && this.claimSleeper();
  }

  /** Whether the peer sleeps; then the caller wakes it, and nobody else will. */
  claimSleeper(): boolean {
    const words = this.#words;
    const index = this.#peerBell;
    return (
      Atomics.load(words, index) === SLEEPING && Atomics.compareExchange(words, index, SLEEPING, AWAKE) === SLEEPING
    );
  }
}
