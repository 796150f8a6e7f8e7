/**
 * Memory-based FIFO: a queue of records in the memory of the task that reads it. Any number of writers append to it from afar.
 *
 * Thread: that of the node, which appends; the reader's, which takes out. They are the same today. Layout, words of the machine's order, from the
 * FIFO's address:
 *
 *      0        4           8       12      16        20        24         32
 *     +--------+-----------+-------+-------+---------+---------+----------+------------------
 *     | 'MKFI' | capacity  | head  | tail  | written | refused | 0        | records
 *     +--------+-----------+-------+-------+---------+---------+----------+------------------
 *
 * Head and tail count bytes and run on modulo 2^32; a record is its length, a word, and its bytes, padded to 4, and may lie around the end. Others may
 * have the right to write there, so what is read is checked: nonsense empties the FIFO, and reaches nothing else. Records that wait for room are kept
 * beside it, in their order; while there are any, others find none.
 */

import { MultikernelError } from '../../base/errors.ts';
import { copyBytes } from '../../mem/bulk-staging.ts';
import { readWord, writeWord } from '../../mem/word-changes.ts';
import { STATUS_DONE, STATUS_EMPTY, STATUS_FULL, STATUS_TOO_LONG } from './status.ts';
import type { TaskMemory } from './task-memory.ts';

/** 'MKFI' */
const MAGIC = 0x4d4b4649;
const FIFO_HEADER_BYTES = 32;
const WORD_MAGIC = 0;
const WORD_CAPACITY = 1;
const WORD_HEAD = 2;
const WORD_TAIL = 3;
const WORD_WRITTEN = 4;
const WORD_REFUSED = 5;
const LENGTH_BYTES = 4;
/** Records that wait for room at most. */
const WAITING_MAX = 256;

/** A record that waits for room. */
interface WaitingRecord {
  readonly record: Uint8Array;
  /** It was appended. */
  readonly appended: () => void;
}

/** A FIFO, on the side of its memory. */
export class Fifo {
  /** The memory in which it lies. */
  readonly memory: TaskMemory;
  /** Its address there. */
  readonly address: number;
  /** Bytes of records with their lengths; a power of two. */
  readonly capacityBytes: number;
  readonly #word: number;
  readonly #ringAddress: number;
  readonly #waiting: WaitingRecord[] = [];
  /** Place of a record's bytes in the ring. */
  #dataAt = 0;

  /** Lay out an empty FIFO over `[address, address + byteLength)`. Throws EINVAL when that is not aligned to 8, or has no room for a record. */
  // cold: once per FIFO
  constructor(memory: TaskMemory, address: number, byteLength: number) {
    const room = byteLength - FIFO_HEADER_BYTES;
    if (address % 8 !== 0 || !memory.holds(address, byteLength) || room < 8) {
      throw new MultikernelError(
        'EINVAL',
        `mbcf: FIFO of ${byteLength} bytes at ${address}: not aligned to 8, or no room`,
      );
    }
    this.memory = memory;
    this.address = address;
    this.capacityBytes = 2 ** Math.floor(Math.log2(room));
    this.#word = address >> 2;
    this.#ringAddress = address + FIFO_HEADER_BYTES;
    for (let word = WORD_CAPACITY; word < FIFO_HEADER_BYTES / 4; word++) this.#set(word, 0);
    this.#set(WORD_CAPACITY, this.capacityBytes);
    this.#set(WORD_MAGIC, MAGIC);
  }

  /** Longest record. */
  get maxRecordBytes(): number {
    return this.capacityBytes - LENGTH_BYTES;
  }

  /** Bytes of records, with their lengths. */
  get usedBytes(): number {
    const used = (this.#get(WORD_TAIL) - this.#get(WORD_HEAD)) >>> 0;
    if (used <= this.capacityBytes && used % 4 === 0 && this.#get(WORD_HEAD) % 4 === 0) return used;
    this.#empty();
    return 0;
  }

  /** Records that were ever appended; modulo 2^32. */
  get written(): number {
    return this.#get(WORD_WRITTEN) >>> 0;
  }

  /** Records that found no room; modulo 2^32. */
  get refused(): number {
    return this.#get(WORD_REFUSED) >>> 0;
  }

  /** Whether a record of `n` bytes finds room now. */
  #roomFor(n: number): boolean {
    return this.usedBytes + LENGTH_BYTES + ((n + 3) & ~3) <= this.capacityBytes;
  }

  /** Keep a record until there is room; `appended` is called then. False: too many wait. */
  // cold: the FIFO is full
  keep(record: Uint8Array, appended: () => void): boolean {
    if (this.#waiting.length >= WAITING_MAX) return false;
    this.#waiting.push({ record, appended });
    return true;
  }

  /** A record was taken out: those that wait find room, and their replies are sent. */
  // cold: when records wait
  settle(): void {
    while (this.#waiting.length > 0) {
      const { record, appended } = this.#waiting[0] as WaitingRecord;
      if (!this.#roomFor(record.length)) return;
      this.#waiting.shift();
      this.#begin(record.length);
      const { bytes } = this.memory;
      const begin = this.#dataAt;
      const first = Math.min(record.length, this.capacityBytes - begin);
      copyBytes(bytes, this.#ringAddress + begin, record, 0, first);
      copyBytes(bytes, this.#ringAddress, record, first, record.length - first);
      this.#end(record.length);
      appended();
    }
  }

  /** Append a record of `n` bytes that lie in a packet: a status. */
  append(at: number, n: number): number {
    if (n > this.maxRecordBytes) return STATUS_TOO_LONG;
    if (this.#waiting.length > 0 || !this.#roomFor(n)) {
      this.#set(WORD_REFUSED, this.#get(WORD_REFUSED) + 1);
      return STATUS_FULL;
    }
    this.#begin(n);
    const begin = this.#dataAt;
    const first = Math.min(n, this.capacityBytes - begin);
    this.memory.write(this.#ringAddress + begin, at, first);
    if (first < n) this.memory.write(this.#ringAddress, at + first, n - first);
    this.#end(n);
    return STATUS_DONE;
  }

  /** Length and place (`#dataAt`) of the next record. */
  #begin(n: number): void {
    const tail = this.#get(WORD_TAIL);
    writeWord(this.memory.words, this.#ringWord(tail), n);
    this.#dataAt = (tail + LENGTH_BYTES) & (this.capacityBytes - 1);
  }

  /** The record is there. */
  #end(n: number): void {
    this.#set(WORD_WRITTEN, this.#get(WORD_WRITTEN) + 1);
    this.#set(WORD_TAIL, this.#get(WORD_TAIL) + LENGTH_BYTES + ((n + 3) & ~3));
  }

  /** Length of the oldest record, or -1 when there is none. */
  peekBytes(): number {
    const used = this.usedBytes;
    if (used === 0) return -1;
    const n = readWord(this.memory.words, this.#ringWord(this.#get(WORD_HEAD)));
    if (n >= 0 && LENGTH_BYTES + ((n + 3) & ~3) <= used) return n;
    this.#empty();
    return -1;
  }

  /** Copy the oldest record to a place of a packet, and take it out; `n` is what `peekBytes` said. Then, once the packet is whole, `settle`. */
  takeInto(at: number, n: number): void {
    const head = this.#get(WORD_HEAD);
    const begin = (head + LENGTH_BYTES) & (this.capacityBytes - 1);
    const first = Math.min(n, this.capacityBytes - begin);
    this.memory.read(this.#ringAddress + begin, at, first);
    if (first < n) this.memory.read(this.#ringAddress, at + first, n - first);
    this.#set(WORD_HEAD, head + LENGTH_BYTES + ((n + 3) & ~3));
  }

  /** The oldest record, taken out; null when there is none. */
  // cold: the record is an array of its own
  take(): Uint8Array<ArrayBuffer> | null {
    const n = this.peekBytes();
    if (n < 0) return null;
    const record = new Uint8Array(n);
    const head = this.#get(WORD_HEAD);
    const begin = (head + LENGTH_BYTES) & (this.capacityBytes - 1);
    const first = Math.min(n, this.capacityBytes - begin);
    const { bytes } = this.memory;
    copyBytes(record, 0, bytes, this.#ringAddress + begin, first);
    copyBytes(record, first, bytes, this.#ringAddress, n - first);
    this.#set(WORD_HEAD, head + LENGTH_BYTES + ((n + 3) & ~3));
    this.settle();
    return record;
  }

  /** Whether a record of `n` bytes is the oldest: STATUS_DONE, or why none can be taken into `room` bytes. */
  static takeable(n: number, room: number): number {
    if (n < 0) return STATUS_EMPTY;
    return n > room ? STATUS_TOO_LONG : STATUS_DONE;
  }

  #ringWord(position: number): number {
    return (this.#ringAddress + (position & (this.capacityBytes - 1))) >> 2;
  }

  /** Somebody wrote nonsense over the counters, or a length. */
  #empty(): void {
    this.#set(WORD_HEAD, 0);
    this.#set(WORD_TAIL, 0);
  }

  #get(word: number): number {
    return readWord(this.memory.words, this.#word + word);
  }

  #set(word: number, value: number): void {
    writeWord(this.memory.words, this.#word + word, value | 0);
  }
}
