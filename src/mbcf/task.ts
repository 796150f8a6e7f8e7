/**
 * A task: owner of memory that others may use, user of the memory of others. Public, `multikernel/mbcf`.
 *
 * Thread: that of the node. Read first: remote-memory.ts, grant.ts.
 */

import { MultikernelError } from '../base/errors.ts';
import { shareableMemory } from '../mem/word-changes.ts';
import { AttachedMemory } from './attached-memory.ts';
import type { Comparison } from './comparison.ts';
import { type Condition, Conditions } from './conditions.ts';
import { Copier } from './copier.ts';
import type { SharedGrant } from './direct-memory.ts';
import { Fifo } from './protocol/fifo.ts';
import { Grant, RIGHT_BITS, type Right } from './protocol/grant.ts';
import { KEY_BYTES, RECORD_BYTES } from './protocol/grant-record.ts';
import type { MbcfNode } from './protocol/node.ts';
import { SIGNALS, type Signal } from './protocol/signal-queue.ts';
import { STATUS_DEAD_TASK, STATUS_MOVED, STATUS_REVOKED } from './protocol/status.ts';
import { TaskMemory } from './protocol/task-memory.ts';
import { type MemoryAddress, type TaskAddress, TaskRecord } from './protocol/task-record.ts';
import { RemoteHandle } from './remote-handle.ts';

const RIGHTS_ALL: readonly Right[] = ['read', 'write', 'atomic', 'signal'];

/** Memory that can be registered: shared by nature. */
export type SharedMemory = SharedArrayBuffer | { readonly buffer: ArrayBufferLike };

/** Options of `Task.register`. */
export interface RegisterOptions {
  /** First byte of the memory that is granted, a multiple of 8; default 0. */
  readonly byteOffset?: number;
  /** Default: to the end. */
  readonly byteLength?: number;
  /** Default: all four. */
  readonly rights?: readonly Right[];
  /** The only node, or task of it, that may use the grant; default: whoever has the key. */
  readonly grantee?: { readonly node?: number; readonly task?: number };
  /** The grant ends after so long; default: never. */
  readonly expiresMs?: number;
  /** A key that is known already, 16 bytes: for a task that has moved. Default: 128 random bits. */
  readonly key?: Uint8Array;
}

/** Registered memory, in the hands of its owner. */
export class RegisteredMemory {
  /** The memory. */
  readonly memory: TaskMemory;
  readonly #grant: Grant;
  readonly #node: number;

  constructor(node: number, grant: Grant) {
    this.memory = grant.memory;
    this.#grant = grant;
    this.#node = node;
  }

  /** To be handed to the grantee by a way that nobody else reads. */
  get address(): MemoryAddress {
    return { node: this.#node, task: this.#grant.task, key: this.#grant.record.key };
  }

  /** The grant for another thread (`attachDirect`), besides the key. */
  get shared(): SharedGrant {
    return { buffer: this.memory.buffer, record: this.#grant.record.buffer };
  }

  /** Operations that the node executed, and those that were denied, by whomever. */
  get counts(): { readonly operations: number; readonly denied: number } {
    return { operations: this.#grant.operations, denied: this.#grant.record.denied };
  }

  /** The grant ends now, also for those who have attached it. */
  revoke(): void {
    this.#grant.record.end(STATUS_REVOKED);
  }
}

/** A FIFO in the task's own memory, for its reader. */
export class LocalFifo {
  /** The FIFO itself: its sizes and counts. */
  readonly fifo: Fifo;
  readonly #waiting: { resolve: (record: Uint8Array<ArrayBuffer>) => void; reject: (error: Error) => void }[] = [];

  constructor(fifo: Fifo) {
    this.fifo = fifo;
  }

  /** The oldest record, taken out; null when there is none. */
  read(): Uint8Array<ArrayBuffer> | null {
    return this.fifo.take();
  }

  /** The same; waits for one. */
  next(): Promise<Uint8Array<ArrayBuffer>> {
    const record = this.#waiting.length === 0 ? this.fifo.take() : null;
    if (record !== null) return Promise.resolve(record);
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** Something may have come. */
  look(): void {
    while (this.#waiting.length > 0) {
      const record = this.fifo.take();
      if (record === null) return;
      this.#waiting.shift()?.resolve(record);
    }
  }

  /** Nothing comes any more: whoever waits is told. */
  fail(error: Error): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}

/** A task of a node. */
export class Task {
  /** Its number on the node. */
  readonly number: number;
  readonly #node: MbcfNode;
  readonly #record: TaskRecord;
  readonly #conditions: Conditions = new Conditions();
  readonly #fifos: LocalFifo[] = [];
  #onSignal: ((signal: Signal) => void) | null = null;
  #ended = false;

  /** Throws EEXIST when the node has a task of that number, EINVAL unless it is 1 to 2^31 - 1. */
  constructor(node: MbcfNode, number: number) {
    if (!(Number.isInteger(number) && number > 0 && number < 0x8000_0000)) {
      throw new MultikernelError('EINVAL', `mbcf: task ${number}: numbers are 1 to 2147483647`);
    }
    if (node.tasks.has(number)) throw new MultikernelError('EEXIST', `mbcf: task ${number} is there already`);
    this.#node = node;
    this.number = number;
    this.#record = new TaskRecord(number, () => this.#look());
    node.tasks.set(number, this.#record);
    node.copies ??= new Copier(node);
  }

  /** Let others use memory of this task. Throws EINVAL for a range that is not aligned to 8 or not in the memory, and for a key of another length. */
  register(memory: SharedMemory, options: RegisterOptions = {}): RegisteredMemory {
    const { context, number } = this.#node;
    const buffer = ('buffer' in memory ? memory.buffer : memory) as SharedArrayBuffer;
    if (Object.prototype.toString.call(buffer) !== '[object SharedArrayBuffer]') {
      throw new MultikernelError(
        'EINVAL',
        'mbcf: only shared memory can be registered: a SharedArrayBuffer, or a shared WebAssembly.Memory',
      );
    }
    const { byteOffset = 0, expiresMs = Number.POSITIVE_INFINITY, grantee = {}, key } = options;
    const taskMemory = new TaskMemory(
      context,
      buffer,
      byteOffset,
      options.byteLength ?? buffer.byteLength - byteOffset,
    );
    const rights = (options.rights ?? RIGHTS_ALL).reduce((bits, right) => bits | RIGHT_BITS[right], 0);
    const who = { node: grantee.node ?? 0, task: grantee.task ?? 0 };
    const expiresUs = context.nowUs() + expiresMs * 1000;
    const random = new Uint8Array(KEY_BYTES);
    const view = new DataView(random.buffer);
    for (let i = 0; i < KEY_BYTES; i += 4) view.setInt32(i, context.rng.next32());
    if (key !== undefined && key.length !== KEY_BYTES)
      throw new MultikernelError('EINVAL', `mbcf: a key has ${KEY_BYTES} bytes`);
    const terms = { task: this.number, rights, grantee: who, expiresUs, key: key ?? random };
    const grant = new Grant(shareableMemory(RECORD_BYTES), taskMemory, terms);
    this.#record.grants.push(grant);
    return new RegisteredMemory(number, grant);
  }

  /** The memory that a key opens. Rejects with EKEYREJECTED, EKEYREVOKED, EKEYEXPIRED, ESRCH or EHOSTUNREACH. */
  async attach({ node, task, key }: MemoryAddress): Promise<AttachedMemory> {
    const handle = new RemoteHandle(this.#node, this.number, { node, task }, key);
    await handle.attach();
    return new AttachedMemory(handle);
  }

  /** Declare a FIFO in registered memory. Throws EINVAL when `[address, address + byteLength)` is not aligned to 8 or has no room. */
  declareFifo({ memory }: RegisteredMemory, address: number, byteLength: number): LocalFifo {
    const fifo = new LocalFifo(new Fifo(memory, address, byteLength));
    const { fifos } = this.#record;
    const known = fifos.findIndex((one) => one.memory === memory && one.address === address);
    if (known >= 0) fifos.splice(known, 1);
    fifos.push(fifo.fifo);
    this.#fifos.push(fifo);
    return fifo;
  }

  /** Called for each signal in its order, also for those that have come already; while it is null they wait. */
  get onSignal(): ((signal: Signal) => void) | null {
    return this.#onSignal;
  }

  /** Null: signals wait, 256 at most. */
  set onSignal(handler: ((signal: Signal) => void) | null) {
    this.#onSignal = handler;
    this.#node.changed(this.#record);
  }

  /** Signals that wait: none of those numbers is handled until the mask is taken away. */
  maskSignals(numbers: readonly number[]): void {
    let mask = 0;
    for (const number of numbers) {
      if (!(Number.isInteger(number) && number >= 0 && number < SIGNALS))
        throw new MultikernelError('EINVAL', `mbcf: signal ${number}: numbers are below ${SIGNALS}`);
      mask |= 1 << number;
    }
    this.#record.signals.mask = mask;
    this.#node.changed(this.#record);
  }

  /** Resolves when a word of registered memory compares to a value. */
  async waitUntil(registered: RegisteredMemory, address: number, comparison: Comparison, value: number): Promise<void> {
    await this.#conditions.wait(this.#condition(registered, [address], comparison, value), 1);
  }

  /** Resolves with the index of a word that compares. */
  async waitUntilAny(
    registered: RegisteredMemory,
    addresses: readonly number[],
    comparison: Comparison,
    value: number | readonly number[],
  ): Promise<number> {
    const indices = await this.waitUntilSome(registered, addresses, comparison, value);
    return indices[0] as number;
  }

  /** Resolves with the indices of all words that compare, at least one. */
  waitUntilSome(
    registered: RegisteredMemory,
    addresses: readonly number[],
    comparison: Comparison,
    value: number | readonly number[],
  ): Promise<number[]> {
    return this.#conditions.wait(this.#condition(registered, addresses, comparison, value), 1);
  }

  /** Resolves when all words compare. */
  async waitUntilAll(
    registered: RegisteredMemory,
    addresses: readonly number[],
    comparison: Comparison,
    value: number | readonly number[],
  ): Promise<void> {
    await this.#conditions.wait(this.#condition(registered, addresses, comparison, value), addresses.length);
  }

  #condition(
    { memory }: RegisteredMemory,
    addresses: readonly number[],
    comparison: Comparison,
    value: number | readonly number[],
  ): Condition {
    for (const address of addresses) {
      if (address % 4 !== 0 || !memory.holds(address, 4))
        throw new MultikernelError('EFAULT', `mbcf: no word at ${address}`);
    }
    return { memory, addresses, comparison, value };
  }

  /** The task goes on elsewhere: whoever asks for its memory here is told where it is. */
  moveTo(where: TaskAddress): void {
    this.#record.movedTo = where;
    for (const grant of this.#record.grants) grant.record.end(STATUS_MOVED);
    this.#end(new MultikernelError('EREMCHG', 'mbcf: the task has moved'));
  }

  /** The task ends, and its grants with it. */
  end(): void {
    if (this.#ended) return;
    this.#node.tasks.delete(this.number);
    for (const grant of this.#record.grants) grant.record.end(STATUS_DEAD_TASK);
    this.#end(new MultikernelError('ESRCH', 'mbcf: the task has ended'));
  }

  #end(error: Error): void {
    this.#ended = true;
    this.#conditions.fail(error);
    for (const fifo of this.#fifos) fifo.fail(error);
  }

  /** As `end`: for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    this.end();
    return Promise.resolve();
  }

  /** The end of a turn in which something has come. */
  #look(): void {
    if (this.#ended) return;
    this.#conditions.look();
    for (const fifo of this.#fifos) fifo.look();
    while (this.#onSignal !== null) {
      const signal = this.#record.signals.take();
      if (signal === null) return;
      this.#onSignal(signal);
    }
  }
}
