/**
 * The newest frames of one interface, within a number of bytes. Thread: the test runner's.
 */

import type { CaptureBatch, CapturedFrame } from '../index.ts';

/** Memory of a frame beside its bytes, about. */
const FRAME_OVERHEAD_BYTES = 128;

export class FrameRing {
  readonly #bytesMax: number;
  #frames: CapturedFrame[] = [];
  /** Index of the oldest that is kept. */
  #first = 0;
  #bytes = 0;
  /** Frames that the kernel did not hand over, because it was not read fast enough. */
  lostFrames = 0;
  mac: string | null = null;
  snapBytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  add({ frames, droppedFrames }: CaptureBatch): void {
    this.lostFrames += droppedFrames;
    for (const frame of frames) {
      this.#frames.push(frame);
      this.#bytes += frame.bytes.length + FRAME_OVERHEAD_BYTES;
    }
    while (this.#bytes > this.#bytesMax && this.#first < this.#frames.length) {
      this.#bytes -= (this.#frames[this.#first] as CapturedFrame).bytes.length + FRAME_OVERHEAD_BYTES;
      this.#first++;
    }
    if (this.#first * 2 < this.#frames.length) return;
    this.#frames = this.#frames.slice(this.#first);
    this.#first = 0;
  }

  get frames(): CapturedFrame[] {
    return this.#frames.slice(this.#first);
  }
}
