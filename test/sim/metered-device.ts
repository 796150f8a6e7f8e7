/**
 * A device that stands for the processor behind it: so many frames in a second of virtual time, received and sent together.
 *
 * What exceeds the budget waits in the rings, which are bounded. A device contract's `receive` takes what there is, so the
 * batch asked of the inner device is cut to the budget that is left.
 */

import { type Device, FrameBatch } from '../../src/link/device.ts';
import { Middleware } from '../../src/link/middleware.ts';

const TICK_US = 1000;

export class MeteredDevice extends Middleware {
  received = 0;
  sent = 0;
  readonly #perTick: number;
  readonly #clock: { nowUs(): number };
  readonly #batches: FrameBatch[] = [];
  #left: number;
  #tickUs = 0;

  constructor(inner: Device, framesPerSecond: number, clock: { nowUs(): number }) {
    super(inner);
    this.#perTick = (framesPerSecond * TICK_US) / 1e6;
    this.#left = this.#perTick;
    this.#clock = clock;
    for (let i = 0; i <= 64; i++) this.#batches.push(new FrameBatch(i));
  }

  /** What was not used is not saved, what was used in advance (sending is never refused) is paid back. */
  #refill(): void {
    const ticks = Math.floor((this.#clock.nowUs() - this.#tickUs) / TICK_US);
    if (ticks <= 0) return;
    this.#tickUs += ticks * TICK_US;
    this.#left = Math.min(this.#perTick, this.#left + ticks * this.#perTick);
  }

  override receive(batch: FrameBatch): number {
    this.#refill();
    const most = Math.min(batch.capacity, 64, Math.floor(this.#left));
    if (most <= 0) return 0;
    const cut = this.#batches[most] as FrameBatch;
    const count = this.innerQueue.receive(cut);
    batch.at.set(cut.at.subarray(0, count));
    batch.length.set(cut.length.subarray(0, count));
    batch.meta.set(cut.meta.subarray(0, count));
    this.#left -= count;
    this.received += count;
    return count;
  }

  override commit(lengthBytes: number, meta: number): void {
    this.#left--;
    this.sent++;
    this.innerQueue.commit(lengthBytes, meta);
  }

  override nextDeadlineUs(): number {
    const inner = super.nextDeadlineUs();
    return this.innerQueue.pending ? Math.min(inner, this.#tickUs + TICK_US) : inner;
  }
}
