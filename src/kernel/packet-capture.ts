/**
 * The `capture` stream: frames of one interface, with wall-clock stamps and complete checksums, in batches.
 *
 * Thread: the one that runs the kernel. Read first: net/capture.ts, which keeps the frames and fills in the checksums.
 */

import { NS_PER_S, NS_PER_US } from '../base/units.ts';
import type { Host } from '../host/contract.ts';
import { Callout, type CalloutTable } from '../kern/callout.ts';
import type { Bulk } from '../mem/bulk.ts';
import { Capture, type TappedFrame } from '../net/capture.ts';
import type { Interface } from '../net/interface.ts';
import type { CaptureFrame, CaptureRecord, StreamSink } from '../sys/control.ts';

/** Longest wait of frames that are handed on together. */
const BATCH_US = 10_000;
/** More than this in front of a slow reader, and frames stay in the bounded queue of the capture, which counts those it drops. */
const UNREAD_BYTES_MAX = 4 * 1024 * 1024;

export class PacketCapture {
  readonly #capture: Capture;
  readonly #host: Host;
  readonly #callouts: CalloutTable;
  readonly #sink: StreamSink<CaptureRecord>;
  readonly #flush: Callout;

  /** Begins at once; `sink` is given the frames since the batch before. */
  constructor(
    iface: Interface,
    bulk: Bulk,
    snapBytes: number,
    host: Host,
    callouts: CalloutTable,
    sink: StreamSink<CaptureRecord>,
  ) {
    this.#host = host;
    this.#callouts = callouts;
    this.#sink = sink;
    this.#flush = new Callout(() => this.#handOnLater());
    const context = { bulk, nowUs: () => host.nowUs() };
    this.#capture = new Capture(iface, context, {
      ...(snapBytes > 0 ? { snapBytes } : {}),
      onFrames: () => callouts.schedule(this.#flush, host.nowUs() + BATCH_US),
    });
  }

  /** Stop; the frames seen until now are handed on first. */
  stop(): void {
    this.#callouts.stop(this.#flush);
    this.#capture.close();
    this.#handOn();
  }

  #handOnLater(): void {
    if ((this.#sink.queuedBytes ?? 0) <= UNREAD_BYTES_MAX) this.#handOn();
    else this.#callouts.schedule(this.#flush, this.#host.nowUs() + BATCH_US);
  }

  #handOn(): void {
    const frames = this.#capture.read();
    const droppedFrames = this.#capture.droppedFrames;
    if (frames.length === 0 && droppedFrames === 0) return;
    this.#capture.droppedFrames = 0;
    this.#sink.event({ type: 'frames', frames: frames.map((frame) => this.#record(frame)), droppedFrames });
  }

  #record(frame: TappedFrame): CaptureFrame {
    const { direction, lengthBytes, bytes } = frame;
    const sinceEpochNs = this.#host.epochNs + BigInt(Math.round(frame.timeUs * NS_PER_US));
    const timeSec = Number(sinceEpochNs / NS_PER_S);
    const timeNs = Number(sinceEpochNs % NS_PER_S);
    return { timeSec, timeNs, outgoing: direction === 'out', lengthBytes, bytes };
  }
}
