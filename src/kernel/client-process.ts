/**
 * System calls of a client in the kernel's own thread: a process of the kernel that the client's calls are made by.
 *
 * Thread: the one that runs the kernel. The process begins with the first call and ends with the client. Calls may be under way
 * in any number. Read first: sys/system-call.ts (blocking), sys/copy.ts (memory).
 */

import { Errno } from '../base/errors.ts';
import { areCallArguments, type CallMemory } from '../rump/kernel-client.ts';
import { UserMemory } from '../sys/copy.ts';
import type { Process, ProcessTable } from '../sys/process.ts';
import { systemCall } from '../sys/syscalls.ts';
import { BLOCKED, SystemCall } from '../sys/system-call.ts';

/** Memory that is read and written through functions; whatever they throw is -EFAULT. */
class CallerMemory extends UserMemory {
  readonly #memory: CallMemory;
  #address = 0;

  constructor(memory: CallMemory) {
    super();
    this.#memory = memory;
  }

  override resolve(address: number, lengthBytes: number, _write: boolean): number {
    try {
      this.array = this.#memory.read(address, lengthBytes);
    } catch {
      return -Errno.EFAULT;
    }
    this.at = 0;
    this.#address = address;
    return this.array.length === lengthBytes ? 0 : -Errno.EFAULT;
  }

  override wrote(lengthBytes: number): void {
    this.#memory.write(this.#address, this.array.slice(this.at, this.at + lengthBytes));
  }
}

export class ClientProcess {
  readonly #processes: ProcessTable;
  readonly #name: string;
  #process: Process | null = null;

  constructor(processes: ProcessTable, name: string) {
    this.#processes = processes;
    this.#name = name;
  }

  /** Count or -errno. -EAGAIN: the kernel has too many processes; -EINVAL: arguments that are no numbers, or too many. */
  async call(number: number, args: readonly number[], memory: CallMemory): Promise<number> {
    if (!areCallArguments(args)) return -Errno.EINVAL;
    this.#process ??= this.#processes.spawn(this.#name);
    const process = this.#process;
    if (process === null) return -Errno.EAGAIN;
    const call = new SystemCall(process, new CallerMemory(memory));
    const result = systemCall(call, number, ...args);
    if (result !== BLOCKED) return result;
    return new Promise((resolve) => {
      call.onDone = resolve;
    });
  }

  /** Its descriptors are closed, and its calls end with -EINTR. */
  exit(): void {
    if (this.#process !== null) this.#processes.exit(this.#process, 0);
    this.#process = null;
  }
}
