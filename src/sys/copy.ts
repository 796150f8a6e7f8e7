/**
 * The memory of a program, seen by system calls: copyin(9) and copyout(9) over four kinds of memory.
 *
 * Thread: the one that runs the kernel. Pointers are non-negative integers below 2^53; the range of a call is checked against
 * the memory before a byte moves, and an address outside is -EFAULT, never an exception. A program may write its memory while
 * a call runs (shared regions, other threads of an instance): a call copies a structure once and decides on the copy. Data of
 * sockets moves without a copy in between: {@link UserMemory.resolve} names array and offset.
 */

import { Errno } from '../base/errors.ts';

export abstract class UserMemory {
  /** Array of the range that was resolved last; good until the program runs again. */
  array: Uint8Array = NO_BYTES;
  /** Offset of that range in `array`. */
  at = 0;
  /** Bytes of one range that a call should ask for at most. */
  readonly mostBytes: number;

  /** `mostBytes`: bytes of one range that a call should ask for at most; default any number. */
  constructor(mostBytes: number = Infinity) {
    this.mostBytes = mostBytes;
  }

  /**
   * Find a range for reading, or for writing: 0 with `array` and `at` set, -EFAULT, or -ENOBUFS when there is no room to hold it. An
   * empty range is everywhere.
   */
  abstract resolve(address: number, lengthBytes: number, write: boolean): number;

  /** The first bytes of the range that was resolved last were written. */
  wrote(_lengthBytes: number): void {}

  /** copyin(9): 0 or -EFAULT. */
  copyIn(address: number, into: Uint8Array, offset: number, lengthBytes: number): number {
    const error = this.resolve(address, lengthBytes, false);
    if (error !== 0) return error;
    const { array, at } = this;
    for (let i = 0; i < lengthBytes; i++) into[offset + i] = array[at + i] as number;
    return 0;
  }

  /** copyout(9): 0 or -EFAULT. */
  copyOut(bytes: Uint8Array, offset: number, address: number, lengthBytes: number): number {
    const error = this.resolve(address, lengthBytes, true);
    if (error !== 0) return error;
    const { array, at } = this;
    for (let i = 0; i < lengthBytes; i++) array[at + i] = bytes[offset + i] as number;
    this.wrote(lengthBytes);
    return 0;
  }
}

const NO_BYTES: Uint8Array = new Uint8Array(0);

/** Whether a range lies in a memory of so many bytes: false for negative, fractional and huge numbers. */
function within(address: number, lengthBytes: number, memoryBytes: number): boolean {
  return (
    Number.isSafeInteger(address) &&
    Number.isSafeInteger(lengthBytes) &&
    address >= 0 &&
    lengthBytes >= 0 &&
    address + lengthBytes <= memoryBytes
  );
}

/** An ordinary array of this thread; addresses are offsets in it. */
export class ArrayMemory extends UserMemory {
  readonly #bytes: Uint8Array;

  /** The program's addresses are indices of `bytes`. */
  constructor(bytes: Uint8Array) {
    super();
    this.#bytes = bytes;
  }

  override resolve(address: number, lengthBytes: number, _write: boolean): number {
    if (!within(address, lengthBytes, this.#bytes.length)) return -Errno.EFAULT;
    this.array = this.#bytes;
    this.at = address;
    return 0;
  }
}

/** Part of a region that others write too; addresses are relative to the part. */
export class RegionMemory extends UserMemory {
  readonly #region: Uint8Array;
  readonly #base: number;
  readonly #lengthBytes: number;

  /** `region` is a view over the whole shared memory; the program has the bytes from `base` on. */
  constructor(region: Uint8Array, base: number, lengthBytes: number) {
    super();
    this.#region = region;
    this.#base = base;
    this.#lengthBytes = Math.max(0, Math.min(lengthBytes, region.length - base));
  }

  override resolve(address: number, lengthBytes: number, _write: boolean): number {
    if (!within(address, lengthBytes, this.#lengthBytes)) return -Errno.EFAULT;
    this.array = this.#region;
    this.at = this.#base + address;
    return 0;
  }
}

/** `WebAssembly.Memory`, as far as it matters here: growing it replaces the buffer and detaches the old one. */
export interface GrowableMemory {
  readonly buffer: ArrayBufferLike;
}

/** The memory of a WebAssembly instance; addresses are its own. */
export class InstanceMemory extends UserMemory {
  readonly #memory: GrowableMemory;
  #bytes: Uint8Array;

  /** The program's addresses are those of the memory, also after it has grown. */
  constructor(memory: GrowableMemory) {
    super();
    this.#memory = memory;
    this.#bytes = new Uint8Array(memory.buffer);
  }

  // cold: once per memory, or when a WebAssembly memory grew
  override resolve(address: number, lengthBytes: number, _write: boolean): number {
    const { buffer } = this.#memory;
    if (this.#bytes.buffer !== buffer) this.#bytes = new Uint8Array(buffer);
    if (!within(address, lengthBytes, this.#bytes.length)) return -Errno.EFAULT;
    this.array = this.#bytes;
    this.at = address;
    return 0;
  }
}

interface Piece {
  readonly address: number;
  readonly bytes: Uint8Array;
  /** The call may write it. */
  readonly writable: boolean;
  /** Bytes from, and up to, which it was written. */
  writtenFrom: number;
  writtenTo: number;
}

/** Bytes that the memories of several calls may hold together. */
export interface MemoryBudget {
  leftBytes: number;
}

/**
 * The pieces of a remote program's memory that came with its request, by the program's own addresses. A call that reads
 * elsewhere fails with -EFAULT and leaves {@link FrameMemory.wantedBytes}: the caller fetches that range, adds it and begins
 * the call again; calls read all their arguments before they change anything. Writes go to pieces made for them, which are
 * sent back after the call ({@link FrameMemory.written}).
 */
export class FrameMemory extends UserMemory {
  readonly #pieces: Piece[] = [];
  readonly #limitBytes: number;
  readonly #budget: MemoryBudget;
  #heldBytes = 0;
  #last: Piece | null = null;
  /** Address of a range that was read and is not here. */
  wantedAddress = 0;
  /** Bytes of that range; 0: there is none. */
  wantedBytes = 0;

  /**
   * `limitBytes`: all pieces together; a program cannot have more held for it. `budget`: shared with other memories; a write
   * that it has no room for is -ENOBUFS.
   */
  constructor(limitBytes: number, budget: MemoryBudget = { leftBytes: Infinity }) {
    super(limitBytes >> 1);
    this.#limitBytes = limitBytes;
    this.#budget = budget;
  }

  /** Forget all pieces, and give their bytes back to the budget: another request. */
  clear(): void {
    this.#budget.leftBytes += this.#heldBytes;
    this.#pieces.length = 0;
    this.#last = null;
    this.#heldBytes = 0;
    this.wantedBytes = 0;
  }

  /** Enter bytes of the program at `address`. False when there are too many. The array is kept, not copied. */
  // cold: once per range that came in a frame
  add(address: number, bytes: Uint8Array, writable: boolean = false): boolean {
    if (this.#heldBytes + bytes.length > this.#limitBytes || bytes.length > this.#budget.leftBytes) return false;
    if (!within(address, bytes.length, Number.MAX_SAFE_INTEGER)) return false;
    this.#heldBytes += bytes.length;
    this.#budget.leftBytes -= bytes.length;
    this.#pieces.push({ address, bytes, writable, writtenFrom: bytes.length, writtenTo: 0 });
    this.wantedBytes = 0;
    return true;
  }

  override wrote(lengthBytes: number): void {
    const piece = this.#last;
    if (piece === null || lengthBytes === 0) return;
    piece.writtenFrom = Math.min(piece.writtenFrom, this.at);
    piece.writtenTo = Math.max(piece.writtenTo, this.at + lengthBytes);
  }

  /** Each range that a call wrote, in the order in which its piece was made. */
  // cold: per call from another thread, process or machine; what it wrote goes into one reply
  written(each: (address: number, bytes: Uint8Array) => void): void {
    for (const { address, bytes, writtenFrom: from, writtenTo: to } of this.#pieces) {
      if (from < to) each(address + from, bytes.subarray(from, to));
    }
  }

  override resolve(address: number, lengthBytes: number, write: boolean): number {
    if (lengthBytes === 0 && within(address, 0, Number.MAX_SAFE_INTEGER)) {
      this.#last = null;
      this.array = NO_BYTES;
      this.at = 0;
      return 0;
    }
    // The newest first: a range that a call wrote is read back as written.
    for (let i = this.#pieces.length - 1; i >= 0; i--) {
      const piece = this.#pieces[i] as Piece;
      if (write && !piece.writable) continue;
      const offset = address - piece.address;
      if (!within(offset, lengthBytes, piece.bytes.length)) continue;
      this.#last = piece;
      this.array = piece.bytes;
      this.at = offset;
      return 0;
    }
    return write ? this.#extend(address, lengthBytes) : this.#want(address, lengthBytes);
  }

  #want(address: number, lengthBytes: number): number {
    if (within(address, lengthBytes, Number.MAX_SAFE_INTEGER) && lengthBytes <= this.#limitBytes) {
      this.wantedAddress = address;
      this.wantedBytes = lengthBytes;
    }
    return -Errno.EFAULT;
  }

  // cold: once per range that a call from elsewhere writes; the bytes travel in the reply
  #extend(address: number, lengthBytes: number): number {
    if (!within(address, lengthBytes, Number.MAX_SAFE_INTEGER)) return -Errno.EFAULT;
    if (this.#heldBytes + lengthBytes > this.#limitBytes) return -Errno.EFAULT;
    if (lengthBytes > this.#budget.leftBytes) return -Errno.ENOBUFS;
    this.add(address, new Uint8Array(lengthBytes), true);
    return this.resolve(address, lengthBytes, true);
  }
}
