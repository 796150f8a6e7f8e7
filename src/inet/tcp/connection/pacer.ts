/**
 * The pace of one connection: when what it sent is paid for, and the timer that goes on.
 *
 * Thread: the one that runs the CPU.
 */

import { assert } from '../../../base/assert.ts';
import { Callout } from '../../../kern/callout.ts';

/** Invariant: `paidUs` is finite: no byte is ever divided by a rate of 0. */
export class Pacer {
  readonly timer: Callout;
  /** Up to when what was sent is paid for, microseconds. */
  paidUs: number = -0.5;

  /** `onTimer` sends what the pace held up. */
  constructor(onTimer: (nowUs: number) => void) {
    this.timer = new Callout(onTimer);
  }
}

export function checkPacer(pacer: Pacer): void {
  assert(Number.isFinite(pacer.paidUs), 'what was sent is paid for at some time');
}
