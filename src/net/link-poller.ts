/**
 * The way in of one CPU: the links whose queues it polls, the batch that it polls them with, and its input.
 *
 * Thread: the one that runs the CPU. A queue has one consumer, so a link is polled by one CPU: its interface's
 * (interface-table.ts, `assign`). Missing: devices with several queues, each with a CPU of its own.
 */

import { FrameBatch } from '../link/device.ts';
import type { DeviceLink } from './device-link.ts';
import type { LinkInput } from './link-input.ts';

/** Frames taken from a queue at a time. */
export const BATCH_FRAMES = 64;

export class LinkPoller {
  readonly input: LinkInput;
  readonly #links: DeviceLink[] = [];
  readonly #batch: FrameBatch = new FrameBatch(BATCH_FRAMES);

  constructor(input: LinkInput) {
    this.input = input;
  }

  // cold: configuration
  add(link: DeviceLink): void {
    this.#links.push(link);
  }

  /** Nothing happens when it is another CPU's. */
  // cold: configuration
  remove(link: DeviceLink): void {
    const index = this.#links.indexOf(link);
    if (index >= 0) this.#links.splice(index, 1);
  }

  /** Receive and process at most one batch from each queue of each device. Returns how many frames there were. */
  poll(nowUs: number): number {
    let received = 0;
    for (let i = 0; i < this.#links.length; i++) {
      received += (this.#links[i] as DeviceLink).poll(this.input, this.#batch, nowUs);
    }
    return received;
  }

  /** Whether any device has frames; called before sleeping. */
  get pending(): boolean {
    for (let i = 0; i < this.#links.length; i++) if ((this.#links[i] as DeviceLink).pending) return true;
    return false;
  }
}
