/**
 * Rights to the memory of a task, and the handles by which other nodes use them.
 *
 * Thread: that of the node. A grant is named by its key, 128 random bits, which the grantee gets on a way of his own and shows once (ATTACH); the
 * handle he gets then holds for his task, on his node, for this association. Revocation and expiry hold at once: each operation looks at the grant.
 */

import type { Rng } from '../../base/rng.ts';
import {
  STATUS_DEAD_TASK,
  STATUS_DONE,
  STATUS_EXPIRED,
  STATUS_NO_RIGHT,
  STATUS_OUT_OF_RANGE,
  STATUS_REVOKED,
} from './status.ts';
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

/** Bytes of a key. */
export const KEY_BYTES = 16;

export class Grant {
  /** Number of the task whose memory it is. */
  readonly task: number;
  readonly memory: TaskMemory;
  readonly rights: number;
  /** The only node, and the only task there, that may use it; 0: any. */
  readonly granteeNode: number;
  readonly granteeTask: number;
  /** Not usable from this time on; `Infinity`: never expires. */
  readonly expiresUs: number;
  readonly key: Uint8Array;
  revoked = false;
  /** Its task has ended. */
  dead = false;
  /** Operations that were executed, and those that were denied. */
  operations = 0;
  denied = 0;

  constructor(
    task: number,
    memory: TaskMemory,
    rights: number,
    grantee: { readonly node: number; readonly task: number },
    expiresUs: number,
    rng: Rng,
  ) {
    this.task = task;
    this.memory = memory;
    this.rights = rights;
    this.granteeNode = grantee.node;
    this.granteeTask = grantee.task;
    this.expiresUs = expiresUs;
    this.key = new Uint8Array(KEY_BYTES);
    const view = new DataView(this.key.buffer);
    for (let i = 0; i < KEY_BYTES; i += 4) view.setInt32(i, rng.next32());
  }

  /** Whether the grant can be used now, by anybody: a status. */
  state(nowUs: number): number {
    if (this.dead) return STATUS_DEAD_TASK;
    if (this.revoked) return STATUS_REVOKED;
    return nowUs >= this.expiresUs ? STATUS_EXPIRED : STATUS_DONE;
  }

  /** Whether `[address, address + n)` may be used with a right now: a status. A refusal is counted. */
  check(right: number, address: number, n: number, nowUs: number): number {
    let status = this.state(nowUs);
    if (status === STATUS_DONE && (this.rights & right) !== right) status = STATUS_NO_RIGHT;
    if (status === STATUS_DONE && !this.memory.holds(address, n)) status = STATUS_OUT_OF_RANGE;
    if (status === STATUS_DONE) this.operations++;
    else this.denied++;
    return status;
  }

  /** Whether a key is this one's. */
  opens(key: Uint8Array): boolean {
    let difference = key.length ^ KEY_BYTES;
    // Every byte is looked at, so that time tells nothing.
    for (let i = 0; i < KEY_BYTES; i++) difference |= (this.key[i] as number) ^ (key[i] ?? 0);
    return difference === 0;
  }
}
