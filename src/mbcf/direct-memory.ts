/**
 * Memory of a task of another thread, used without its node: loads, stores and atomics of this thread, under the same keys and rights.
 *
 * Thread: any that has the memory; each attaches for itself. All calls are executed before they return; they are ordered as the calls are.
 * `waitUntil` blocks the thread. The grant is looked at before each operation, so a revocation holds at once. Threads share the buffer itself: the
 * rights keep mistakes out, not attacks. Read first: remote-memory.ts, for the same operations from afar.
 */

import { MultikernelError } from '../base/errors.ts';
import { copyBytes } from '../mem/bulk-staging.ts';
import * as change from '../mem/word-changes.ts';
import { CAS, type Comparison, compares } from './comparison.ts';
import { RIGHT_ATOMIC, RIGHT_READ, RIGHT_WRITE } from './protocol/grant.ts';
import { GrantRecord } from './protocol/grant-record.ts';
import { STATUS_DONE, STATUS_UNALIGNED, STATUS_WRONG_KEY, statusError } from './protocol/status.ts';

/** Looks at a word before the thread sleeps on it. */
const SPINS = 2000;
/** A sleeper looks so often: only signals wake it, other changes of the word do not. */
const SLEEP_MS = 2;

/** The grant for another thread, besides the key: it can be sent by `postMessage` and as `workerData`. */
export interface SharedGrant {
  /** The memory, and what is around it. */
  readonly buffer: SharedArrayBuffer;
  /** The grant's record. */
  readonly record: SharedArrayBuffer;
}

/** Memory of a task of another thread. */
export class DirectMemory {
  readonly #record: GrantRecord;
  /** The clock, and the time that is compared with the grant's: 0 when it never expires. */
  readonly #clock: () => number;
  readonly #nowUs: () => number;
  readonly #bytes: Uint8Array;
  readonly #words: Int32Array;
  readonly #longs: BigInt64Array;

  /** As `attachDirect`, with a clock: microseconds of the machine's monotonic clock. */
  constructor(shared: SharedGrant, key: Uint8Array, nowUs: () => number) {
    if (!GrantRecord.isIn(shared.record)) throw new MultikernelError('EPROTO', 'mbcf: attach: no record of a grant');
    this.#record = new GrantRecord(shared.record);
    const { byteOffset, byteLength, expiresUs } = this.#record;
    this.#clock = nowUs;
    this.#nowUs = expiresUs === Number.POSITIVE_INFINITY ? () => 0 : nowUs;
    if (!this.#record.opens(key)) throw statusError(STATUS_WRONG_KEY, 'attach');
    this.#demand('attach', this.#record.state(this.#nowUs()));
    this.#bytes = new Uint8Array(shared.buffer, byteOffset, byteLength);
    this.#words = new Int32Array(shared.buffer, byteOffset, byteLength >> 2);
    this.#longs = new BigInt64Array(shared.buffer, byteOffset, Math.floor(byteLength / 8));
  }

  /** Length of the memory, bytes. */
  get byteLength(): number {
    return this.#record.byteLength;
  }

  /** Write bytes. Throws as the others do: with one code per cause (docs/mbcf.md). */
  write(address: number, data: Uint8Array): void {
    this.#check('write', RIGHT_WRITE, address, data.length);
    copyBytes(this.#bytes, address, data, 0, data.length);
  }

  /** Read bytes, into an array of their own. */
  read(address: number, byteLength: number): Uint8Array<ArrayBuffer> {
    const data = new Uint8Array(byteLength);
    this.readInto(address, data);
    return data;
  }

  /** Read as many bytes as an array has. */
  readInto(address: number, data: Uint8Array): void {
    this.#check('read', RIGHT_READ, address, data.length);
    copyBytes(data, 0, this.#bytes, address, data.length);
  }

  /** Set bytes to a value, 0 to 255. */
  fill(address: number, byteLength: number, byte: number): void {
    this.#check('fill', RIGHT_WRITE, address, byteLength);
    this.#bytes.fill(byte, address, address + byteLength);
  }

  /** Store a word; returns what it was. A number is a word of 32 bits, a bigint one of 64. */
  swap<T extends number | bigint>(address: number, value: T): T {
    return this.#change('swap', change.CHANGE_SWAP, address, value, value);
  }

  /** Store `value` if the word is equal to `comparand`, or compares to it otherwise; returns what it was. */
  compareAndSwap<T extends number | bigint>(address: number, comparand: T, value: T, comparison: Comparison = 'EQ'): T {
    return this.#change('compare and swap', CAS[comparison], address, value, comparand);
  }

  /** Store those bits of `value` that are set in `mask`; returns what the word was. */
  maskedSwap<T extends number | bigint>(address: number, mask: T, value: T): T {
    return this.#change('masked swap', change.CHANGE_MASKED_SWAP, address, value, mask);
  }

  /** Add, modulo 2^32 or 2^64; returns what the word was. */
  fetchAdd<T extends number | bigint>(address: number, value: T): T {
    return this.#change('fetch and add', change.CHANGE_ADD, address, value, value);
  }

  /** Keep the bits that are set in both; returns what the word was. */
  fetchAnd<T extends number | bigint>(address: number, value: T): T {
    return this.#change('fetch and and', change.CHANGE_AND, address, value, value);
  }

  /** Set the bits of the value; returns what the word was. */
  fetchOr<T extends number | bigint>(address: number, value: T): T {
    return this.#change('fetch and or', change.CHANGE_OR, address, value, value);
  }

  /** Turn the bits of the value round; returns what the word was. */
  fetchXor<T extends number | bigint>(address: number, value: T): T {
    return this.#change('fetch and xor', change.CHANGE_XOR, address, value, value);
  }

  /** Keep the smaller of both, signed; returns what the word was. */
  fetchMin<T extends number | bigint>(address: number, value: T): T {
    return this.#change('fetch and min', change.CHANGE_MIN, address, value, value);
  }

  /** Keep the greater of both, signed; returns what the word was. */
  fetchMax<T extends number | bigint>(address: number, value: T): T {
    return this.#change('fetch and max', change.CHANGE_MAX, address, value, value);
  }

  /** Set a word of 32 bits to 1; returns whether it was 0. */
  testAndSet(address: number): boolean {
    return this.#change('test and set', change.CHANGE_TEST_AND_SET, address, 1, 0) === 0;
  }

  /** A word of 32 bits, as everybody sees it now. */
  load(address: number): number {
    this.#checkWord('load', RIGHT_READ, address, 4);
    return change.readWord(this.#words, address >> 2);
  }

  /** Write data, then set the word of 32 bits at `signalAddress`, or add to it: whoever sees the word sees the data. Sleepers on the word wake. */
  writeSignal(
    address: number,
    data: Uint8Array,
    signalAddress: number,
    value: number,
    how: 'set' | 'add' = 'set',
  ): void {
    this.#checkWord('write with signal', RIGHT_ATOMIC, signalAddress, 4);
    this.write(address, data);
    const kind = how === 'set' ? change.CHANGE_SWAP : change.CHANGE_ADD;
    change.changeWord(this.#words, signalAddress >> 2, kind, value, 0);
    change.wakeWaiters(this.#words, signalAddress >> 2);
  }

  /** Whether a word of 32 bits compares to a value now. */
  test(address: number, comparison: Comparison, value: number): boolean {
    return compares(this.load(address), comparison, value);
  }

  /** Block the thread until a word compares to a value: `writeSignal` wakes it, other changes are seen within 2 ms. False: it did not within the time. */
  waitUntil(
    address: number,
    comparison: Comparison,
    value: number,
    timeoutMs: number = Number.POSITIVE_INFINITY,
  ): boolean {
    this.#checkWord('wait', RIGHT_READ, address, 4);
    const index = address >> 2;
    for (let i = 0; i < SPINS; i++) {
      if (compares(change.readWord(this.#words, index), comparison, value)) return true;
    }
    // Only a wait with an end needs a clock.
    const endUs = timeoutMs === Number.POSITIVE_INFINITY ? timeoutMs : this.#clock() + timeoutMs * 1000;
    for (;;) {
      const word = change.readWord(this.#words, index);
      if (compares(word, comparison, value)) return true;
      const leftMs = endUs === Number.POSITIVE_INFINITY ? endUs : (endUs - this.#clock()) / 1000;
      if (leftMs <= 0) return false;
      change.waitWhile(this.#words, index, word, Math.min(SLEEP_MS, leftMs));
    }
  }

  #change<T extends number | bigint>(what: string, kind: number, address: number, operand: T, comparand: T): T {
    if (typeof operand === 'number') {
      this.#checkWord(what, RIGHT_ATOMIC, address, 4);
      return change.changeWord(this.#words, address >> 2, kind, operand, comparand as number) as T;
    }
    this.#checkWord(what, RIGHT_ATOMIC, address, 8);
    return change.changeLong(this.#longs, address / 8, kind, operand, comparand as bigint) as T;
  }

  #checkWord(what: string, right: number, address: number, bytes: number): void {
    if (address % bytes !== 0) throw statusError(STATUS_UNALIGNED, what);
    this.#check(what, right, address, bytes);
  }

  #check(what: string, right: number, address: number, n: number): void {
    this.#demand(what, this.#record.check(right, address, n, this.#nowUs()));
  }

  #demand(what: string, status: number): void {
    if (status !== STATUS_DONE) throw statusError(status, what);
  }
}
