/**
 * A task, as its node knows it: its grants, FIFOs and signals, or where it has gone.
 *
 * Thread: that of the node.
 */

import type { Fifo } from './fifo.ts';
import type { Grant } from './grant.ts';
import { SignalQueue } from './signal-queue.ts';
import type { TaskMemory } from './task-memory.ts';

/** A task by node and number. */
export interface TaskAddress {
  /** Number of the node. */
  readonly node: number;
  /** Number of the task there. */
  readonly task: number;
}

/** The name of registered memory for others: its place, and its key. */
export interface MemoryAddress extends TaskAddress {
  /** 16 bytes, which open it. */
  readonly key: Uint8Array;
}

export class TaskRecord {
  readonly number: number;
  readonly grants: Grant[] = [];
  readonly fifos: Fifo[] = [];
  readonly signals: SignalQueue = new SignalQueue();
  /** The task is elsewhere now. */
  movedTo: TaskAddress | null = null;
  /** Its memory was changed, or something has come for it: `onTurn` is called at the end of the turn. */
  touched = false;
  /** Looks at waiting conditions, signals and records. */
  readonly onTurn: () => void;

  constructor(number: number, onTurn: () => void) {
    this.number = number;
    this.onTurn = onTurn;
  }

  /** The grant that a key opens for a task of a node; null when none does. */
  // cold: once per handle
  grantFor(key: Uint8Array, node: number, task: number): Grant | null {
    let found: Grant | null = null;
    for (const grant of this.grants) {
      const { record } = grant;
      const fits = record.opens(key);
      const isGrantee =
        (record.granteeNode === 0 || record.granteeNode === node) &&
        (record.granteeTask === 0 || record.granteeTask === task);
      if (fits && isGrantee) found = grant;
    }
    return found;
  }

  /** The FIFO that was declared at an address of a memory; null when none was. */
  fifoAt(memory: TaskMemory, address: number): Fifo | null {
    const { fifos } = this;
    for (let i = 0; i < fifos.length; i++) {
      const fifo = fifos[i] as Fifo;
      if (fifo.address === address && fifo.memory === memory) return fifo;
    }
    return null;
  }
}
