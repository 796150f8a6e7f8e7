/**
 * The `capture` stream: frames of interfaces, with wall-clock stamps and complete checksums, in batches, in the order of their stamps.
 *
 * Thread: the one that runs the kernel. Read first: net/capture.ts, which keeps the frames and fills in the checksums.
 */

import { NS_PER_S, NS_PER_US } from '../base/units.ts';
import type { Host } from '../host/contract.ts';
import { Callout, type CalloutTable } from '../kern/callout.ts';
import { Capture, type CaptureContext, type CaptureOptions, type TappedFrame } from '../net/capture.ts';
import type { Interface } from '../net/interface.ts';
import type { CaptureFrame, CaptureRecord, StreamSink } from '../sys/control.ts';
import type { CheckedCapture } from '../sys/control-streams.ts';

/** Longest wait of frames that are handed on together. */
const BATCH_US = 10_000;
/** More than this in front of a slow reader, and frames stay in the bounded queues of the captures, which count those they drop. */
const UNREAD_BYTES_MAX = 4 * 1024 * 1024;

export class PacketCapture {
  /** One per interface, in their order. */
  readonly #captures: readonly Capture[];
  readonly #host: Host;
  readonly #callouts: CalloutTable;
  readonly #sink: StreamSink<CaptureRecord>;
  readonly #flush: Callout;
  #scheduled = false;

  /** Begins at once; `sink` is given the frames since the batch before. */
  constructor(
    interfaces: readonly Interface[],
    { snapBytes, filter }: CheckedCapture,
    context: CaptureContext,
    host: Host,
    callouts: CalloutTable,
    sink: StreamSink<CaptureRecord>,
  ) {
    this.#host = host;
    this.#callouts = callouts;
    this.#sink = sink;
    this.#flush = new Callout(() => this.#handOnLater());
    const options: CaptureOptions = {
      ...(snapBytes > 0 ? { snapBytes } : {}),
      ...(filter === null ? {} : { filter }),
      onFrames: () => {
        if (!this.#scheduled) this.#schedule();
      },
    };
    this.#captures = interfaces.map((iface) => new Capture(iface, context, options));
  }

  /** Stop; the frames seen until now are handed on first. */
  stop(): void {
    this.#callouts.stop(this.#flush);
    for (const capture of this.#captures) capture.close();
    this.#handOn();
  }

  #schedule(): void {
    this.#scheduled = true;
    this.#callouts.schedule(this.#flush, this.#host.nowUs() + BATCH_US);
  }

  #handOnLater(): void {
    this.#scheduled = false;
    if ((this.#sink.queuedBytes ?? 0) <= UNREAD_BYTES_MAX) this.#handOn();
    else this.#schedule();
  }

  #handOn(): void {
    const read = this.#captures.flatMap((capture, index) => capture.read().map((frame) => ({ frame, index })));
    const droppedFrames = this.#captures.reduce((sum, capture) => sum + capture.droppedFrames, 0);
    if (read.length === 0 && droppedFrames === 0) return;
    for (const capture of this.#captures) capture.droppedFrames = 0;
    if (this.#captures.length > 1) read.sort((a, b) => a.frame.timeUs - b.frame.timeUs);
    const frames = read.map(({ frame, index }) => this.#record(frame, index));
    this.#sink.event({ type: 'frames', frames, droppedFrames });
  }

  #record(frame: TappedFrame, interfaceIndex: number): CaptureFrame {
    const { direction, lengthBytes, bytes } = frame;
    const sinceEpochNs = this.#host.epochNs + BigInt(Math.round(frame.timeUs * NS_PER_US));
    const timeSec = Number(sinceEpochNs / NS_PER_S);
    const timeNs = Number(sinceEpochNs % NS_PER_S);
    return { interfaceIndex, timeSec, timeNs, outgoing: direction === 'out', lengthBytes, bytes };
  }
}
