/**
 * The memory of another task, attached: single operations (remote-memory.ts), several at once, and operations that report to a status word.
 *
 * Thread: that of the node.
 */

import { MultikernelError } from '../base/errors.ts';
import { writeWord } from '../mem/word-changes.ts';
import type { MbcfNode } from './protocol/node.ts';
import { STATUS_PENDING } from './protocol/status.ts';
import type { TaskMemory } from './protocol/task-memory.ts';
import type { TaskAddress } from './protocol/task-record.ts';
import type { RemoteHandle, Request, Submitter } from './remote-handle.ts';
import { RemoteMemory } from './remote-memory.ts';

/** The memory of a task that a key has opened (`Task.attach`). */
export class AttachedMemory extends RemoteMemory {
  readonly #remote: RemoteHandle;

  constructor(handle: RemoteHandle) {
    super(handle);
    this.#remote = handle;
  }

  /**
   * Execute the operations that `call` calls on its argument in their order, with nothing of others in between (a compound packet). Resolves with what `call`
   * returns. Rejects with EMSGSIZE, and executes none, when they do not fit a packet; with EREMCHG when the task has moved: then the call can be repeated.
   */
  compound<T>(call: (memory: RemoteMemory) => Promise<T> | T): Promise<T> {
    const collected = new Collector(this.#remote);
    const result = call(new RemoteMemory(collected));
    collected.send();
    return Promise.resolve(result);
  }

  /**
   * The same memory; each operation that is called on it stores its status in a word of this task's memory: STATUS_PENDING when it is called, STATUS_DONE or
   * another number in the end (`statusCode`). Throws EFAULT when there is no word at the address.
   */
  reporting({ memory }: { readonly memory: TaskMemory }, address: number): RemoteMemory {
    if (address % 4 !== 0 || !memory.holds(address, 4))
      throw new MultikernelError('EFAULT', `mbcf: no word at ${address}`);
    return new RemoteMemory(new Reporter(this.#remote, memory.words, address >> 2));
  }
}

/** Keeps operations until they are sent together. */
class Collector implements Submitter {
  readonly node: MbcfNode;
  readonly #handle: RemoteHandle;
  readonly #requests: Request<unknown>[] = [];
  readonly #ends: ((promise: Promise<unknown>) => void)[] = [];
  #sent = false;

  constructor(handle: RemoteHandle) {
    this.node = handle.node;
    this.#handle = handle;
  }

  get target(): TaskAddress {
    return this.#handle.target;
  }

  get byteLength(): number {
    return this.#handle.byteLength;
  }

  get maxDataBytes(): number {
    return this.#handle.maxDataBytes;
  }

  submit<T>(request: Request<T>): Promise<T> {
    if (this.#sent) return Promise.reject(new MultikernelError('EINVAL', 'mbcf: the compound was sent already'));
    this.#requests.push(request);
    return new Promise((resolve) => this.#ends.push(resolve as (promise: Promise<unknown>) => void));
  }

  send(): void {
    this.#sent = true;
    if (this.#requests.length === 0) return;
    this.#handle.submitTogether(this.#requests).forEach((promise, i) => {
      this.#ends[i]?.(promise);
    });
  }
}

/** Sends operations whose status goes to a word. */
class Reporter implements Submitter {
  readonly node: MbcfNode;
  readonly #handle: RemoteHandle;
  readonly #words: Int32Array;
  readonly #index: number;

  constructor(handle: RemoteHandle, words: Int32Array, index: number) {
    this.node = handle.node;
    this.#handle = handle;
    this.#words = words;
    this.#index = index;
  }

  get target(): TaskAddress {
    return this.#handle.target;
  }

  get byteLength(): number {
    return this.#handle.byteLength;
  }

  get maxDataBytes(): number {
    return this.#handle.maxDataBytes;
  }

  submit<T>(request: Request<T>): Promise<T> {
    writeWord(this.#words, this.#index, STATUS_PENDING);
    return this.#handle.submit({
      ...request,
      settled: (status) => writeWord(this.#words, this.#index, status),
    });
  }
}
