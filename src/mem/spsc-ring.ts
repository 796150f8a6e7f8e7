/**
 * A ring of variable-length records between one producer and one consumer, the buffer of every directed channel: its layout,
 * and what both ends (ring-producer.ts, ring-consumer.ts) know of it.
 *
 * Thread: the producer's on one side, the consumer's on the other. Read docs/layouts/spsc-ring.md first: it draws the
 * layout and lists which transitions are legal. Each side works on private cursors, publishes its index once per batch,
 * and copies and checks each word of the other side before use; a violation marks the ring broken with a reason, on that
 * side, for good. Nothing here throws or allocates after construction, and no access leaves the ring.
 *
 * Indices count bytes modulo twice the capacity: equal means empty, a capacity apart means full. The index alone gives the
 * place in the ring, for any capacity. `padBytes`, fixed when the ring is made, lie between the header of a record and its
 * content: contents begin at 8 + `padBytes` modulo 64.
 */

import { assert } from '../base/assert.ts';
import { checkSeal, LINE_BYTES, magicOf, seal } from './layout.ts';
import type { Region } from './region.ts';

const MAGIC = magicOf('MKRG');
const VERSION = 2;

const WORD_CAPACITY = 2;
const WORD_PAD = 3;
/** Mark of the producer: the incarnation that its records are for, and the index of the first of them. */
export const WORD_MARK_EPOCH = 4;
export const WORD_MARK_INDEX = 5;
export const HEAD_OFFSET: number = LINE_BYTES;
export const TAIL_OFFSET: number = 2 * LINE_BYTES;
export const WAITING_OFFSET: number = 3 * LINE_BYTES;
/** Before the data lie the header and three words, each on lines of its own. */
export const RING_CONTROL_BYTES: number = 4 * LINE_BYTES;

/** Records begin at multiples of this and take whole blocks. */
export const RECORD_ALIGN = 64;
/** Length and metadata; the padding of the ring follows, then the content. */
export const RECORD_HEADER_BYTES = 8;
/** Longest padding before each content. */
const PAD_BYTES_MAX = 48;
/** In place of a length: the record begins at the start of the ring instead. */
export const SKIP = -1;

/** Bytes added to a length before it is cut to whole blocks. */
export function roundUpOf(padBytes: number): number {
  return RECORD_HEADER_BYTES + padBytes + RECORD_ALIGN - 1;
}

/** Bytes that a record of `lengthBytes` takes in a ring with that padding. */
export function recordBytes(lengthBytes: number, padBytes: number): number {
  return (lengthBytes + roundUpOf(padBytes)) & -RECORD_ALIGN;
}

/** Usable capacity of a ring to which `byteLength` bytes of buffer are given. */
export function ringCapacity(byteLength: number): number {
  return byteLength & -RECORD_ALIGN;
}

/** Longest record content a ring of that capacity always takes once it is empty, wherever its indices stand. */
export function maxRecordLength(capacityBytes: number, padBytes: number): number {
  return ((capacityBytes >> 1) & -RECORD_ALIGN) - RECORD_HEADER_BYTES - padBytes;
}

/** Bytes that a ring of that capacity takes in the arena; `at` must be a multiple of 128. */
export function ringBytes(capacityBytes: number): number {
  return RING_CONTROL_BYTES + Math.ceil(capacityBytes / LINE_BYTES) * LINE_BYTES;
}

/** Write the header of an empty ring over zeroed memory. Done once, by the producer's side, before anybody attaches. */
export function formatRing(region: Region, at: number, capacityBytes: number, padBytes: number): void {
  assert(at % LINE_BYTES === 0 && capacityBytes % RECORD_ALIGN === 0, 'ring: alignment');
  const isRoom = region.holds(region.offset(at), ringBytes(capacityBytes));
  assert(isRoom && capacityBytes >= 4 * RECORD_ALIGN, 'ring: size');
  assert(padBytes >= 0 && padBytes <= PAD_BYTES_MAX, 'ring: padding');
  writeRingHeader(region.words, at, capacityBytes, padBytes);
}

/** Write the first line of the control block; the indices stay. */
export function writeRingHeader(words: Int32Array, at: number, capacityBytes: number, padBytes: number): void {
  words[(at >> 2) + WORD_CAPACITY] = capacityBytes;
  words[(at >> 2) + WORD_PAD] = padBytes;
  seal(words, at, MAGIC, VERSION);
}

/** '' when a ring of exactly that capacity and padding was formatted at `at`, otherwise why not. */
export function checkRing(region: Region, at: number, capacityBytes: number, padBytes: number): string {
  const why = checkSeal(region.words, at, MAGIC, VERSION);
  if (why !== '') return why;
  if (region.words[(at >> 2) + WORD_CAPACITY] !== capacityBytes) return 'wrong capacity';
  return region.words[(at >> 2) + WORD_PAD] === padBytes ? '' : 'wrong padding';
}

/** Whether the bytes between two indices are no more than the ring holds. */
export function fits(head: number, tail: number, capacity: number): boolean {
  if (!isIndex(tail, capacity)) return false;
  const used = head - tail;
  return (used < 0 ? used + 2 * capacity : used) <= capacity;
}

export function isIndex(index: number, capacity: number): boolean {
  return index >= 0 && index < 2 * capacity && (index & (RECORD_ALIGN - 1)) === 0;
}
