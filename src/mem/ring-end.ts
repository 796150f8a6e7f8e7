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

/** Common part of both ends of a ring. */
export abstract class RingEnd {
  /** Capacity of the ring, a multiple of 64: records, their headers and padding together. */
  readonly capacityBytes: number;
  /** '' while the ring is sound, else the reason for which this end gave it up. */
  broken: string;
  /** Words of the region. */
  protected readonly words: Int32Array;
  /** Place of the control block. */
  protected readonly controlAt: number;
  /** Place of the first record: the ring begins there. */
  protected readonly dataAt: number;
  /** Content of a record that begins at the start of the ring. */
  protected readonly contentAt: number;
  /** Bytes added to a length before it is cut to whole blocks of 64. */
  protected readonly roundUp: number;
  /** Index in `words` of the head, which the producer publishes. */
  protected readonly headIndex: number;
  /** Index in `words` of the tail, which the consumer publishes. */
  protected readonly tailIndex: number;
  /** Index in `words` of the producer's wish to be woken when there is room. */
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
