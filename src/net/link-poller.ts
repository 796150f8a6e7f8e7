/**
 * The way in of one CPU: the queues that it polls, the batch that it polls them with, and its input.
 *
 * Thread: the one that runs the CPU. A queue has one consumer, so a link is polled by one CPU: its interface's
 * (interface-table.ts, `assign`). Missing: devices with several queues, each with a CPU of its own.
 */

import { type DeviceQueue, FrameBatch } from '../link/device.ts';
import type { DeviceLink } from './device-link.ts';
import type { LinkInput } from './link-input.ts';

/** Frames taken from a queue at a time. */
export const BATCH_FRAMES = 64;

export class LinkPoller {
  readonly input: LinkInput;
  readonly #queues: DeviceQueue[] = [];
  /** `#links[i]` has `#queues[i]`. */
  readonly #links: DeviceLink[] = [];
  readonly #batch: FrameBatch = new FrameBatch(BATCH_FRAMES);

  constructor(input: LinkInput) {
    this.input = input;
  }

  // cold: configuration
  add(link: DeviceLink): void {
    for (const queue of link.device.queues) {
      this.#queues.push(queue);
      this.#links.push(link);
    }
  }

  /** Nothing happens when it is another CPU's. */
  // cold: configuration
  remove(link: DeviceLink): void {
    for (let i = this.#links.length - 1; i >= 0; i--) {
      if (this.#links[i] !== link) continue;
      this.#queues.splice(i, 1);
      this.#links.splice(i, 1);
    }
  }

  /** Receive and process at most one batch from each queue. Returns how many frames there were. */
  poll(nowUs: number): number {
    let received = 0;
    for (let i = 0; i < this.#queues.length; i++) {
      const queue = this.#queues[i] as DeviceQueue;
      const count = queue.receive(this.#batch);
      if (count === 0) continue;
      this.input.batch((this.#links[i] as DeviceLink).iface, this.#batch, count, nowUs);
      queue.release();
      received += count;
    }
    return received;
  }

  /** Whether any queue has frames; called before sleeping. */
  get pending(): boolean {
    for (let i = 0; i < this.#queues.length; i++) if ((this.#queues[i] as DeviceQueue).pending) return true;
    return false;
  }
}
