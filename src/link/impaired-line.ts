/**
 * One direction of an impaired link: frames go in, are lost, doubled, damaged, cut to single packets and delayed, and come out when
 * their time has come.
 *
 * Thread: the device's. Super-frames are cut first, as tc-netem(8) does where it matters: each packet has a fate of its own.
 * Read first: impairment.ts, frame-store.ts.
 */

import type { Rng } from '../base/rng.ts';
import type { Counters } from '../mem/counters.ts';
import { DelayLine } from './delay-line.ts';
import { META_ARRIVAL_MASK, META_CHECKSUM_KNOWN, META_CHECKSUM_PARTIAL, META_SEGMENT_SHIFT } from './device.ts';
import type { FrameStore } from './frame-store.ts';
import { Dice, type Impairment } from './impairment.ts';

/** Packets that one super-frame may be cut into; a larger one is none of ours. */
const PIECES_MAX = 2048;

/** Counters of one direction. */
export class LineCounters {
  readonly counters: Counters;
  readonly lost: number;
  readonly duplicated: number;
  readonly corrupted: number;
  readonly reordered: number;
  readonly queueFull: number;

  constructor(counters: Counters, direction: 'in' | 'out') {
    this.counters = counters;
    this.lost = counters.index(`${direction}Lost`);
    this.duplicated = counters.index(`${direction}Duplicated`);
    this.corrupted = counters.index(`${direction}Corrupted`);
    this.reordered = counters.index(`${direction}Reordered`);
    this.queueFull = counters.index(`${direction}QueueFull`);
  }
}

export class ImpairedLine {
  /** Null: frames pass through at once, behind those that wait. */
  dice: Dice | null = null;
  readonly waiting: DelayLine;
  readonly #store: FrameStore;
  readonly #count: LineCounters;

  constructor(store: FrameStore, count: LineCounters) {
    this.#store = store;
    this.#count = count;
    this.waiting = new DelayLine(store.capacity);
  }

  /** Other impairments from now on, or none. The chances of a line that was impaired go on. Throws EINVAL. */
  // cold: once per change of the impairment
  impair(impairment: Impairment | null, rng: Rng): void {
    if (impairment === null) this.dice = null;
    else if (this.dice === null) this.dice = new Dice(impairment, rng);
    else this.dice.change(impairment);
  }

  /** The frame at `at` goes in; its bytes are copied. */
  enter(at: number, lengthBytes: number, meta: number, nowUs: number): void {
    const segmentBytes = meta >>> META_SEGMENT_SHIFT;
    if (
      this.dice !== null &&
      segmentBytes > 0 &&
      lengthBytes > segmentBytes &&
      this.#isSuperFrame(at, lengthBytes, segmentBytes)
    ) {
      this.#enterInPieces(at, meta, segmentBytes, nowUs);
      return;
    }
    for (let copies = this.#copies(); copies > 0; copies--) {
      const block = this.#store.hold(at, lengthBytes);
      this.#delay(block, lengthBytes, meta, nowUs);
    }
  }

  /** Whether it is what its metadata says; one that is not goes its way whole. */
  #isSuperFrame(at: number, lengthBytes: number, segmentBytes: number): boolean {
    const { superFrame: frame, headerBytes } = this.#store;
    if (!this.#store.carriesIp(at) || !frame.read(at + headerBytes, lengthBytes - headerBytes)) return false;
    return frame.payloadBytes > segmentBytes && frame.payloadBytes <= PIECES_MAX * segmentBytes;
  }

  /** The super-frame that was read last. */
  #enterInPieces(at: number, meta: number, segmentBytes: number, nowUs: number): void {
    const store = this.#store;
    const { superFrame: frame, headerBytes, frameOffset } = store;
    const partial = (meta & META_CHECKSUM_PARTIAL) !== 0;
    const pieceMeta = meta & (META_ARRIVAL_MASK | META_CHECKSUM_KNOWN);
    for (let offset = 0; offset < frame.payloadBytes; offset += segmentBytes) {
      const bytes = Math.min(segmentBytes, frame.payloadBytes - offset);
      const pieceBytes = headerBytes + frame.headerBytes + bytes;
      // Lost ones are written too: each takes a number of identification.
      const block = store.allocate(pieceBytes);
      if (block >= 0) {
        store.bulk.copy(block + frameOffset, at, headerBytes);
        frame.write(block + frameOffset + headerBytes, offset, bytes, partial);
      }
      const copies = this.#copies();
      if (copies === 2 && block >= 0) {
        const second = store.hold(block + frameOffset, pieceBytes);
        this.#delay(second, pieceBytes, pieceMeta, nowUs);
      }
      if (copies > 0) this.#delay(block, pieceBytes, pieceMeta, nowUs);
      else if (block >= 0) store.free(block);
    }
  }

  /** A frame that came out of another line of this device goes in, with its block. */
  pass(block: number, lengthBytes: number, meta: number, nowUs: number): void {
    const copies = this.#copies();
    if (copies === 2) {
      const second = this.#store.hold(block + this.#store.frameOffset, lengthBytes);
      this.#delay(second, lengthBytes, meta, nowUs);
    }
    if (copies > 0) this.#delay(block, lengthBytes, meta, nowUs);
    else this.#store.free(block);
  }

  /** Copies of the next frame that go on, counted. */
  #copies(): number {
    const { dice } = this;
    if (dice === null) return 1;
    const copies = dice.copies();
    if (copies === 0) this.#count.counters.add(this.#count.lost, 1);
    if (copies === 2) this.#count.counters.add(this.#count.duplicated, 1);
    return copies;
  }

  /** One frame in its block (-1: there was none) waits for its time. */
  #delay(block: number, lengthBytes: number, meta: number, nowUs: number): void {
    const { dice } = this;
    const { counters, reordered, queueFull } = this.#count;
    const overtakes = dice?.reordered() === true;
    const dueUs = dice === null ? nowUs : dice.dueUs(nowUs, lengthBytes, overtakes);
    let kept = meta;
    if (block >= 0 && dueUs >= 0 && dice?.corrupts() === true)
      kept = this.damage(dice, block + this.#store.frameOffset, lengthBytes, meta);
    if (block >= 0 && dueUs >= 0 && this.waiting.push(dueUs, block, lengthBytes, kept)) {
      if (overtakes) counters.add(reordered, 1);
      return;
    }
    if (block >= 0) this.#store.free(block);
    counters.add(queueFull, 1);
  }

  /** Flip one bit of the packet at `at`, behind a checksum that was there before. Returns its metadata from then on. */
  damage(dice: Dice, at: number, lengthBytes: number, meta: number): number {
    const store = this.#store;
    const packetAt = at + store.headerBytes;
    const packetBytes = lengthBytes - store.headerBytes;
    if (packetBytes <= 0) return meta;
    if ((meta & META_CHECKSUM_PARTIAL) !== 0 && store.carriesIp(at)) store.checksum.complete(packetAt, packetBytes);
    dice.flipBit(store.bytes, packetAt, packetBytes);
    this.#count.counters.add(this.#count.corrupted, 1);
    return meta & ~META_CHECKSUM_KNOWN;
  }
}
