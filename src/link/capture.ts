/**
 * capture: a device that copies the frames passing through it for whoever watches (`mk capture`).
 *
 * Thread: the kernel's, readers included. `onWatched` tells when to put it in the path and when to take it out. Each watcher has a bounded
 * queue in ordinary memory: nothing is lost below its limit, what exceeds it is counted. Stamps are host time in
 * microseconds with fractions; the frames of one batch carry one stamp.
 */

import type { Bulk } from '../mem/bulk.ts';
import type { Device, FrameBatch } from './device.ts';
import { Middleware } from './middleware.ts';

const DEFAULT_QUEUE_BYTES: number = 4 * 1024 * 1024;
const DEFAULT_SNAP_BYTES = 65_550;
/** Bookkeeping charged per frame, so that many short frames are bounded as well. */
const FRAME_OVERHEAD_BYTES = 64;

export interface CapturedFrame {
  /** Host time of the batch. */
  timeUs: number;
  direction: 'in' | 'out';
  /** Length on the wire, Ethernet header included; `bytes` may hold less. */
  lengthBytes: number;
  /** `META_*` of the frame: a partial checksum is not filled in here either. */
  meta: number;
  bytes: Uint8Array;
}

export interface CaptureOptions {
  /** Bytes kept of each frame; default all. */
  snapBytes?: number;
  /** Limit of what waits to be read; default 4 MiB. */
  queueBytes?: number;
  /** Called once after frames came into the empty queue; read from elsewhere than inside it. */
  onFrames?: () => void;
}

/** One watcher's queue. */
export class Capture {
  droppedFrames = 0;
  readonly #snapBytes: number;
  readonly #queueBytes: number;
  readonly #onFrames: (() => void) | undefined;
  readonly #close: (capture: Capture) => void;
  #frames: CapturedFrame[] = [];
  #bytes = 0;

  constructor(options: CaptureOptions, close: (capture: Capture) => void) {
    this.#snapBytes = options.snapBytes ?? DEFAULT_SNAP_BYTES;
    this.#queueBytes = options.queueBytes ?? DEFAULT_QUEUE_BYTES;
    this.#onFrames = options.onFrames;
    this.#close = close;
  }

  record(bulk: Bulk, timeUs: number, direction: 'in' | 'out', at: number, lengthBytes: number, meta: number): void {
    const kept = Math.min(lengthBytes, this.#snapBytes);
    if (this.#bytes + kept + FRAME_OVERHEAD_BYTES > this.#queueBytes) {
      this.droppedFrames++;
      return;
    }
    const bytes = new Uint8Array(kept);
    bulk.copyOut(bytes, 0, at, kept);
    this.#bytes += kept + FRAME_OVERHEAD_BYTES;
    this.#frames.push({ timeUs, direction, lengthBytes, meta, bytes });
    if (this.#frames.length === 1) this.#onFrames?.();
  }

  /** Everything that waits, oldest first. */
  read(): CapturedFrame[] {
    const frames = this.#frames;
    this.#frames = [];
    this.#bytes = 0;
    return frames;
  }

  /** Stop watching; what waits may still be read. */
  close(): void {
    this.#close(this);
  }
}

export class CaptureDevice extends Middleware {
  readonly #bulk: Bulk;
  readonly #clock: { nowUs(): number };
  readonly #captures: Capture[] = [];
  /** The first watcher has come, or the last one has gone. */
  onWatched: ((watched: boolean) => void) | null = null;
  #openAt = 0;
  /** Stamp of the batch being sent; negative before its first frame. */
  #sendUs = -1;

  constructor(inner: Device, bulk: Bulk, clock: { nowUs(): number }) {
    super(inner);
    this.#bulk = bulk;
    this.#clock = clock;
  }

  /** Watch from now on, until the capture is closed. */
  capture(options: CaptureOptions = {}): Capture {
    const capture = new Capture(options, (closed) => {
      const index = this.#captures.indexOf(closed);
      if (index < 0) return;
      this.#captures.splice(index, 1);
      if (this.#captures.length === 0) this.onWatched?.(false);
    });
    this.#captures.push(capture);
    if (this.#captures.length === 1) this.onWatched?.(true);
    return capture;
  }

  override reserve(dstHi: number, dstLo: number, lengthBytes: number): number {
    this.#openAt = this.inner.reserve(dstHi, dstLo, lengthBytes);
    return this.#openAt;
  }

  override commit(lengthBytes: number, meta: number): void {
    if (this.#captures.length > 0) {
      if (this.#sendUs < 0) this.#sendUs = this.#clock.nowUs();
      for (const capture of this.#captures) {
        capture.record(this.#bulk, this.#sendUs, 'out', this.#openAt, lengthBytes, meta);
      }
    }
    this.inner.commit(lengthBytes, meta);
  }

  override flush(): void {
    this.#sendUs = -1;
    this.inner.flush();
  }

  override receive(batch: FrameBatch): number {
    const count = this.inner.receive(batch);
    if (count > 0 && this.#captures.length > 0) this.#recordBatch(batch, count);
    return count;
  }

  #recordBatch(batch: FrameBatch, count: number): void {
    const nowUs = this.#clock.nowUs();
    for (const capture of this.#captures) {
      for (let i = 0; i < count; i++) {
        const at = batch.at[i] as number;
        capture.record(this.#bulk, nowUs, 'in', at, batch.length[i] as number, batch.meta[i] as number);
      }
    }
  }
}
