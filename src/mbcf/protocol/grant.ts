/**
 * Rights to the memory of a task, and the handles by which other nodes use them.
 *
 * Thread: that of the node. A grant is named by its key, 128 random bits, which the grantee gets on a way of his own and shows once (ATTACH); the
 * handle he gets then holds for his task, on his node, for this association. Revocation and expiry hold at once: each operation looks at the grant.
 */

import { GrantRecord, type GrantTerms } from './grant-record.ts';
import { STATUS_DONE } from './status.ts';
import type { TaskMemory } from './task-memory.ts';

export const RIGHT_READ = 1;
export const RIGHT_WRITE = 2;
export const RIGHT_ATOMIC = 4;
export const RIGHT_SIGNAL = 8;

/** A right to memory: to read it, to write it, to change words of it, to signal its task. */
export type Right = 'read' | 'write' | 'atomic' | 'signal';

/** Bit of each right. */
export const RIGHT_BITS: Readonly<Record<Right, number>> = {
  read: RIGHT_READ,
  write: RIGHT_WRITE,
  atomic: RIGHT_ATOMIC,
  signal: RIGHT_SIGNAL,
};

export class Grant {
  readonly memory: TaskMemory;
  readonly record: GrantRecord;
  /** Operations that this node executed. */
  operations = 0;

  /** `buffer` is the memory of the record. */
  // cold: once per grant
  constructor(buffer: SharedArrayBuffer, memory: TaskMemory, terms: Omit<GrantTerms, 'byteOffset' | 'byteLength'>) {
    this.memory = memory;
    const { byteOffset, byteLength } = memory;
    this.record = GrantRecord.write(buffer, { ...terms, byteOffset, byteLength });
  }

  /** Number of the task whose memory it is. */
  get task(): number {
    return this.record.task;
  }

  /** As {@link GrantRecord.check}; what is allowed is counted too. */
  check(right: number, address: number, n: number, nowUs: number): number {
    const status = this.record.check(right, address, n, nowUs);
    if (status === STATUS_DONE) this.operations++;
    return status;
  }
}
