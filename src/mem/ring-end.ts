/**
 * The common part of both ends of a ring: its places in the region, and whether it is sound.
 *
 * Thread: the end's. Read first: spsc-ring.ts.
 */

import type { Region } from './region.ts';
import {
  checkRing,
  HEAD_OFFSET,
  RECORD_HEADER_BYTES,
  RING_CONTROL_BYTES,
  roundUpOf,
  TAIL_OFFSET,
  WAITING_OFFSET,
} from './spsc-ring.ts';

export abstract class RingEnd {
  readonly capacityBytes: number;
  /** '' while the ring is sound. */
  broken: string;
  protected readonly words: Int32Array;
  /** Place of the control block. */
  protected readonly controlAt: number;
  protected readonly dataAt: number;
  /** Content of a record that begins at the start of the ring. */
  protected readonly contentAt: number;
  protected readonly roundUp: number;
  protected readonly headIndex: number;
  protected readonly tailIndex: number;
  protected readonly waitingIndex: number;
  /** False after `takeOver` until the index of the other end makes sense. */
  protected settled = true;

  /** Attach to a formatted ring. */
  constructor(region: Region, at: number, capacityBytes: number, padBytes: number) {
    this.capacityBytes = capacityBytes;
    this.words = region.words;
    this.controlAt = at;
    this.dataAt = at + RING_CONTROL_BYTES;
    this.contentAt = this.dataAt + RECORD_HEADER_BYTES + padBytes;
    this.roundUp = roundUpOf(padBytes);
    this.headIndex = (at + HEAD_OFFSET) >> 2;
    this.tailIndex = (at + TAIL_OFFSET) >> 2;
    this.waitingIndex = (at + WAITING_OFFSET) >> 2;
    this.broken = checkRing(region, at, capacityBytes, padBytes);
  }
}
