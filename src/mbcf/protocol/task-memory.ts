/**
 * Memory of a task, as the kernel that executes remote operations sees it.
 *
 * Thread: that of the node; whoever else has the buffer may use it at the same time. Addresses count from the first byte. Shared WebAssembly
 * memories and SharedArrayBuffers are usable alike; a memory that grows keeps what was registered.
 */

import { MultikernelError } from '../../base/errors.ts';
import type { Arena } from '../../mem/arena.ts';
import type { Bulk } from '../../mem/bulk.ts';

/** Registered memory begins at a multiple of this, so that alignment in it is alignment of the machine. */
const ALIGN = 8;

/** Registered memory, with its views. */
export class TaskMemory {
  /** The buffer in which it lies. */
  readonly buffer: SharedArrayBuffer;
  /** Its first byte there. */
  readonly byteOffset: number;
  /** Length, bytes. */
  readonly byteLength: number;
  /** The memory as bytes. */
  readonly bytes: Uint8Array;
  /** The whole words of 32 bits. */
  readonly words: Int32Array;
  /** The whole words of 64 bits. */
  readonly longs: BigInt64Array;
  /** Place in the arena of the packets; -1 when the memory lies elsewhere. */
  readonly #arenaAt: number;
  readonly #bulk: Bulk;

  /** `[byteOffset, byteOffset + byteLength)` of a buffer. Throws EINVAL when it is not aligned to 8 or does not lie in it. */
  // cold: once per memory
  constructor(
    packets: { readonly arena: Arena; readonly bulk: Bulk },
    buffer: SharedArrayBuffer,
    byteOffset: number,
    byteLength: number,
  ) {
    const inside = Number.isSafeInteger(byteLength) && byteLength >= 0 && byteOffset + byteLength <= buffer.byteLength;
    if (!(Number.isSafeInteger(byteOffset) && byteOffset >= 0 && byteOffset % ALIGN === 0 && inside)) {
      const range = `${byteLength} bytes at ${byteOffset}`;
      throw new MultikernelError('EINVAL', `mbcf: memory of ${range}: not aligned to ${ALIGN}, or not in the buffer`);
    }
    this.buffer = buffer;
    this.byteOffset = byteOffset;
    this.byteLength = byteLength;
    this.bytes = new Uint8Array(buffer, byteOffset, byteLength);
    this.words = new Int32Array(buffer, byteOffset, byteLength >> 2);
    this.longs = new BigInt64Array(buffer, byteOffset, Math.floor(byteLength / 8));
    this.#arenaAt = buffer === packets.arena.buffer ? byteOffset : -1;
    this.#bulk = packets.bulk;
  }

  /** Whether `[address, address + n)` lies in the memory. */
  holds(address: number, n: number): boolean {
    return address >= 0 && n >= 0 && address + n <= this.byteLength;
  }

  /** Copy `n` bytes of a packet into the memory; the range was checked. */
  write(address: number, at: number, n: number): void {
    if (this.#arenaAt >= 0) this.#bulk.copy(this.#arenaAt + address, at, n);
    else this.#bulk.copyOut(this.bytes, address, at, n);
  }

  /** Copy `n` bytes of the memory into a packet; the range was checked. */
  read(address: number, at: number, n: number): void {
    if (this.#arenaAt >= 0) this.#bulk.copy(at, this.#arenaAt + address, n);
    else this.#bulk.copyIn(at, this.bytes, address, n);
  }

  /** Set bytes to a value; the range was checked. */
  fill(address: number, n: number, byte: number): void {
    this.bytes.fill(byte, address, address + n);
  }
}
