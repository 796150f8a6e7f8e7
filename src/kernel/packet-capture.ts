/**
 * The `capture` stream: frames of one interface, with wall-clock stamps and complete checksums, in batches.
 *
 * Thread: the one that runs the kernel. Between kernels a transport checksum may travel as a promise (META_CHECKSUM_PARTIAL):
 * it is filled in here, so that what a reader sees is what a wire would have carried.
 */

import { checksumOf, sumView } from '../base/checksum.ts';
import { NS_PER_S, NS_PER_US } from '../base/units.ts';
import type { Host } from '../host/contract.ts';
import { Callout, type CalloutTable } from '../kern/callout.ts';
import type { Bulk } from '../mem/bulk.ts';
import { Capture, type TappedFrame } from '../net/capture.ts';
import type { Interface } from '../net/interface.ts';
import { META_CHECKSUM_PARTIAL } from '../net/packet-meta.ts';
import type { CaptureFrame, CaptureRecord, StreamSink } from '../sys/control.ts';
import * as ethernet from '../wire/ethernet.ts';
import * as ipv4 from '../wire/ipv4.ts';
import * as ipv6 from '../wire/ipv6.ts';

/** How long frames may wait before they are handed on together. */
const BATCH_US = 10_000;
/** More than this in front of a slow reader, and frames stay in the bounded queue of the capture, which counts those it drops. */
const UNREAD_BYTES_MAX = 4 * 1024 * 1024;

/** Offset of the checksum field in the transport header, -1 for protocols without one here. */
function checksumOffset(protocol: number): number {
  if (protocol === ipv4.PROTOCOL_TCP) return 16;
  return protocol === ipv4.PROTOCOL_UDP ? 6 : -1;
}

interface TransportPart {
  protocol: number;
  at: number;
  end: number;
}

/** The transport header of a frame with a whole IP packet of either family, null when there is none. */
function transportOf(view: DataView): TransportPart | null {
  const ip = ethernet.HEADER_BYTES;
  const bytes = view.byteLength - ip;
  if (bytes < ipv4.HEADER_BYTES) return null;
  if (ethernet.type(view, 0) === ethernet.ETHERTYPE_IPV4) {
    const at = ip + ipv4.headerBytes(view, ip);
    return { protocol: ipv4.protocol(view, ip), at, end: ip + ipv4.totalLength(view, ip) };
  }
  if (ethernet.type(view, 0) !== ethernet.ETHERTYPE_IPV6 || ipv6.check(view, ip, bytes) !== 0) return null;
  const walk = new ipv6.HeaderWalk();
  const end = ip + ipv6.HEADER_BYTES + ipv6.payloadBytes(view, ip);
  const fault = walk.walk(view, ip + ipv6.HEADER_BYTES, end, ipv6.nextHeader(view, ip));
  return fault !== 0 || walk.fragmentAt !== 0 ? null : { protocol: walk.protocol, at: walk.payloadAt, end };
}

/** Fill in the transport checksum of a whole frame whose field holds the pseudo-header sum. */
function completeChecksum(frame: TappedFrame): void {
  if ((frame.meta & META_CHECKSUM_PARTIAL) === 0 || frame.bytes.length < frame.lengthBytes) return;
  const view = new DataView(frame.bytes.buffer, frame.bytes.byteOffset, frame.bytes.length);
  const part = transportOf(view);
  if (part === null) return;
  const { protocol, at, end } = part;
  const offset = checksumOffset(protocol);
  if (offset < 0 || end > view.byteLength || at + offset + 2 > end) return;
  const checksum = checksumOf(sumView(view, at, end - at));
  view.setUint16(at + offset, checksum === 0 && protocol === ipv4.PROTOCOL_UDP ? 0xffff : checksum);
}

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
    completeChecksum(frame);
    const { direction, lengthBytes, bytes } = frame;
    const sinceEpochNs = this.#host.epochNs + BigInt(Math.round(frame.timeUs * NS_PER_US));
    const timeSec = Number(sinceEpochNs / NS_PER_S);
    const timeNs = Number(sinceEpochNs % NS_PER_S);
    return { timeSec, timeNs, outgoing: direction === 'out', lengthBytes, bytes };
  }
}
