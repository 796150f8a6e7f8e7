/**
 * A barrier of tasks: nobody leaves it before all have come (dissemination barrier: Hensgen, Finkel and Manber, "Two algorithms for barrier
 * synchronization", 1988).
 *
 * Thread: that of the node. In round r each member adds 1 to word r of the member 2^r behind it, and waits for its own word; after log2(n) rounds
 * everybody has heard of everybody. Operations that were called before are complete only after `quiet`.
 */

import { MultikernelError } from '../base/errors.ts';
import type { AttachedMemory } from './attached-memory.ts';
import type { MemoryAddress } from './protocol/task-record.ts';
import type { RegisteredMemory, Task } from './task.ts';

/** A member's view of a barrier of tasks: `join`, then `wait` again and again. */
export class Barrier {
  readonly #task: Task;
  readonly #registered: RegisteredMemory;
  readonly #address: number;
  /** Members to whom each round is told. */
  readonly #told: readonly AttachedMemory[];
  #generation = 0;
  #waiting = false;

  private constructor(task: Task, registered: RegisteredMemory, address: number, told: readonly AttachedMemory[]) {
    this.#task = task;
    this.#registered = registered;
    this.#address = address;
    this.#told = told;
  }

  /** Bytes of memory that each of so many members gives, at the same address. */
  static byteLength(members: number): number {
    return 4 * Math.max(1, Math.ceil(Math.log2(members)));
  }

  /**
   * Join the barrier as member `index` of `members`, with words of registered memory, zero so far. Rejects with EINVAL when the index is none, or as
   * `Task.attach` does.
   */
  static async join(
    task: Task,
    registered: RegisteredMemory,
    address: number,
    index: number,
    members: readonly MemoryAddress[],
  ): Promise<Barrier> {
    if (!(Number.isInteger(index) && index >= 0 && index < members.length))
      throw new MultikernelError('EINVAL', `mbcf: member ${index} of a barrier of ${members.length}`);
    const told: AttachedMemory[] = [];
    for (let distance = 1; distance < members.length; distance *= 2) {
      told.push(await task.attach(members[(index + distance) % members.length] as MemoryAddress));
    }
    return new Barrier(task, registered, address, told);
  }

  /** Resolves when all members have called it as often. Rejects with EALREADY while this one waits. */
  async wait(): Promise<void> {
    if (this.#waiting) throw new MultikernelError('EALREADY', 'mbcf: this member waits at the barrier already');
    this.#waiting = true;
    this.#generation = (this.#generation + 1) | 0;
    try {
      for (const [round, memory] of this.#told.entries()) {
        const address = this.#address + 4 * round;
        await memory.fetchAdd(address, 1);
        await this.#task.waitUntil(this.#registered, address, 'GE', this.#generation);
      }
    } finally {
      this.#waiting = false;
    }
  }
}
