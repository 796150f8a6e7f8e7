/**
 * Third-party copies: this node writes memory of its tasks to the memory of a task elsewhere, because somebody asked for it.
 *
 * Thread: that of the node. The bytes are those of the moment at which the operation was executed. The reply follows when the last of them is written.
 */

import type { Association } from './protocol/association.ts';
import type { CopyService } from './protocol/executor.ts';
import type { MbcfNode } from './protocol/node.ts';
import { STATUS_DONE, statusOf } from './protocol/status.ts';
import type { MemoryAddress } from './protocol/task-record.ts';
import { RemoteHandle } from './remote-handle.ts';
import { RemoteMemory } from './remote-memory.ts';

/** Copies on their way at most, and their bytes. */
const COPIES_MAX = 64;
const BYTES_MAX: number = 64 << 20;

export class Copier implements CopyService {
  readonly #node: MbcfNode;
  #copies = 0;
  #bytes = 0;

  constructor(node: MbcfNode) {
    this.#node = node;
  }

  /** False: too many are on their way. */
  copy(from: Association, tag: number, task: number, data: Uint8Array, to: MemoryAddress, address: number): boolean {
    if (this.#copies >= COPIES_MAX || this.#bytes + data.length > BYTES_MAX) return false;
    this.#copies++;
    this.#bytes += data.length;
    const { association } = from;
    void this.#write(task, data, to, address).then((status) => {
      this.#copies--;
      this.#bytes -= data.length;
      this.#node.replyLater(from, association, tag, status);
    });
    return true;
  }

  async #write(task: number, data: Uint8Array, to: MemoryAddress, address: number): Promise<number> {
    try {
      const handle = new RemoteHandle(this.#node, task, to, to.key);
      await handle.attach();
      const memory = new RemoteMemory(handle);
      await memory.write(address, data);
      await memory.detach();
      return STATUS_DONE;
    } catch (error) {
      return statusOf(error);
    }
  }
}
