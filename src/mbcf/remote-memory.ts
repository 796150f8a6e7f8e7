/**
 * The memory of another task: the operations of `multikernel/mbcf`, as promises.
 *
 * Thread: that of the node. Addresses count from the first byte of what was granted. Operations are executed in the order in which they were called, each
 * exactly once; a promise resolves when its operation has been executed. Numbers are words of 32 bits, bigints of 64. A denied operation rejects
 * with one code per cause (status.ts).
 */

import { MultikernelError } from '../base/errors.ts';
import * as change from '../mem/word-changes.ts';
import * as mbcf from '../wire/mbcf.ts';
import { CAS, type Comparison } from './comparison.ts';
import { KEY_BYTES } from './protocol/grant-record.ts';
import { SIGNAL_BYTES_MAX, SIGNALS } from './protocol/signal-queue.ts';
import type { MemoryAddress, TaskAddress } from './protocol/task-record.ts';
import type { RemoteHandle, Request, Send } from './remote-handle.ts';

/** A piece of memory, in vector operations. */
export interface Part {
  /** First byte. */
  readonly address: number;
  /** Bytes. */
  readonly byteLength: number;
}

/** State of a FIFO. */
export interface FifoStatus {
  /** Bytes of records, with their lengths. */
  readonly usedBytes: number;
  /** Bytes of records, with their lengths, at most. */
  readonly capacityBytes: number;
  /** Records that were ever appended; modulo 2^32. */
  readonly written: number;
  /** Records that found no room; modulo 2^32. */
  readonly refused: number;
}

const nothing = (): void => {};

/** Operations on the memory of another task. */
export class RemoteMemory {
  readonly #handle: RemoteHandle;
  readonly #send: Send;

  /** `send`: another way for the operations than at once, each by itself. */
  constructor(handle: RemoteHandle, send: Send = (request) => handle.submit(request)) {
    this.#handle = handle;
    this.#send = send;
  }

  /** Length of the memory, bytes. */
  get byteLength(): number {
    return this.#handle.byteLength;
  }

  /** Place of its task, as far as is known. */
  get target(): TaskAddress {
    return this.#handle.target;
  }

  // --- Data ---

  /** Write bytes. Longer data go in several packets, in their order. */
  write(address: number, data: Uint8Array): Promise<void> {
    const { maxDataBytes } = this.#handle;
    if (data.length <= maxDataBytes) return this.#write(address, data, 0, data.length);
    const parts: Promise<void>[] = [];
    for (let from = 0; from < data.length; from += maxDataBytes) {
      parts.push(this.#write(address + from, data, from, Math.min(maxDataBytes, data.length - from)));
    }
    return all(parts);
  }

  #write(address: number, data: Uint8Array, from: number, n: number): Promise<void> {
    const { bulk } = this.#handle.node.context;
    return this.#submit(
      'write',
      mbcf.CODE_WRITE,
      address,
      n,
      0,
      (_view, at) => bulk.copyIn(at, data, from, n),
      nothing,
    );
  }

  /** Read bytes. Longer ranges come in several packets; each is read at once, all of them are not. */
  async read(address: number, byteLength: number): Promise<Uint8Array<ArrayBuffer>> {
    const { maxDataBytes } = this.#handle;
    const data = new Uint8Array(byteLength);
    const parts: Promise<void>[] = [];
    for (let from = 0; from < byteLength || from === 0; from += maxDataBytes) {
      parts.push(this.#read(address + from, data, from, Math.min(maxDataBytes, byteLength - from)));
    }
    await all(parts);
    return data;
  }

  #read(address: number, data: Uint8Array, from: number, n: number): Promise<void> {
    const { bulk } = this.#handle.node.context;
    return this.#submit(
      'read',
      mbcf.CODE_READ,
      address,
      4,
      n,
      (view, at) => view.setUint32(at, n),
      (_view, at, bytes) => bulk.copyOut(data, from, at, Math.min(bytes, n)),
    );
  }

  /** Set bytes to a value, 0 to 255. */
  fill(address: number, byteLength: number, byte: number): Promise<void> {
    const write = (view: DataView, at: number): void => {
      view.setUint32(at, byteLength);
      view.setUint32(at + 4, byte & 0xff);
    };
    return this.#submit('fill', mbcf.CODE_FILL, address, 8, 0, write, nothing);
  }

  /** Write blocks of `blockBytes` that begin `strideBytes` apart. One packet; rejects with EMSGSIZE when they are longer. */
  writeStrided(address: number, strideBytes: number, blockBytes: number, data: Uint8Array): Promise<void> {
    const { bulk } = this.#handle.node.context;
    const write = (view: DataView, at: number): void => {
      view.setUint32(at, strideBytes);
      view.setUint32(at + 4, blockBytes);
      bulk.copyIn(at + 8, data, 0, data.length);
    };
    return this.#submit('write strided', mbcf.CODE_WRITE_STRIDED, address, 8 + data.length, 0, write, nothing);
  }

  /** Read blocks of `blockBytes` that begin `strideBytes` apart, one after the other. One packet, as above. */
  readStrided(
    address: number,
    strideBytes: number,
    blockBytes: number,
    count: number,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const write = (view: DataView, at: number): void => {
      view.setUint32(at, strideBytes);
      view.setUint32(at + 4, blockBytes);
      view.setUint32(at + 8, count);
    };
    const bytes = blockBytes * count;
    return this.#submit('read strided', mbcf.CODE_READ_STRIDED, address, 12, bytes, write, this.#copy);
  }

  /** Write several pieces at once: all are checked before the first is written. One packet, as above. */
  writeVector(parts: readonly { readonly address: number; readonly data: Uint8Array }[]): Promise<void> {
    const { bulk } = this.#handle.node.context;
    const total = parts.reduce((sum, { data }) => sum + data.length, 0);
    const write = (view: DataView, at: number): void => {
      let dataAt = writeParts(
        view,
        at,
        parts.map(({ address, data }) => ({ address, byteLength: data.length })),
      );
      for (const { data } of parts) {
        bulk.copyIn(dataAt, data, 0, data.length);
        dataAt += data.length;
      }
    };
    const bytes = 4 + 12 * parts.length + total;
    return this.#submit('write vector', mbcf.CODE_WRITE_VECTOR, 0, bytes, 0, write, nothing);
  }

  /** Read several pieces at once, one after the other. One packet, as above. */
  readVector(parts: readonly Part[]): Promise<Uint8Array<ArrayBuffer>> {
    const total = parts.reduce((sum, { byteLength }) => sum + byteLength, 0);
    const write = (view: DataView, at: number): void => {
      writeParts(view, at, parts);
    };
    return this.#submit('read vector', mbcf.CODE_READ_VECTOR, 0, 4 + 12 * parts.length, total, write, this.#copy);
  }

  // --- Words ---

  /** Store a word; returns what it was. */
  swap<T extends number | bigint>(address: number, value: T): Promise<T> {
    return this.#change('swap', change.CHANGE_SWAP, address, value, value);
  }

  /** Store `value` if the word is equal to `comparand`, or compares to it otherwise; returns what it was. */
  compareAndSwap<T extends number | bigint>(
    address: number,
    comparand: T,
    value: T,
    comparison: Comparison = 'EQ',
  ): Promise<T> {
    return this.#change('compare and swap', CAS[comparison], address, value, comparand);
  }

  /** Store those bits of `value` that are set in `mask`; returns what the word was. */
  maskedSwap<T extends number | bigint>(address: number, mask: T, value: T): Promise<T> {
    return this.#change('masked swap', change.CHANGE_MASKED_SWAP, address, value, mask);
  }

  /** Add, modulo 2^32 or 2^64; returns what the word was. */
  fetchAdd<T extends number | bigint>(address: number, value: T): Promise<T> {
    return this.#change('fetch and add', change.CHANGE_ADD, address, value, value);
  }

  /** Keep the bits that are set in both; returns what the word was. */
  fetchAnd<T extends number | bigint>(address: number, value: T): Promise<T> {
    return this.#change('fetch and and', change.CHANGE_AND, address, value, value);
  }

  /** Set the bits of the value; returns what the word was. */
  fetchOr<T extends number | bigint>(address: number, value: T): Promise<T> {
    return this.#change('fetch and or', change.CHANGE_OR, address, value, value);
  }

  /** Turn the bits of the value round; returns what the word was. */
  fetchXor<T extends number | bigint>(address: number, value: T): Promise<T> {
    return this.#change('fetch and xor', change.CHANGE_XOR, address, value, value);
  }

  /** Keep the smaller of both, signed; returns what the word was. */
  fetchMin<T extends number | bigint>(address: number, value: T): Promise<T> {
    return this.#change('fetch and min', change.CHANGE_MIN, address, value, value);
  }

  /** Keep the greater of both, signed; returns what the word was. */
  fetchMax<T extends number | bigint>(address: number, value: T): Promise<T> {
    return this.#change('fetch and max', change.CHANGE_MAX, address, value, value);
  }

  /** Set a word of 32 bits to 1; returns whether it was 0. */
  async testAndSet(address: number): Promise<boolean> {
    return (await this.#change('test and set', change.CHANGE_TEST_AND_SET, address, 1, 0)) === 0;
  }

  #change<T extends number | bigint>(
    what: string,
    kind: number,
    address: number,
    operand: T,
    comparand: T,
  ): Promise<T> {
    if (typeof operand === 'number')
      return this.#change32(what, kind, address, operand, comparand as number) as Promise<T>;
    return this.#change64(what, kind, address, operand, comparand as bigint) as Promise<T>;
  }

  #change32(what: string, kind: number, address: number, operand: number, comparand: number): Promise<number> {
    const write = (view: DataView, at: number): void => {
      view.setInt32(at, operand);
      view.setInt32(at + 4, comparand);
    };
    const code = mbcf.CODE_ATOMIC_32 + kind;
    return this.#submit(what, code, address, 8, 4, write, (view, at) => view.getInt32(at), mbcf.OPERATION_FETCH);
  }

  #change64(what: string, kind: number, address: number, operand: bigint, comparand: bigint): Promise<bigint> {
    const write = (view: DataView, at: number): void => {
      view.setBigInt64(at, operand);
      view.setBigInt64(at + 8, comparand);
    };
    const code = mbcf.CODE_ATOMIC_64 + kind;
    return this.#submit(what, code, address, 16, 8, write, (view, at) => view.getBigInt64(at), mbcf.OPERATION_FETCH);
  }

  /**
   * Copy to the memory of a third task, without a way through this one: the node that has the memory writes it there. Rejects with the code of the refusal,
   * here or there.
   */
  copyTo(address: number, byteLength: number, destination: MemoryAddress, destinationAddress: number): Promise<void> {
    const write = (view: DataView, at: number): void => {
      view.setUint32(at, destination.node);
      view.setUint32(at + 4, destination.task);
      for (let i = 0; i < KEY_BYTES; i++) view.setUint8(at + 8 + i, destination.key[i] as number);
      view.setBigUint64(at + 8 + KEY_BYTES, BigInt(destinationAddress));
      view.setUint32(at + 16 + KEY_BYTES, byteLength);
    };
    return this.#submit('copy', mbcf.CODE_COPY, address, 20 + KEY_BYTES, 0, write, nothing);
  }

  // --- FIFO and signal ---

  /**
   * Append a record to the FIFO at an address. With `wait` the record waits for room there, and what comes from others later does too. Rejects with ENOBUFS when
   * the FIFO is full (with `wait`: when 256 records wait already), EMSGSIZE when the record never fits.
   */
  fifoWrite(address: number, record: Uint8Array, options: { readonly wait?: boolean } = {}): Promise<void> {
    const { bulk } = this.#handle.node.context;
    const write = (_view: DataView, at: number): void => bulk.copyIn(at, record, 0, record.length);
    const flags = mbcf.OPERATION_STATUS | (options.wait === true ? mbcf.OPERATION_WAIT : 0);
    return this.#submit('FIFO write', mbcf.CODE_FIFO_WRITE, address, record.length, 0, write, nothing, flags);
  }

  /** Take the oldest record out of the FIFO at an address. Rejects with EAGAIN when there is none. */
  fifoRead(address: number): Promise<Uint8Array<ArrayBuffer>> {
    const { maxDataBytes } = this.#handle;
    return this.#submit('FIFO read', mbcf.CODE_FIFO_READ, address, 0, maxDataBytes, nothing, this.#copy);
  }

  /** State of the FIFO at an address. Rejects with ENXIO when there is none. */
  fifoStatus(address: number): Promise<FifoStatus> {
    return this.#submit('FIFO status', mbcf.CODE_FIFO_STATUS, address, 0, 16, nothing, (view, at) => ({
      usedBytes: view.getUint32(at),
      capacityBytes: view.getUint32(at + 4),
      written: view.getUint32(at + 8),
      refused: view.getUint32(at + 12),
    }));
  }

  /** Send a signal, 0 to 31, with at most 64 bytes. Rejects with ENOBUFS when the task does not take its signals. */
  async signal(number: number, data: Uint8Array = new Uint8Array()): Promise<void> {
    if (!(Number.isInteger(number) && number >= 0 && number < SIGNALS && data.length <= SIGNAL_BYTES_MAX)) {
      const bounds = `numbers below ${SIGNALS}, ${SIGNAL_BYTES_MAX} bytes of data`;
      throw new MultikernelError('EINVAL', `mbcf: signal ${number} with ${data.length} bytes: ${bounds}`);
    }
    const { bulk } = this.#handle.node.context;
    const write = (_view: DataView, at: number): void => bulk.copyIn(at, data, 0, data.length);
    await this.#submit('signal', mbcf.CODE_SIGNAL, number, data.length, 0, write, nothing);
  }

  /** Write data, then set the word at `signalAddress`, or add to it: whoever sees the word sees the data (put with signal). */
  async writeSignal<T extends number | bigint>(
    address: number,
    data: Uint8Array,
    signalAddress: number,
    value: T,
    how: 'set' | 'add' = 'set',
  ): Promise<void> {
    const kind = how === 'set' ? change.CHANGE_SWAP : change.CHANGE_ADD;
    const written = this.write(address, data);
    const signaled = this.#change('write with signal', kind, signalAddress, value, value);
    await all([written, signaled.then(nothing)]);
  }

  // --- Order and completion ---

  /**
   * Order: what is called afterwards is executed after what was called before. It always is, to one task; the call says that it is relied on. It waits for
   * nothing.
   */
  fence(): void {}

  /** Completion: resolves when all that was called before has been executed. */
  quiet(): Promise<void> {
    return this.#submit('quiet', mbcf.CODE_NOP, 0, 0, 0, nothing, nothing);
  }

  /** Give the handle back. */
  async detach(): Promise<void> {
    await this.#submit('detach', mbcf.CODE_DETACH, 0, 0, 0, nothing, nothing);
  }

  #copy = (_view: DataView, at: number, byteLength: number): Uint8Array<ArrayBuffer> => {
    const data = new Uint8Array(byteLength);
    this.#handle.node.context.bulk.copyOut(data, 0, at, byteLength);
    return data;
  };

  #submit<T>(
    what: string,
    code: number,
    address: number,
    dataBytes: number,
    replyBytes: number,
    write: Request<T>['write'],
    read: Request<T>['read'],
    flags: number = mbcf.OPERATION_STATUS,
  ): Promise<T> {
    if (!(Number.isSafeInteger(address) && address >= 0)) {
      return Promise.reject(new MultikernelError('EINVAL', `mbcf: ${what}: address ${address}`));
    }
    return this.#send({ what, code, flags, address, dataBytes, replyBytes, write, read });
  }
}

function writeParts(view: DataView, at: number, parts: readonly Part[]): number {
  view.setUint32(at, parts.length);
  let partAt = at + 4;
  for (const { address, byteLength } of parts) {
    view.setUint32(partAt, Math.floor(address / 0x1_0000_0000));
    view.setUint32(partAt + 4, address % 0x1_0000_0000);
    view.setUint32(partAt + 8, byteLength);
    partAt += 12;
  }
  return partAt;
}

/** All of them; the first refusal is thrown once all have ended. */
async function all(parts: readonly Promise<void>[]): Promise<void> {
  const refused = (await Promise.allSettled(parts)).find((end) => end.status === 'rejected');
  if (refused !== undefined) throw refused.reason;
}
