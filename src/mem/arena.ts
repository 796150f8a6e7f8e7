/**
 * The arena: the region that hands out regions, in which all kernels of a lab meet.
 *
 * Thread: every thread attaches once and keeps the views. The memory is a `WebAssembly.Memory` of fixed size (initial ===
 * maximum): growable buffers make every access ten times slower, and `Bulk` copies wasm memory quickly.
 * Layout: docs/layouts/arena.md; its words hold offsets, so an arena can begin at any base of a memory. Allocation only
 * ever grows (set-up time); `Heap` inside a region serves data that comes and goes. Untouched pages cost no memory, so
 * regions may be generous. Read first: region.ts.
 */

import { MultikernelError } from '../base/errors.ts';
import { OWNER_BYTES, OWNERS_MAX } from './owner.ts';
import { Region, viewsOf } from './region.ts';
import { type WasmMemory, wasm } from './webassembly.ts';

/** 'MKAR', big-endian in the words of the header. */
const MAGIC = 0x4d4b4152;
const VERSION = 2;

/** Header words (index into `words`). */
const WORD_MAGIC = 0;
const WORD_VERSION = 1;
const WORD_BYTE_LENGTH = 2;
const WORD_NEXT = 3;
const WORD_DOORBELL_COUNT = 4;
const WORD_DOORBELL_NEXT = 5;
const WORD_COUNTERS_FIRST = 6;
const WORD_OWNER_COUNT = 7;

const HEADER_BYTES = 4096;
const PAGE_BYTES = 65536;
/** Offsets are int32 everywhere, so an arena ends below 2 GiB. */
export const ARENA_BYTES_MAX: number = 0x8000_0000 - PAGE_BYTES;

/** A doorbell owns one block of this size, so that no two share a cache line (mem/doorbell.ts). */
export const DOORBELL_BYTES = 128;
const DEFAULT_DOORBELLS = 512;
const DEFAULT_OWNERS = 256;

/** Options of {@link Arena.create}: sizes of the tables at the beginning of the arena. */
export interface ArenaOptions {
  /** Doorbells of the lab at most; 128 bytes each. */
  doorbells?: number;
  /** Threads and processes that can hold something in it at a time (mem/owner.ts), at most 1023; 64 bytes each. */
  owners?: number;
  /** Place in the memory at which the arena begins, a multiple of 128; default 0. */
  base?: number;
}

/** Header, doorbells, owner table. */
function tablesBytes(doorbells: number, owners: number): number {
  return HEADER_BYTES + doorbells * DOORBELL_BYTES + owners * OWNER_BYTES;
}

/** The memory of a machine: a region with its seal, doorbells and owners at the beginning, handed out in pieces from there on. */
export class Arena extends Region {
  /** Memory in which the arena lies; posted to a worker, it is shared, and {@link Arena.attach} finds the arena in it. */
  readonly memory: WasmMemory;
  /** Number of doorbells, taken and free ones. */
  readonly doorbellCount: number;
  /** Place of the owner table. */
  readonly ownersAt: number;
  /** Number of records of the owner table: most owners at a time. */
  readonly ownerCount: number;
  readonly #header: number;
  readonly #doorbellsAt: number;

  private constructor(memory: WasmMemory, base: number, byteLength: number) {
    super(viewsOf(memory.buffer), base, byteLength);
    this.memory = memory;
    this.#header = base >> 2;
    this.#doorbellsAt = base + HEADER_BYTES;
    this.doorbellCount = this.words[this.#header + WORD_DOORBELL_COUNT] as number;
    this.ownersAt = this.#doorbellsAt + this.doorbellCount * DOORBELL_BYTES;
    this.ownerCount = this.words[this.#header + WORD_OWNER_COUNT] as number;
  }

  /** A new arena of at least `byteLength` bytes (rounded up to 64 KiB pages). Throws ENOMEM when the host refuses, EINVAL above 2 GiB. */
  // cold: once per arena, region or thread
  static create(byteLength: number, options: ArenaOptions = {}): Arena {
    const base = options.base ?? 0;
    const doorbells = options.doorbells ?? DEFAULT_DOORBELLS;
    const owners = Math.min(OWNERS_MAX, options.owners ?? DEFAULT_OWNERS);
    const atLeast = tablesBytes(doorbells, owners);
    const pages = Math.ceil((base + Math.max(byteLength, atLeast)) / PAGE_BYTES);
    if (pages * PAGE_BYTES > ARENA_BYTES_MAX)
      throw new MultikernelError('EINVAL', `arena of ${byteLength} bytes: above 2 GiB`);
    let memory: WasmMemory;
    try {
      memory = new wasm.Memory({ initial: pages, maximum: pages, shared: true });
    } catch (cause) {
      throw new MultikernelError('ENOMEM', `arena of ${byteLength} bytes: the host has not that much`, { cause });
    }
    const words = new Int32Array(memory.buffer);
    const header = base >> 2;
    words[header + WORD_VERSION] = VERSION;
    words[header + WORD_BYTE_LENGTH] = pages * PAGE_BYTES - base;
    words[header + WORD_NEXT] = atLeast;
    words[header + WORD_DOORBELL_COUNT] = doorbells;
    words[header + WORD_OWNER_COUNT] = owners;
    Atomics.store(words, header + WORD_MAGIC, MAGIC);
    return new Arena(memory, base, pages * PAGE_BYTES - base);
  }

  /**
   * The arena at place `base` of a memory, created there by another thread or mapped there from another process. Throws
   * EPROTO when there is none, or one of another version.
   */
  // cold: once per arena, region or thread
  static attach(memory: WasmMemory, base: number = 0): Arena {
    const words = new Int32Array(memory.buffer);
    const header = base >> 2;
    if (words.length - header < HEADER_BYTES / 4 || Atomics.load(words, header + WORD_MAGIC) !== MAGIC) {
      throw new MultikernelError('EPROTO', 'not an arena: wrong magic number');
    }
    const version = words[header + WORD_VERSION] as number;
    if (version !== VERSION) throw new MultikernelError('EPROTO', `arena version ${version}, expected ${VERSION}`);
    const byteLength = words[header + WORD_BYTE_LENGTH] as number;
    const doorbells = words[header + WORD_DOORBELL_COUNT] as number;
    const owners = words[header + WORD_OWNER_COUNT] as number;
    if (
      byteLength < HEADER_BYTES ||
      base + byteLength > memory.buffer.byteLength ||
      doorbells < 0 ||
      owners < 0 ||
      owners > OWNERS_MAX ||
      tablesBytes(doorbells, owners) > byteLength
    ) {
      throw new MultikernelError('EPROTO', 'not an arena: sizes in the header do not fit the memory');
    }
    return new Arena(memory, base, byteLength);
  }

  /** Bytes handed out so far, header included. */
  get usedBytes(): number {
    return Atomics.load(this.words, this.#header + WORD_NEXT);
  }

  /**
   * Take `byteLength` zeroed bytes for good. Set-up only; any thread may call it. `align` is a power of two.
   * Returns the place; throws ENOMEM when the arena is used up.
   */
  // cold: once per region
  allocate(byteLength: number, align: number = 64): number {
    const index = this.#header + WORD_NEXT;
    for (;;) {
      const next = Atomics.load(this.words, index);
      const offset = Math.ceil(next / align) * align;
      const end = offset + Math.ceil(byteLength);
      if (next <= 0 || !(end <= this.byteLength) || end < offset) {
        throw new MultikernelError('ENOMEM', `arena: ${byteLength} bytes wanted, ${this.byteLength - next} left`);
      }
      if (Atomics.compareExchange(this.words, index, next, end) === next) return this.base + offset;
    }
  }

  /** Take a doorbell that nobody uses yet. Returns its place; throws ENOMEM when all are taken. */
  // cold: once per CPU
  allocateDoorbell(): number {
    const index = Atomics.add(this.words, this.#header + WORD_DOORBELL_NEXT, 1);
    if (index < 0 || index >= this.doorbellCount) {
      throw new MultikernelError('ENOMEM', `arena: all ${this.doorbellCount} doorbells are taken`);
    }
    return this.#doorbellsAt + index * DOORBELL_BYTES;
  }

  /** Whether `at` is the place of a doorbell; for places whose offset was read from shared memory. */
  isDoorbell(at: number): boolean {
    const offset = at - this.#doorbellsAt;
    return offset >= 0 && offset < this.doorbellCount * DOORBELL_BYTES && offset % DOORBELL_BYTES === 0;
  }

  /** Offset of the first block in the list of counter blocks (mem/counters.ts), 0 when there is none. */
  get firstCounters(): number {
    return Atomics.load(this.words, this.#header + WORD_COUNTERS_FIRST);
  }

  /** Make `offset` the head of the list if the head is still `expected`. */
  replaceFirstCounters(expected: number, offset: number): boolean {
    const index = this.#header + WORD_COUNTERS_FIRST;
    return Atomics.compareExchange(this.words, index, expected, offset) === expected;
  }
}
