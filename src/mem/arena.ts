/**
 * The arena: the one shared memory in which all kernels of a lab meet.
 *
 * Thread: every thread attaches once and keeps the views. The memory is a `WebAssembly.Memory` of fixed size (initial ===
 * maximum): growable buffers make every access ten times slower, and wasm memory is what `Bulk` copies quickly.
 * Layout: docs/layouts/arena.md. Allocation only ever grows (set-up time); what comes and goes uses `Heap` inside a
 * region of its own. Pages that nobody touched cost no memory, so regions may be generous.
 */

import { MultikernelError } from '../base/errors.ts';
import { type WasmMemory, wasm } from './webassembly.ts';

/** 'MKAR', big-endian in the words of the header. */
const MAGIC = 0x4d4b4152;
const VERSION = 1;

/** Header words (index into `words`). */
const WORD_MAGIC = 0;
const WORD_VERSION = 1;
const WORD_BYTE_LENGTH = 2;
const WORD_NEXT = 3;
const WORD_DOORBELL_COUNT = 4;
const WORD_DOORBELL_NEXT = 5;
const WORD_COUNTERS_FIRST = 6;

const HEADER_BYTES = 4096;
const PAGE_BYTES = 65536;
/** Offsets are int32 everywhere, so an arena ends below 2 GiB. */
const MAX_BYTES = 0x8000_0000 - PAGE_BYTES;

/** A doorbell owns one block of this size, so that no two share a cache line (mem/doorbell.ts). */
export const DOORBELL_BYTES = 128;
const DEFAULT_DOORBELLS = 512;

export interface ArenaOptions {
  /** How many doorbells the lab can have at most; 128 bytes each. */
  doorbells?: number;
}

export class Arena {
  readonly memory: WasmMemory;
  readonly buffer: SharedArrayBuffer;
  readonly byteLength: number;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly words: Int32Array;
  readonly floats: Float64Array;
  /** Doorbells lie at `doorbellsAt + index * DOORBELL_BYTES`. */
  readonly doorbellsAt: number = HEADER_BYTES;
  readonly doorbellCount: number;

  private constructor(memory: WasmMemory) {
    this.memory = memory;
    this.buffer = memory.buffer;
    this.byteLength = this.buffer.byteLength;
    this.bytes = new Uint8Array(this.buffer);
    this.view = new DataView(this.buffer);
    this.words = new Int32Array(this.buffer);
    this.floats = new Float64Array(this.buffer);
    this.doorbellCount = this.words[WORD_DOORBELL_COUNT] as number;
  }

  /** A new arena of at least `byteLength` bytes (rounded up to 64 KiB pages). Throws ENOMEM when the host refuses, EINVAL above 2 GiB. */
  static create(byteLength: number, options: ArenaOptions = {}): Arena {
    const doorbells = options.doorbells ?? DEFAULT_DOORBELLS;
    const atLeast = HEADER_BYTES + doorbells * DOORBELL_BYTES;
    const pages = Math.ceil(Math.max(byteLength, atLeast) / PAGE_BYTES);
    if (pages * PAGE_BYTES > MAX_BYTES)
      throw new MultikernelError('EINVAL', `arena of ${byteLength} bytes: above 2 GiB`);
    let memory: WasmMemory;
    try {
      memory = new wasm.Memory({ initial: pages, maximum: pages, shared: true });
    } catch (cause) {
      throw new MultikernelError('ENOMEM', `arena of ${byteLength} bytes: the host has not that much`, { cause });
    }
    const words = new Int32Array(memory.buffer);
    words[WORD_VERSION] = VERSION;
    words[WORD_BYTE_LENGTH] = pages * PAGE_BYTES;
    words[WORD_NEXT] = atLeast;
    words[WORD_DOORBELL_COUNT] = doorbells;
    Atomics.store(words, WORD_MAGIC, MAGIC);
    return new Arena(memory);
  }

  /** The arena in a memory that another thread created. Throws EPROTO when it is none, or of another version. */
  static attach(memory: WasmMemory): Arena {
    const words = new Int32Array(memory.buffer);
    if (words.length < HEADER_BYTES / 4 || Atomics.load(words, WORD_MAGIC) !== MAGIC) {
      throw new MultikernelError('EPROTO', 'not an arena: wrong magic number');
    }
    const version = words[WORD_VERSION] as number;
    if (version !== VERSION) throw new MultikernelError('EPROTO', `arena version ${version}, expected ${VERSION}`);
    const byteLength = words[WORD_BYTE_LENGTH] as number;
    const doorbells = words[WORD_DOORBELL_COUNT] as number;
    if (
      byteLength !== memory.buffer.byteLength ||
      doorbells < 0 ||
      doorbells > (byteLength - HEADER_BYTES) / DOORBELL_BYTES
    ) {
      throw new MultikernelError('EPROTO', 'not an arena: sizes in the header do not fit the memory');
    }
    return new Arena(memory);
  }

  /** Bytes handed out so far, header included. */
  get usedBytes(): number {
    return Atomics.load(this.words, WORD_NEXT);
  }

  /**
   * Take `byteLength` zeroed bytes for good. Set-up only; any thread may call it. `align` is a power of two.
   * Returns the offset; throws ENOMEM when the arena is used up.
   */
  allocate(byteLength: number, align: number = 64): number {
    for (;;) {
      const next = Atomics.load(this.words, WORD_NEXT);
      const at = Math.ceil(next / align) * align;
      const end = at + Math.ceil(byteLength);
      if (next <= 0 || !(end <= this.byteLength) || end < at) {
        throw new MultikernelError('ENOMEM', `arena: ${byteLength} bytes wanted, ${this.byteLength - next} left`);
      }
      if (Atomics.compareExchange(this.words, WORD_NEXT, next, end) === next) return at;
    }
  }

  /** Take a doorbell that nobody uses yet. Returns its offset; throws ENOMEM when all are taken. */
  allocateDoorbell(): number {
    const index = Atomics.add(this.words, WORD_DOORBELL_NEXT, 1);
    if (index < 0 || index >= this.doorbellCount) {
      throw new MultikernelError('ENOMEM', `arena: all ${this.doorbellCount} doorbells are taken`);
    }
    return this.doorbellsAt + index * DOORBELL_BYTES;
  }

  /** Whether `at`, read from shared memory, is the offset of a doorbell. */
  isDoorbell(at: number): boolean {
    const offset = at - this.doorbellsAt;
    return offset >= 0 && offset < this.doorbellCount * DOORBELL_BYTES && offset % DOORBELL_BYTES === 0;
  }

  /** Head of the list of counter blocks (mem/counters.ts), 0 when there is none. */
  get firstCountersAt(): number {
    return Atomics.load(this.words, WORD_COUNTERS_FIRST);
  }

  /** Make `at` the head of the list if the head is still `expected`. */
  replaceFirstCounters(expected: number, at: number): boolean {
    return Atomics.compareExchange(this.words, WORD_COUNTERS_FIRST, expected, at) === expected;
  }
}
