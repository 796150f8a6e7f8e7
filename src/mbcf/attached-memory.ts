/**
 * The memory of another task, attached: single operations (remote-memory.ts), several at once, and operations that report to a status word.
 *
 * Thread: that of the node.
 */

import { MultikernelError } from '../base/errors.ts';
import { writeWord } from '../mem/word-changes.ts';
import { STATUS_PENDING } from './protocol/status.ts';
import type { TaskMemory } from './protocol/task-memory.ts';
import type { RemoteHandle, Request, Send } from './remote-handle.ts';
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
    const requests: Request<unknown>[] = [];
    const ends: ((promise: Promise<unknown>) => void)[] = [];
    let sent = false;
    const collect: Send = (request) => {
      if (sent) return Promise.reject(new MultikernelError('EINVAL', 'mbcf: the compound was sent already'));
      requests.push(request);
      return new Promise((resolve) => ends.push(resolve as (promise: Promise<unknown>) => void));
    };
    const result = call(new RemoteMemory(this.#remote, collect));
    sent = true;
    if (requests.length > 0) {
      this.#remote.submitTogether(requests).forEach((promise, i) => {
        ends[i]?.(promise);
      });
    }
    return Promise.resolve(result);
  }

  /**
   * The same memory; each operation that is called on it stores its status in a word of this task's memory: STATUS_PENDING when it is called, STATUS_DONE or
   * another number in the end (`statusCode`). Throws EFAULT when there is no word at the address.
   */
  reporting({ memory }: { readonly memory: TaskMemory }, address: number): RemoteMemory {
    if (address % 4 !== 0 || !memory.holds(address, 4))
      throw new MultikernelError('EFAULT', `mbcf: no word at ${address}`);
    const [words, index] = [memory.words, address >> 2];
    return new RemoteMemory(this.#remote, (request) => {
      writeWord(words, index, STATUS_PENDING);
      return this.#remote.submit({ ...request, settled: (status) => writeWord(words, index, status) });
    });
  }
}
