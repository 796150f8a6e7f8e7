/**
 * capture: a tap that copies the frames of one interface for a reader (`mk capture`).
 *
 * Thread: the kernel's, readers included. Each capture has a bounded queue in ordinary memory: nothing is lost below its
 * limit, frames beyond it are counted. Stamps are host time in microseconds with fractions; the frames of one batch carry
 * one stamp. Frames of a link without Ethernet header (lo0) get one with zero addresses, as on Linux, so that every capture
 * is of link type Ethernet. A filter sees a frame where it lies, before anything is copied. Between kernels a transport checksum may travel as a promise (META_CHECKSUM_PARTIAL): reading
 * fills it in, so that a reader sees what a wire would have carried; a filter sees the promise. Read first: link-input.ts (the chain),
 * bpf(4), bpf/interpreter.ts.
 */

import { checksumOf, sumView } from '../base/checksum.ts';
import { type FrameBatch, META_ARRIVAL_MASK } from '../link/device.ts';
import type { Bulk } from '../mem/bulk.ts';
import * as ethernet from '../wire/ethernet.ts';
import * as ipv4 from '../wire/ipv4.ts';
import * as ipv6 from '../wire/ipv6.ts';
import { FilterMachine } from './bpf/interpreter.ts';
import type { VerifiedProgram } from './bpf/verifier.ts';
import type { Interface } from './interface.ts';
import type { FrameTap } from './link-input.ts';
import { META_CHECKSUM_PARTIAL } from './packet-meta.ts';

const DEFAULT_QUEUE_BYTES: number = 4 * 1024 * 1024;
const DEFAULT_SNAP_BYTES = 65_550;
/** Bookkeeping charged per frame, so that many short frames are bounded as well. */
const FRAME_OVERHEAD_BYTES = 64;
/** Longest packet of a link without Ethernet header. */
const PACKET_BYTES_MAX = 65_535;

export interface TappedFrame {
  /** Host time of the batch. */
  timeUs: number;
  direction: 'in' | 'out';
  /** Length on the wire, Ethernet header included; `bytes` may hold less. */
  lengthBytes: number;
  /** `META_*` of the frame as it was sent. */
  meta: number;
  bytes: Uint8Array;
}

export interface CaptureOptions {
  /** Bytes kept of each frame; default all. */
  snapBytes?: number;
  /** Limit of what waits to be read; default 4 MiB. */
  queueBytes?: number;
  /** Chooses frames, and how much of each is kept; default all. */
  filter?: VerifiedProgram;
  /** Called once after frames came into the empty queue; read from elsewhere than inside it. */
  onFrames?: () => void;
  /** Called once when the interface goes, from the kernel or to another one; nothing comes any more. */
  onGone?: () => void;
}

const HEADER4: Uint8Array = headerOf(ethernet.ETHERTYPE_IPV4);
const HEADER6: Uint8Array = headerOf(ethernet.ETHERTYPE_IPV6);

/** An Ethernet header with zero addresses. */
// cold: captures copy each frame
function headerOf(etherType: number): Uint8Array {
  const header = new Uint8Array(ethernet.HEADER_BYTES);
  ethernet.setType(new DataView(header.buffer), 0, etherType);
  return header;
}

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
// cold: captures copy each frame
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
// cold: captures copy each frame
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

/** Clock and memory that a capture reads with. */
export interface CaptureContext {
  readonly bulk: Bulk;
  /** The memory that frames lie in. */
  readonly view: DataView;
  nowUs(): number;
}

/** Copies of the frames of one interface from its making on, until it is closed or the interface goes. */
export class Capture implements FrameTap {
  droppedFrames = 0;
  /** Frames shown to the filter. */
  seenFrames = 0;
  /** Whether frames that the interface sends are shown to it, too. */
  seesSent = true;
  #iface: Interface;
  readonly #context: CaptureContext;
  readonly #snapBytes: number;
  readonly #queueBytes: number;
  readonly #onFrames: (() => void) | undefined;
  readonly #onGone: (() => void) | undefined;
  readonly #filter: FilterMachine | null;
  /** A packet of a link without Ethernet header behind one, for the filter. */
  #framed: DataView | null = null;
  #frames: TappedFrame[] = [];
  #bytes = 0;
  /** First byte of an IP header. */
  readonly #version: Uint8Array = new Uint8Array(1);
  /** Stamp of the batch being sent; negative before its first frame. */
  #sendUs = -1;

  constructor(iface: Interface, context: CaptureContext, options: CaptureOptions = {}) {
    this.#iface = iface;
    this.#context = context;
    this.#snapBytes = options.snapBytes ?? DEFAULT_SNAP_BYTES;
    this.#queueBytes = options.queueBytes ?? DEFAULT_QUEUE_BYTES;
    this.#onFrames = options.onFrames;
    this.#onGone = options.onGone;
    this.#filter = options.filter === undefined ? null : new FilterMachine(options.filter);
    iface.addTap(this);
  }

  received(_iface: Interface, batch: FrameBatch, count: number): void {
    const nowUs = this.#context.nowUs();
    for (let i = 0; i < count; i++) {
      this.#record(nowUs, 'in', batch.at[i] as number, batch.length[i] as number, batch.meta[i] as number);
    }
  }

  sent(_iface: Interface, at: number, lengthBytes: number, meta: number): void {
    if (!this.seesSent) return;
    if (this.#sendUs < 0) this.#sendUs = this.#context.nowUs();
    this.#record(this.#sendUs, 'out', at, lengthBytes, meta);
  }

  flushed(_iface: Interface): void {
    this.#sendUs = -1;
  }

  detached(_iface: Interface): void {
    this.close();
    this.#onGone?.();
  }

  moved(to: Interface): void {
    this.#iface = to;
    this.#onGone?.();
  }

  /** Everything that waits, oldest first, with complete transport checksums. */
  // cold: once per batch of a capture
  read(): TappedFrame[] {
    const frames = this.#frames;
    this.#frames = [];
    this.#bytes = 0;
    for (const frame of frames) completeChecksum(frame);
    return frames;
  }

  /** Stop; what waits may still be read. */
  close(): void {
    this.#iface.removeTap(this);
  }

  /** Bytes to keep of a frame, as the filter says; 0: none. */
  // cold: captures of links without Ethernet header copy each packet
  #filtered(filter: FilterMachine, at: number, packetBytes: number, isIp: boolean): number {
    const { bulk, view } = this.#context;
    if (!isIp) return filter.run(view, at, packetBytes, packetBytes);
    const bytes = Math.min(packetBytes, PACKET_BYTES_MAX);
    this.#framed ??= new DataView(new ArrayBuffer(ethernet.HEADER_BYTES + PACKET_BYTES_MAX));
    const framed = new Uint8Array(this.#framed.buffer);
    bulk.copyOut(framed, ethernet.HEADER_BYTES, at, bytes);
    framed.set((framed[ethernet.HEADER_BYTES] as number) >> 4 === 6 ? HEADER6 : HEADER4);
    return filter.run(this.#framed, 0, ethernet.HEADER_BYTES + bytes, ethernet.HEADER_BYTES + packetBytes);
  }

  // cold: captures copy each frame
  #record(timeUs: number, direction: 'in' | 'out', at: number, packetBytes: number, meta: number): void {
    this.seenFrames++;
    const { bulk } = this.#context;
    const isIp = this.#iface.link.linkType === 'ip';
    const headerBytes = isIp ? ethernet.HEADER_BYTES : 0;
    const lengthBytes = headerBytes + packetBytes;
    const passed = this.#filter === null ? lengthBytes : this.#filtered(this.#filter, at, packetBytes, isIp);
    if (passed === 0) return;
    const kept = Math.min(lengthBytes, this.#snapBytes, passed);
    if (this.#bytes + kept + FRAME_OVERHEAD_BYTES > this.#queueBytes) {
      this.droppedFrames++;
      return;
    }
    const bytes = new Uint8Array(kept);
    if (kept > headerBytes) bulk.copyOut(bytes, headerBytes, at, kept - headerBytes);
    if (isIp) {
      bulk.copyOut(this.#version, 0, at, 1);
      bytes.set(((this.#version[0] as number) >> 4 === 6 ? HEADER6 : HEADER4).subarray(0, kept));
    }
    this.#bytes += kept + FRAME_OVERHEAD_BYTES;
    this.#frames.push({ timeUs, direction, lengthBytes, meta: meta & ~META_ARRIVAL_MASK, bytes });
    if (this.#frames.length === 1) this.#onFrames?.();
  }
}
